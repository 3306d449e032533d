"""A load with a snapshot returns the state of the whole stream. Invalid snapshots are ignored."""

import threading
import time
from io import StringIO
from uuid import UUID, uuid4

import pytest
from django.core.management import call_command
from django.db import connection, transaction

from payments.aggregates import PAYMENT_AGGREGATE
from payments.application.dispatch import CommandContext, Outcome, dispatch
from payments.domain.payment.events import AnyPaymentEvent
from payments.domain.payment.refusals import NotAwaitingReview
from payments.domain.payment.state import Payment, Status
from payments.events import replay, snapshots, store
from payments.events.metadata import Metadata
from payments.events.models import Snapshot
from payments.events.reading import streams
from tests.support.api import PAYMENTS, ApiClient, body_of
from tests.support.concurrency import at_once, session, until_blocked
from tests.support.example_commands import reject
from tests.support.example_events import approved, flagged, initiated
from tests.support.examples import LARGE, REVIEWER
from tests.support.roundtrips import round_trips

pytestmark = pytest.mark.django_db(transaction=True)

BY_TEST = Metadata(actor="system:test", command="process_payment")


def stream_of(versions: int) -> UUID:
    """Return a payment that waits for review, with an unusually long history."""
    payment = uuid4()
    events: list[AnyPaymentEvent] = [initiated(amount=LARGE), flagged()]
    store.append(
        PAYMENT_AGGREGATE,
        payment,
        [*events, *_approvals(versions - 2)],
        expected=0,
        metadata=BY_TEST,
    )
    return payment


def decide(payment: UUID, key: str = "decision-1") -> Outcome:
    return dispatch(reject(payment_id=payment), CommandContext(actor=REVIEWER, key=key))


def whole(payment: UUID) -> Payment | None:
    """Return the state from all events, without a snapshot."""
    history = streams.history(PAYMENT_AGGREGATE, payment)
    return replay.fold(PAYMENT_AGGREGATE, payment, (record.event for record in history))


def kept() -> Snapshot | None:
    """Wait for a thread that is keeping a snapshot. Return the snapshot."""
    with snapshots._one_at_a_time:
        return Snapshot.objects.first()


def keep_at(payment: UUID, version: int) -> None:
    """Keep a snapshot of the payment at that version."""
    events = [record.event for record in streams.history(PAYMENT_AGGREGATE, payment)[:version]]
    state = replay.fold(PAYMENT_AGGREGATE, payment, events)
    assert state is not None
    snapshots.keep(PAYMENT_AGGREGATE, payment, version, state)


