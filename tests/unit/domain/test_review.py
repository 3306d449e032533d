"""Stories of the review desk: one person decides once, and the payment says who and why."""

from collections.abc import Callable

import pytest

from payments.domain.payment.commands import ApprovePayment, RejectPayment
from payments.domain.payment.events import AnyPaymentEvent, ApprovalReason, RejectionReason
from payments.domain.payment.refusals import NotAwaitingReview, PaymentNotFound
from payments.domain.payment.state import Review, Status
from tests.support.examples import (
    CLIENT,
    LARGE,
    LARGE_FIRST,
    LATER,
    NOON,
    NOTE,
    OTHER_CLIENT,
    OTHER_REVIEWER,
    PAYMENT,
    REVIEWER,
    approve,
    approved,
    failed,
    flagged,
    initiated,
    process,
    processed,
    processed_after_approval,
    reject,
    rejected,
)
from tests.support.scenario import given

Decision = ApprovePayment | RejectPayment

WAITING = (initiated(amount=LARGE), flagged())
APPROVED = (*WAITING, approved(), processed_after_approval())
REJECTED = (*WAITING, rejected())


def test_an_approved_payment_is_completed_in_the_same_breath() -> None:
    payment = given(*WAITING).when(approve()).then(approved(), processed_after_approval())
    assert payment.status is Status.COMPLETED
    assert payment.version == 4
    assert payment.processed_at == LATER
    assert payment.review == Review(
        reviewer=REVIEWER,
        approved=True,
        reason=ApprovalReason.VERIFIED_WITH_CUSTOMER,
        note=None,
        at=LATER,
    )


def test_an_approval_does_not_forget_why_the_payment_was_flagged() -> None:
    payment = given(*WAITING).when(approve()).then(approved(), processed_after_approval())
    assert payment.risk == LARGE_FIRST
    assert payment.flagged_at == NOON


def test_a_rejected_payment_is_never_completed() -> None:
    payment = given(*WAITING).when(reject()).then(rejected())
    assert payment.status is Status.REJECTED
    assert payment.processed_at is None
    assert payment.review == Review(
        reviewer=REVIEWER,
        approved=False,
        reason=RejectionReason.SUSPECTED_FRAUD,
        note=None,
        at=LATER,
    )


def test_a_note_is_kept_as_its_id_and_digest() -> None:
    payment = (
        given(*WAITING)
        .when(reject(note=NOTE, reason=RejectionReason.OTHER))
        .then(rejected(note=NOTE, reason=RejectionReason.OTHER))
    )
    assert payment.review is not None
    assert payment.review.note == NOTE


@pytest.mark.parametrize(
    "second", [approve(reviewer=OTHER_REVIEWER), reject(reviewer=OTHER_REVIEWER)]
)
@pytest.mark.parametrize(
    ("history", "status", "decision"),
    [(APPROVED, "completed", "approved"), (REJECTED, "rejected", "rejected")],
)
def test_a_payment_is_reviewed_only_once_and_the_refusal_says_who_decided_what(
    history: tuple[AnyPaymentEvent, ...], status: str, decision: str, second: Decision
) -> None:
    error = given(*history).when(second).then_refused(NotAwaitingReview, status=status)
    assert isinstance(error, NotAwaitingReview)
    assert error.review is not None
    assert (error.review.decision, error.review.reviewer) == (decision, REVIEWER)
    assert str(error) == (
        f"Payment {PAYMENT} was {decision} by {REVIEWER} at 2026-01-05 15:00:00 UTC."
    )


@pytest.mark.parametrize("command", [approve(), reject()])
@pytest.mark.parametrize(
    ("history", "status"),
    [
        ((initiated(),), "initiated"),
        ((initiated(), processed()), "completed"),
        ((initiated(), failed()), "failed"),
    ],
)
def test_only_a_payment_that_waits_can_be_reviewed(
    history: tuple[AnyPaymentEvent, ...], status: str, command: Decision
) -> None:
    given(*history).when(command).then_refused(NotAwaitingReview, status=status)


@pytest.mark.parametrize("command", [approve(), reject()])
def test_a_payment_that_does_not_exist_cannot_be_reviewed(command: Decision) -> None:
    given().when(command).then_refused(PaymentNotFound)


@pytest.mark.parametrize("decide", [approve, reject])
def test_a_reviewer_of_one_client_sees_no_other_clients_payment(
    decide: Callable[..., Decision],
) -> None:
    """To the letter the error of a payment that does not exist: existence is a secret too."""
    foreign = given(*WAITING).when(decide(client_id=OTHER_CLIENT)).then_refused(PaymentNotFound)
    missing = given().when(decide(client_id=OTHER_CLIENT)).then_refused(PaymentNotFound)
    assert str(foreign) == str(missing)


@pytest.mark.parametrize("decide", [approve, reject])
def test_a_reviewer_of_the_client_may_decide(decide: Callable[..., Decision]) -> None:
    assert isinstance(given(*WAITING).when(decide(client_id=CLIENT)).outcome, tuple)


def test_a_new_attempt_does_not_wake_a_rejected_payment() -> None:
    assert given(*REJECTED).when(process(amount=LARGE)).names() == "PaymentAlreadyFinished"
