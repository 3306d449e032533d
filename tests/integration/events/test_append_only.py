"""The database refuses every change of the log, by the ORM or by psql, even to a superuser.

Each statement succeeds without its trigger or, for the position, without GENERATED ALWAYS.
"""

import os
import subprocess
from typing import Final
from uuid import UUID, uuid4

import pytest
from django.db import DatabaseError, connection, transaction
from django.db.backends.utils import CursorWrapper
from django.utils import timezone

from payments.aggregates import PAYMENT_AGGREGATE
from payments.domain.payment.events import AnyPaymentEvent
from payments.events import store
from payments.events.metadata import Metadata
from payments.events.models import Event
from payments.events.reading import horizon, streams
from payments.events.seals import seal, sealing
from tests.support import servers
from tests.support.concurrency import dsn
from tests.support.example_events import initiated, processed

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

REFUSED: Final = "events_event is append-only"
CHOSEN: Final = 'cannot insert a non-DEFAULT value into column "position"'

STATEMENTS: Final = {
    "update": ("UPDATE events_event SET data = '{}'", REFUSED),
    "update of nothing": ("UPDATE events_event SET data = '{}' WHERE false", REFUSED),
    "delete": ("DELETE FROM events_event", REFUSED),
    "delete of nothing": ("DELETE FROM events_event WHERE false", REFUSED),
    "truncate": ("TRUNCATE events_event", REFUSED),
    "truncate with others": ("TRUNCATE events_claim, events_event CASCADE", REFUSED),
    "upsert": (
        "INSERT INTO events_event (aggregate_type, aggregate_id, version, event_type,"
        " schema_version, data, metadata, occurred_at) SELECT aggregate_type, aggregate_id,"
        " version, event_type, schema_version, data, metadata, occurred_at FROM events_event"
        " ON CONFLICT (aggregate_id, version) DO UPDATE SET data = '{}'",
        REFUSED,
    ),
    "merge": (
        "MERGE INTO events_event AS old USING events_event AS new ON old.position = new.position"
        " WHEN MATCHED THEN DELETE",
        REFUSED,
    ),
    "insert with a position": (
        "INSERT INTO events_event VALUES (500, 'payment', gen_random_uuid(), 1, 'x', 1, '{}', '{}',"
        " now())",
        CHOSEN,
    ),
}


@pytest.fixture
def stream_id() -> UUID:
    stream_id = uuid4()
    metadata = Metadata(actor="system:test", command="process_payment")
    events: list[AnyPaymentEvent] = [initiated(), processed()]
    store.append(PAYMENT_AGGREGATE, stream_id, events, expected=0, metadata=metadata)
    return stream_id


@pytest.mark.parametrize(("statement", "reason"), STATEMENTS.values(), ids=STATEMENTS)
def test_triggers_refuse_changes_by_a_superuser(
    stream_id: UUID, statement: str, reason: str
) -> None:
    """The role owns the table and is a superuser. Other roles are refused even earlier."""
    before = streams.history(PAYMENT_AGGREGATE, stream_id)
    result = _psql(statement)

    assert result.returncode != 0
    assert reason in result.stderr
    assert streams.history(PAYMENT_AGGREGATE, stream_id) == before


def test_trigger_message_names_the_alternative(stream_id: UUID) -> None:
    result = _psql("DELETE FROM events_event")
    assert "DELETE refused" in result.stderr
    assert "Append a correcting event instead." in result.stderr


def test_triggers_refuse_changes_through_the_orm(stream_id: UUID) -> None:
    before = streams.history(PAYMENT_AGGREGATE, stream_id)
    event = Event.objects.get(aggregate_id=stream_id, version=2)
    event.data = {}
    for change in (
        event.save,
        event.delete,
        lambda: Event.objects.update(data={}),
        Event.objects.all().delete,
        lambda: Event.objects.filter(pk=-1).update(data={}),
        lambda: Event.objects.bulk_update([event], ["data"]),
    ):
        with pytest.raises(DatabaseError, match=REFUSED), transaction.atomic():
            change()

    assert streams.history(PAYMENT_AGGREGATE, stream_id) == before


