"""The box on a payment's page: the review's state, the offered actions, why others are missing."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct

from payments.domain.payment import claims, snoozes, standing
from payments.domain.payment.claims import Lease
from payments.domain.payment.events import (
    PaymentCancelled,
    PaymentFirstApproved,
    ReviewAssigned,
    ReviewEscalated,
    ReviewSnoozed,
)
from payments.domain.payment.refusals import (
    AnotherPersonNeeded,
    PaymentError,
    ReviewExpired,
    ReviewTaken,
    SeniorReviewerNeeded,
)
from payments.domain.payment.routing_refusals import AssignedToAnother
from payments.domain.payment.state import Payment, Status
from readmodels import labels
from readmodels.admin.base import fragments, refusals
from readmodels.admin.review.actions import (
    APPROVE,
    ASSIGN,
    CLAIM,
    REJECT,
    RELEASE,
    TAKE_OVER,
    Action,
    Person,
    offered,
    refusal,
)
from readmodels.admin.review.timeline import Entry

# The headline already states these refusals.
_IN_HEADLINE: Final = (ReviewExpired, ReviewTaken, AssignedToAnother)


class Line(Struct, frozen=True):
    icon: str  # the name of a Material Symbol
    text: str


class Desk(Struct, frozen=True, kw_only=True):
    """The content of the box.

    `lines` are facts to know before acting. `offers` are the actions with their button labels.
    `time_left` and `urgency` come from `fragments.time_left`, for the deadline.
    """

    headline: str
    lines: tuple[Line, ...]
    offers: tuple[tuple[Action, str], ...]
    badges: tuple[fragments.Badge, ...] = ()
    is_waiting: bool = False
    is_mine: bool = False
    holder: str = ""  # the actor who has claimed the payment
    claim_seconds: int = 0  # the time until the person's own claim ends
    time_left: str = ""
    urgency: str = ""


def desk(
    payment: Payment,
    person: Person,
    at: datetime,
    *,
    names: Mapping[str, str],
    history: Sequence[Entry] = (),
    block: str = "",
) -> Desk:
    """Return the box for the person.

    `names` come from `people_of`, `history` from the timeline, `block` from `blocks`.
    """
    lease = claims.unlapsed(payment.lease, at)
    if payment.status is not Status.PENDING_REVIEW or payment.review_deadline is None:
        return Desk(
            headline=_outcome(payment, names, history),
            badges=fragments.dispute_badges(
                open_disputes=len(payment.open_disputes), lost_amount=payment.lost.minor
            ),
            lines=tuple(_corrections(payment)),
            offers=_offers(payment, person, at, names),
        )
    time_left, urgency = fragments.time_left(payment.review_deadline, at)
    headline = _standing(payment, person, lease, at, names)
    is_mine = lease is not None and lease.reviewer == person.actor
    return Desk(
        headline=headline,
        badges=badges(payment, at),
        lines=(
            *((Line("block", block),) if block else ()),
            *earlier_opinions(payment, history),
            *_assignment(payment, person, lease, at, names),
            *_rules(payment, names),
            *(line for line in _obstacles(payment, person, at) if line.text != headline),
        ),
        offers=_offers(payment, person, at, names),
        is_waiting=True,
        is_mine=is_mine,
        claim_seconds=claims.seconds_left(lease, at) if lease and is_mine else 0,
        holder=lease.reviewer if lease else "",
        time_left=time_left,
        urgency=urgency,
    )


def people_of(*payments: Payment) -> dict[str, str]:
    """Return the names of everyone whom the payments' boxes mention, by actor id."""
    actors: list[str | None] = []
    for payment in payments:
        reviews = (payment.lease, payment.snooze, payment.first_approval, payment.review)
        actors += [payment.policy_author, payment.assigned_to]
        actors += [each.reviewer for each in reviews if each]
    return labels.people(actors)


