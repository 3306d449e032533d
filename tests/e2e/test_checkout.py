"""`make install`, `make reset` and `make clean` in a folder with an empty lock file."""

import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import psutil
import pytest

from config.stack import place
from tests.support import servers

pytestmark = pytest.mark.slow

CODE: Final = "from config.stack import checkout as c; print(c.data_folder(), c.socket_folder())"


class Checkout:
    """A folder with the files of the project that `make install` needs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = folder / ".venv"
        for name in ("Makefile", "config/stack/checkout.py"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(place.PROJECT / name, folder / name)
        (folder / "requirements.lock").touch()
        (folder / "config/__init__.py").touch()
        self.data, self.sockets = map(Path, self._run(sys.executable, "-c", CODE).stdout.split())

    def make(self, *arguments: str) -> str:
        """Return the output of make. Fail if make fails."""
        done = self._run("make", *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def refused(self, *arguments: str) -> str:
        """Return the first line of the error output of make."""
        done = self._run("make", *arguments)
        assert done.returncode == 2
        return done.stderr.splitlines()[0]

    def fake_environment(self, says: str, *, complete: bool) -> None:
        """Create an environment whose Python only prints `says`."""
        python = self.environment / "bin" / "python"
        python.parent.mkdir(parents=True, exist_ok=True)
        python.write_text(f"#!/bin/sh\necho '{says}'\n")
        python.chmod(0o755)
        if complete:
            (self.environment / ".installed").touch()

    def version(self) -> str:
        python = self.environment / "bin" / "python"
        return self._run(str(python), "-c", "import pip, sys; print(sys.version_info[:2])").stdout

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        return subprocess.run(
            arguments,
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def checkout() -> Iterator[Checkout]:
    folder = servers.own_folder()
    made = Checkout(folder)
    yield made
    for each in (folder, made.data, made.sockets):
        shutil.rmtree(each, ignore_errors=True)


def test_interrupted_installation_is_repeated(checkout: Checkout) -> None:
    """Ctrl-C while ensurepip runs leaves a Python without pip."""
    bin_folder = checkout.environment / "bin"
    bin_folder.mkdir(parents=True)
    (bin_folder / "python").symlink_to(sys.executable)
    (checkout.environment / "left").touch()
    checkout.make("install", f"PYTHON={sys.executable}")
    assert checkout.version() == f"{sys.version_info[:2]}\n"
    assert not (checkout.environment / "left").exists()
    before = (checkout.environment / ".installed").stat().st_mtime_ns
    assert checkout.make("install") == ""
    assert (checkout.environment / ".installed").stat().st_mtime_ns == before


def test_ctrl_c_ends_the_installation_without_a_traceback(checkout: Checkout) -> None:
    # Restore SIGINT for make: if a shell runs pytest in the background, SIGINT is ignored.
    make = ["make", "install", f"PYTHON={sys.executable}"]
    code = "import os, signal; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execvp"
    with subprocess.Popen(
        [sys.executable, "-c", f"{code}({make[0]!r}, {make!r})"],
        cwd=checkout.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as installing:
        deadline = time.monotonic() + 60
        while not _at_work_in(checkout.environment) and time.monotonic() < deadline:
            time.sleep(0.01)
        os.killpg(installing.pid, signal.SIGINT)  # as the terminal does
        printed, _ = installing.communicate(timeout=60)

    assert "Creating .venv" in printed
    assert "Traceback" not in printed
    assert not _at_work_in(checkout.environment)
    assert not (checkout.environment / ".installed").exists()


def _at_work_in(environment: Path) -> list[int]:
    """Return the processes that run the environment's Python, as ensurepip does."""
    python = str(environment / "bin" / "python")
    return [
        process.pid
        for process in psutil.process_iter(["cmdline"])
        if any(python in word for word in process.info["cmdline"] or ())
    ]


@pytest.mark.nightly
def test_chosen_python_replaces_the_environment(checkout: Checkout) -> None:
    checkout.fake_environment("3.9", complete=True)
    assert checkout.make("install") == ""  # without PYTHON, the environment is kept
    output = checkout.make("install", f"PYTHON={sys.executable}")
    assert "Replacing .venv, whose Python is 3.9" in output
    assert checkout.version() == f"{sys.version_info[:2]}\n"


def test_environment_of_another_checkout_is_not_replaced(checkout: Checkout) -> None:
    other = checkout.folder / "other"
    other.mkdir()
    checkout.environment.symlink_to(other)
    checkout.fake_environment("3.9", complete=True)
    assert "is a symbolic link and is not replaced" in checkout.refused(
        "install", f"PYTHON={sys.executable}"
    )
    assert (other / "bin" / "python").exists()
    checkout.make("clean")
    assert (other / "bin" / "python").exists()
    assert not checkout.environment.is_symlink()


def test_python_that_is_too_old_is_refused(checkout: Checkout) -> None:
    old = next(Path.home().glob(".pyenv/versions/3.[6-9].*/bin/python3"), None)
    if old is None:
        pytest.skip("this machine has no older Python to try")
    assert "Python 3.11 or newer is needed" in checkout.refused("install", f"PYTHON={old}")


def test_reset_removes_the_data_and_clean_the_environment_too(checkout: Checkout) -> None:
    checkout.fake_environment("3.11", complete=True)
    for folder in (checkout.data, checkout.sockets, checkout.folder / ".local"):
        folder.mkdir(exist_ok=True)
        (folder / "content").touch()
    checkout.make("reset")
    assert not checkout.data.exists()
    assert not checkout.sockets.exists()
    assert not (checkout.folder / ".local").exists()
    assert checkout.environment.exists()
    checkout.data.mkdir()
    checkout.make("clean")
    assert not checkout.data.exists()
    assert not checkout.environment.exists()
    assert checkout.make("clean") == ""


@pytest.mark.parametrize("target", ["reset", "clean"])
def test_data_in_use_is_not_removed(checkout: Checkout, target: str) -> None:
    for folder in (checkout.data, checkout.sockets):
        folder.mkdir(exist_ok=True)
    with (checkout.data / "lock").open("w") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX)
        assert "`make run` uses the data" in checkout.refused(target)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(checkout.sockets / ".s.PGSQL.5432"))
        server.listen()
        assert "left servers running" in checkout.refused(target)
    assert checkout.data.exists()
    checkout.make(target)
    assert not checkout.data.exists()
