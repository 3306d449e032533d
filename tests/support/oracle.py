"""The expected read models: a plain fold of the log, without code of the engine."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from payments.events.models import Event
from payments.events.reading import horizon
from readmodels.models import Checkpoint, DiscardedEvent, ParkedEvent
from readmodels.projections import PROJECTIONS
from readmodels.projections.kinds import Counters, Entries, Projection, Record, Rows


def check_read_models(projections: Iterable[Projection] = tuple(PROJECTIONS.values())) -> None:
    """Assert that every table matches the log up to its checkpoint, in one snapshot."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        for projection in projections:
            assert _stored(projection) == _expected(projection), projection.name


def _expected(projection: Projection) -> dict[Any, Any]:
    checkpoint = Checkpoint.objects.filter(name=projection.name).first()
    upto = checkpoint.position if checkpoint else 0
    match projection:
        case Rows():
            rows: dict[Any, Any] = {}
            for record in _applied(projection, upto):
                if (row_key := projection.key(record)) is not None:
                    rows[row_key] = projection.fold(rows.get(row_key), record)
            names = projection.row.__struct_fields__
            return {key: tuple(getattr(row, name) for name in names) for key, row in rows.items()}
        case Counters():
            sums: dict[Any, Counter[str]] = defaultdict(Counter)
            for record in _applied(projection, upto):
                for key, amounts in projection.delta(record).items():
                    sums[tuple(key)].update(amounts)
            counted = _columns(projection)[len(projection.key._fields) :]  # type: ignore[attr-defined]
            return {key: tuple(sums[key][name] for name in counted) for key in sums}
        case Entries():
            events = Event.objects.filter(position__lte=upto)  # of all aggregates
            return {row[0]: row[1:] for row in events.values_list(*_columns(projection))}


def _applied(projection: Rows | Counters, upto: int) -> Iterator[Record]:
    """Yield the events that the projection has applied, not discarded, parked or unread ones."""
    log = horizon.read_next(projection.aggregate, after=0, upto=2**62, limit=1_000_000).records
    of_it = {"projection": projection.name}
    discarded = set(DiscardedEvent.objects.filter(**of_it).values_list("position", flat=True))
    parked: dict[UUID, int] = {}
    for aggregate_id, position in ParkedEvent.objects.filter(**of_it).values_list(
        "aggregate_id", "position"
    ):
        parked[aggregate_id] = min(position, parked.get(aggregate_id, position))
    for record in log:
        if record.position > upto or record.position in discarded:
            continue
        if record.position < parked.get(record.aggregate_id, upto + 1):
            yield record


def _stored(projection: Projection) -> dict[Any, Any]:
    rows = projection.model.objects.values_list(*_columns(projection))  # type: ignore[attr-defined]
    match projection:
        case Rows():
            return {row[0]: row for row in rows}
        case Counters():
            keys = len(projection.key._fields)  # type: ignore[attr-defined]
            return {row[:keys]: row[keys:] for row in rows}
        case Entries():
            return {row[0]: row[1:] for row in rows}


def _columns(projection: Projection) -> tuple[str, ...]:
    match projection:
        case Rows():
            return projection.row.__struct_fields__
        case Counters():
            keys: tuple[str, ...] = projection.key._fields  # type: ignore[attr-defined]
            fields = (field.attname for field in projection.model._meta.local_concrete_fields)
            return (*keys, *(name for name in fields if name not in keys))
        case Entries():
            return ("position", "aggregate_id", "version", "event_type")