def badges(payment: Payment, at: datetime) -> tuple[fragments.Badge, ...]:
    first, snooze = payment.first_approval, payment.snooze
    due = fragments.deadline_badges(payment.flagged_at, payment.review_deadline, at)
    waits = fragments.snooze_badges(snooze.until, snooze.reason, at) if snooze else ()
    return (
        due
        + waits
        + fragments.review_badges(
            escalated=payment.escalated,
            four_eyes=payment.risk is not None and payment.risk.four_eyes,
            first_approver=first.reviewer if first else "",
            reject_advised=payment.risk is not None and payment.risk.reject_advised,
        )
    )


def why_not(
    error: PaymentError,
    payment: Payment,
    person: Person,
    *,
    name: Callable[[str], str] = labels.person,
) -> str:
    """Return the refusal as a sentence for the person who gave the command."""
    first = payment.first_approval
    is_first = first is not None and first.reviewer == person.actor
    if is_first and isinstance(error, AnotherPersonNeeded | SeniorReviewerNeeded):
        return "You gave the first approval. A senior reviewer must give the second."
    if isinstance(error, AnotherPersonNeeded) and payment.policy_author == person.actor:
        return (
            "You proposed the policy that flagged this payment. Two other people must approve it."
        )
    return refusals.describe(error, name=name)


def earlier_opinions(payment: Payment, history: Sequence[Entry]) -> Iterator[Line]:
    """Yield the reasons and notes of an escalation, a first approval, a snooze and an assignment."""
    for event_type, applies, title in (
        (ReviewEscalated.event_type, payment.escalated, "Escalated"),
        (PaymentFirstApproved.event_type, payment.first_approval is not None, "First approval"),
        (ReviewSnoozed.event_type, payment.snooze is not None, "Snoozed"),
        (ReviewAssigned.event_type, payment.assigned_to is not None, "Assigned"),
    ):
        entries = [each for each in history if each.event_type == event_type] if applies else []
        for entry in entries[-1:]:
            yield Line(
                entry.icon,
                f"{title} by {entry.by}: {'. '.join(map(labels.isolated, entry.details))}",
            )


def _standing(
    payment: Payment,
    person: Person,
    lease: Lease | None,
    at: datetime,
    names: Mapping[str, str],
) -> str:
    assert payment.review_deadline is not None, "the payment waits for review"  # noqa: S101
    if at >= payment.review_deadline:
        return "The deadline has passed. The payment expires shortly."
    first = payment.first_approval
    if lease is None and first is not None and first.reviewer == person.actor:
        return "You gave the first approval. A senior reviewer must give the second."
    if lease is None:
        return _unclaimed(payment, person, at, names)
    left, _ = fragments.time_left(lease.until, at)
    mine = lease.reviewer == person.actor
    holder = "Yours" if mine else f"Claimed by {_name(lease.reviewer, names)}"
    return f"{holder} until {lease.until:%H:%M} UTC ({left})"


def _unclaimed(payment: Payment, person: Person, at: datetime, names: Mapping[str, str]) -> str:
    snooze = snoozes.running(payment.snooze, at)
    if snooze is not None:
        by = "you" if snooze.reviewer == person.actor else _name(snooze.reviewer, names)
        return f"Snoozed by {by} until {labels.minute(snooze.until)}"
    if payment.assigned_to is None:
        return "Unclaimed"
    return f"Unclaimed, assigned to {_assignee(payment, person, names)}"


def _assignee(payment: Payment, person: Person, names: Mapping[str, str]) -> str:
    to = payment.assigned_to or ""
    return "you" if to == person.actor else _name(to, names)


def _assignment(
    payment: Payment,
    person: Person,
    lease: Lease | None,
    at: datetime,
    names: Mapping[str, str],
) -> Iterator[Line]:
    """Yield a line that states for whom the payment is reserved, and until when."""
    reserved = standing.reservation(payment, at)
    if reserved is not None and (lease is None or lease.reviewer != reserved.reviewer):
        yield Line(
            "assignment_ind",
            f"Reserved for {_assignee(payment, person, names)} until {labels.minute(reserved.until)}."
            " Senior reviewers can decide it too.",
        )


