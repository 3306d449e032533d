"""Second reviews: a senior reviewer judges a payment again, without seeing the decision on it.

A second review has no effect on the payment. It is an aggregate of its own, so nothing that reads
payments can show it. Its events do not name the client, so that queries for a client do not find
them. Nothing personal is stored: people are actor ids, and the note is a reference.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Final, assert_never, get_args
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from payments.domain.money import Money
from payments.domain.payment.events import (
    AnyPaymentEvent,
    NoteRef,
    PaymentApproved,
    PaymentFirstApproved,
    PaymentRejected,
)


class Severity(StrEnum):
    """How much harm the opposite verdict would do, in the opinion of the second reviewer."""

    MINOR = "minor"
    MAJOR = "major"
    CRITICAL = "critical"


class Verdict(Struct, frozen=True, kw_only=True):
    """What a person decided, or would have decided, with an ApprovalReason or a RejectionReason."""

    by: str
    approved: bool
    reason: str  # JSON cannot distinguish the two enumerations


class SecondReviewEvent(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The fields of every event of a second review."""

    event_type: ClassVar[str]
    schema_version: ClassVar[int] = 1

    at: datetime
    payment_id: UUID


class SecondReviewRequested(SecondReviewEvent, frozen=True, kw_only=True):
    """The decision on the payment was chosen for a second review.

    `decisions` has the verdict of each person who decided, the final one last. `evidence_version` is the
    version of the payment before the first of them.
    """

    event_type: ClassVar[str] = "second_review.requested"

    amount: Money
    evidence_version: int
    decisions: tuple[Verdict, ...]
    decided_at: datetime


class SecondReviewConcluded(SecondReviewEvent, frozen=True, kw_only=True):
    """The second reviewer gave a verdict. `agrees` is whether it matches the final decision."""

    event_type: ClassVar[str] = "second_review.concluded"

    verdict: Verdict
    agrees: bool
    severity: Severity
    note: NoteRef | None = None


AnySecondReviewEvent = SecondReviewRequested | SecondReviewConcluded
SECOND_REVIEW_EVENT_CLASSES: Final[tuple[type[AnySecondReviewEvent], ...]] = get_args(
    AnySecondReviewEvent
)


class Decided(Struct, frozen=True, kw_only=True):
    """The final decision on a payment. The fields are those of SecondReviewRequested."""

    amount: Money
    evidence_version: int
    decisions: tuple[Verdict, ...]
    at: datetime


class SecondReviewCommand(Struct, frozen=True, kw_only=True):
    name: ClassVar[str]

    at: datetime


class RequestSecondReview(SecondReviewCommand, frozen=True, kw_only=True):
    """Request a second review of a final decision."""

    name: ClassVar[str] = "request_second_review"

    payment_id: UUID
    decided: Decided


class ConcludeSecondReview(SecondReviewCommand, frozen=True, kw_only=True):
    name: ClassVar[str] = "conclude_second_review"

    verdict: Verdict
    severity: Severity
    note: NoteRef | None = None


AnySecondReviewCommand = RequestSecondReview | ConcludeSecondReview


class SecondReview(Struct, frozen=True, kw_only=True):
    """A second review. It is open until it has a `conclusion`."""

    review_id: UUID
    request: SecondReviewRequested
    conclusion: SecondReviewConcluded | None = None

    @property
    def decision(self) -> Verdict:
        return self.request.decisions[-1]


@dataclass(kw_only=True, eq=False)
class SecondReviewRefused(Exception):
    """A command that the second review does not allow."""

    review_id: UUID


@dataclass(kw_only=True, eq=False)
class UnknownSecondReview(SecondReviewRefused):
    """The second review does not exist, or the person decided on its payment.

    The refusal does not reveal which: nobody may learn that their own decision is reviewed.
    """

    def __str__(self) -> str:
        return f"There is no second review {self.review_id}."


@dataclass(kw_only=True, eq=False)
class SecondReviewDone(SecondReviewRefused):
    """The second review was concluded by the actor `by`."""

    by: str

    def __str__(self) -> str:
        return f"Second review {self.review_id} was concluded by {self.by}."


def decided(events: tuple[AnyPaymentEvent, ...]) -> Decided | None:
    """Return the reviewers' final decision from all events of a payment, None if there is none."""
    decisions = [
        (version, event)
        for version, event in enumerate(events, start=1)
        if isinstance(event, PaymentFirstApproved | PaymentApproved | PaymentRejected)
    ]
    if not decisions or isinstance(decisions[-1][1], PaymentFirstApproved):
        return None
    first_version, _ = decisions[0]
    _, final = decisions[-1]
    return Decided(
        amount=final.amount,
        evidence_version=first_version - 1,
        decisions=tuple(
            Verdict(
                by=event.reviewer,
                approved=not isinstance(event, PaymentRejected),
                reason=event.reason,
            )
            for _, event in decisions
        ),
        at=final.at,
    )


def may_conclude(actor: str, review: SecondReview) -> bool:
    """Return whether the actor is none of the people who decided on the payment."""
    return all(actor != each.by for each in review.request.decisions)


def decide(
    review_id: UUID, review: SecondReview | None, command: AnySecondReviewCommand
) -> tuple[AnySecondReviewEvent, ...]:
    """Return the events of `command`, none if the review was requested already.

    Raises SecondReviewRefused.
    """
    match command:
        case RequestSecondReview(decided=final):
            if review is not None:
                return ()
            return (
                SecondReviewRequested(
                    at=command.at,
                    payment_id=command.payment_id,
                    amount=final.amount,
                    evidence_version=final.evidence_version,
                    decisions=final.decisions,
                    decided_at=final.at,
                ),
            )
        case ConcludeSecondReview(verdict=verdict):
            if review is None or not may_conclude(verdict.by, review):
                raise UnknownSecondReview(review_id=review_id)
            if review.conclusion is not None:
                raise SecondReviewDone(review_id=review_id, by=review.conclusion.verdict.by)
            return (
                SecondReviewConcluded(
                    at=command.at,
                    payment_id=review.request.payment_id,
                    verdict=verdict,
                    agrees=verdict.approved == review.decision.approved,
                    severity=command.severity,
                    note=command.note,
                ),
            )
        case _:
            assert_never(command)


def evolve(
    review: SecondReview | None, review_id: UUID, event: AnySecondReviewEvent
) -> SecondReview:
    """Return the second review after `event`."""
    match event:
        case SecondReviewRequested():
            return SecondReview(review_id=review_id, request=event)
        case SecondReviewConcluded():
            assert review is not None, "a second review begins with its request"  # noqa: S101
            return replace(review, conclusion=event)
        case _:
            assert_never(event)
