"""Execute many commands on existing payments, in a fixed number of statements."""

from collections.abc import Collection, Sequence
from uuid import UUID

from django.db import connection

from payments.aggregates import PAYMENT_AGGREGATE
from payments.application.dispatch import CommandContext, metadata
from payments.domain.payment.commands import PaymentCommand
from payments.domain.payment.deciding import authorize, decide
from payments.domain.payment.events import AnyPaymentEvent
from payments.domain.payment.refusals import PaymentError
from payments.domain.payment.state import Payment
from payments.events import batches, replay, store
from payments.events.batches import Append
from payments.events.retries import STALE_VERSION

# The events of a command, or its refusal.
Decision = tuple[AnyPaymentEvent, ...] | PaymentError


def dispatch_all(commands: Sequence[PaymentCommand], context: CommandContext) -> list[Decision]:
    """Execute the commands in order, in two statements. Return the decision on each.

    A refusal affects only its own command. The commands must not have notes or references, and
    `context` must not have a key. The caller recognizes a repetition by a decision without events.
    If a version is stale, all commands are decided again, unless the caller has opened a
    transaction.

    Raises StaleVersion, LogContradicted.
    """
    for attempt in range(1, STALE_VERSION.attempts + 1):
        loaded = batches.load(PAYMENT_AGGREGATE, {each.payment_id for each in commands})
        payments = {payment_id: found.state for payment_id, found in loaded.items()}
        decisions = decide_all(payments, commands)
        versions = {payment_id: found.stream.version for payment_id, found in loaded.items()}
        appends = []
        for command, events in zip(commands, decisions, strict=True):
            if isinstance(events, PaymentError) or not events:
                continue
            expected = versions[command.payment_id]
            versions[command.payment_id] += len(events)
            about = metadata(command, context)
            appends.append(Append(command.payment_id, events, about, expected))
        if not appends:
            return decisions
        try:
            replay.announce(batches.append_streams(PAYMENT_AGGREGATE, appends))
        except store.StaleVersion:
            if connection.in_atomic_block or attempt == STALE_VERSION.attempts:
                raise
            STALE_VERSION.pause(attempt)
        else:
            return decisions
    raise AssertionError("the last attempt returns or raises")


def decide_all(
    payments: dict[UUID, Payment | None], commands: Sequence[PaymentCommand]
) -> list[Decision]:
    """Return the decision on each command, in order. Update `payments` to the resulting states."""
    decisions: list[Decision] = []
    for command in commands:
        payment_id = command.payment_id
        payment = payments[payment_id]
        try:
            authorize(payment, command)
            events = decide(payment, command)
        except PaymentError as error:
            decisions.append(error)
            continue
        payments[payment_id] = replay.fold(PAYMENT_AGGREGATE, payment_id, events, payment)
        decisions.append(events)
    return decisions


def load(payment_ids: Collection[UUID]) -> dict[UUID, Payment | None]:
    """Return the state of each payment in one round trip, None if it does not exist."""
    found = batches.load(PAYMENT_AGGREGATE, payment_ids)
    return {payment_id: loaded.state for payment_id, loaded in found.items()}
