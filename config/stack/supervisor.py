"""Run the service's processes and restart those that end, until a signal asks to stop."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import FrameType
from typing import Final, NoReturn

from config.stack import place, processes
from config.stack.errors import StackError
from config.stack.server import Server

_POLL_SECONDS: Final = 0.1
# A process that has run for so many seconds must have a valid configuration. On a busy machine,
# three processes import the service in 20 seconds, and only then report an invalid configuration.
_STEADY_SECONDS: Final = 60.0
_ATTEMPTS: Final = 5
_LONGEST_DELAY: Final = 30.0
# People and the kernel send these signals. They do not indicate an invalid configuration.
_FROM_OUTSIDE: Final = frozenset({-signal.SIGKILL, -signal.SIGTERM})


class Stop(Exception):
    """A signal requested a stop. `code` is the exit status by convention, 128 + signal."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.code = 128 + number


@dataclass
class _Child:
    """A process to keep running, with its history."""

    name: str
    launch: Callable[[], subprocess.Popen[bytes]]
    process: subprocess.Popen[bytes] | None
    started: float
    server: Server | None = None
    steady: bool = False
    short_lives: int = 0  # in a row
    exits: int = 0  # without a signal, before it was first `steady`
    due: float = 0.0


class Supervisor:
    """Keep processes running until SIGINT, SIGTERM or SIGHUP, which `check` raises as Stop.

    The signal handler itself does not raise. Otherwise a child could be lost between its start and
    its registration.
    """

    def __init__(self) -> None:
        self._signal: int | None = None
        self._children: list[_Child] = []
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._remember)

    def start(self, name: str, arguments: Sequence[str]) -> None:
        """Start a process and keep it running."""
        self.check()

        def launch() -> subprocess.Popen[bytes]:
            return processes.spawn(arguments)

        self._children.append(_Child(name, launch, launch(), time.monotonic()))

    def start_server(self, server: Server) -> None:
        """Start a server, return when it answers, and keep it running. The caller stops it."""
        server.start(while_waiting=self.check)
        self._children.append(
            _Child(server.name, server.launch, server.process, time.monotonic(), server)
        )

    def check(self) -> None:
        """Raise Stop if a signal has arrived."""
        if self._signal is not None:
            raise Stop(self._signal)

    def ended(self) -> str | None:
        """Return the name of a child that has ended, or None."""
        running = ((child.name, child.process) for child in self._children)
        return next(
            (name for name, process in running if process and process.poll() is not None), None
        )

    def supervise(self) -> NoReturn:
        """Restart processes that end, after growing pauses.

        Raises Stop, and StackError if a process repeatedly exits during startup.
        """
        while True:
            self.check()
            for child in self._children:
                if child.process is not None:
                    self._inspect(child, child.process)
                elif time.monotonic() >= child.due:
                    self._launch(child)
            time.sleep(_POLL_SECONDS)

    def stop(self) -> None:
        """End all children except the servers, in parallel."""
        enders = [
            threading.Thread(target=_end, args=(child.process,))
            for child in self._children
            if child.process is not None and child.server is None
        ]
        for ender in enders:
            ender.start()
        for ender in enders:
            ender.join()

    def _inspect(self, child: _Child, process: subprocess.Popen[bytes]) -> None:
        lived = time.monotonic() - child.started
        code = process.poll()
        if lived >= _STEADY_SECONDS:
            child.steady = True
            child.short_lives = 0
        if code is None:
            return
        # Workers of a dead web server would keep its port, and backends their shared memory.
        processes.end_descendants(process.pid)
        child.process = None
        if code not in _FROM_OUTSIDE:
            child.exits += 1
        self._plan(child, _describe(code), short=lived < _STEADY_SECONDS)

    def _launch(self, child: _Child) -> None:
        child.started = time.monotonic()
        try:
            child.process = child.launch()
        except (StackError, OSError) as error:
            child.exits += 1
            self._plan(child, str(error), short=True)

    def _plan(self, child: _Child, cause: str, *, short: bool) -> None:
        """Report that the child has ended, and plan its restart."""
        if not child.steady and child.exits >= _ATTEMPTS:
            output = child.server.tail() if child.server else "Its output is above."
            raise StackError(
                f"{child.name} ended {child.exits} times at its start ({cause}). {output}"
            )
        delay = min(2.0**child.short_lives, _LONGEST_DELAY) if short else 0.0
        child.short_lives += short
        child.due = time.monotonic() + delay
        when = f"in {delay:.0f} s" if delay else "now"
        line = f"{child.name} has ended ({cause}). Restarting {when}."
        # A full disk ends servers, and only their logs say so.
        note = place.shortage(child.server.folder) if child.server else ""
        _log(f"{line} {note}".rstrip())

    def _remember(self, number: int, _: FrameType | None) -> None:
        self._signal = number


def _end(process: subprocess.Popen[bytes]) -> None:
    processes.end(process)
    processes.end_descendants(process.pid)


def _describe(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit status {code}"


def _log(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {line}", file=sys.stderr, flush=True)
