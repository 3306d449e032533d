"""Claims, escalations and four eyes determine who may decide on a payment, and until when."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

import pytest
from msgspec.structs import replace

from payments.domain.payment import claims
from payments.domain.payment.claims import LEASE, Lease
from payments.domain.payment.commands import AnyReviewCommand
from payments.domain.payment.events import AnyPaymentEvent
from payments.domain.payment.refusals import (
    AlreadyEscalated,
    AnotherPersonNeeded,
    NotClaimed,
    NoteNeeded,
    ReviewExpired,
    ReviewTaken,
    SeniorReviewerNeeded,
)
from payments.domain.payment.state import REVIEW_PERIOD, Status
from payments.domain.risk.assessment import assess
from tests.support.example_commands import (
    approve,
    cancel,
    claim,
    escalate,
    expire,
    process,
    reject,
    release,
    take_over,
)
from tests.support.example_events import (
    approved,
    claimed,
    escalated,
    first_approved,
    flagged,
    initiated,
    processed_after_approval,
    rejected,
    released,
)
from tests.support.examples import (
    HUGE,
    HUGE_FIRST,
    LARGE,
    LARGE_FIRST,
    LATER,
    NOON,
    NOTE,
    OTHER_REVIEWER,
    REVIEWER,
    SENIOR,
)
from tests.support.scenario import given

DEADLINE: Final = NOON + REVIEW_PERIOD
WAITING: Final = (initiated(amount=LARGE), flagged())
CLAIMED: Final = (*WAITING, claimed())
FOUR_EYES: Final = (initiated(amount=HUGE), flagged(amount=HUGE, risk=HUGE_FIRST))
FIRST_APPROVED: Final = (*FOUR_EYES, first_approved())
HELD: Final = {
    "claimed_by": REVIEWER,
    "claimed_until": LATER + LEASE,
}
Build = Callable[..., AnyReviewCommand]


def test_claim_lasts_fifteen_minutes() -> None:
    payment = given(*WAITING).when(claim()).then(claimed())
    assert payment.status is Status.PENDING_REVIEW
    assert claims.unlapsed(payment.lease, LATER) == Lease(
        reviewer=REVIEWER, since=LATER, until=LATER + timedelta(minutes=15)
    )
    assert claims.unlapsed(payment.lease, LATER + LEASE) is None


def test_claim_ends_at_deadline_at_latest() -> None:
    late = DEADLINE - timedelta(minutes=1)
    given(*WAITING).when(claim(at=late)).then(claimed(at=late, until=DEADLINE))


@pytest.mark.parametrize("build", [claim, escalate, approve, reject, release])
def test_command_is_refused_if_claimed_by_another(build: Build) -> None:
    error = given(*CLAIMED).when(build(reviewer=OTHER_REVIEWER)).then_refused(ReviewTaken, **HELD)
    assert REVIEWER in str(error)
    assert "2026-01-05 15:15:00 UTC" in str(error)


@pytest.mark.parametrize("build", [claim, escalate, approve, reject])
def test_senior_reviewer_is_refused_if_claimed_by_another(build: Build) -> None:
    given(*CLAIMED).when(build(reviewer=SENIOR, senior=True)).then_refused(ReviewTaken, **HELD)


@pytest.mark.parametrize("build", [claim, escalate, approve, reject])
def test_holder_of_claim_may_decide(build: Build) -> None:
    assert isinstance(given(*CLAIMED).when(build()).outcome, tuple)


@pytest.mark.parametrize("build", [claim, escalate, approve, reject])
def test_expired_claim_refuses_nobody(build: Build) -> None:
    command = build(reviewer=OTHER_REVIEWER, at=LATER + LEASE)
    assert isinstance(given(*CLAIMED).when(command).outcome, tuple)


def test_decision_needs_no_claim() -> None:
    """The version decides which decision was first. A claim only prevents duplicate work."""
    given(*WAITING).when(approve()).then(approved(), processed_after_approval())


def test_claim_renews_own_claim() -> None:
    soon = LATER + timedelta(minutes=10)
    renewed = claimed(at=soon, until=soon + LEASE, extends=True)
    payment = given(*CLAIMED).when(claim(at=soon)).then(renewed)
    assert payment.lease == Lease(reviewer=REVIEWER, since=LATER, until=soon + LEASE)


def test_claim_after_the_end_of_own_claim_is_a_new_one() -> None:
    late = LATER + LEASE
    payment = given(*CLAIMED).when(claim(at=late)).then(claimed(at=late, until=late + LEASE))
    assert payment.lease == Lease(reviewer=REVIEWER, since=late, until=late + LEASE)


def test_release_ends_own_claim() -> None:
    payment = given(*CLAIMED).when(release()).then(released())
    assert payment.lease is None


def test_release_by_senior_reviewer_names_holder() -> None:
    given(*CLAIMED).when(release(reviewer=SENIOR, senior=True)).then(released(reviewer=REVIEWER))


def test_take_over_releases_and_claims_in_one_append() -> None:
    payment = (
        given(*CLAIMED)
        .when(take_over(reviewer=SENIOR, senior=True))
        .then(released(reviewer=REVIEWER), claimed(reviewer=SENIOR))
    )
    assert payment.lease == Lease(reviewer=SENIOR, since=LATER, until=LATER + LEASE)


def test_take_over_needs_senior_reviewer_and_right_holder() -> None:
    given(*CLAIMED).when(take_over(reviewer=OTHER_REVIEWER)).then_refused(ReviewTaken, **HELD)
    command = take_over(reviewer=SENIOR, senior=True, holder=OTHER_REVIEWER)
    given(*CLAIMED).when(command).then_refused(ReviewTaken, **HELD)


def test_take_over_claims_if_claim_has_ended() -> None:
    command = take_over(reviewer=SENIOR, senior=True, at=LATER + LEASE)
    given(*CLAIMED).when(command).then(
        claimed(reviewer=SENIOR, at=LATER + LEASE, until=LATER + LEASE + LEASE)
    )


def test_take_over_is_refused_for_first_approver() -> None:
    history = (*FIRST_APPROVED, claimed(reviewer=OTHER_REVIEWER))
    command = take_over(reviewer=REVIEWER, senior=True, holder=OTHER_REVIEWER)
    given(*history).when(command).then_refused(AnotherPersonNeeded)


@pytest.mark.parametrize("history", [WAITING, (*CLAIMED, released())])
def test_release_without_claim_is_refused(history: tuple[AnyPaymentEvent, ...]) -> None:
    given(*history).when(release()).then_refused(NotClaimed)


def test_release_of_expired_claim_is_refused() -> None:
    given(*CLAIMED).when(release(at=LATER + LEASE)).then_refused(NotClaimed)


def test_escalated_payment_needs_senior_reviewer() -> None:
    payment = given(*CLAIMED).when(escalate()).then(escalated())
    assert (payment.escalated, payment.lease) == (True, None)
    for build in (claim, approve, reject):
        given(*CLAIMED, escalated()).when(build()).then_refused(SeniorReviewerNeeded)
        command = build(reviewer=SENIOR, senior=True)
        assert isinstance(given(*CLAIMED, escalated()).when(command).outcome, tuple)


def test_second_escalation_is_refused() -> None:
    given(*WAITING, escalated()).when(escalate(senior=True)).then_refused(AlreadyEscalated)


def test_escalation_without_note_is_refused() -> None:
    given(*WAITING).when(escalate(note=None)).then_refused(NoteNeeded)


@pytest.mark.parametrize("build", [claim, escalate, approve, reject])
def test_command_after_deadline_is_refused(build: Build) -> None:
    given(*WAITING).when(build(at=DEADLINE)).then_refused(ReviewExpired, deadline=DEADLINE)


@pytest.mark.parametrize(
    "ending", [approve(), reject(), cancel(), expire(), escalate()], ids=lambda each: each.name
)
def test_end_of_review_removes_claim(ending: Any) -> None:
    outcome = given(*CLAIMED).when(ending)
    assert isinstance(outcome.outcome, tuple)
    payment = outcome.then(*outcome.outcome)
    assert payment.lease is None


def test_four_eyes_needs_two_approvals() -> None:
    first = given(*FOUR_EYES).when(approve()).then(first_approved())
    assert first.status is Status.PENDING_REVIEW
    assert first.first_approval is not None
    assert first.first_approval.reviewer == REVIEWER
    payment = (
        given(*FIRST_APPROVED)
        .when(approve(reviewer=SENIOR, senior=True))
        .then(approved(amount=HUGE, reviewer=SENIOR), processed_after_approval(amount=HUGE))
    )
    assert payment.status is Status.COMPLETED
    assert payment.first_approval is not None


def test_four_eyes_refuses_second_approval_by_same_person() -> None:
    """The rule has no exception: the domain does not know superusers."""
    history = (*FOUR_EYES, first_approved(reviewer=SENIOR))
    for build in (approve, claim):
        refused = given(*history).when(build(reviewer=SENIOR, senior=True))
        error = refused.then_refused(AnotherPersonNeeded)
        assert SENIOR in str(error)


def test_four_eyes_needs_senior_reviewer_as_second() -> None:
    for build in (claim, approve, reject, escalate):
        refused = given(*FIRST_APPROVED).when(build(reviewer=OTHER_REVIEWER))
        refused.then_refused(SeniorReviewerNeeded)


def test_four_eyes_rejects_with_one_person() -> None:
    given(*FOUR_EYES).when(reject()).then(rejected(amount=HUGE))
    given(*FIRST_APPROVED).when(reject(reviewer=SENIOR, senior=True)).then(
        rejected(amount=HUGE, reviewer=SENIOR)
    )


def test_four_eyes_refuses_author_of_policy() -> None:
    flag = flagged(amount=HUGE, risk=HUGE_FIRST, policy_author=SENIOR)
    by_author = approve(reviewer=SENIOR, senior=True)
    first = given(initiated(amount=HUGE), flag).when(by_author)
    first.then_refused(AnotherPersonNeeded)
    second = given(initiated(amount=HUGE), flag, first_approved()).when(by_author)
    second.then_refused(AnotherPersonNeeded)


def test_author_of_policy_may_reject_and_approve_below_four_eyes() -> None:
    flag = flagged(amount=HUGE, risk=HUGE_FIRST, policy_author=REVIEWER)
    given(initiated(amount=HUGE), flag).when(reject()).then(rejected(amount=HUGE))
    less = flagged(policy_author=REVIEWER)
    given(initiated(amount=LARGE), less).when(approve()).then(
        approved(), processed_after_approval()
    )


def test_flag_carries_author_of_policy_and_deadline() -> None:
    policy = process().policy
    hours = policy.of(replace(policy.document, review_hours=48))
    features = LARGE_FIRST.features
    command = process(amount=LARGE, features=features, policy=hours, policy_author=OTHER_REVIEWER)
    risk = assess(hours, features, amount=LARGE, method=command.method)
    payment = (
        given()
        .when(command)
        .then(
            initiated(amount=LARGE),
            flagged(risk=risk, deadline=NOON + timedelta(hours=48), policy_author=OTHER_REVIEWER),
        )
    )
    assert payment.policy_author == OTHER_REVIEWER
    given(initiated(amount=LARGE), flagged(deadline=NOON + timedelta(hours=3))).when(
        approve(at=LATER)
    ).then_refused(ReviewExpired, deadline=LATER)


def test_approval_for_blocked_customer_needs_note() -> None:
    history = (initiated(amount=LARGE), flagged())
    given(*history).when(approve(customer_blocked=True)).then_refused(
        NoteNeeded, customer_blocked=True
    )
    given(*history).when(approve(customer_blocked=True, note=NOTE)).then(
        approved(note=NOTE), processed_after_approval()
    )


def test_approval_against_advice_needs_note() -> None:
    risk = replace(LARGE_FIRST, reject_advised=True)
    history = (initiated(amount=LARGE), flagged(risk=risk))
    given(*history).when(approve()).then_refused(NoteNeeded)
    given(*history).when(approve(note=NOTE)).then(approved(note=NOTE), processed_after_approval())
    given(*history).when(reject()).then(rejected())
