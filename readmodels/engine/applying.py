"""Fold or count events into a projection's table; what cannot be taken is handed back, never dropped.

An exception of the pure function spoils its event and all later ones of the same aggregate. What
the database refuses is searched for by halving: first among the aggregates, then in one's events.
"""

import traceback
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final
from uuid import UUID

from django.db import DataError, IntegrityError, transaction
from msgspec import Struct

from payments.aggregates import RecordedPaymentEvent
from payments.database import require_transaction
from readmodels.engine import storage
from readmodels.projections.kinds import Counters, Rows

# What says that a value cannot be stored. Any other error of the database (it is gone, it has no such
# column) would befall every event alike, and is raised.
UNSTORABLE: Final = (DataError, IntegrityError, ValueError, TypeError, OverflowError)

# Characters of an error's text that are kept: its beginning and its end.
_LONGEST: Final = 20_000

Group = Sequence[RecordedPaymentEvent]  # events of one aggregate, in order


class Spoiled(Struct, frozen=True):
    """Events of one aggregate that were not applied: the first one failed, the others come after it."""

    records: Group
    error: str
    traceback: str


class _Computed(Struct):
    """What the pure function made of the events, not yet stored."""

    store: Callable[[], None]
    spoiled: list[Spoiled]


def apply(projection: Rows | Counters, records: Iterable[RecordedPaymentEvent]) -> list[Spoiled]:
    """Apply `records`, which are in the order of the log; return those that could not be applied.

    Must run inside a transaction.
    """
    require_transaction()
    return _apply(projection, list(_by_aggregate(records).values()))


def _by_aggregate(
    records: Iterable[RecordedPaymentEvent],
) -> dict[UUID, list[RecordedPaymentEvent]]:
    groups: dict[UUID, list[RecordedPaymentEvent]] = {}
    for record in records:
        groups.setdefault(record.aggregate_id, []).append(record)
    return groups


def _apply(projection: Rows | Counters, groups: Sequence[Group]) -> list[Spoiled]:
    computed = _compute(projection, groups)
    try:
        with transaction.atomic():
            computed.store()
    except UNSTORABLE as error:
        if len(groups) > 1:
            half = len(groups) // 2
            return _apply(projection, groups[:half]) + _apply(projection, groups[half:])
        return _apply_part(projection, groups[0], error)
    return computed.spoiled


def _apply_part(projection: Rows | Counters, group: Group, error: Exception) -> list[Spoiled]:
    """Apply as many of the first events as can be stored."""
    good, bad = 0, len(group)
    while bad - good > 1:
        middle = (good + bad) // 2
        try:
            with transaction.atomic():
                _compute(projection, [group[:middle]]).store()
                transaction.set_rollback(True)
        except UNSTORABLE as refused:
            bad, error = middle, refused
        else:
            good = middle
    spoiled = _apply(projection, [group[:good]]) if good else []
    return [*spoiled, _spoil(group[good:], error)]


def _compute(projection: Rows | Counters, groups: Sequence[Group]) -> _Computed:
    if isinstance(projection, Rows):
        return _fold(projection, groups)
    return _count(projection, groups)


def _fold(projection: Rows, groups: Sequence[Group]) -> _Computed:
    continued = [group[0].aggregate_id for group in groups if group[0].version > 1]
    stored = storage.load_rows(projection, continued) if continued else {}
    rows = []
    spoiled = []
    for group in groups:
        row: Any = stored.get(group[0].aggregate_id)
        for index, record in enumerate(group):
            try:
                row = projection.fold(row, record)
            except Exception as error:  # noqa: BLE001 - whatever the function raises, it is told
                spoiled.append(_spoil(group[index:], error))
                break
        if row is not None:
            rows.append(row)
    return _Computed(lambda: storage.save_rows(projection, rows), spoiled)


def _count(projection: Counters, groups: Sequence[Group]) -> _Computed:
    sums: dict[Any, dict[str, int]] = {}
    spoiled = []
    for group in groups:
        for index, record in enumerate(group):
            try:
                deltas = projection.delta(record)
            except Exception as error:  # noqa: BLE001 - whatever the function raises, it is told
                spoiled.append(_spoil(group[index:], error))
                break
            storage.add_up(sums, deltas)
    return _Computed(lambda: storage.add_counters(projection, sums), spoiled)


def _spoil(records: Group, error: Exception) -> Spoiled:
    # Not by str(), which is the exception's own and may raise.
    summary = traceback.format_exception_only(error)[0].strip()
    return Spoiled(
        records, _storable(summary), _storable("".join(traceback.format_exception(error)))
    )


def _storable(text: str) -> str:
    """What PostgreSQL takes: no NUL, no lone surrogate, and an end."""
    if len(text) > _LONGEST:
        text = f"{text[: _LONGEST // 2]}\n[...]\n{text[-_LONGEST // 2 :]}"
    return text.encode(errors="backslashreplace").decode().replace("\0", "\\0")
