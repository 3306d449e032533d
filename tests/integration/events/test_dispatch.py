"""Dispatch on a real PostgreSQL: a command is executed once, however often it is sent."""

import threading
from collections.abc import Iterator
from uuid import UUID, uuid4

import pytest
from django.db import connection, transaction

from payments.aggregates import PAYMENT_AGGREGATE
from payments.application import idempotency
from payments.application.dispatch import CommandContext, Outcome, dispatch
from payments.application.idempotency import KeyReused
from payments.clients.models import Client
from payments.domain.payment.refusals import (
    NotAwaitingReview,
    PaymentAlreadyFinished,
    PaymentNotFound,
)
from payments.domain.payment.state import Status
from payments.events import signals, store
from payments.events.metadata import Metadata
from payments.events.models import Event
from payments.events.store import AlreadyReserved, StaleVersion
from tests.support.concurrency import at_once, until_blocked
from tests.support.dispatching import MERCHANT, submit
from tests.support.example_commands import approve, process, reject
from tests.support.example_events import initiated, rejected
from tests.support.examples import (
    CLIENT,
    LARGE,
    OTHER_CLIENT,
    OTHER_REVIEWER,
    REVIEWER,
    UNKNOWN,
    usd,
)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def waiting() -> UUID:
    """Return a payment that waits for review."""
    return submit("large", amount=LARGE, features=UNKNOWN).payment.payment_id


@pytest.fixture
def announced() -> Iterator[list[int]]:
    """Yield a list of the positions that the signal `appended` has sent."""
    positions: list[int] = []

    def listen(position: int, **_: object) -> None:
        positions.append(position)

    signals.appended.connect(listen)
    yield positions
    signals.appended.disconnect(listen)


def test_dispatch_returns_the_payment_and_its_position() -> None:
    outcome = submit("1")
    assert (outcome.payment.status, outcome.payment.version) == (Status.COMPLETED, 2)
    assert not outcome.replayed
    stream = store.load(PAYMENT_AGGREGATE, outcome.payment.payment_id)
    assert outcome.position == stream.positions[-1]
    assert stream.version == 2


def test_dispatch_replays_a_repeated_command() -> None:
    first = submit("1", reference="order-981")
    again = submit("1", reference="order-981")
    assert (again.payment, again.position) == (first.payment, first.position)
    assert again.replayed
    assert Event.objects.count() == 2


def test_dispatch_replays_the_first_outcome_after_later_events() -> None:
    first = submit("1", amount=LARGE, features=UNKNOWN)
    dispatch(approve(payment_id=first.payment.payment_id), CommandContext(actor=REVIEWER))
    again = submit("1", amount=LARGE, features=UNKNOWN)
    assert again.payment.status is Status.PENDING_REVIEW
    assert (again.payment, again.position) == (first.payment, first.position)


def test_dispatch_replays_a_command_with_newer_features() -> None:
    """The caller does not choose the features, so other features do not make another command."""
    first = submit("1", amount=LARGE, features=UNKNOWN)
    again = submit("1", amount=LARGE)
    assert again.payment == first.payment


def test_dispatch_replays_a_repeated_decision(waiting: UUID) -> None:
    request = CommandContext(actor=REVIEWER, key="d")
    first = dispatch(approve(payment_id=waiting), request, note="called")
    again = dispatch(approve(payment_id=waiting), request, note="called")
    assert (again.payment, again.position, again.replayed) == (first.payment, first.position, True)
    assert store.load(PAYMENT_AGGREGATE, waiting).version == 4


def test_dispatch_refuses_a_reused_key_and_names_the_fields(waiting: UUID) -> None:
    with pytest.raises(KeyReused) as caught:
        submit("large", amount=usd(1), reference="order-1")
    assert caught.value.fields == ("amount", "reference")
    request = CommandContext(actor=REVIEWER, key="d")
    dispatch(reject(payment_id=waiting), request, note="called")
    with pytest.raises(KeyReused) as caught:
        dispatch(reject(payment_id=waiting), request, note="wrote")
    assert caught.value.fields == ("note",)
    assert Event.objects.count() == 3


def test_dispatch_separates_keys_by_actor_and_command(waiting: UUID) -> None:
    """Regression: a reviewer's key "large" collided with the merchant's."""
    dispatch(approve(payment_id=waiting), CommandContext(actor=REVIEWER, key="large"))
    for command in (reject(payment_id=waiting), approve(payment_id=waiting)):
        with pytest.raises(NotAwaitingReview):
            dispatch(command, CommandContext(actor=OTHER_REVIEWER, key="large"))


def test_dispatch_decides_again_without_a_key() -> None:
    command = process()
    dispatch(command, CommandContext(actor="system:test"))
    with pytest.raises(PaymentAlreadyFinished):
        dispatch(command, CommandContext(actor="system:test"))


