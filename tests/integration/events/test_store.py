"""The store on a real PostgreSQL: streams without gaps or duplicates under concurrent appends."""

import threading
import time
from contextlib import suppress
from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid4

import pytest
from django.db import connection, transaction

from payments.aggregates import PAYMENT_AGGREGATE
from payments.clients.models import Client
from payments.domain.payment.events import AnyPaymentEvent
from payments.events import batches, codec, store
from payments.events.batches import Append
from payments.events.contradictions import LogContradicted
from payments.events.metadata import Metadata
from payments.events.models import Event, Reservation
from payments.events.reading import streams
from payments.events.store import AlreadyReserved, StaleVersion
from tests.support.concurrency import at_once, session, until_blocked
from tests.support.example_events import approved, flagged, initiated, processed, rejected
from tests.support.examples import NOON

pytestmark = pytest.mark.django_db(transaction=True)

BY_TEST: Final = Metadata(actor="system:test", command="process_payment")
REFERENCE: Final = store.Reservation("payment.reference:acme", "order-981")


def append(stream: UUID, *events: AnyPaymentEvent, expected: int = 0, **more: Any) -> int:
    return store.append(
        PAYMENT_AGGREGATE, stream, events, expected=expected, metadata=BY_TEST, **more
    )


def test_load_returns_an_empty_stream_for_an_unknown_id() -> None:
    stream = store.load(PAYMENT_AGGREGATE, uuid4())
    assert (stream.version, stream.events, stream.positions) == (0, (), ())


def test_load_returns_events_in_order() -> None:
    stream_id = uuid4()
    first = append(stream_id, initiated(), flagged())
    second = append(stream_id, rejected(), expected=2)

    stream = store.load(PAYMENT_AGGREGATE, stream_id)

    assert stream.events == (initiated(), flagged(), rejected())
    assert stream.version == 3
    assert stream.positions == tuple(sorted(stream.positions))
    assert stream.positions[1:] == (first, second)


def test_history_returns_metadata_and_recording_time() -> None:
    stream_id = uuid4()
    metadata = Metadata(
        actor="staff:7", command="approve_payment", correlation_id="r-1", causation_id="m-1"
    )
    before = _database_time()
    events: list[AnyPaymentEvent] = [initiated(), approved()]
    store.append(PAYMENT_AGGREGATE, stream_id, events, expected=0, metadata=metadata)
    history = streams.history(PAYMENT_AGGREGATE, stream_id)
    assert [record.version for record in history] == [1, 2]
    assert [record.event for record in history] == [initiated(), approved()]
    assert [record.metadata for record in history] == [metadata, metadata]
    assert before <= history[0].recorded_at <= history[1].recorded_at <= _database_time()
    row = Event.objects.get(aggregate_id=stream_id, version=1)
    assert (row.aggregate_type, row.event_type, row.schema_version) == (
        "payment",
        "payment.initiated",
        1,
    )
    assert row.occurred_at == NOON


def test_recorded_at_is_the_time_of_the_insert() -> None:
    """With now(), an event of a long transaction would seem older than the event before it."""
    stream_id = uuid4()
    with transaction.atomic():
        _database_time()
        time.sleep(0.05)
        with session() as other:
            inserted_after = other.execute("SELECT clock_timestamp()").fetchone()
        append(stream_id, initiated())

    assert inserted_after is not None
    assert streams.history(PAYMENT_AGGREGATE, stream_id)[0].recorded_at >= inserted_after[0]


@pytest.mark.parametrize("existing", [0, 1, 2])
@pytest.mark.parametrize("expected", [0, 1, 2, 3, 7])
def test_append_refuses_any_other_version(existing: int, expected: int) -> None:
    """Without the EXISTS of the append, a higher version would leave a gap."""
    stream_id = uuid4()
    events: list[AnyPaymentEvent] = [initiated(), flagged()]
    if existing:
        append(stream_id, *events[:existing])
    if expected == existing:
        append(stream_id, rejected(), expected=expected)
    else:
        with pytest.raises(StaleVersion) as caught:
            append(stream_id, rejected(), expected=expected)
        assert (caught.value.aggregate_id, caught.value.expected) == (stream_id, expected)
    assert _versions(stream_id) == list(range(1, existing + (expected == existing) + 1))


