"""Second reviews: which decision is reviewed, who concludes, and the stored events."""

import json
from typing import Any, Final
from uuid import UUID

import msgspec
import pytest

from payments.aggregates import SECOND_REVIEW_AGGREGATE
from payments.domain.payment.codes import ApprovalReason, RejectionReason
from payments.domain.second_review import (
    AnySecondReviewEvent,
    ConcludeSecondReview,
    RequestSecondReview,
    SecondReview,
    SecondReviewConcluded,
    SecondReviewDone,
    SecondReviewRequested,
    Severity,
    UnknownSecondReview,
    Verdict,
    decide,
    decided,
)
from payments.events.replay import fold
from tests.support.example_events import (
    approved,
    first_approved,
    flagged,
    initiated,
    processed,
    rejected,
)
from tests.support.examples import LATER, NOON, NOTE, OTHER_REVIEWER, PAYMENT, REVIEWER, SENIOR, usd
from tests.support.second_review_events import APPROVED, CONCLUDED, REQUESTED

REVIEW: Final = UUID("0192f000-0000-8000-8000-00000000b001")


def _after(*events: AnySecondReviewEvent) -> SecondReview | None:
    return fold(SECOND_REVIEW_AGGREGATE, REVIEW, events)


def _conclude(by: str = SENIOR, *, approved: bool = False) -> ConcludeSecondReview:
    reason = ApprovalReason.KNOWN_CUSTOMER if approved else RejectionReason.SUSPECTED_FRAUD
    verdict = Verdict(by=by, approved=approved, reason=reason)
    return ConcludeSecondReview(at=LATER, verdict=verdict, severity=Severity.MAJOR, note=NOTE)


def test_decision_is_known_with_the_version_before_it() -> None:
    found = decided((initiated(), flagged(), approved(), processed()))

    assert found is not None
    assert (found.evidence_version, found.decisions, found.at) == (2, (APPROVED,), approved().at)


def test_decision_of_two_people_has_both_and_the_version_before_the_first() -> None:
    events = (initiated(), flagged(), first_approved(), rejected(reviewer=OTHER_REVIEWER))

    found = decided(events)

    assert found is not None
    assert found.evidence_version == 2
    assert [(each.by, each.approved) for each in found.decisions] == [
        (REVIEWER, True),
        (OTHER_REVIEWER, False),
    ]


@pytest.mark.parametrize("events", [(initiated(), processed()), (initiated(), first_approved())])
def test_no_decision_is_known_without_a_final_one(events: tuple[Any, ...]) -> None:
    assert decided(events) is None


def test_request_is_made_once() -> None:
    final = decided((initiated(), flagged(), approved()))
    assert final is not None
    command = RequestSecondReview(at=NOON, payment_id=PAYMENT, decided=final)

    (requested,) = decide(REVIEW, None, command)

    assert isinstance(requested, SecondReviewRequested)
    assert decide(REVIEW, _after(requested), command) == ()


def test_conclusion_agrees_if_the_verdict_is_that_of_the_decision() -> None:
    (same,) = decide(REVIEW, _after(REQUESTED), _conclude(approved=True))
    (other,) = decide(REVIEW, _after(REQUESTED), _conclude(approved=False))

    assert isinstance(same, SecondReviewConcluded)
    assert isinstance(other, SecondReviewConcluded)
    assert (same.agrees, other.agrees) == (True, False)


@pytest.mark.parametrize("by", [REVIEWER, OTHER_REVIEWER])
def test_those_who_decided_cannot_conclude_and_do_not_learn_of_it(by: str) -> None:
    both = (Verdict(by=OTHER_REVIEWER, approved=True, reason="known_customer"), APPROVED)
    requested = SecondReviewRequested(
        at=NOON,
        payment_id=PAYMENT,
        amount=usd(22_000_00),
        evidence_version=2,
        decisions=both,
        decided_at=NOON,
    )

    with pytest.raises(UnknownSecondReview) as refused:
        decide(REVIEW, _after(requested), _conclude(by))
    with pytest.raises(UnknownSecondReview) as unknown:
        decide(REVIEW, None, _conclude(by))

    assert str(refused.value) == str(unknown.value)
    assert decide(REVIEW, _after(requested), _conclude(SENIOR))


def test_conclusion_is_final() -> None:
    concluded = _after(REQUESTED, CONCLUDED)

    with pytest.raises(SecondReviewDone, match=f"was concluded by {SENIOR}"):
        decide(REVIEW, concluded, _conclude("staff:77", approved=True))


@pytest.mark.parametrize(
    ("event", "stored"),
    [
        (
            REQUESTED,
            {
                "at": "2026-01-05T12:00:00Z",
                "payment_id": str(PAYMENT),
                "amount": {"minor": 1500000, "currency": "USD"},
                "evidence_version": 2,
                "decisions": [
                    {"by": "staff:7", "approved": True, "reason": "verified_with_customer"}
                ],
                "decided_at": "2026-01-05T12:00:00Z",
            },
        ),
        (
            CONCLUDED,
            {
                "at": "2026-01-05T15:00:00Z",
                "payment_id": str(PAYMENT),
                "verdict": {"by": "staff:9", "approved": False, "reason": "suspected_fraud"},
                "agrees": False,
                "severity": "major",
                "note": {"note_id": str(NOTE.note_id), "digest": NOTE.digest},
            },
        ),
    ],
    ids=lambda each: getattr(each, "event_type", ""),
)
def test_stored_events_are_read_and_written_like_this(
    event: AnySecondReviewEvent, stored: dict[str, Any]
) -> None:
    assert json.loads(msgspec.json.encode(event)) == stored
    decode = SECOND_REVIEW_AGGREGATE.decode
    assert decode(event.event_type, event.schema_version, json.dumps(stored)) == event
