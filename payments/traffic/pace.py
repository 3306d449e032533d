"""Send attempts at a constant rate from several threads, and measure their latency."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final

from msgspec import Struct, field

from payments.traffic.senders import Send
from payments.traffic.simulation import Attempt

_PROGRESS_SECONDS: Final = 0.2


class Run(Struct):
    """The number of answers by status, and the latencies in seconds."""

    statuses: Counter[str] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)
    seconds: float = 0.0

    def percentile(self, share: float) -> float:
        """Return the latency in seconds that a `share` (0 to 1) of the attempts did not exceed."""
        ordered = sorted(self.latencies)
        return ordered[min(int(len(ordered) * share), len(ordered) - 1)] if ordered else 0.0


class Pacer:
    """Send each attempt at its scheduled time, so that slow answers do not reduce the rate."""

    def __init__(self, attempts: Iterator[Attempt], send: Send, *, rate: float) -> None:
        self._attempts = attempts
        self._send = send
        self._interval = 1 / rate
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._next = 0.0
        self.run = Run()

    def go(
        self,
        *,
        seconds: float,
        threads: int,
        progress: Callable[[int], None] = lambda _: None,
    ) -> Run:
        """Send for `seconds`, or until `stop` is called. `progress` gets the elapsed seconds."""
        began = self._next = time.monotonic()
        workers = [
            threading.Thread(target=self._work, args=(began + seconds,)) for _ in range(threads)
        ]
        for worker in workers:
            worker.start()
        try:
            for worker in workers:
                while worker.is_alive():
                    worker.join(_PROGRESS_SECONDS)
                    progress(min(int(time.monotonic() - began), int(seconds)))
            progress(int(seconds))
        except KeyboardInterrupt:
            self.stop()
            for worker in workers:
                worker.join()
        self.run.seconds = time.monotonic() - began
        return self.run

    def stop(self) -> None:
        self._stop.set()

    def _work(self, until: float) -> None:
        from django.db import connections

        try:
            while (turn := self._turn(until)) is not None:
                attempt, due = turn
                if self._stop.wait(max(due - time.monotonic(), 0)):
                    return
                began = time.perf_counter()
                status = self._send(attempt)
                took = time.perf_counter() - began
                with self._lock:
                    self.run.statuses[status] += 1
                    self.run.latencies.append(took)
        finally:
            connections.close_all()

    def _turn(self, until: float) -> tuple[Attempt, float] | None:
        with self._lock:
            if self._stop.is_set() or self._next >= until:
                return None
            due, self._next = self._next, self._next + self._interval
            return next(self._attempts), due
