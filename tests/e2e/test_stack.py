"""`make run` as people use it: started, interrupted, killed, started again, and given what cannot work."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import psutil
import psycopg
import pytest

from config.stack import place
from config.stack.postgres import Postgres
from config.stack.valkey import Valkey
from tests import servers

pytestmark = pytest.mark.slow

PATIENCE: Final = 60.0
NOBODY: Final = 65534
PYTHON: Final = f"python3.{sys.version_info.minor}"


class Launcher:
    """`python -m config.stack` in a copy of the project, so that it has data of its own."""

    def __init__(self, project: Path, port: int) -> None:
        self.project = project
        self.port = port
        self.url = f"http://127.0.0.1:{port}/admin/login/"
        self.output = project / "output"
        self._process: subprocess.Popen[bytes] | None = None

    def start(
        self,
        environment: dict[str, str] | None = None,
        *,
        python: str = sys.executable,
        account: dict[str, Any] | None = None,
    ) -> subprocess.Popen[bytes]:
        with self.output.open("wb") as output:
            self._process = subprocess.Popen(
                [python, "-m", "config.stack"],
                cwd=self.project,
                env=_clean_environment() | {"PORT": str(self.port)} | (environment or {}),
                stdout=output,
                stderr=output,
                start_new_session=True,
                **(account or {}),
            )
        return self._process

    def refused(self, environment: dict[str, str] | None = None) -> str:
        """What it says when it cannot start, without a traceback."""
        assert self.start(environment).wait(PATIENCE) == 1, self.said()
        assert "Traceback" not in self.said()
        return self.said()

    def await_welcome(self) -> float:
        """Wait for the URL and the login; return how many seconds it took."""
        began = time.monotonic()
        while "Ctrl-C stops everything" not in self.said():
            assert self._process is not None
            assert self._process.poll() is None, self.said()
            assert time.monotonic() - began < PATIENCE, self.said()
            time.sleep(0.05)
        return time.monotonic() - began

    def said(self) -> str:
        return self.output.read_text()

    def processes(self) -> list[psutil.Process]:
        """Everything that it started and that still runs, whoever its parent is by now."""
        found = []
        for process in psutil.process_iter():
            try:
                environment = process.environ()
            except (psutil.Error, OSError):
                continue
            if environment.get("PORT") == str(self.port) and "PAYMENTS_LAUNCHER" in environment:
                found.append(process)
        return found

    def end(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            self._process.wait(PATIENCE)
        for process in self.processes():
            process.kill()


@pytest.fixture
def launcher() -> Iterator[Launcher]:
    home = servers.own_folder()
    project = home / "project"
    without = shutil.ignore_patterns(".git", ".venv", ".local", "__pycache__", ".*_cache", "tests")
    shutil.copytree(place.PROJECT, project, ignore=without)
    launcher = Launcher(project, _free_port())
    yield launcher
    launcher.end()
    for folder in (home, *_folders(project)):
        shutil.rmtree(folder, ignore_errors=True)


def test_a_signal_stops_everything_and_leaves_no_process(launcher: Launcher) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        process = launcher.start()
        launcher.await_welcome()
        assert urllib.request.urlopen(launcher.url).status == 200
        names = {running.name() for running in launcher.processes()}
        assert {"postgres", "valkey-server"} <= names
        process.send_signal(number)
        assert process.wait(PATIENCE) == 128 + number
        assert launcher.processes() == []


def test_the_second_start_takes_less_than_five_seconds(launcher: Launcher) -> None:
    """Or what five processes take to import the project, where a machine is slow or busy."""
    launcher.start()
    launcher.await_welcome()
    launcher.end()
    importing = _seconds_to_import()
    launcher.start()
    took = launcher.await_welcome()
    importing = max(importing, _seconds_to_import())
    assert took < max(5, 5 * importing)
    assert "Applying" not in launcher.said()


def _seconds_to_import() -> float:
    began = time.monotonic()
    code = "import django; django.setup(); from django.urls import get_resolver; get_resolver().url_patterns"
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "config.settings", "DEBUG": "1"}
    subprocess.run([sys.executable, "-c", code], cwd=place.PROJECT, env=environment, check=True)
    return time.monotonic() - began


def test_a_launcher_that_was_killed_does_not_block_the_next(launcher: Launcher) -> None:
    """Without ending the orphans, the port and the data folder were taken."""
    process = launcher.start()
    launcher.await_welcome()
    left = launcher.processes()
    process.kill()
    process.wait()
    launcher.start()
    launcher.await_welcome()
    assert urllib.request.urlopen(launcher.url).status == 200
    assert not any(orphan.is_running() for orphan in left)


def test_launchers_that_were_killed_while_starting_do_not_block_the_next(
    launcher: Launcher,
) -> None:
    # Each finds what the one before has left half done.
    for after in (0.2, 0.6, 1.2, 2.0, 4.0):
        process = launcher.start()
        time.sleep(after)
        process.kill()
        process.wait()
    launcher.start()
    launcher.await_welcome()


def test_a_second_launcher_is_told_of_the_first(launcher: Launcher) -> None:
    launcher.start()
    launcher.await_welcome()
    second = Launcher(launcher.project, _free_port())
    second.output = launcher.project / "second"
    assert "already at work" in second.refused()
    assert urllib.request.urlopen(launcher.url).status == 200


def test_one_process_that_ends_ends_all(launcher: Launcher) -> None:
    process = launcher.start()
    launcher.await_welcome()
    beat = next(each for each in launcher.processes() if "beat" in each.cmdline())
    beat.kill()
    assert process.wait(PATIENCE) == 1
    assert "The beat process has ended" in launcher.said()
    assert launcher.processes() == []


def test_a_busy_port_is_named(launcher: Launcher) -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", launcher.port))
        busy.listen()
        assert f"Port {launcher.port} cannot be used" in launcher.refused()


@pytest.mark.parametrize(
    ("environment", "complaint"),
    [
        ({"PORT": "http"}, "PORT is 'http', not a number from 1 to 65535."),
        ({"DATABASE_URL": "postgres://me:secret@127.0.0.1:1/x"}, "DATABASE_URL cannot be reached"),
        ({"DATABASE_URL": "nonsense"}, "DATABASE_URL"),
        ({"REDIS_URL": "redis://:secret@127.0.0.1:1/0"}, "REDIS_URL cannot be reached (127.0.0.1)"),
        ({"REDIS_URL": "nonsense"}, "REDIS_URL cannot be reached"),
        ({"POSTGRES_BIN": "/nowhere"}, "POSTGRES_BIN is /nowhere"),
        ({"DEBUG": "0"}, "Set SECRET_KEY"),
        ({"DEBUG": "0", "SECRET_KEY": "only-for-development-never-for-money"}, "Set SECRET_KEY"),
    ],
)
def test_what_cannot_work_is_told_in_one_line(
    launcher: Launcher, environment: dict[str, str], complaint: str
) -> None:
    said = launcher.refused(environment)
    assert complaint in said
    assert "secret@" not in said
    assert len(said.strip().splitlines()) == 1
    assert launcher.processes() == []


def test_servers_of_ones_own_get_no_demo_data(
    launcher: Launcher, own_postgres: Postgres, own_valkey: Valkey
) -> None:
    own_postgres.create_database("mine")
    launcher.start({"DATABASE_URL": own_postgres.url("mine"), "REDIS_URL": own_valkey.url()})
    launcher.await_welcome()
    names = {running.name() for running in launcher.processes()}
    assert not names & {"postgres", "valkey-server"}
    with psycopg.connect(own_postgres.url("mine")) as connection:
        for table in ("auth_user", "events_event", "clients_client"):
            counted = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
            assert counted == (0,)


@pytest.mark.skipif(os.geteuid() != 0, reason="all other tests here have shown that already")
def test_an_ordinary_user_can_run_it_too(launcher: Launcher) -> None:
    """As root the servers run as nobody; here everything does."""
    home = launcher.project.parent
    # Nobody may not enter where Python and the packages are, but may read them: links are enough.
    packages, python = home / "packages", home / "python"
    shutil.copytree(sysconfig.get_path("purelib"), packages, copy_function=os.link)
    base = Path(sys.base_prefix)
    for part in (base / "bin" / PYTHON, *base.glob(f"lib/*{PYTHON[1:]}*")):
        _link(part, python / part.relative_to(base))
    for path in (launcher.project, *launcher.project.rglob("*")):
        os.chown(path, NOBODY, NOBODY)
    process = launcher.start(
        {
            "PYTHONPATH": str(packages),
            "LD_LIBRARY_PATH": str(python / "lib"),
            "HOME": str(launcher.project),
        },
        python=str(python / "bin" / PYTHON),
        account={"user": NOBODY, "group": NOBODY, "extra_groups": []},
    )
    launcher.await_welcome()
    assert {running.username() for running in launcher.processes()} == {"nobody"}
    process.terminate()
    assert process.wait(PATIENCE) == 143
    assert launcher.processes() == []


def _link(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, copy_function=os.link, symlinks=True)
    else:
        os.link(source, target)


def _clean_environment() -> dict[str, str]:
    theirs = ("DATABASE_URL", "REDIS_URL", "DEBUG", "SECRET_KEY", "PSEUDONYM_KEY", "DEMO")
    kept = {name: value for name, value in os.environ.items() if name not in theirs}
    del kept["DJANGO_SETTINGS_MODULE"]
    return kept


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _folders(project: Path) -> list[Path]:
    """Where a launcher in `project` keeps what lasts, see config.stack.place."""
    import hashlib

    name = hashlib.sha256(str(project).encode()).hexdigest()[:8]
    return [Path(f"/var/tmp/payments-{name}"), *Path("/tmp").glob(f"payments-*-{name}")]
