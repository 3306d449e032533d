"""Undo a payment: cancel it before it is completed, give back some or all of it after."""

from payments import actors, permissions
from payments.application.dispatch import CommandContext, Outcome, dispatch
from payments.domain.payment.commands import CancelPayment, RefundPayment


def handle(
    command: CancelPayment | RefundPayment,
    context: CommandContext,
    *,
    expected_version: int | None = None,
) -> Outcome:
    """Cancel or refund, for the payment's client or for staff who may.

    Raises NotPermitted, and as dispatch does.
    """
    # A client's command names the client, so it finds no payment of another.
    if command.client_id is None or context.actor != actors.client(command.client_id):
        permissions.require(context.actor, permissions.CORRECT)
    return dispatch(command, context, expected_version=expected_version)
