"""Events repeat all facts about reviewers' work that sums need, so sums read no other events."""

from datetime import timedelta
from typing import Final

import pytest

from payments.domain.payment.claims import LEASE
from payments.domain.payment.codes import DisputeOutcome, DisputeReason, RefundReason
from payments.domain.payment.commands import AnyReviewCommand
from payments.domain.payment.events import (
    AnyPaymentEvent,
    PaymentApproved,
    PaymentExpired,
    PaymentFirstApproved,
    PaymentRejected,
)
from payments.domain.payment.findings import Approval, Finding
from payments.domain.payment.state import REVIEW_PERIOD
from tests.support.example_commands import (
    approve,
    close_dispute,
    expire,
    open_dispute,
    refund,
    reject,
    update_dispute,
)
from tests.support.example_events import (
    approved,
    claimed,
    first_approved,
    flagged,
    initiated,
    processed,
    processed_after_approval,
    refunded,
)
from tests.support.examples import (
    HUGE,
    HUGE_FIRST,
    LARGE,
    LATER,
    NOON,
    OPENED,
    OTHER_REVIEWER,
    REVIEWER,
    SENIOR,
    usd,
)
from tests.support.scenario import When, given

DEADLINE: Final = NOON + REVIEW_PERIOD
SOON: Final = LATER + timedelta(minutes=10)
CLAIMED: Final = (initiated(amount=LARGE), flagged(), claimed())
EXTENDED: Final = (*CLAIMED, claimed(at=SOON, until=SOON + LEASE, extends=True))
APPROVED: Final = (*CLAIMED, approved(), processed_after_approval())
FOUR_EYES: Final = (
    initiated(amount=HUGE),
    flagged(amount=HUGE, risk=HUGE_FIRST),
    first_approved(),
    approved(amount=HUGE, reviewer=SENIOR, at=SOON),
    processed_after_approval(amount=HUGE, at=SOON),
)
BY_REVIEWER: Final = (Approval(REVIEWER, LATER),)
FRAUDULENT: Final = refund(reason=RefundReason.FRAUDULENT)
LOST: Final = close_dispute(lost_amount=LARGE, reason=DisputeReason.FRAUDULENT)


def _findings(outcome: When) -> list[Finding | None]:
    assert isinstance(outcome.outcome, tuple), outcome.outcome
    return [getattr(event, "finding", None) for event in outcome.outcome]


@pytest.mark.parametrize("command", [approve(at=SOON), reject(at=SOON)], ids=lambda each: each.name)
def test_decision_has_the_beginning_of_the_claim(command: AnyReviewCommand) -> None:
    for history in (CLAIMED, EXTENDED):
        outcome = given(*history).when(command).outcome
        assert isinstance(outcome, tuple)
        assert isinstance(outcome[0], PaymentApproved | PaymentRejected)
        assert outcome[0].claimed_at == LATER


def test_first_approval_has_the_beginning_of_the_claim() -> None:
    flag = flagged(amount=HUGE, risk=HUGE_FIRST)
    outcome = given(initiated(amount=HUGE), flag, claimed(amount=HUGE)).when(approve()).outcome

    assert isinstance(outcome, tuple)
    assert isinstance(outcome[0], PaymentFirstApproved)
    assert outcome[0].claimed_at == LATER


@pytest.mark.parametrize(
    "history",
    [CLAIMED[:2], CLAIMED, (*CLAIMED[:2], claimed(reviewer=OTHER_REVIEWER))],
    ids=["without a claim", "after its end", "after the end of another's"],
)
def test_decision_without_own_claim_has_no_beginning(history: tuple[AnyPaymentEvent, ...]) -> None:
    outcome = given(*history).when(approve(at=LATER + LEASE)).outcome

    assert isinstance(outcome, tuple)
    assert isinstance(outcome[0], PaymentApproved)
    assert outcome[0].claimed_at is None


@pytest.mark.parametrize(
    ("until", "held_by"), [(DEADLINE, REVIEWER), (DEADLINE - timedelta(minutes=1), None)]
)
def test_expiry_names_who_held_the_payment_at_the_deadline(
    until: object, held_by: str | None
) -> None:
    at = DEADLINE - timedelta(minutes=10)
    claim = claimed(at=at, until=until)
    outcome = given(*CLAIMED[:2], claim).when(expire(at=DEADLINE + timedelta(minutes=1))).outcome

    assert isinstance(outcome, tuple)
    assert isinstance(outcome[0], PaymentExpired)
    assert outcome[0].held_by == held_by


def test_refund_as_fraudulent_is_a_finding_about_the_approval() -> None:
    outcome = given(*APPROVED).when(FRAUDULENT)

    assert _findings(outcome) == [Finding(True, BY_REVIEWER)]


def test_finding_names_both_approvals_and_the_final_one_last() -> None:
    outcome = given(*FOUR_EYES).when(FRAUDULENT)

    approvals = (Approval(REVIEWER, LATER), Approval(SENIOR, SOON))
    assert _findings(outcome) == [Finding(True, approvals)]


def test_second_refund_as_fraudulent_finds_nothing_new() -> None:
    known = refunded(100_00, amount=LARGE, reason=RefundReason.FRAUDULENT)

    assert _findings(given(*APPROVED, known).when(FRAUDULENT)) == [None]


@pytest.mark.parametrize(
    "command",
    [
        refund(),
        close_dispute(lost_amount=LARGE, reason=DisputeReason.DUPLICATE),
        close_dispute(lost_amount=usd(0), outcome=DisputeOutcome.WON),
    ],
)
def test_end_without_fraud_finds_nothing(command: object) -> None:
    outcome = given(*APPROVED).when(command)  # type: ignore[arg-type]

    assert set(_findings(outcome)) == {None}


def test_fraud_without_a_review_finds_nothing() -> None:
    assert _findings(given(initiated(), processed()).when(FRAUDULENT)) == [None]


def test_dispute_lost_as_fraud_is_a_finding() -> None:
    assert _findings(given(*APPROVED).when(LOST)) == [None, Finding(True, BY_REVIEWER)]


def test_later_notice_can_withdraw_the_finding() -> None:
    """A notice can correct the dispute's reason, and the sums follow."""
    closed = given(*APPROVED).when(LOST).outcome
    assert isinstance(closed, tuple)
    notice = update_dispute(amount=LARGE, reason=DisputeReason.PRODUCT_NOT_RECEIVED)

    outcome = given(*APPROVED, *closed).when(notice)

    assert [each for each in _findings(outcome) if each] == [Finding(False, BY_REVIEWER)]


def test_notices_in_any_order_lead_to_the_same_finding() -> None:
    opened = open_dispute(amount=LARGE, opened_at=OPENED)
    for order in ((opened, LOST), (LOST, opened)):
        history: tuple[AnyPaymentEvent, ...] = APPROVED
        for command in order:
            outcome = given(*history).when(command).outcome
            assert isinstance(outcome, tuple)
            history += outcome
        findings = [getattr(event, "finding", None) for event in history]
        assert [each for each in findings if each] == [Finding(True, BY_REVIEWER)]
