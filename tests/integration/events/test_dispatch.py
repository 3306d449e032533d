"""The one write path on a real PostgreSQL: a command is carried out once, however often it comes."""

import threading
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection, transaction

from payments import actors
from payments.aggregates import PAYMENT_AGGREGATE
from payments.application import idempotency
from payments.application.dispatch import CommandContext, Outcome, dispatch, dispatch_new
from payments.application.idempotency import KeyReused
from payments.clients.models import Client
from payments.domain.payment.commands import ProcessPayment
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
from tests.support.examples import (
    CLIENT,
    LARGE,
    OTHER_CLIENT,
    OTHER_REVIEWER,
    REVIEWER,
    UNKNOWN,
    approve,
    initiated,
    process,
    reject,
    rejected,
    usd,
)

pytestmark = pytest.mark.django_db(transaction=True)

MERCHANT = actors.client(CLIENT)


def submit(key: str, **changes: Any) -> Outcome:
    """Process the payment whose id follows from `key`, as the client."""
    command = process(payment_id=idempotency.payment_id(CLIENT, key), **changes)
    return dispatch(command, CommandContext(actor=MERCHANT, key=key))


@pytest.fixture
def waiting() -> UUID:
    """A payment that waits for review."""
    return submit("large", amount=LARGE, features=UNKNOWN).payment.payment_id


@pytest.fixture
def announced() -> Iterator[list[int]]:
    """The positions that listeners were told."""
    positions: list[int] = []

    def listen(position: int, **_: object) -> None:
        positions.append(position)

    signals.appended.connect(listen)
    yield positions
    signals.appended.disconnect(listen)


def test_a_command_answers_with_the_payment_and_its_place_in_the_log() -> None:
    outcome = submit("1")
    assert (outcome.payment.status, outcome.payment.version) == (Status.COMPLETED, 2)
    assert not outcome.replayed
    stream = store.load(PAYMENT_AGGREGATE, outcome.payment.payment_id)
    assert outcome.position == stream.positions[-1]
    assert stream.version == 2


def test_a_repeated_command_answers_the_same_and_adds_nothing() -> None:
    first = submit("1", reference="order-981")
    again = submit("1", reference="order-981")
    assert (again.payment, again.position) == (first.payment, first.position)
    assert again.replayed
    assert Event.objects.count() == 2


def test_a_repetition_answers_what_the_first_run_did_whatever_came_later() -> None:
    first = submit("1", amount=LARGE, features=UNKNOWN)
    dispatch(approve(payment_id=first.payment.payment_id), CommandContext(actor=REVIEWER))
    again = submit("1", amount=LARGE, features=UNKNOWN)
    assert again.payment.status is Status.PENDING_REVIEW
    assert (again.payment, again.position) == (first.payment, first.position)


def test_a_repetition_with_fresher_features_is_still_a_repetition() -> None:
    """What was known of the customer is not the caller's choice, and the first answer stands."""
    first = submit("1", amount=LARGE, features=UNKNOWN)
    again = submit("1", amount=LARGE)
    assert again.payment == first.payment


def test_a_repeated_decision_answers_the_same(waiting: UUID) -> None:
    request = CommandContext(actor=REVIEWER, key="d")
    first = dispatch(approve(payment_id=waiting), request, note="called")
    again = dispatch(approve(payment_id=waiting), request, note="called")
    assert (again.payment, again.position, again.replayed) == (first.payment, first.position, True)
    assert store.load(PAYMENT_AGGREGATE, waiting).version == 4


def test_another_request_under_the_same_key_is_refused_and_names_the_fields(waiting: UUID) -> None:
    with pytest.raises(KeyReused) as caught:
        submit("large", amount=usd(1), reference="order-1")
    assert caught.value.fields == ("amount", "reference")
    request = CommandContext(actor=REVIEWER, key="d")
    dispatch(reject(payment_id=waiting), request, note="called")
    with pytest.raises(KeyReused) as caught:
        dispatch(reject(payment_id=waiting), request, note="wrote")
    assert caught.value.fields == ("note",)
    assert Event.objects.count() == 3


def test_one_key_of_two_people_or_commands_is_two_keys(waiting: UUID) -> None:
    """With the key alone remembered, a reviewer's "large" met the merchant's payment "large"."""
    dispatch(approve(payment_id=waiting), CommandContext(actor=REVIEWER, key="large"))
    for command in (reject(payment_id=waiting), approve(payment_id=waiting)):
        with pytest.raises(NotAwaitingReview):
            dispatch(command, CommandContext(actor=OTHER_REVIEWER, key="large"))


