"""Submitting payments by dispatch, without HTTP."""

from typing import Any

from payments import actors
from payments.application import idempotency
from payments.application.dispatch import CommandContext, Outcome, dispatch
from tests.support.example_commands import process
from tests.support.examples import CLIENT

MERCHANT = actors.client(CLIENT)


def submit(key: str, **changes: Any) -> Outcome:
    """Process a payment as the client. Its id is derived from `key`."""
    command = process(payment_id=idempotency.payment_id(CLIENT, key), **changes)
    return dispatch(command, CommandContext(actor=MERCHANT, key=key))