def falsify(field: str, value: str) -> None:
    """Change a field of the state in every snapshot."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE events_snapshot SET state = jsonb_set(state, ARRAY[%s], to_jsonb(%s::text))",
            [field, value],
        )


def _approvals(number: int) -> list[AnyPaymentEvent]:
    return [approved() for _ in range(number)]


def test_command_on_a_long_stream_keeps_a_snapshot() -> None:
    payment = stream_of(101)
    outcome = decide(payment)
    snapshot = kept()
    assert snapshot is not None
    assert (snapshot.aggregate_id, snapshot.version) == (payment, 102)
    found = replay.load(PAYMENT_AGGREGATE, payment)
    loaded, stream = found.state, found.stream
    assert (stream.begin, stream.version, stream.events) == (102, 102, ())
    assert loaded == outcome.payment == whole(payment)
    assert stream.position(102) == outcome.position


def test_command_on_a_short_stream_keeps_no_snapshot() -> None:
    decide(stream_of(100))
    assert kept() is None


def test_load_folds_later_events_onto_the_snapshot() -> None:
    payment = stream_of(200)
    keep_at(payment, 150)
    decide(payment)
    assert Snapshot.objects.get().version == 150
    store.append(PAYMENT_AGGREGATE, payment, _approvals(60), expected=201, metadata=BY_TEST)
    with pytest.raises(NotAwaitingReview):
        decide(payment, "decision-2")
    found = replay.load(PAYMENT_AGGREGATE, payment)
    loaded, stream = found.state, found.stream
    assert (stream.begin, len(stream.events)) == (150, 111)
    assert loaded == whole(payment)


@pytest.mark.parametrize("cut", [1, 2, 3, 6, 7])
def test_load_returns_the_same_state_from_any_snapshot(cut: int) -> None:
    payment = stream_of(6)
    decide(payment)
    keep_at(payment, cut)
    found = replay.load(PAYMENT_AGGREGATE, payment)
    loaded, stream = found.state, found.stream
    assert (stream.begin, stream.version) == (cut, 7)
    assert loaded == whole(payment)
    positions = [record.position for record in streams.history(PAYMENT_AGGREGATE, payment)]
    assert [stream.position(version) for version in range(cut, 8)] == positions[cut - 1 :]


def test_snapshots_cost_a_command_no_round_trip() -> None:
    for _ in range(6):  # until every statement is prepared
        decide(stream_of(101))
    without, small = stream_of(101), stream_of(2)
    with round_trips() as counted:
        decide(without)
    assert counted.count == 2
    with_one = stream_of(150)
    keep_at(with_one, 120)
    for payment in (with_one, small):
        with round_trips() as counted:
            decide(payment)
        assert counted.count == 2


@pytest.mark.parametrize("cut", [2, 3, 4, 5, 40])
def test_repetition_is_replayed_before_and_after_a_snapshot(cut: int) -> None:
    """If the load omitted the key's events, a repetition would be decided again."""
    payment = stream_of(3)
    first = decide(payment)
    store.append(PAYMENT_AGGREGATE, payment, _approvals(40), expected=4, metadata=BY_TEST)
    keep_at(payment, cut)

    again = decide(payment)

    assert again.replayed
    assert (again.payment, again.position) == (first.payment, first.position)
    assert again.payment.version == 4


def test_repetition_before_a_snapshot_costs_a_second_round_trip() -> None:
    payment = stream_of(3)
    decide(payment)
    store.append(PAYMENT_AGGREGATE, payment, _approvals(40), expected=4, metadata=BY_TEST)
    for cut, expected in ((3, 1), (4, 1), (5, 2)):
        keep_at(payment, cut)
        with round_trips() as counted:
            assert decide(payment).replayed
        assert counted.count == expected