def test_without_a_key_a_repetition_is_decided_again() -> None:
    command = process()
    dispatch(command, CommandContext(actor="system:test"))
    with pytest.raises(PaymentAlreadyFinished):
        dispatch(command, CommandContext(actor="system:test"))


def test_what_was_refused_is_not_remembered(waiting: UUID) -> None:
    """It appended nothing, so there is nothing to remember; the same key may succeed later."""
    request = CommandContext(actor=REVIEWER, key="d")
    with pytest.raises(StaleVersion):
        dispatch(approve(payment_id=waiting), request, expected_version=7)
    assert not dispatch(approve(payment_id=waiting), request, expected_version=2).replayed


def test_another_clients_payment_is_not_found_before_anything_else_is_said(waiting: UUID) -> None:
    """Asked after the version, the refusal told everybody that there was such a payment."""
    command = approve(payment_id=waiting, client_id=OTHER_CLIENT)
    with pytest.raises(PaymentNotFound):
        dispatch(command, CommandContext(actor=REVIEWER, key="d"), expected_version=99)
    request = CommandContext(actor=REVIEWER, key="d")
    dispatch(approve(payment_id=waiting, client_id=CLIENT), request)
    with pytest.raises(PaymentNotFound):
        dispatch(command, request)


def test_a_pinned_version_must_be_the_current_one(waiting: UUID) -> None:
    with pytest.raises(StaleVersion):
        dispatch(approve(payment_id=waiting), CommandContext(actor=REVIEWER), expected_version=1)
    outcome = dispatch(
        approve(payment_id=waiting), CommandContext(actor=REVIEWER), expected_version=2
    )
    assert outcome.payment.version == 4


def test_an_honest_retry_of_a_pinned_command_is_answered_not_refused(waiting: UUID) -> None:
    """Replay comes before the version: the first run itself has made the pinned version stale."""
    request = CommandContext(actor=REVIEWER, key="d")
    first = dispatch(approve(payment_id=waiting), request, expected_version=2)
    again = dispatch(approve(payment_id=waiting), request, expected_version=2)
    assert (again.payment, again.replayed) == (first.payment, True)


def test_a_lost_race_is_decided_again_on_the_fresh_state(waiting: UUID) -> None:
    """With a single attempt this was StaleVersion, for somebody who had pinned nothing."""
    with _rejecting_meanwhile(waiting), pytest.raises(NotAwaitingReview) as caught:
        dispatch(approve(payment_id=waiting), CommandContext(actor=REVIEWER))
    assert caught.value.review is not None
    assert caught.value.review.reviewer == OTHER_REVIEWER


def test_a_lost_race_for_a_pinned_version_is_told(waiting: UUID) -> None:
    with _rejecting_meanwhile(waiting), pytest.raises(StaleVersion):
        dispatch(approve(payment_id=waiting), CommandContext(actor=REVIEWER), expected_version=2)


def test_in_a_callers_transaction_a_lost_race_is_told_and_the_transaction_goes_on(
    waiting: UUID,
) -> None:
    with transaction.atomic():
        with _rejecting_meanwhile(waiting), pytest.raises(StaleVersion):
            dispatch(approve(payment_id=waiting), CommandContext(actor=REVIEWER))
        Client.objects.create(name="still here")
    assert Client.objects.filter(name="still here").exists()


def test_in_a_callers_transaction_a_repetition_is_still_answered() -> None:
    """A new payment is not looked up before it is appended: here that miss was taken for a race."""
    first = submit("1")
    with transaction.atomic():
        again = submit("1")
    assert (again.payment, again.position, again.replayed) == (first.payment, first.position, True)


def test_a_pin_holds_for_processing_too() -> None:
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


def test_eight_reviewers_at_once_and_one_decision(waiting: UUID) -> None:
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


def test_twenty_equal_commands_at_once_are_one_payment_and_twenty_equal_answers() -> None:
    for number in range(5):
        key, reference = f"key-{number}", f"order-{number}"

        def send(_: int, key: str = key, reference: str = reference) -> Outcome:
            return submit(key, reference=reference)

        outcomes = at_once(20, send)
        assert len({(repr(each.payment), each.position) for each in outcomes}) == 1
        assert [each.replayed for each in outcomes].count(False) == 1
        assert Event.objects.count() == 2 * (number + 1)