def test_dispatch_decides_a_refused_command_again(waiting: UUID) -> None:
    """A refused command appends nothing, so its key may succeed later."""
    request = CommandContext(actor=REVIEWER, key="d")
    with pytest.raises(StaleVersion):
        dispatch(approve(payment_id=waiting), request, expected_version=7)
    assert not dispatch(approve(payment_id=waiting), request, expected_version=2).replayed


def test_dispatch_hides_another_clients_payment_before_other_refusals(waiting: UUID) -> None:
    """A check of the version before the client would reveal that the payment exists."""
    command = approve(payment_id=waiting, client_id=OTHER_CLIENT)
    with pytest.raises(PaymentNotFound):
        dispatch(command, CommandContext(actor=REVIEWER, key="d"), expected_version=99)
    request = CommandContext(actor=REVIEWER, key="d")
    dispatch(approve(payment_id=waiting, client_id=CLIENT), request)
    with pytest.raises(PaymentNotFound):
        dispatch(command, request)


def test_dispatch_refuses_an_outdated_expected_version(waiting: UUID) -> None:
    with pytest.raises(StaleVersion):
        dispatch(approve(payment_id=waiting), CommandContext(actor=REVIEWER), expected_version=1)
    outcome = dispatch(
        approve(payment_id=waiting), CommandContext(actor=REVIEWER), expected_version=2
    )
    assert outcome.payment.version == 4


def test_dispatch_replays_a_repetition_before_checking_the_version(waiting: UUID) -> None:
    """The first run has changed the version that the repetition still expects."""
    request = CommandContext(actor=REVIEWER, key="d")
    first = dispatch(approve(payment_id=waiting), request, expected_version=2)
    again = dispatch(approve(payment_id=waiting), request, expected_version=2)
    assert (again.payment, again.replayed) == (first.payment, True)


def test_dispatch_decides_again_after_a_lost_race(waiting: UUID) -> None:
    """A single attempt would raise StaleVersion, although the command expects no version."""
    with _rejecting_meanwhile(waiting), pytest.raises(NotAwaitingReview) as caught:
        dispatch(approve(payment_id=waiting), CommandContext(actor=REVIEWER))
    assert caught.value.review is not None
    assert caught.value.review.reviewer == OTHER_REVIEWER


def test_dispatch_reports_a_lost_race_for_an_expected_version(waiting: UUID) -> None:
    with _rejecting_meanwhile(waiting), pytest.raises(StaleVersion):
        dispatch(approve(payment_id=waiting), CommandContext(actor=REVIEWER), expected_version=2)


def test_dispatch_in_a_transaction_raises_after_a_lost_race(
    waiting: UUID,
) -> None:
    with transaction.atomic():
        with _rejecting_meanwhile(waiting), pytest.raises(StaleVersion):
            dispatch(approve(payment_id=waiting), CommandContext(actor=REVIEWER))
        Client.objects.create(name="still here")
    assert Client.objects.filter(name="still here").exists()


def test_dispatch_in_a_transaction_replays_a_repetition() -> None:
    """A new payment is not loaded before the append, so a repetition looks like a race."""
    first = submit("1")
    with transaction.atomic():
        again = submit("1")
    assert (again.payment, again.position, again.replayed) == (first.payment, first.position, True)


def test_dispatch_checks_the_expected_version_of_a_new_payment() -> None:
    command = process(payment_id=idempotency.payment_id(CLIENT, "1"))
    metadata = Metadata(actor=MERCHANT, command="process_payment")
    store.append(
        PAYMENT_AGGREGATE, command.payment_id, [initiated()], expected=0, metadata=metadata
    )
    request = CommandContext(actor=MERCHANT, key="1")
    for version in (0, 2):
        with pytest.raises(StaleVersion):
            dispatch(command, request, expected_version=version)
    for _ in range(2):
        assert dispatch(command, request, expected_version=1).payment.version == 2


def test_dispatch_accepts_one_of_eight_concurrent_decisions(waiting: UUID) -> None:
    def decide(number: int) -> str:
        build = approve if number % 2 else reject
        command = build(payment_id=waiting, reviewer=f"staff:{number}")
        try:
            outcome = dispatch(command, CommandContext(actor=f"staff:{number}"))
        except NotAwaitingReview as refused:
            assert refused.review is not None
            return refused.review.reviewer
        assert outcome.payment.review is not None
        return outcome.payment.review.reviewer

    assert len(set(at_once(8, decide))) == 1
    assert store.load(PAYMENT_AGGREGATE, waiting).version in {3, 4}


