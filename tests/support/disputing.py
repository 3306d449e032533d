"""Payments with disputes in the log, and the bodies of notices over HTTP."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from django.utils import timezone
from msgspec.structs import replace

from payments import actors
from payments.application import disputes
from payments.application.dispatch import CommandContext, Outcome
from payments.domain.payment.commands import AnyDisputeCommand
from tests.support.dispatching import submit
from tests.support.examples import CLIENT


def completed(**changes: Any) -> UUID:
    """Submit a payment that is completed at once. Return its id."""
    return submit(str(uuid4()), **changes).payment.payment_id


def note(payment_id: UUID, *notices: AnyDisputeCommand, client: UUID = CLIENT) -> Outcome:
    """Record the notices of the payment's disputes, as its client."""
    context = CommandContext(actor=actors.client(client))
    for notice in notices:
        command = replace(notice, payment_id=payment_id, client_id=client)
        outcome = disputes.handle(command, context)
    return outcome


def day(number: int) -> str:
    """Return the time `number` days after the dispute began. The time is in the past."""
    return f"{timezone.now().date() - timedelta(days=60) + timedelta(days=number)}T09:00:00Z"


def stated(minor: int = 1999, **changes: Any) -> dict[str, Any]:
    return {
        "kind": "chargeback",
        "reason": "fraudulent",
        "amount": minor,
        "currency": "EUR",
        **changes,
    }


def opening(minor: int = 1999, **changes: Any) -> dict[str, Any]:
    return stated(minor, **{"dispute_id": "dp_1", "opened_at": day(0), **changes})


def closing(lost: int = 1999, outcome: str = "lost", **changes: Any) -> dict[str, Any]:
    end = {"outcome": outcome, "lost_amount": lost, "currency": "EUR", "closed_at": day(9)}
    return {**end, **changes}


def responding(**changes: Any) -> dict[str, Any]:
    return {"evidence": ["ab" * 32], "responded_at": day(2), **changes}
