"""Snoozes and assignments: when a payment returns to the queue, and to whom."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

import pytest

from payments.domain.payment import snoozes, standing
from payments.domain.payment.commands import AnyReviewCommand, ClaimNextReview
from payments.domain.payment.events import AnyPaymentEvent
from payments.domain.payment.refusals import (
    AnotherPersonNeeded,
    NotAwaitingReview,
    ReviewExpired,
    ReviewTaken,
    SeniorReviewerNeeded,
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
from payments.domain.payment.state import REVIEW_PERIOD
from tests.support.example_commands import (
    approve,
    assign,
    cancel,
    claim,
    escalate,
    expire,
    reject,
    resume,
    snooze,
)
from tests.support.example_events import (
    approved,
    assigned,
    claimed,
    escalated,
    expired,
    first_approved,
    flagged,
    initiated,
    processed_after_approval,
    rejected,
    released,
    resumed,
    snoozed,
)
from tests.support.examples import (
    HUGE,
    HUGE_FIRST,
    LARGE,
    LATER,
    NOON,
    NOTE,
    OTHER_REVIEWER,
    PAYMENT,
    REVIEWER,
    SENIOR,
    TOMORROW,
)
from tests.support.scenario import given

DEADLINE: Final = NOON + REVIEW_PERIOD
HALF: Final = NOON + REVIEW_PERIOD / 2
WAITING: Final = (initiated(amount=LARGE), flagged())
CLAIMED: Final = (*WAITING, claimed())
SNOOZED: Final = (*WAITING, snoozed())
ASSIGNED: Final = (*WAITING, assigned())
FOUR_EYES: Final = (initiated(amount=HUGE), flagged(amount=HUGE, risk=HUGE_FIRST))
FIRST_APPROVED: Final = (*FOUR_EYES, first_approved())
Build = Callable[..., AnyReviewCommand]


def claim_next(**changes: Any) -> ClaimNextReview:
    return ClaimNextReview(
        **{
            "payment_id": PAYMENT,
            "client_id": None,
            "reviewer": REVIEWER,
            "at": LATER,
            **changes,
        }
    )


def test_snooze_ends_the_claim_and_keeps_the_deadline() -> None:
    payment = given(*CLAIMED).when(snooze(note=NOTE)).then(snoozed(note=NOTE))

    assert payment.lease is None
    assert payment.review_deadline == DEADLINE
    snooze_now = snoozes.running(payment.snooze, TOMORROW - timedelta(seconds=1))
    assert snooze_now is not None
    assert (snooze_now.reviewer, snooze_now.until) == (REVIEWER, TOMORROW)
    assert snoozes.running(payment.snooze, TOMORROW) is None


@pytest.mark.parametrize(
    "until", [LATER - timedelta(seconds=1), LATER, DEADLINE, DEADLINE + timedelta(days=1)]
)
def test_snooze_is_refused_unless_it_ends_between_now_and_the_deadline(until: Any) -> None:
    given(*WAITING).when(snooze(until=until)).then_refused(
        SnoozeTimeInvalid, until=until, earliest=LATER, deadline=DEADLINE
    )


def test_snooze_is_refused_to_those_who_may_not_claim() -> None:
    given(*CLAIMED).when(snooze(reviewer=OTHER_REVIEWER)).then_refused(ReviewTaken)
    given(*WAITING, escalated()).when(snooze()).then_refused(SeniorReviewerNeeded)
    given(*ASSIGNED).when(snooze()).then_refused(AssignedToAnother)
    by_first = snooze(reviewer=REVIEWER, senior=True)
    given(*FIRST_APPROVED).when(by_first).then_refused(AnotherPersonNeeded)


def test_later_snooze_replaces_an_earlier_one() -> None:
    later = TOMORROW + timedelta(days=1)
    payment = (
        given(*SNOOZED)
        .when(snooze(reviewer=OTHER_REVIEWER, until=later))
        .then(snoozed(reviewer=OTHER_REVIEWER, until=later))
    )
    assert payment.snooze is not None
    assert (payment.snooze.reviewer, payment.snooze.until) == (OTHER_REVIEWER, later)


def test_decision_on_a_snoozed_payment_ends_the_snooze() -> None:
    payment = given(*SNOOZED).when(approve()).then(approved(), processed_after_approval())
    assert payment.snooze is None


def test_claim_of_a_snoozed_payment_ends_the_snooze() -> None:
    payment = (
        given(*SNOOZED).when(claim(reviewer=OTHER_REVIEWER)).then(claimed(reviewer=OTHER_REVIEWER))
    )
    assert payment.snooze is None


def test_snoozed_payment_expires_at_its_deadline() -> None:
    payment = given(*SNOOZED).when(expire()).then(expired())
    assert payment.snooze is None


def test_resume_returns_the_payment_to_the_one_who_snoozed_it() -> None:
    payment = (
        given(*SNOOZED).when(resume(reviewer=OTHER_REVIEWER)).then(resumed(reviewer=OTHER_REVIEWER))
    )
    assert payment.snooze is not None
    assert (payment.snooze.reviewer, payment.snooze.until) == (REVIEWER, LATER)
    given(*SNOOZED, resumed()).when(resume()).then_refused(NotSnoozed)


def test_resume_after_the_snooze_is_refused() -> None:
    given(*SNOOZED).when(resume(at=TOMORROW)).then_refused(NotSnoozed)


def test_claim_next_is_refused_until_the_snooze_has_ended() -> None:
    given(*SNOOZED).when(claim_next()).then_refused(StillSnoozed, snoozed_until=TOMORROW)
    assert isinstance(given(*SNOOZED).when(claim_next(at=TOMORROW)).outcome, tuple)
    assert isinstance(given(*SNOOZED, resumed()).when(claim_next()).outcome, tuple)


@pytest.mark.parametrize("build", [claim, snooze, escalate, approve, reject])
def test_assignment_reserves_the_payment_until_half_of_the_time(build: Build) -> None:
    refused = given(*ASSIGNED).when(build(at=HALF - timedelta(seconds=1)))
    refused.then_refused(AssignedToAnother, assigned_to=OTHER_REVIEWER, assigned_until=HALF)
    given_until = {"until": HALF + timedelta(days=1)} if build is snooze else {}
    for changes in (
        {"reviewer": OTHER_REVIEWER},
        {"reviewer": SENIOR, "senior": True},
        {"at": HALF},
    ):
        command = build(**changes, **given_until)
        assert isinstance(given(*ASSIGNED).when(command).outcome, tuple), changes


def test_claim_next_leaves_reserved_payments_to_the_assignee() -> None:
    given(*ASSIGNED).when(claim_next(reviewer=SENIOR, senior=True)).then_refused(AssignedToAnother)
    for command in (claim_next(reviewer=OTHER_REVIEWER), claim_next(at=HALF)):
        assert isinstance(given(*ASSIGNED).when(command).outcome, tuple)


def test_assignment_outlasts_a_claim_and_a_snooze() -> None:
    by_senior = claimed(reviewer=SENIOR)
    payment = given(*ASSIGNED, by_senior, released(reviewer=SENIOR), snoozed(reviewer=SENIOR))
    state = payment.when(assign(reviewer=SENIOR, senior=True, to=REVIEWER)).then(
        assigned(to=REVIEWER, by=SENIOR)
    )
    assert state.assigned_to == REVIEWER
    assert state.snooze is not None


def test_holder_hands_over_with_the_release_in_one_append() -> None:
    payment = given(*CLAIMED).when(assign(note=NOTE)).then(released(), assigned(note=NOTE))
    assert (payment.lease, payment.assigned_to) == (None, OTHER_REVIEWER)


def test_assignment_to_the_holder_keeps_the_claim() -> None:
    by_senior = assign(to=REVIEWER, reviewer=SENIOR, senior=True)
    payment = given(*CLAIMED).when(by_senior).then(assigned(to=REVIEWER, by=SENIOR))
    assert payment.lease is not None


def test_senior_reviewer_reassigns_what_another_holds() -> None:
    by_senior = assign(to=OTHER_REVIEWER, reviewer=SENIOR, senior=True)
    given(*CLAIMED).when(by_senior).then(released(), assigned(by=SENIOR))


def test_assignee_hands_over_without_a_claim() -> None:
    command = assign(reviewer=OTHER_REVIEWER, to=REVIEWER)
    given(*ASSIGNED).when(command).then(assigned(to=REVIEWER, by=OTHER_REVIEWER))


@pytest.mark.parametrize("history", [WAITING, SNOOZED, ASSIGNED])
def test_assignment_of_what_is_not_theirs_needs_a_senior_reviewer(
    history: tuple[AnyPaymentEvent, ...],
) -> None:
    given(*history).when(assign()).then_refused(AssignmentNeedsSenior)
    given(*history).when(assign(to=None)).then_refused(AssignmentNeedsSenior)
    assert isinstance(given(*history).when(assign(reviewer=SENIOR, senior=True)).outcome, tuple)


def test_reviewer_cannot_keep_a_payment_beyond_the_claim() -> None:
    given(*CLAIMED).when(assign(to=REVIEWER)).then_refused(AssignmentNeedsSenior)


def test_assignment_of_what_another_holds_is_refused() -> None:
    history = (*WAITING, assigned(to=REVIEWER), claimed(reviewer=SENIOR))
    given(*history).when(assign()).then_refused(ReviewTaken, claimed_by=SENIOR)


def test_assignee_must_be_one_who_may_decide() -> None:
    by_senior = {"reviewer": SENIOR, "senior": True}
    given(*WAITING).when(assign(to_reviews=False, **by_senior)).then_refused(
        AssigneeNotReviewer, assignee=OTHER_REVIEWER
    )
    given(*WAITING, escalated()).when(assign(**by_senior)).then_refused(SeniorReviewerNeeded)
    first = assign(to=REVIEWER, to_senior=True, **by_senior)
    given(*FIRST_APPROVED).when(first).then_refused(AnotherPersonNeeded, reviewer=REVIEWER)
    second = assign(to_senior=True, **by_senior)
    assert isinstance(given(*FIRST_APPROVED).when(second).outcome, tuple)


def test_unassignment_ends_the_claim_and_the_reservation() -> None:
    history = (*ASSIGNED, claimed(reviewer=OTHER_REVIEWER))
    payment = (
        given(*history)
        .when(assign(reviewer=OTHER_REVIEWER, to=None))
        .then(released(reviewer=OTHER_REVIEWER), assigned(to=None, by=OTHER_REVIEWER))
    )
    assert (payment.lease, payment.assigned_to) == (None, None)
    assert standing.reservation(payment, LATER) is None


def test_unassignment_without_assignment_is_refused() -> None:
    given(*WAITING).when(assign(reviewer=SENIOR, senior=True, to=None)).then_refused(NotAssigned)


@pytest.mark.parametrize(
    "ending",
    [
        approve(reviewer=OTHER_REVIEWER),
        reject(reviewer=OTHER_REVIEWER),
        escalate(reviewer=OTHER_REVIEWER),
        cancel(),
        expire(),
    ],
    ids=lambda each: each.name,
)
def test_end_of_review_removes_snooze_and_assignment(ending: Any) -> None:
    outcome = given(*ASSIGNED, snoozed(reviewer=OTHER_REVIEWER)).when(ending)

    assert isinstance(outcome.outcome, tuple)
    payment = outcome.then(*outcome.outcome)
    assert (payment.snooze, payment.assigned_to, payment.lease) == (None, None, None)


def test_first_approval_removes_the_assignment() -> None:
    """An assignment to the first approver would keep the second approver away."""
    history = (*FOUR_EYES, assigned(amount=HUGE, to=REVIEWER))
    payment = given(*history).when(approve()).then(first_approved())
    assert payment.assigned_to is None


@pytest.mark.parametrize("build", [snooze, assign, resume])
def test_command_after_the_deadline_is_refused(build: Build) -> None:
    late = {"until": DEADLINE + timedelta(days=1)} if build is snooze else {}
    refusal: Any = NotSnoozed if build is resume else ReviewExpired
    given(*SNOOZED).when(build(at=DEADLINE, senior=True, **late)).then_refused(refusal)


@pytest.mark.parametrize("build", [snooze, assign, resume])
def test_command_after_the_decision_is_refused(build: Build) -> None:
    given(*WAITING, rejected()).when(build()).then_refused(NotAwaitingReview)