def test_snapshot_of_another_fold_is_replaced() -> None:
    """Without the comparison of fold ids, the payment would seem completed."""
    payment = stream_of(150)
    keep_at(payment, 140)
    Snapshot.objects.update(fold="payment 0")
    falsify("status", "completed")
    found = replay.load(PAYMENT_AGGREGATE, payment)
    loaded, stream = found.state, found.stream
    assert (stream.begin, loaded) == (0, whole(payment))
    decide(payment)
    snapshot = kept()
    assert snapshot is not None
    assert (snapshot.version, snapshot.fold) == (151, PAYMENT_AGGREGATE.fold_id)


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE events_snapshot SET state = '{}'",
        "UPDATE events_snapshot SET state = '[1]'",
        "UPDATE events_snapshot SET version = version - 1",
        "UPDATE events_snapshot SET state = jsonb_set(state, '{payment_id}', to_jsonb(gen_random_uuid()))",
        "UPDATE events_snapshot SET state = jsonb_set(state, '{status}', '\"teleported\"')",
    ],
)
def test_damaged_snapshot_is_logged_and_ignored(
    damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    payment = stream_of(6)
    keep_at(payment, 4)
    with connection.cursor() as cursor:
        cursor.execute(damage)

    found = replay.load(PAYMENT_AGGREGATE, payment)

    loaded, stream = found.state, found.stream
    assert (stream.begin, loaded) == (0, whole(payment))
    assert f"The snapshot of {payment}" in caplog.text
    assert decide(payment).payment.status is Status.REJECTED


def test_snapshot_of_a_missing_version_is_ignored() -> None:
    """Without a check of the snapshot's event, the payment would seem not to exist."""
    payment = stream_of(6)
    keep_at(payment, 4)
    Snapshot.objects.update(version=99)
    falsify("version", "99")

    found = replay.load(PAYMENT_AGGREGATE, payment)

    loaded, stream = found.state, found.stream
    assert (stream.begin, loaded) == (0, whole(payment))


def test_older_snapshot_does_not_replace_a_newer_one() -> None:
    """Without the upsert's WHERE, the last writer would win."""
    payment = stream_of(60)

    def keep_ever_older(number: int) -> None:
        for step in range(7):
            keep_at(payment, 60 - 7 * step - number)

    at_once(8, keep_ever_older)
    assert Snapshot.objects.get().version == 60
    assert replay.load(PAYMENT_AGGREGATE, payment).state == whole(payment)


@pytest.mark.slow
def test_command_does_not_wait_for_its_snapshot() -> None:
    """If the command's own thread kept the snapshot, the command would wait for the lock."""
    payments = [stream_of(101) for _ in range(3)]
    with session() as other, connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '2s'")
        other.execute("BEGIN")
        other.execute("LOCK TABLE events_snapshot IN SHARE MODE")
        began = time.monotonic()
        for payment in payments:
            assert decide(payment).payment.status is Status.REJECTED
        assert time.monotonic() - began < 1
        until_blocked()
        assert sum(thread.name == "snapshot" for thread in threading.enumerate()) == 1
        other.execute("ROLLBACK")
        cursor.execute("RESET lock_timeout")
    assert kept() is not None
    assert Snapshot.objects.count() == 1, "two were dropped, and later commands offer them again"


def test_command_succeeds_if_its_snapshot_fails(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(snapshots, "_KEEP", "SELECT 1 / 0")
    payment = stream_of(101)

    assert decide(payment).payment.status is Status.REJECTED
    assert kept() is None
    assert f"The snapshot of {payment} was not kept: division by zero" in caplog.text


def test_command_succeeds_without_a_free_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        patch.setattr("readmodels.engine.wakeups.Announcer.announce", lambda _: None)
        assert decide(stream_of(101)).payment.status is Status.REJECTED
    assert kept() is None
    decide(stream_of(101))
    assert kept() is not None, "the next command keeps one"


def test_rolled_back_command_keeps_no_snapshot() -> None:
    """A snapshot kept before the commit would hold the state of events that were rolled back."""
    payment = stream_of(101)
    with transaction.atomic():
        decide(payment)
        assert kept() is None
        transaction.set_rollback(True)
    assert kept() is None
    assert replay.load(PAYMENT_AGGREGATE, payment).stream.version == 101
    with transaction.atomic():
        decide(payment)
    assert kept() is not None


def test_payment_command_ignores_snapshots() -> None:
    payment = stream_of(5)
    keep_at(payment, 5)
    falsify("status", "completed")
    out = StringIO()

    call_command("payment", str(payment), stdout=out)

    assert "Pending review" in out.getvalue()


def test_api_reads_an_unprojected_payment_from_its_snapshot() -> None:
    acme = ApiClient()
    payment = uuid4()
    own = {"client_id": acme.client_id}
    events: list[AnyPaymentEvent] = [initiated(**own), flagged(**own), approved(**own)]
    position = store.append(PAYMENT_AGGREGATE, payment, events, expected=0, metadata=BY_TEST)
    keep_at(payment, 3)

    answer = acme.get(f"{PAYMENTS}/{payment}")

    assert (answer.status_code, body_of(answer)["version"]) == (200, 3)
    assert answer["X-Event-Position"] == str(position)


def test_store_load_ignores_snapshots_by_default() -> None:
    payment = stream_of(4)
    keep_at(payment, 3)
    stream = store.load(PAYMENT_AGGREGATE, payment)
    assert (stream.begin, len(stream.events)) == (0, 4)
