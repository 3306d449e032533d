"""Fold or count events into a projection's table, and return those that could not be applied.

If the pure function raises, its event and all later ones of the same aggregate are spoiled. If the
database refuses a value, bisection finds first the aggregate, then the event in it.
"""

import traceback
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final
from uuid import UUID

from django.db import DataError, IntegrityError, transaction
from msgspec import Struct

from payments.database import require_transaction
from readmodels.engine import storage
from readmodels.projections.kinds import Counters, Record, Rows

# Errors that mean that a value cannot be stored. Other errors of the database (no connection, a missing
# column) would affect all events alike, and are raised.
UNSTORABLE: Final = (DataError, IntegrityError, ValueError, TypeError, OverflowError)

# Characters of an error's text to keep, half from its beginning and half from its end.
_LONGEST: Final = 20_000

Stream = Sequence[Record]  # events of one aggregate, in order


class Spoiled(Struct, frozen=True):
    """Events of one aggregate that were not applied: the first one failed, the others follow it."""

    records: Stream
    error: str
    traceback: str


class _Computed(Struct):
    """Results of the pure function, and how to store them."""

    store: Callable[[], None]
    spoiled: list[Spoiled]


def apply(projection: Rows | Counters, records: Iterable[Record]) -> list[Spoiled]:
    """Apply `records`, which are in the order of the log; return those that could not be applied.

    Must run inside a transaction.
    """
    require_transaction()
    return _apply(projection, list(_by_aggregate(records).values()))


def _by_aggregate(
    records: Iterable[Record],
) -> dict[UUID, list[Record]]:
    streams: dict[UUID, list[Record]] = {}
    for record in records:
        streams.setdefault(record.aggregate_id, []).append(record)
    return streams


def _apply(projection: Rows | Counters, streams: Sequence[Stream]) -> list[Spoiled]:
    computed = _compute(projection, streams)
    try:
        with transaction.atomic():
            computed.store()
    except UNSTORABLE as error:
        if len(streams) > 1:
            half = len(streams) // 2
            return _apply(projection, streams[:half]) + _apply(projection, streams[half:])
        return _apply_part(projection, streams[0], error)
    return computed.spoiled


def _apply_part(projection: Rows | Counters, stream: Stream, error: Exception) -> list[Spoiled]:
    """Apply the longest beginning of the stream that can be stored. The rest is spoiled."""
    good, bad = 0, len(stream)
    while bad - good > 1:
        middle = (good + bad) // 2
        try:
            with transaction.atomic():
                _compute(projection, [stream[:middle]]).store()
                transaction.set_rollback(True)
        except UNSTORABLE as refused:
            bad, error = middle, refused
        else:
            good = middle
    spoiled = _apply(projection, [stream[:good]]) if good else []
    return [*spoiled, _spoil(stream[good:], error)]


def _compute(projection: Rows | Counters, streams: Sequence[Stream]) -> _Computed:
    if isinstance(projection, Rows):
        return _fold(projection, streams)
    return _count(projection, streams)


def _fold(projection: Rows, streams: Sequence[Stream]) -> _Computed:
    continued = {
        key
        for stream in streams
        if stream[0].version > 1
        for record in stream
        if (key := projection.key(record)) is not None
    }
    rows: dict[UUID, Any] = dict(storage.load_rows(projection, continued) if continued else {})
    spoiled = []
    for stream in streams:
        for index, record in enumerate(stream):
            key = projection.key(record)
            if key is None:
                continue
            try:
                rows[key] = projection.fold(rows.get(key), record)
            except Exception as error:  # noqa: BLE001 - any exception is parked
                spoiled.append(_spoil(stream[index:], error))
                break
    return _Computed(lambda: storage.save_rows(projection, rows.values()), spoiled)


def _count(projection: Counters, streams: Sequence[Stream]) -> _Computed:
    sums: dict[Any, dict[str, int]] = {}
    spoiled = []
    for stream in streams:
        for index, record in enumerate(stream):
            try:
                deltas = projection.delta(record)
            except Exception as error:  # noqa: BLE001 - any exception is parked
                spoiled.append(_spoil(stream[index:], error))
                break
            storage.add_up(sums, deltas)
    return _Computed(lambda: storage.add_counters(projection, sums), spoiled)


def _spoil(records: Stream, error: Exception) -> Spoiled:
    # Not str(error), which may raise.
    summary = traceback.format_exception_only(error)[0].strip()
    return Spoiled(
        records, _storable(summary), _storable("".join(traceback.format_exception(error)))
    )


def _storable(text: str) -> str:
    """Return the text in a form that PostgreSQL accepts: shortened, without NUL and lone surrogates."""
    if len(text) > _LONGEST:
        text = f"{text[: _LONGEST // 2]}\n[...]\n{text[-_LONGEST // 2 :]}"
    return text.encode(errors="backslashreplace").decode().replace("\0", "\\0")