def test_twenty_equal_decisions_at_once_are_one_decision(waiting: UUID) -> None:
    request = CommandContext(actor=REVIEWER, key="d")

    def send(_: int) -> Outcome:
        return dispatch(approve(payment_id=waiting), request)

    outcomes = at_once(20, send)
    assert len({(repr(each.payment), each.position) for each in outcomes}) == 1
    assert [each.replayed for each in outcomes].count(False) == 1
    assert store.load(PAYMENT_AGGREGATE, waiting).version == 4


def test_a_reference_belongs_to_one_payment_of_a_client() -> None:
    first = submit("1", reference="order-981")
    with pytest.raises(AlreadyReserved) as caught:
        submit("2", reference="order-981")
    assert caught.value.owner == first.payment.payment_id
    assert Event.objects.count() == 2


def test_two_clients_may_have_the_same_reference() -> None:
    submit("1", reference="order-981")
    command = process(payment_id=uuid4(), client_id=OTHER_CLIENT, reference="order-981")
    assert not dispatch(command, CommandContext(actor="system:test")).replayed


def test_of_twenty_payments_with_one_reference_at_once_one_is_made() -> None:
    def send(number: int) -> UUID:
        try:
            return submit(f"key-{number}", reference="order-981").payment.payment_id
        except AlreadyReserved as refused:
            return refused.owner

    assert len(set(at_once(20, send))) == 1
    assert Event.objects.count() == 2


def test_rows_alongside_exist_if_and_only_if_the_events_do(waiting: UUID) -> None:
    """Without the transaction around both, the payment was approved and its note lost."""

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


def test_a_repetition_stores_nothing_alongside_again(waiting: UUID) -> None:
    def insert() -> None:
        Client.objects.create(name="alongside")

    request = CommandContext(actor=REVIEWER, key="d")
    for replayed in (False, True):
        outcome = dispatch(approve(payment_id=waiting), request, alongside=insert)
        assert outcome.replayed is replayed
    assert Client.objects.count() == 1


def test_listeners_hear_the_position_of_what_is_committed_only(announced: list[int]) -> None:
    first = submit("1")
    assert announced == [first.position]
    submit("1")
    assert announced == [first.position], "a repetition is no news"
    with transaction.atomic():
        second = submit("2")
        assert announced == [first.position]
    assert announced == [first.position, second.position]
    with transaction.atomic():
        submit("3")
        transaction.set_rollback(True)
    assert announced == [first.position, second.position]


def test_a_listener_that_fails_does_not_fail_the_command() -> None:
    def fail(**_: object) -> None:
        raise RuntimeError("a listener's own fault")

    signals.appended.connect(fail)
    try:
        assert submit("1").payment.version == 2
    finally:
        signals.appended.disconnect(fail)


def _new(key: str, **changes: Any) -> tuple[ProcessPayment, CommandContext]:
    command = process(payment_id=idempotency.payment_id(CLIENT, key), **changes)
    return command, CommandContext(actor=MERCHANT, key=key)


def test_many_new_payments_are_appended_together() -> None:
    assert dispatch_new([_new(str(number)) for number in range(100)]) == 100
    assert Event.objects.count() == 200
    assert submit("7").replayed


def test_of_many_payments_those_that_exist_are_not_made_again() -> None:
    submit("3")
    assert dispatch_new([_new(str(number)) for number in range(10)]) == 9
    assert dispatch_new([_new(str(number)) for number in range(10)]) == 0
    assert Event.objects.count() == 20


def test_many_payments_with_references_claim_them() -> None:
    batch = [_new(str(number), reference=f"order-{number}") for number in range(3)]
    assert dispatch_new(batch) == 3
    with pytest.raises(AlreadyReserved):
        submit("other", reference="order-1")
    assert dispatch_new([]) == 0


def test_many_payments_in_a_callers_transaction_are_not_made_twice_either() -> None:
    submit("3")
    with transaction.atomic():
        assert dispatch_new([_new(str(number)) for number in range(10)]) == 9
    assert Event.objects.count() == 20


class _rejecting_meanwhile:  # noqa: N801 - it reads as what it does
    """Another transaction has rejected the payment, and commits once this one waits for it."""

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