def test_dispatch_makes_one_payment_of_twenty_concurrent_repetitions() -> None:
    for number in range(5):
        key, reference = f"key-{number}", f"order-{number}"

        def send(_: int, key: str = key, reference: str = reference) -> Outcome:
            return submit(key, reference=reference)

        outcomes = at_once(20, send)
        assert len({(repr(each.payment), each.position) for each in outcomes}) == 1
        assert [each.replayed for each in outcomes].count(False) == 1
        assert Event.objects.count() == 2 * (number + 1)


def test_dispatch_makes_one_decision_of_twenty_concurrent_repetitions(waiting: UUID) -> None:
    request = CommandContext(actor=REVIEWER, key="d")

    def send(_: int) -> Outcome:
        return dispatch(approve(payment_id=waiting), request)

    outcomes = at_once(20, send)
    assert len({(repr(each.payment), each.position) for each in outcomes}) == 1
    assert [each.replayed for each in outcomes].count(False) == 1
    assert store.load(PAYMENT_AGGREGATE, waiting).version == 4


def test_dispatch_refuses_a_reference_of_another_payment() -> None:
    first = submit("1", reference="order-981")
    with pytest.raises(AlreadyReserved) as caught:
        submit("2", reference="order-981")
    assert caught.value.owner == first.payment.payment_id
    assert Event.objects.count() == 2


def test_dispatch_accepts_the_same_reference_for_two_clients() -> None:
    submit("1", reference="order-981")
    command = process(payment_id=uuid4(), client_id=OTHER_CLIENT, reference="order-981")
    assert not dispatch(command, CommandContext(actor="system:test")).replayed


def test_dispatch_accepts_one_of_twenty_concurrent_references() -> None:
    def send(number: int) -> UUID:
        try:
            return submit(f"key-{number}", reference="order-981").payment.payment_id
        except AlreadyReserved as refused:
            return refused.owner

    assert len(set(at_once(20, send))) == 1
    assert Event.objects.count() == 2


def test_dispatch_stores_rows_alongside_only_with_the_events(waiting: UUID) -> None:
    """Regression: without a common transaction, the payment was approved but its note was lost."""

    def insert() -> None:
        Client.objects.create(name="alongside")

    def insert_and_fail() -> None:
        insert()
        raise RuntimeError("alongside")

    request = CommandContext(actor=REVIEWER, key="d")
    with pytest.raises(RuntimeError, match="alongside"):
        dispatch(approve(payment_id=waiting), request, alongside=insert_and_fail)
    assert store.load(PAYMENT_AGGREGATE, waiting).version == 2
    with _rejecting_meanwhile(waiting), pytest.raises(NotAwaitingReview):
        dispatch(approve(payment_id=waiting), request, alongside=insert)
    assert not Client.objects.exists()


def test_dispatch_stores_nothing_alongside_a_repetition(waiting: UUID) -> None:
    def insert() -> None:
        Client.objects.create(name="alongside")

    request = CommandContext(actor=REVIEWER, key="d")
    for replayed in (False, True):
        outcome = dispatch(approve(payment_id=waiting), request, alongside=insert)
        assert outcome.replayed is replayed
    assert Client.objects.count() == 1


def test_appended_is_sent_for_committed_events_only(announced: list[int]) -> None:
    first = submit("1")
    assert announced == [first.position]
    submit("1")
    assert announced == [first.position], "a repetition sends nothing"
    with transaction.atomic():
        second = submit("2")
        assert announced == [first.position]
    assert announced == [first.position, second.position]
    with transaction.atomic():
        submit("3")
        transaction.set_rollback(True)
    assert announced == [first.position, second.position]


def test_dispatch_ignores_a_failing_receiver() -> None:
    def fail(**_: object) -> None:
        raise RuntimeError("an error of the receiver")

    signals.appended.connect(fail)
    try:
        assert submit("1").payment.version == 2
    finally:
        signals.appended.disconnect(fail)


class _rejecting_meanwhile:  # noqa: N801 - it reads as what it does
    """Reject the payment in another transaction, which commits once this one waits for it."""

    def __init__(self, payment_id: UUID) -> None:
        self._payment_id = payment_id

    def __enter__(self) -> None:
        self._inserted = threading.Event()
        self._thread = threading.Thread(target=self._reject)
        self._thread.start()
        assert self._inserted.wait(5)

    def __exit__(self, *_: object) -> None:
        self._thread.join()

    def _reject(self) -> None:
        try:
            with transaction.atomic():
                store.append(
                    PAYMENT_AGGREGATE,
                    self._payment_id,
                    [rejected(reviewer=OTHER_REVIEWER)],
                    expected=2,
                    metadata=Metadata(actor=OTHER_REVIEWER, command="reject_payment"),
                )
                self._inserted.set()
                until_blocked()
        finally:
            connection.close()
