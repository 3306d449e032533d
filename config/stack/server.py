"""A server process that can be started, stopped, killed and frozen."""

import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

import psutil

from config.stack import processes
from config.stack.errors import StackError

_READY_SECONDS: Final = 60.0  # recovery after a crash takes a while
_LOG_LINES: Final = 5


class Server(ABC):
    """A server process with its data and log in `folder` and its socket in `sockets`."""

    name: str
    # Requests an immediate, clean shutdown.
    stop_signal: int = signal.SIGTERM

    def __init__(self, folder: Path, sockets: Path) -> None:
        self.folder = folder
        self.sockets = sockets
        self.log = folder / f"{self.name}.log"
        self.process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def command(self) -> list[str | Path]: ...

    @abstractmethod
    def ping(self) -> bool:
        """Return whether the server answers."""

    def prepare(self) -> None:  # noqa: B027 - most have nothing to prepare
        """Create what the server needs for its first start, and remove the remains of a crash."""

    def start(self, *, while_waiting: Callable[[], None] = lambda: None) -> None:
        """Start the server and return when it answers.

        `while_waiting` is called repeatedly and may raise to give up. Raises StackError.
        """
        process = self.launch()
        deadline = time.monotonic() + _READY_SECONDS
        while not self.ping():
            while_waiting()
            if process.poll() is not None or time.monotonic() > deadline:
                raise StackError(f"{self.name} did not start. {self.tail()}")
            time.sleep(0.02)

    def launch(self) -> subprocess.Popen[bytes]:
        """Start the server without waiting for its first answer."""
        self.prepare()
        self.process = processes.spawn(self.command(), log=self.log, unprivileged=True)
        return self.process

    def stop(self) -> None:
        """Stop the server cleanly, if it runs."""
        if self.process is not None:
            self.thaw()
            processes.end(self.process, self.stop_signal)
            self.process = None

    def kill(self) -> None:
        """Kill the server and its children, as a power failure would."""
        self._signal(signal.SIGKILL)
        if self.process is not None:
            self.process.wait()
            self.process = None

    def freeze(self) -> None:
        """Suspend the server. Its connections stay open and unanswered, the worst case for clients."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _signal(self, number: int) -> None:
        if self.process is None:
            return
        with suppress(psutil.NoSuchProcess):
            parent = psutil.Process(self.process.pid)
            # PostgreSQL's backends have their own process groups.
            for process in (parent, *parent.children(recursive=True)):
                with suppress(psutil.NoSuchProcess):
                    process.send_signal(number)

    def tail(self) -> str:
        """Return the end of the log, with the file's name."""
        lines = self.log.read_text(errors="replace").splitlines()
        end = "\n".join(f"  {line}" for line in lines[-_LOG_LINES:])
        return f"The end of {self.log}:\n{end}"
