"""Correct a payment: cancel it before it is completed, refund it afterwards."""

from payments import actors, permissions
from payments.application.dispatch import CommandContext, Outcome, dispatch
from payments.domain.payment.commands import CancelPayment, RefundPayment


def handle(
    command: CancelPayment | RefundPayment,
    context: CommandContext,
    *,
    expected_version: int | None = None,
) -> Outcome:
    """Cancel or refund a payment, for its client or for permitted staff.

    Raises NotPermitted, and the errors of `dispatch`.
    """
    # A client's command names the client, so `dispatch` finds only that client's payments.
    if command.client_id is None or context.actor != actors.client(command.client_id):
        permissions.require(context.actor, permissions.CORRECT)
    return dispatch(command, context, expected_version=expected_version)
