"""Runs the service's processes side by side until one ends or somebody asks to stop."""

import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from types import FrameType
from typing import Final

from config.stack import processes

_LOOK_SECONDS: Final = 0.1


class Stop(Exception):
    """Somebody asked to stop. `code` is what shells expect as exit status then."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.code = 128 + number


class Supervisor:
    """Takes SIGINT, SIGTERM and SIGHUP as a wish to stop, which `check` raises where that is safe.

    A signal that interrupted anything at all could come between the start of a child and the
    moment when somebody knows of it.
    """

    def __init__(self) -> None:
        self._signal: int | None = None
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._remember)

    def start(self, name: str, arguments: Sequence[str]) -> None:
        self.check()
        self._children[name] = processes.spawn(arguments)

    def check(self) -> None:
        """Raises Stop."""
        if self._signal is not None:
            raise Stop(self._signal)

    def ended(self) -> str | None:
        """The name of a child that has ended, if one has."""
        return next(
            (name for name, child in self._children.items() if child.poll() is not None), None
        )

    def wait(self) -> str:
        """Return the name of the first child that ends. Raises Stop."""
        while (name := self.ended()) is None:
            self.check()
            time.sleep(_LOOK_SECONDS)
        return name

    def stop(self) -> None:
        """End all children, at the same time."""
        enders = [
            threading.Thread(target=processes.end, args=(child,))
            for child in self._children.values()
        ]
        for ender in enders:
            ender.start()
        for ender in enders:
            ender.join()

    def _remember(self, number: int, _: FrameType | None) -> None:
        self._signal = number
