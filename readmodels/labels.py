"""Labels for what the log stores: reasons, amounts, events, actors."""

from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, assert_never
from unicodedata import bidirectional
from uuid import UUID

from django.contrib.auth import get_user_model

from payments.clients.models import Client
from payments.domain.cards import Brand, Card
from payments.domain.methods import Method
from payments.domain.money import Money
from payments.domain.payment.events import (
    AnyDisputeEvent,
    AnyPaymentEvent,
    DisputeEvent,
    DisputeStatement,
    PaymentApproved,
    PaymentCancelled,
    PaymentDisputeClosed,
    PaymentDisputed,
    PaymentDisputeResponded,
    PaymentDisputeUpdated,
    PaymentExpired,
    PaymentFailed,
    PaymentFirstApproved,
    PaymentFlaggedForReview,
    PaymentInitiated,
    PaymentNoteAdded,
    PaymentProcessed,
    PaymentRefunded,
    PaymentRejected,
    ReviewAssigned,
    ReviewClaimed,
    ReviewEscalated,
    ReviewReleased,
    ReviewResumed,
    ReviewSnoozed,
)
from payments.domain.risk.assessment import RiskAssessment
from readmodels import masking

# Labels of some reasons. `label` derives all other labels from their codes.
REASONS: Final = {
    "first_card_payment_large": "The customer's first card payment, and a large one",
    "features_stale": "The customer's history was not up to date",
    "customer_blocked": "The customer is blocked",
    "many_payments_1h": "Many payments by the customer within an hour",
    "large_volume_24h": "High total of the customer's payments within a day",
    "no_limit_for_currency": "No review limit for the currency: always reviewed",
    "method_limit_exceeded": "Over the limit of the payment method",
    "blocked_by_policy": "Blocked by the risk policy",
}

# Shorter labels for lists, where a sentence would fill a column.
_SHORT_REASONS: Final = {
    "first_card_payment_large": "Large first card payment",
    "features_stale": "History not up to date",
    "customer_blocked": "Customer blocked",
    "many_payments_1h": "Many payments in an hour",
    "large_volume_24h": "High total in a day",
    "no_limit_for_currency": "No limit for the currency",
    "method_limit_exceeded": "Over the method's limit",
    "blocked_by_policy": "Blocked by the policy",
}


_BRANDS: Final = {
    Brand.AMERICAN_EXPRESS: "American Express",
    Brand.DINERS_CLUB: "Diners Club",
    Brand.JCB: "JCB",
    Brand.UNIONPAY: "UnionPay",
    Brand.OTHER: "card",
}


# The bidirectional classes of right-to-left characters.
_RIGHT_TO_LEFT: Final = frozenset({"R", "AL", "AN"})


def isolated(text: str) -> str:
    """Isolate right-to-left text, so that it does not reorder the text around it."""
    if any(bidirectional(each) in _RIGHT_TO_LEFT for each in text):
        return f"\N{FIRST STRONG ISOLATE}{text}\N{POP DIRECTIONAL ISOLATE}"
    return text


@lru_cache(
    maxsize=1_024
)  # lists repeat amounts, and formatting one takes as long as the rest of a cell
def amount(minor: int, currency: str) -> str:
    return Money(minor, currency).formatted()


