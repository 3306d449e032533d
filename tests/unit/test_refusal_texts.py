"""Each refusal of a payment has a text for the screens and data for the API's problem."""

import pytest

from payments.api.openapi import problem_examples
from payments.api.problems.handler import problem_of
from payments.domain.payment.codes import DisputeOutcome
from payments.domain.payment.refusals import (
    AlreadyEscalated,
    AnotherPersonNeeded,
    DisputeClosed,
    DisputeContradicted,
    DisputeCurrencyDiffers,
    DisputeLossInvalid,
    DisputeNotFound,
    DisputeOpen,
    DisputeTooLarge,
    NotAwaitingReview,
    NotClaimed,
    NotDisputable,
    NoteNeeded,
    NotRefundable,
    PaymentAlreadyFinished,
    PaymentDiffers,
    PaymentError,
    PaymentNotFound,
    PaymentUnderReview,
    RefundCurrencyDiffers,
    RefundTooLarge,
    ReviewExpired,
    ReviewNotDue,
    ReviewTaken,
    SeniorReviewerNeeded,
    TooManyDisputes,
    TooManyResponses,
)
from payments.domain.payment.routing_refusals import (
    AssignedToAnother,
    AssigneeNotReviewer,
    AssignmentNeedsSenior,
    NotAssigned,
    NotSnoozed,
    SnoozeTimeInvalid,
    StillSnoozed,
)
from payments.domain.payment.state import Review, Status
from readmodels.admin.base import refusals
from tests.support.examples import DISPUTE, LATER, NOON, PAYMENT, REVIEWER, usd

# The members that problems of all codes may have.
STANDARD = {"type", "title", "status", "code", "detail", "instance", "request_id", "errors"}
DECISION = Review(reviewer=REVIEWER, approved=True, reason="other", note=None, at=LATER)
REFUSALS: tuple[PaymentError, ...] = (
    PaymentNotFound(payment_id=PAYMENT),
    PaymentAlreadyFinished(payment_id=PAYMENT, status=Status.FAILED),
    PaymentAlreadyFinished(payment_id=PAYMENT, status=Status.COMPLETED, refundable=True),
    PaymentUnderReview(payment_id=PAYMENT),
    PaymentDiffers(payment_id=PAYMENT),
    NotAwaitingReview(payment_id=PAYMENT, status=Status.COMPLETED),
    NotAwaitingReview(payment_id=PAYMENT, status=Status.COMPLETED, review=DECISION),
    ReviewExpired(payment_id=PAYMENT, deadline=NOON),
    ReviewNotDue(payment_id=PAYMENT, deadline=NOON),
    ReviewTaken(payment_id=PAYMENT, claimed_by=REVIEWER, claimed_until=LATER),
    NotClaimed(payment_id=PAYMENT),
    AssignedToAnother(payment_id=PAYMENT, assigned_to=REVIEWER, assigned_until=LATER),
    AssignmentNeedsSenior(payment_id=PAYMENT),
    AssigneeNotReviewer(payment_id=PAYMENT, assignee=REVIEWER),
    NotAssigned(payment_id=PAYMENT),
    StillSnoozed(payment_id=PAYMENT, snoozed_by=REVIEWER, snoozed_until=LATER),
    NotSnoozed(payment_id=PAYMENT),
    SnoozeTimeInvalid(payment_id=PAYMENT, until=NOON, earliest=LATER, deadline=LATER),
    AlreadyEscalated(payment_id=PAYMENT),
    SeniorReviewerNeeded(payment_id=PAYMENT, escalated=True),
    SeniorReviewerNeeded(payment_id=PAYMENT, escalated=False),
    AnotherPersonNeeded(payment_id=PAYMENT, reviewer=REVIEWER),
    AnotherPersonNeeded(payment_id=PAYMENT, reviewer=REVIEWER, proposed_policy=True),
    NoteNeeded(payment_id=PAYMENT),
    NoteNeeded(payment_id=PAYMENT, reject_advised=True),
    NoteNeeded(payment_id=PAYMENT, customer_blocked=True),
    NotRefundable(payment_id=PAYMENT, status=Status.REFUNDED),
    RefundTooLarge(payment_id=PAYMENT, refund=usd(9_00), refundable=usd(8_00)),
    RefundCurrencyDiffers(payment_id=PAYMENT, currency="USD"),
    NotRefundable(payment_id=PAYMENT, status=Status.COMPLETED, lost=usd(100_00)),
    DisputeOpen(payment_id=PAYMENT, dispute_id=DISPUTE),
    NotDisputable(payment_id=PAYMENT, status=Status.FAILED),
    DisputeNotFound(payment_id=PAYMENT, dispute_id=DISPUTE),
    DisputeClosed(
        payment_id=PAYMENT, dispute_id=DISPUTE, outcome=DisputeOutcome.LOST, closed_at=LATER
    ),
    DisputeContradicted(payment_id=PAYMENT, dispute_id=DISPUTE, fields=("amount",)),
    TooManyDisputes(payment_id=PAYMENT, limit=100),
    TooManyResponses(payment_id=PAYMENT, dispute_id=DISPUTE, limit=20),
    DisputeTooLarge(payment_id=PAYMENT, disputed=usd(9_00), disputable=usd(8_00)),
    DisputeCurrencyDiffers(payment_id=PAYMENT, currency="USD"),
    DisputeLossInvalid(payment_id=PAYMENT, outcome=DisputeOutcome.WON, lost=usd(1)),
)


def test_refusals_in_this_module_are_all_that_exist() -> None:
    assert {type(each) for each in REFUSALS} == set(PaymentError.__subclasses__())


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda each: type(each).__name__)
def test_screen_text_of_refusal_shows_name_instead_of_ids(refusal: PaymentError) -> None:
    text = refusals.describe(refusal, name=lambda _: "Ada Ng")

    assert str(PAYMENT) not in text
    assert REVIEWER not in text
    assert ("Ada Ng" in text) is (REVIEWER in str(refusal))


@pytest.mark.parametrize("code", sorted({refusal.code for refusal in REFUSALS}))
def test_problem_has_the_members_of_its_example(code: str) -> None:
    """Regression: the document promised data that the answer did not have."""
    refused = [problem_of(refusal) for refusal in REFUSALS if refusal.code == code]

    sent = {name for problem in refused for name in problem.members}

    assert sent == problem_examples.example(code).keys() - STANDARD
