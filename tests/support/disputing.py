"""Payments with disputes in the log, without HTTP."""

from typing import Any
from uuid import UUID, uuid4

from msgspec.structs import replace

from payments.application import disputes
from payments.application.dispatch import CommandContext, Outcome
from payments.domain.payment.commands import AnyDisputeCommand
from tests.support.dispatching import MERCHANT, submit


def completed(**changes: Any) -> UUID:
    """Submit a payment that is completed at once. Return its id."""
    return submit(str(uuid4()), **changes).payment.payment_id


def note(payment_id: UUID, *notices: AnyDisputeCommand) -> Outcome:
    """Record the notices of the payment's disputes, as its client."""
    for notice in notices:
        outcome = disputes.handle(
            replace(notice, payment_id=payment_id), CommandContext(actor=MERCHANT)
        )
    return outcome
