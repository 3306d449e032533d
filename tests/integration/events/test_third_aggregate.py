"""The events app is a library: another aggregate works without changing the app."""

import time
from datetime import UTC, datetime
from typing import ClassVar, Final
from uuid import UUID, uuid4

import pytest
from msgspec import Struct

from payments.events import checks, replay, snapshots, store
from payments.events.aggregates import Aggregate
from payments.events.metadata import Metadata
from payments.events.reading import horizon, scan, streams, timetravel
from payments.events.seals import keys, sealing, verifying

pytestmark = pytest.mark.django_db(transaction=True)


class Charged(Struct, frozen=True):
    event_type: ClassVar[str] = "gift_card.charged"
    schema_version: ClassVar[int] = 2
    at: datetime
    cents: int


GIFT_CARD: Final[Aggregate[int, Charged]] = Aggregate(
    name="gift_card",
    event_classes=(Charged,),
    evolve=lambda balance, _card, event: (balance or 0) + event.cents,
    state_class=int,
    state_version=1,
    upcasts={("gift_card.charged", 1): lambda old: {"at": old["at"], "cents": 100 * old["euros"]}},
)
BY_TEST: Final = Metadata(actor="system:test", command="charge")


def charge(card: UUID, cents: int) -> replay.Executed[int]:
    event = Charged(datetime.now(UTC), cents)
    return replay.execute(GIFT_CARD, card, lambda _balance: [event], metadata=BY_TEST)


def test_execute_decides_again_after_a_conflict() -> None:
    card = uuid4()
    balances: list[int | None] = []

    def decide(balance: int | None) -> list[Charged]:
        if not balances:
            charge(card, 500)
        balances.append(balance)
        return [Charged(datetime.now(UTC), 100)]

    done = replay.execute(GIFT_CARD, card, decide, metadata=BY_TEST)

    assert (balances, done.state) == ([None, 500], 600)
    assert replay.load(GIFT_CARD, card).state == 600


def test_append_refuses_a_stale_version() -> None:
    card = uuid4()
    charge(card, 500)

    with pytest.raises(store.StaleVersion):
        store.append(GIFT_CARD, card, [Charged(datetime.now(UTC), 1)], expected=0, metadata=BY_TEST)


def test_long_stream_is_loaded_from_its_snapshot() -> None:
    card = uuid4()
    events = [Charged(datetime.now(UTC), 1)] * (snapshots.AFTER + 1)
    store.append(GIFT_CARD, card, events, expected=0, metadata=BY_TEST)

    assert charge(card, 1).state == snapshots.AFTER + 2

    deadline = time.monotonic() + 10
    while not (found := replay.load(GIFT_CARD, card)).stream.snapshot:
        assert time.monotonic() < deadline
    assert (found.state, found.stream.events) == (snapshots.AFTER + 2, ())


def test_history_travels_in_time() -> None:
    card = uuid4()
    charge(card, 500)
    charge(card, 100)

    history = streams.history(GIFT_CARD, card)

    (first,) = timetravel.at_version(history, 1)
    assert timetravel.recorded_by(history, first.recorded_at) == [first]
    assert replay.fold(GIFT_CARD, card, [first.event]) == 500


def test_readers_return_the_events_of_their_aggregate_only() -> None:
    card = uuid4()
    position = charge(card, 500).position

    read = horizon.read_next(GIFT_CARD, after=0, upto=horizon.safe_position(), limit=10)
    ((_, (scanned,)),) = scan.streams((GIFT_CARD,), position)

    assert [scanned] == read.records == horizon.read_stream(GIFT_CARD, card, after=0, upto=position)
    other = Aggregate[int, Charged](
        name="other", event_classes=(Charged,), evolve=GIFT_CARD.evolve, state_class=int
    )
    assert horizon.read_next(other, after=0, upto=position, limit=10).records == []
    assert streams.history(other, card) == []


def test_seals_cover_the_events_of_every_aggregate() -> None:
    charge(uuid4(), 500)

    (statement,) = sealing.seal_all()

    assert statement.events == 1
    assert verifying.verify(keys.trusted()).findings.total == 0


def test_older_schema_version_is_upcast_and_a_missing_upcast_is_found() -> None:
    stored = '{"at": "2026-01-05T12:00:00Z", "euros": 5}'

    assert GIFT_CARD.decode("gift_card.charged", 1, stored).cents == 500
    assert checks.check_upcasts(GIFT_CARD) == []
    forgotten = Aggregate[int, Charged](
        name="gift_card", event_classes=(Charged,), evolve=GIFT_CARD.evolve, state_class=int
    )
    assert [error.id for error in checks.check_upcasts(forgotten)] == ["events.E001"]