def test_refused_append_stores_no_event() -> None:
    stream_id = uuid4()
    append(stream_id, initiated(), flagged())

    with pytest.raises(StaleVersion):
        append(stream_id, approved(), processed(), expected=1)

    assert store.load(PAYMENT_AGGREGATE, stream_id).events == (initiated(), flagged())


def test_concurrent_appends_make_every_version_once() -> None:
    """Without the unique constraint, most versions would exist two to eight times."""
    stream_id = uuid4()
    each = 15

    def write(_: int) -> int:
        written = attempts = 0
        while written < each and attempts < 50 * each:
            version = store.load(PAYMENT_AGGREGATE, stream_id).version
            attempts += 1
            with suppress(StaleVersion):
                append(stream_id, initiated(), expected=version)
                written += 1
        return attempts

    attempts = sum(at_once(8, write))
    assert _versions(stream_id) == list(range(1, 8 * each + 1))
    assert attempts > 8 * each, "no appends collided, so the test proves nothing"


def test_append_accepts_one_of_eight_concurrent_first_appends() -> None:
    for _ in range(10):
        stream_id = uuid4()

        def write(_: int, stream_id: UUID = stream_id) -> bool:
            try:
                append(stream_id, initiated(), processed())
            except StaleVersion:
                return False
            return True

        assert sum(at_once(8, write)) == 1
        assert _versions(stream_id) == [1, 2]


def test_append_distinguishes_a_taken_position_from_a_race() -> None:
    """Regression: any unique violation raised StaleVersion, so this was retried without end."""
    last = append(uuid4(), initiated())
    try:
        _set_sequence(last - 1)
        with pytest.raises(LogContradicted, match="behind the log"):
            append(uuid4(), initiated())
    finally:
        _set_sequence(last)


def test_append_refuses_a_reserved_value_and_names_its_owner() -> None:
    owner, other = uuid4(), uuid4()
    append(owner, initiated(), reservations=[REFERENCE])

    with pytest.raises(AlreadyReserved) as caught:
        append(other, initiated(), reservations=[REFERENCE])

    assert caught.value.owner == owner
    assert caught.value.reservation == REFERENCE
    assert _versions(other) == []
    assert list(Reservation.objects.values_list("value", "aggregate_id")) == [("order-981", owner)]


def test_append_reserves_the_same_value_in_two_namespaces() -> None:
    append(uuid4(), initiated(), reservations=[store.Reservation("a", "1")])
    append(
        uuid4(),
        initiated(),
        reservations=[store.Reservation("b", "1"), store.Reservation("a", "2")],
    )

    assert Reservation.objects.count() == 3


def test_append_names_the_reservation_that_is_taken() -> None:
    owner = uuid4()
    append(owner, initiated(), reservations=[store.Reservation("a", "2")])

    with pytest.raises(AlreadyReserved) as caught:
        append(
            uuid4(),
            initiated(),
            reservations=[store.Reservation("a", "1"), store.Reservation("a", "2")],
        )

    assert caught.value.reservation == store.Reservation("a", "2")
    assert Reservation.objects.count() == 1


def test_stale_append_reserves_nothing() -> None:
    """Without its own EXISTS, the reservation would remain after the append was refused."""
    with pytest.raises(StaleVersion):
        append(uuid4(), initiated(), expected=3, reservations=[REFERENCE])
    stream_id = uuid4()
    append(stream_id, initiated())

    with pytest.raises(StaleVersion):
        append(stream_id, initiated(), reservations=[REFERENCE])

    assert not Reservation.objects.exists()


def test_append_accepts_one_of_eight_concurrent_reservations() -> None:
    def claim(_: int) -> tuple[UUID, UUID]:
        stream_id = uuid4()
        try:
            append(stream_id, initiated(), reservations=[REFERENCE])
        except AlreadyReserved as refused:
            return stream_id, refused.owner
        return stream_id, stream_id

    outcomes = at_once(8, claim)
    winners = [stream_id for stream_id, owner in outcomes if stream_id == owner]
    assert len(winners) == 1
    assert {owner for _, owner in outcomes} == set(winners)
    assert Event.objects.count() == 1