@pytest.mark.parametrize("version", [1, 2])
def test_insert_refuses_a_chosen_position(version: int) -> None:
    """Readers that have passed the position would never see the event."""
    event = Event(
        position=500,
        aggregate_type="payment",
        aggregate_id=uuid4(),
        version=version,
        event_type="payment.initiated",
        schema_version=1,
        data={},
        metadata={},
        occurred_at=timezone.now(),
    )
    for insert in (
        lambda: event.save(force_insert=True),
        lambda: Event.objects.bulk_create([event]),
    ):
        with pytest.raises(DatabaseError, match=CHOSEN), transaction.atomic():
            insert()

    assert not Event.objects.exists()


def test_transaction_with_a_refused_change_stores_nothing(stream_id: UUID) -> None:
    with pytest.raises(DatabaseError, match=REFUSED), transaction.atomic():
        store.append(
            PAYMENT_AGGREGATE,
            uuid4(),
            [initiated()],
            expected=0,
            metadata=streams.history(PAYMENT_AGGREGATE, stream_id)[0].metadata,
        )
        Event.objects.all().delete()
    assert Event.objects.count() == 2


# Inserts an event at a position behind all checkpoints, or with a false recording time.
_FORGE: Final = """
INSERT INTO events_event (aggregate_type, aggregate_id, version, event_type, schema_version, data,
                          metadata, occurred_at, {column})
OVERRIDING SYSTEM VALUE
SELECT aggregate_type, gen_random_uuid(), version, event_type, schema_version, data, metadata,
       occurred_at, {value} FROM events_event
"""


def test_least_privileged_role_can_only_append_read_and_seal() -> None:
    """The service needs no more privileges. Even its own connection cannot remove the triggers."""
    stream_id = uuid4()
    metadata = Metadata(actor="system:test", command="process_payment")
    with connection.cursor() as cursor:
        cursor.execute("CREATE ROLE payments_service")
        try:
            _grant_least_privileges(cursor)
            cursor.execute("SET ROLE payments_service")
            claim = store.Reservation("a", "1")
            last = store.append(
                PAYMENT_AGGREGATE,
                stream_id,
                [initiated()],
                expected=0,
                metadata=metadata,
                reservations=[claim],
            )
            assert store.load(PAYMENT_AGGREGATE, stream_id).positions == (last,)
            assert horizon.safe_position() >= last
            assert [each.last for each in sealing.seal_all()] == [last]
            for statement in (
                *(statement for statement, reason in STATEMENTS.values() if reason == REFUSED),
                _FORGE.format(column="position", value=-1),
                _FORGE.format(column="recorded_at", value="'2001-01-01'"),
                "UPDATE events_seal SET number = 2",
                "DELETE FROM events_seal",
                "ALTER TABLE events_event DISABLE TRIGGER ALL",
                "DROP TRIGGER events_event_append_only ON events_event",
                "SET session_replication_role = replica",
                "SELECT nextval('events_event_position_seq')",
                "SELECT setval('events_event_position_seq', 1)",
            ):
                with pytest.raises(DatabaseError, match="permission denied|must be owner"):
                    cursor.execute(statement)
        finally:
            cursor.execute("RESET ROLE")
            cursor.execute("DROP OWNED BY payments_service")
            cursor.execute("DROP ROLE payments_service")


def _grant_least_privileges(cursor: CursorWrapper) -> None:
    columns = ", ".join(column for column in seal.COLUMNS if column != "recorded_at")
    cursor.execute(f"GRANT SELECT, INSERT ({columns}) ON events_event TO payments_service")
    for table in ("events_claim", "events_seal"):
        cursor.execute(f"GRANT SELECT, INSERT ON {table} TO payments_service")
    cursor.execute("GRANT SELECT, INSERT, UPDATE ON events_snapshot TO payments_service")
    cursor.execute("GRANT SELECT ON events_log, events_reader TO payments_service")
    cursor.execute("GRANT SELECT ON events_event_position_seq TO payments_service")


def _psql(statement: str) -> subprocess.CompletedProcess[str]:
    parameters = dsn()
    password = parameters.pop("password", "")
    conninfo = " ".join(f"{name}={value}" for name, value in parameters.items())
    return subprocess.run(
        [
            *(servers.postgres().binaries / "psql", "-X", "-v", "ON_ERROR_STOP=1"),
            *("-d", conninfo, "-c", statement),
        ],
        env={**os.environ, "PGPASSWORD": password},
        capture_output=True,
        text=True,
        check=False,
    )
