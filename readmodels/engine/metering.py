"""Measure the cost of batches, and store it with the checkpoint for `/metrics`.

Counters in a worker's memory would be out of the web server's reach, and end with the worker.
Instead, the statement that moves the checkpoint also stores the totals. That takes no extra round
trip, works for workers on any number of machines, and counts nothing for a batch that was rolled
back.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from time import perf_counter
from typing import Any, Final, TypeVar

import msgspec
from msgspec import Struct

from readmodels.projections.kinds import Counters, Rows

P = TypeVar("P", Rows, Counters)


class Calls(Struct):
    """Number and total duration of calls of a projection's function."""

    count: int = 0
    seconds: float = 0.0


class Work(Struct):
    """Totals of a projection since its first batch. `calls` is by event type."""

    batches: int = 0
    events: int = 0
    seconds: float = 0.0
    calls: dict[str, Calls] = {}


_encoder: Final = msgspec.json.Encoder()
_decoder: Final = msgspec.json.Decoder(Work)
_running: Final[ContextVar[dict[str, Calls]]] = ContextVar("calls of the batch that runs")


def decode(stored: str) -> Work:
    return _decoder.decode(stored)


def encode(work: Work) -> str:
    return _encoder.encode(work).decode()


@contextmanager
def metered(work: Work) -> Iterator[Callable[[int], Work]]:
    """Measure the batch that runs inside.

    Yields a function that takes the batch's number of events and returns `work` plus the batch.
    """
    calls: dict[str, Calls] = {}
    token = _running.set(calls)
    began = perf_counter()

    def total(events: int) -> Work:
        for event_type, more in work.calls.items():
            mine = calls.setdefault(event_type, Calls())
            mine.count += more.count
            mine.seconds += more.seconds
        seconds = work.seconds + perf_counter() - began
        return Work(work.batches + 1, work.events + events, seconds, calls)

    try:
        yield total
    finally:
        _running.reset(token)


@cache
def timed(projection: P) -> P:
    """Return the projection with a timed function. Cached, because other caches use it as a key."""
    if isinstance(projection, Rows):
        fold = projection.fold
        return msgspec.structs.replace(projection, fold=_timed(fold))
    return msgspec.structs.replace(projection, delta=_timed(projection.delta))


def _timed(function: Callable[..., Any]) -> Callable[..., Any]:
    def measured(*arguments: Any) -> Any:
        began = perf_counter()
        try:
            return function(*arguments)
        finally:
            took = perf_counter() - began
            calls = _running.get()
            event_type = arguments[-1].event.event_type  # the record comes last
            mine = calls.get(event_type)
            if mine is None:
                mine = calls[event_type] = Calls()
            mine.count += 1
            mine.seconds += took

    return measured