def test_rollback_releases_a_reservation() -> None:
    with session() as other:
        other.execute("BEGIN")
        other.execute(
            "INSERT INTO events_claim VALUES (%s, %s, %s)",
            (REFERENCE.namespace, REFERENCE.value, uuid4()),
        )
        timer = threading.Timer(0.1, other.rollback)
        timer.start()
        append(uuid4(), initiated(), reservations=[REFERENCE])
        timer.join()
    assert Reservation.objects.count() == 1


def test_refused_append_in_a_transaction_keeps_it_usable() -> None:
    """Without the savepoint, later statements fail: "current transaction is aborted"."""
    stream_id = uuid4()
    append(stream_id, initiated(), reservations=[REFERENCE])

    with transaction.atomic():
        with pytest.raises(StaleVersion):
            append(stream_id, processed())
        with pytest.raises(AlreadyReserved):
            append(uuid4(), initiated(), reservations=[REFERENCE])
        Client.objects.create(name="still here")
        append(stream_id, processed(), expected=1)

    assert Client.objects.filter(name="still here").exists()
    assert _versions(stream_id) == [1, 2]


def test_append_streams_retries_after_a_deadlock() -> None:
    """Two imports begin the same streams in opposite orders."""
    one, other = uuid4(), uuid4()
    insert = (
        "INSERT INTO events_event (aggregate_type, aggregate_id, version, event_type,"
        " schema_version, data, metadata, occurred_at)"
        " VALUES ('payment', %s, 1, 'x', 1, '{}', '{}', now())"
    )
    with session() as rival, connection.cursor() as cursor:
        # The rival waits last and looks for deadlocks late, so that this transaction is the victim.
        rival.execute("SET deadlock_timeout = '1min'")
        cursor.execute("SET deadlock_timeout = '500ms'")
        rival.execute("BEGIN")
        rival.execute(insert, (other,))

        def cross() -> None:
            until_blocked()
            rival.execute(insert, (one,))
            rival.rollback()

        crossing = threading.Thread(target=cross)
        crossing.start()
        batches.append_streams(
            PAYMENT_AGGREGATE, [Append(i, [initiated()], BY_TEST) for i in (one, other)]
        )
        crossing.join()
        cursor.execute("RESET deadlock_timeout")
    assert _versions(one) == _versions(other) == [1]


def test_append_streams_begins_many_streams() -> None:
    events: list[AnyPaymentEvent] = [initiated(), processed()]
    streams = [Append(uuid4(), events, BY_TEST) for _ in range(50)]
    last = batches.append_streams(PAYMENT_AGGREGATE, streams)
    assert last == Event.objects.order_by("-position")[0].position
    for stream in streams:
        assert store.load(PAYMENT_AGGREGATE, stream.aggregate_id).events == (
            initiated(),
            processed(),
        )


def test_append_streams_begins_all_streams_or_none() -> None:
    existing = uuid4()
    append(existing, initiated())

    with pytest.raises(StaleVersion):
        batches.append_streams(
            PAYMENT_AGGREGATE, [Append(i, [initiated()], BY_TEST) for i in (uuid4(), existing)]
        )

    assert Event.objects.count() == 1


def test_load_raises_on_an_unknown_event_type() -> None:
    stream_id = uuid4()
    append(stream_id, initiated())
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO events_event (aggregate_type, aggregate_id, version, event_type,"
            " schema_version, data, metadata, occurred_at)"
            " VALUES ('payment', %s, 2, 'payment.teleported', 1, '{}', '{}', now())",
            [stream_id],
        )
    with pytest.raises(codec.UnknownEventType, match=r"payment\.teleported"):
        store.load(PAYMENT_AGGREGATE, stream_id)


def _versions(stream_id: UUID) -> list[int]:
    rows = Event.objects.filter(aggregate_id=stream_id).order_by("version", "position")
    return list(rows.values_list("version", flat=True))


def _database_time() -> datetime:
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        now: datetime = cursor.fetchone()[0]
        return now


def _set_sequence(value: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT setval('events_event_position_seq', %s)", [value])