def minute(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def label(code: str) -> str:
    """Return the label of a code: "Verified with customer" for verified_with_customer."""
    return REASONS.get(code) or code.replace("_", " ").capitalize()


def short_label(code: str) -> str:
    """Return a short label for the reason of a risk rule, for the column of a list."""
    return _SHORT_REASONS.get(code) or label(code)


def paid_with(method: Method, card: Card | None) -> str:
    """Return the method and the card, such as "Credit card, Visa ending in 4242"."""
    return label(method) if card is None else f"{label(method)}, {card_label(card)}"


def card_label(card: Card) -> str:
    """Return the card, such as "Visa ending in 4242"."""
    return f"{_BRANDS.get(card.brand, label(card.brand))} ending in {card.last4}"


def describe(  # noqa: C901, PLR0912 - a case for each event
    event: AnyPaymentEvent, *, revealed: bool = False
) -> tuple[str, tuple[str, ...]]:
    """Return a title for the event, and its details. The text of a note is not in its event.

    References are masked unless `revealed`.
    """
    match event:
        case PaymentInitiated():
            reference = _reference(event.reference, revealed=revealed)
            paid = paid_with(event.method, event.card)
            method = paid[0].lower() + paid[1:]
            return "Submitted", (f"{event.amount.formatted()} by {method}{reference}",)
        case PaymentProcessed():
            return "Completed", _risk(event.risk)[:1]
        case PaymentFailed():
            limit = f" ({event.limit.formatted()})" if event.limit else ""
            return "Failed", (label(event.reason) + limit, *_risk(event.risk))
        case PaymentFlaggedForReview():
            until = () if event.deadline is None else (f"Decide by {minute(event.deadline)}",)
            return "Flagged for review", (*_risk(event.risk), *until)
        case ReviewClaimed(until=until):
            return "Claimed for review", (f"Until {minute(until)}",)
        case ReviewReleased():
            return "Released", ()
        case ReviewSnoozed(until=until, reason=why):
            return "Snoozed", (f"{label(why)}, until {minute(until)}",)
        case ReviewResumed():
            return "Snooze ended early", ()
        case ReviewAssigned(to=to):
            return "Assigned" if to else "No longer assigned", ()
        case ReviewEscalated(reason=why):
            return "Escalated", (label(why),)
        case PaymentFirstApproved():
            return "First approval", (label(event.reason),)
        case PaymentApproved():
            return "Approved", (label(event.reason),)
        case PaymentRejected():
            return "Rejected", (label(event.reason),)
        case PaymentExpired():
            return "Expired", (f"No decision by {minute(event.deadline)}",)
        case PaymentCancelled():
            return "Cancelled", (label(event.reason),)
        case PaymentRefunded(refund=refund, refunded=refunded):
            so_far = () if refund == refunded else (f"{refunded.formatted()} in total",)
            reference = _reference(event.reference, revealed=revealed)
            reason = label(event.reason).lower()
            return "Refunded", (f"{refund.formatted()}{reference}: {reason}", *so_far)
        case PaymentNoteAdded(attachments=attachments):
            files = "1 file" if len(attachments) == 1 else f"{len(attachments)} files"
            return "Note", (f"With {files}",) if attachments else ()
        case (
            PaymentDisputed()
            | PaymentDisputeUpdated()
            | PaymentDisputeResponded()
            | PaymentDisputeClosed()
        ):
            return _describe_dispute(event)
        case _:
            assert_never(event)


def _reference(reference: str | None, *, revealed: bool) -> str:
    if not reference:
        return ""
    return f" as {isolated(reference if revealed else masking.reference(reference))}"


def _describe_dispute(event: AnyDisputeEvent) -> tuple[str, tuple[str, ...]]:
    match event:
        case PaymentDisputed(opened_at=at, inferred=inferred):
            title = "Disputed" if not inferred else "Disputed, by a later notice"
            return title, (*_disputed(event), f"{'By' if inferred else 'On'} {minute(at)}")
        case PaymentDisputeUpdated(updated_at=at):
            return "Dispute updated", (*_disputed(event), f"On {minute(at)}")
        case PaymentDisputeResponded(responded_at=at, evidence=evidence):
            documents = (f"Evidence: {_documents(len(evidence))}",) if evidence else ()
            return "Dispute contested", (_dispute_id(event), *documents, f"On {minute(at)}")
        case PaymentDisputeClosed(outcome=outcome, lost=lost, closed_at=at):
            loss = (f"{lost.formatted()} lost",) if lost.minor else ()
            title = f"Dispute {label(outcome).lower()}"
            return title, (_dispute_id(event), *loss, f"On {minute(at)}")
        case _:
            assert_never(event)


def _disputed(event: DisputeStatement) -> tuple[str, ...]:
    """Return the kind and id of a dispute, its amount and reason, and the date to respond by."""
    codes = " ".join(map(isolated, filter(None, (event.network, event.network_reason_code))))
    until = () if event.respond_by is None else (f"Respond by {minute(event.respond_by)}",)
    return (
        f"{label(event.kind)} {isolated(event.dispute_id)}",
        f"{event.disputed.formatted()}: {label(event.reason).lower()}{codes and f' ({codes})'}",
        *until,
    )


def _dispute_id(event: DisputeEvent) -> str:
    return f"Dispute {isolated(event.dispute_id)}"


def _documents(count: int) -> str:
    return "1 document" if count == 1 else f"{count} documents"


def _risk(risk: RiskAssessment | None) -> tuple[str, ...]:
    """Return the score, then the rules that fired."""
    if risk is None:
        return ()
    fired = (f"{label(rule.reason)} ({rule.points} points)" for rule in risk.fired)
    return (f"Risk {risk.score}, {risk.band}", *fired)


def person(actor: str) -> str:
    """Return the name of the person or client with this actor id, or the id if there is none."""
    return people([actor]).get(actor, actor)


def people(actors: Iterable[str | None]) -> dict[str, str]:
    """Return the names of the actors that have one, by actor id. Takes at most two queries."""
    staff: dict[str, str] = {}
    clients: dict[str, UUID] = {}
    for actor in set(filter(None, actors)):
        kind, _, own = actor.partition(":")
        if kind == "staff" and own.isdigit():
            staff[own] = actor
        elif kind == "client":
            with suppress(ValueError):
                clients[actor] = UUID(own)
    names: dict[str, str] = {}
    if staff:
        users = get_user_model().objects.filter(pk__in=staff)
        names |= {
            staff[str(user.pk)]: isolated(user.get_full_name() or user.get_username())
            for user in users
        }
    if clients:
        found = dict(Client.objects.filter(pk__in=clients.values()).values_list("pk", "name"))
        names |= {actor: isolated(found[pk]) for actor, pk in clients.items() if pk in found}
    return names
