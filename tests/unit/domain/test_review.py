"""Reviews: one decision per payment, with reviewer and reason."""

from collections.abc import Callable

import pytest

from payments.domain.payment.codes import ApprovalReason, RejectionReason
from payments.domain.payment.commands import ApprovePayment, RejectPayment
from payments.domain.payment.events import AnyPaymentEvent
from payments.domain.payment.refusals import NotAwaitingReview, PaymentNotFound
from payments.domain.payment.state import Review, Status
from tests.support.example_commands import approve, process, reject
from tests.support.example_events import (
    approved,
    failed,
    flagged,
    initiated,
    processed,
    processed_after_approval,
    rejected,
)
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
)
from tests.support.scenario import given

Decision = ApprovePayment | RejectPayment

WAITING = (initiated(amount=LARGE), flagged())
APPROVED = (*WAITING, approved(), processed_after_approval())
REJECTED = (*WAITING, rejected())


def test_approval_completes_payment_in_same_append() -> None:
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


def test_approval_keeps_risk_assessment() -> None:
    payment = given(*WAITING).when(approve()).then(approved(), processed_after_approval())
    assert payment.risk == LARGE_FIRST
    assert payment.flagged_at == NOON


def test_rejected_payment_is_never_completed() -> None:
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


def test_note_is_kept_as_id_and_digest() -> None:
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
def test_second_decision_is_refused_with_first_decision(
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
def test_decision_on_payment_not_under_review_is_refused(
    history: tuple[AnyPaymentEvent, ...], status: str, command: Decision
) -> None:
    given(*history).when(command).then_refused(NotAwaitingReview, status=status)


@pytest.mark.parametrize("command", [approve(), reject()])
def test_decision_on_missing_payment_is_refused(command: Decision) -> None:
    given().when(command).then_refused(PaymentNotFound)


@pytest.mark.parametrize("decide", [approve, reject])
def test_decision_on_payment_of_other_client_looks_like_missing(
    decide: Callable[..., Decision],
) -> None:
    """A missing payment gives the same error, so the caller does not learn that this one exists."""
    foreign = given(*WAITING).when(decide(client_id=OTHER_CLIENT)).then_refused(PaymentNotFound)
    missing = given().when(decide(client_id=OTHER_CLIENT)).then_refused(PaymentNotFound)
    assert str(foreign) == str(missing)


@pytest.mark.parametrize("decide", [approve, reject])
def test_reviewer_of_client_may_decide(decide: Callable[..., Decision]) -> None:
    assert isinstance(given(*WAITING).when(decide(client_id=CLIENT)).outcome, tuple)


def test_process_of_rejected_payment_is_refused() -> None:
    assert given(*REJECTED).when(process(amount=LARGE)).names() == "PaymentAlreadyFinished"