def _outcome(payment: Payment, names: Mapping[str, str], history: Sequence[Entry]) -> str:
    if payment.status is Status.INITIATED:
        return "This payment has not been decided yet."
    status = labels.label(payment.status)
    if payment.status is Status.CANCELLED:
        for entry in history:
            if entry.event_type == PaymentCancelled.event_type:
                reason, *note = map(labels.isolated, entry.details)
                return (
                    f"Cancelled by {entry.by}. Reason: {reason.lower()}. {' '.join(note)}".strip()
                )
    if payment.review is None:
        return f"{status}."
    people = [_name(payment.review.reviewer, names)]
    if payment.review.approved and payment.first_approval is not None:
        people.insert(0, _name(payment.first_approval.reviewer, names))
    by = f"by {' and '.join(people)}"
    return f"{status}. Approved {by}." if payment.review.approved else f"{status} {by}."


def _corrections(payment: Payment) -> Iterator[Line]:
    for dispute in payment.open_disputes:
        yield Line(
            "gavel",
            f"Dispute {labels.isolated(dispute.dispute_id)} over {dispute.disputed.formatted()} is open. The"
            " payment cannot be refunded before it is closed.",
        )
    if payment.lost.minor:
        yield Line("gavel", f"Disputes took {payment.lost.formatted()}.")
    if payment.refunded is not None:
        left = payment.refundable
        yield Line(
            "undo",
            f"Refunded {payment.refunded.formatted()} of {payment.amount.formatted()}."
            + (f" {left.formatted()} can still be refunded." if left.minor else ""),
        )


def _rules(payment: Payment, names: Mapping[str, str]) -> Iterator[Line]:
    """Yield the conditions that the risk policy sets for the decision."""
    risk = payment.risk
    if risk is None:
        return
    if risk.four_eyes and payment.first_approval is None:
        others = (
            f" {_name(payment.policy_author, names)} proposed the policy and cannot approve."
            if payment.policy_author
            else ""
        )
        yield Line(
            "group", f"Two approvals are required, the second from a senior reviewer.{others}"
        )
    elif risk.four_eyes and payment.first_approval is not None:
        excluded = [_name(payment.first_approval.reviewer, names)]
        if payment.policy_author:
            excluded.append(f"{_name(payment.policy_author, names)}, who proposed the policy")
        yield Line(
            "group",
            "The second approval must come from a senior reviewer other than"
            f" {' and '.join(excluded)}.",
        )
    if risk.reject_advised:
        yield Line(
            "report", "The policy advises rejecting this payment. Approving requires a note."
        )


def _obstacles(payment: Payment, person: Person, at: datetime) -> Iterator[Line]:
    """Yield each reason why a reviewer lacks a button, without repetitions."""
    if not person.reviews:
        return
    refused = (refusal(action, payment, person, at) for action in (APPROVE, REJECT, CLAIM))
    reasons = {
        why_not(error, payment, person): None
        for error in refused
        if error is not None and not isinstance(error, _IN_HEADLINE)
    }
    yield from (Line("lock", each) for each in reasons)


def _offers(
    payment: Payment, person: Person, at: datetime, names: Mapping[str, str]
) -> tuple[tuple[Action, str], ...]:
    lease = claims.unlapsed(payment.lease, at)
    texts: dict[str, str] = {}
    if lease is None and payment.assigned_to == person.actor:
        texts[ASSIGN.name] = "Hand over"
    if lease is not None and lease.reviewer == person.actor:
        texts |= {CLAIM.name: "Extend claim", ASSIGN.name: "Hand over"}
    elif lease is not None:
        holder = _name(lease.reviewer, names)
        texts |= {
            TAKE_OVER.name: f"Take over from {holder}",
            RELEASE.name: f"Release claim of {holder}",
        }
    return tuple(
        (action, texts.get(action.name, action.label)) for action in offered(payment, person, at)
    )


def _name(actor: str, names: Mapping[str, str]) -> str:
    return names.get(actor, actor)
