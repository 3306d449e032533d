"""Payments with disputes in the log, without HTTP."""

from typing import Any
from uuid import UUID, uuid4

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
