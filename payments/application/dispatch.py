"""Dispatch a command to its payment: the only way to change a payment."""

from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from typing import Any, Final
from uuid import UUID

from msgspec import Struct

from payments import pseudonyms
from payments.aggregates import PAYMENT_AGGREGATE
from payments.application import idempotency
from payments.domain.payment.commands import (
    ClaimNextReview,
    PaymentCommand,
    ProcessPayment,
    RefundPayment,
)
from payments.domain.payment.deciding import authorize, decide
from payments.domain.payment.events import AnyPaymentEvent
from payments.domain.payment.state import Payment
from payments.events import batches, replay, store
from payments.events.metadata import Metadata

_REFUNDS: Final = "refund.reference"


class Outcome(Struct, frozen=True):
    """The payment after the command and the position of its last event.

    `replayed` is whether the command had run before.
    """

    payment: Payment
    position: int
    replayed: bool


class NotAtVersion(store.StaleVersion):
    """The payment is not at the version that the caller expected. `payment` is its current state."""

    def __init__(self, payment_id: UUID, expected: int, payment: Payment | None) -> None:
        super().__init__(payment_id, expected)
        self.payment = payment


class CommandContext(Struct, frozen=True, kw_only=True):
    """The actor and the ids of a command, which the log stores as metadata of its events.

    `key` is the caller's idempotency key. `correlation_id` is common to all requests for one
    purpose. `causation_id` is the request or message that directly caused this command.
    `seen_position` is the lowest checkpoint of the read models behind the page that the person saw.
    """

    actor: str
    key: str | None = None
    correlation_id: str | None = None
    causation_id: str | None = None
    seen_position: int | None = None


def dispatch(
    command: PaymentCommand,
    context: CommandContext,
    *,
    expected_version: int | None = None,
    note: str | None = None,
    companion: store.Companion | None = None,
    alongside: Callable[[], None] | None = None,
) -> Outcome:
    """Execute `command`, or return its earlier outcome if it has run before.

    `expected_version` is the version that the caller saw. `note` is the text of the command's note,
    by which a repetition is recognized. `companion` and `alongside` store rows in the same
    transaction as the events. If another command was faster, this one is decided again on the new
    state, unless `expected_version` is given or the caller has opened a transaction.

    Raises PaymentError, KeyReused, AlreadyReserved, StaleVersion, and NotAtVersion if the payment
    is not at `expected_version`.
    """
    about = metadata(command, context, note)

    def check(payment: Payment | None, stream: store.Stream[AnyPaymentEvent]) -> None:
        authorize(payment, command)
        if stream.repeated is not None:
            idempotency.check_same(stream.repeated.digests, about.digests)
        elif expected_version is not None and expected_version != stream.version:
            raise NotAtVersion(command.payment_id, expected_version, payment)

    done = replay.execute(
        PAYMENT_AGGREGATE,
        command.payment_id,
        lambda payment: decide(payment, command),
        metadata=about,
        check=check,
        # No read is needed for a new payment: the append fails unless its stream is empty.
        new=isinstance(command, ProcessPayment) and not expected_version,
        reservations=_reservations(command, about),
        companion=companion,
        alongside=alongside,
    )
    return Outcome(done.state, done.position, done.replayed)


def dispatch_new(commands: Sequence[tuple[ProcessPayment, CommandContext]]) -> int:
    """Execute commands for new payments in one statement. Return how many were new.

    If any payment exists already or has a reference, the commands are dispatched one by one. Those
    that have run before are replayed. Raises PaymentError, KeyReused, AlreadyReserved.
    """
    if not commands:
        return 0
    if all(command.reference is None for command, _ in commands):
        streams = [
            batches.Append(command.payment_id, decide(None, command), metadata(command, context))
            for command, context in commands
        ]
        with suppress(store.StaleVersion):
            replay.announce(batches.append_streams(PAYMENT_AGGREGATE, streams))
            return len(commands)
    return sum(not dispatch(command, context).replayed for command, context in commands)


def next_review(client_id: UUID | None, key: str) -> store.Reservation:
    """Return the reservation through which a repeated ClaimNextReview finds its payment."""
    return store.Reservation(f"review.claim_next:{client_id}", key)


def is_of_refund(reservation: store.Reservation) -> bool:
    """Return whether the reservation is for the reference of a refund."""
    return reservation.namespace.startswith(f"{_REFUNDS}:")


def referenced(references: Collection[tuple[UUID, str]]) -> dict[tuple[UUID, str], UUID]:
    """Return the ids of payments by client and reference, in at most one round trip."""
    if not references:
        return {}
    wanted = {store.Reservation(_payments_of(each[0]), each[1]): each for each in references}
    return {wanted[each]: owner for each, owner in store.owners(wanted.keys()).items()}


def _payments_of(client_id: UUID) -> str:
    return f"payment.reference:{client_id}"


def _reservations(command: PaymentCommand, about: Metadata) -> tuple[store.Reservation, ...]:
    if isinstance(command, ProcessPayment) and command.reference is not None:
        return (store.Reservation(_payments_of(command.client_id), command.reference),)
    if isinstance(command, RefundPayment) and command.reference is not None:
        return (store.Reservation(f"{_REFUNDS}:{command.client_id}", command.reference),)
    if isinstance(command, ClaimNextReview) and about.key is not None:
        return (next_review(command.client_id, about.key),)
    return ()


def metadata(command: PaymentCommand, context: CommandContext, note: str | None = None) -> Metadata:
    """Return the metadata that the log stores with each event of the command."""
    correlation_id = context.correlation_id or context.causation_id
    key: dict[str, Any] = {}
    if context.key is not None:
        pseudonyms.require_key()
        key = {
            "key": idempotency.command_key(command.name, actor=context.actor, key=context.key),
            "key_id": pseudonyms.KEY_ID,
            "digests": idempotency.field_digests(command, note),
        }
    return Metadata(
        actor=context.actor,
        command=command.name,
        correlation_id=correlation_id,
        causation_id=None if context.causation_id == correlation_id else context.causation_id,
        seen_position=context.seen_position,
        **key,
    )
