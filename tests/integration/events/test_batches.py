"""One statement loads or appends many streams, with the same result as one after the other."""

from typing import Final
from uuid import UUID, uuid4

import pytest

from payments.aggregates import PAYMENT_AGGREGATE, POLICY_AGGREGATE
from payments.domain.payment.events import AnyPaymentEvent
from payments.events import batches, replay, store
from payments.events.batches import Append
from payments.events.metadata import Metadata
from payments.events.models import Event, Snapshot
from payments.events.store import StaleVersion
from tests.integration.events.test_snapshots import falsify, keep_at, stream_of
from tests.support.example_events import approved, flagged, initiated, processed, rejected
from tests.support.roundtrips import round_trips

pytestmark = pytest.mark.django_db(transaction=True)

BY_TEST: Final = Metadata(actor="system:test", command="process_payment")
BY_ANOTHER: Final = Metadata(actor="system:another", command="approve_payment")


def begun(*events: AnyPaymentEvent) -> UUID:
    stream = uuid4()
    store.append(PAYMENT_AGGREGATE, stream, events, expected=0, metadata=BY_TEST)
    return stream


@pytest.fixture
def streams() -> list[UUID]:
    """Streams of several lengths, some with a snapshot, and one that does not exist."""
    cut, whole = stream_of(9), stream_of(5)
    keep_at(cut, 6)
    keep_at(whole, 5)
    return [begun(initiated(), processed()), begun(initiated(), flagged()), cut, whole, uuid4()]


def test_load_returns_what_single_loads_return(streams: list[UUID]) -> None:
    assert batches.load(PAYMENT_AGGREGATE, []) == {}  # this prepares the statement

    with round_trips() as counted:
        loaded = batches.load(PAYMENT_AGGREGATE, streams)

    assert counted.count == 1
    assert list(loaded) == streams
    for stream, found in loaded.items():
        assert found == replay.load(PAYMENT_AGGREGATE, stream)
    assert [found.stream.begin for found in loaded.values()] == [0, 0, 6, 5, 0]


def test_load_ignores_damaged_and_foreign_snapshots(streams: list[UUID]) -> None:
    before = {each: replay.load(PAYMENT_AGGREGATE, each).state for each in streams}
    falsify("payment_id", str(uuid4()))
    assert _states(streams) == before

    Snapshot.objects.update(fold="payment 0")
    assert _states(streams) == before


def test_load_ignores_streams_of_other_aggregates(streams: list[UUID]) -> None:
    assert all(each.state is None for each in batches.load(POLICY_AGGREGATE, streams).values())


def test_append_streams_continues_and_begins_streams() -> None:
    known, new = begun(initiated(), flagged()), uuid4()

    appends: list[Append[AnyPaymentEvent]] = [
        Append(known, [approved()], BY_TEST, expected=2),
        Append(new, [initiated(), flagged()], BY_TEST),
        Append(new, [rejected()], BY_ANOTHER, expected=2),
    ]

    last = batches.append_streams(PAYMENT_AGGREGATE, appends)

    assert last == Event.objects.order_by("-position")[0].position
    assert store.load(PAYMENT_AGGREGATE, known).events == (initiated(), flagged(), approved())
    assert store.load(PAYMENT_AGGREGATE, new).events == (initiated(), flagged(), rejected())
    assert Event.objects.get(aggregate_id=new, version=3).metadata["actor"] == "system:another"


def test_append_streams_to_a_stale_version_appends_nothing() -> None:
    current, stale = begun(initiated()), begun(initiated(), flagged())

    with pytest.raises(StaleVersion):
        batches.append_streams(
            PAYMENT_AGGREGATE,
            [Append(each, [processed()], BY_TEST, expected=1) for each in (current, stale)],
        )

    assert Event.objects.count() == 3


def test_owners_returns_the_holders_of_reserved_values() -> None:
    held = {store.Reservation(f"references:{n % 2}", f"order-{n}"): uuid4() for n in range(4)}
    for reservation, stream in held.items():
        store.append(
            PAYMENT_AGGREGATE,
            stream,
            [initiated()],
            expected=0,
            metadata=BY_TEST,
            reservations=[reservation],
        )

    others = [
        store.Reservation("references:1", "order-0"),
        store.Reservation("references:0", "order-9"),
    ]

    assert store.owners([*held, *others]) == held
    assert store.owners([]) == {}


def _states(streams: list[UUID]) -> dict[UUID, object]:
    return {each: found.state for each, found in batches.load(PAYMENT_AGGREGATE, streams).items()}
