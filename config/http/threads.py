"""A fixed number of threads that serve requests, each with its own database connection."""

import logging
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Final

logger: Final = logging.getLogger(__name__)

_STOP_SECONDS: Final = 10.0


class Threads:
    """A pool without the future and the two locks that concurrent.futures creates for each task."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._waiting: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Start the threads. Call it in the process that serves: threads do not survive a fork."""
        self._threads = [
            threading.Thread(target=self._run, name=f"request {number + 1}", daemon=True)
            for number in range(self._count)
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Finish the queued work, for at most ten seconds."""
        for _ in self._threads:
            self._waiting.put(None)
        for thread in self._threads:
            thread.join(_STOP_SECONDS)

    def put(self, work: Callable[[], None]) -> None:
        """Queue `work` for the next free thread."""
        self._waiting.put(work)

    def _run(self) -> None:
        while (work := self._waiting.get()) is not None:
            try:
                work()
            except Exception:
                # The thread must continue, because nothing replaces it.
                logger.exception("A request failed outside the application.")
            del work  # otherwise a request stays in memory until the next one
