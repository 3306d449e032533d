"""`make run` in a copy of the project, so that it has data of its own."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

import psutil

from tests.support import servers

PATIENCE: Final = 120.0


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
        """All running processes that it started, including adopted ones."""
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
        """What a command prints that is typed while the launcher is at work."""
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
    theirs = ("DATABASE_URL", "REDIS_URL", "DEBUG", "DEMO", *servers.SECRETS)
    kept = {name: value for name, value in os.environ.items() if name not in theirs}
    del kept["DJANGO_SETTINGS_MODULE"]
    return kept


def folders(project: Path) -> list[Path]:
    """Where a launcher in `project` keeps what lasts, see config.stack.place."""
    import hashlib

    name = hashlib.sha256(str(project).encode()).hexdigest()[:8]
    return [Path(f"/var/tmp/payments-{name}"), *Path("/tmp").glob(f"payments-*-{name}")]
