"""Undo a payment: cancel it before it is completed, give back some or all of it after."""

from payments import actors, permissions
from payments.application.dispatch import Outcome, Request, dispatch
from payments.domain.payment.commands import CancelPayment, RefundPayment


def carry_out(
    command: CancelPayment | RefundPayment,
    request: Request,
    *,
    expected_version: int | None = None,
) -> Outcome:
    """Cancel or refund, for the payment's client or for staff who may.

    Raises NotPermitted, and as dispatch does.
    """
    # A client's command names the client, so it finds no payment of another.
    if command.client_id is None or request.actor != actors.client(command.client_id):
        permissions.require(request.actor, permissions.CORRECT)
    return dispatch(command, request, expected_version=expected_version)
