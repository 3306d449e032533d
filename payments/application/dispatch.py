"""The one way to change a payment: load, fold, decide, append, announce."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any
from uuid import UUID

from msgspec import Struct

from payments import pseudonyms
from payments.aggregates import PAYMENT_AGGREGATE
from payments.application import idempotency
from payments.domain.payment.commands import ClaimNextReview, PaymentCommand, ProcessPayment
from payments.domain.payment.deciding import authorise, decide
from payments.domain.payment.events import AnyPaymentEvent
from payments.domain.payment.state import Payment
from payments.events import replay, store
from payments.events.metadata import Metadata


class Outcome(Struct, frozen=True):
    """The payment as the command left it, the log's position then, and whether it ran before."""

    payment: Payment
    position: int
    replayed: bool


class NotAtVersion(store.StaleVersion):
    """The caller pinned another version than that of `payment`, which is what it is now."""

    def __init__(self, payment_id: UUID, expected: int, payment: Payment | None) -> None:
        super().__init__(payment_id, expected)
        self.payment = payment


class CommandContext(Struct, frozen=True, kw_only=True):
    """Who asks and under which names: what the log keeps of a command beside its events.

    `key` is the caller's idempotency key, `correlation_id` joins all that was done for one
    purpose, `causation_id` the request or message that led directly to this command.
    `seen_position` is the lowest checkpoint of the read models on the page that the person decided on.
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
    """Carry out `command`, or tell what it did if it ran before.

    `expected_version` pins the version that the caller looked at. `note` is the text of the
    command's note, for recognising a repetition; `companion` is a row and `alongside` stores rows
    that must exist if and only if the events do. A stale version is decided again on the fresh
    state, unless it was pinned or the caller owns a transaction.

    Raises PaymentError, KeyReused, AlreadyReserved, StaleVersion (NotAtVersion where it was pinned).
    """
    metadata = _metadata(command, context, note)

    def check(payment: Payment | None, stream: store.Stream[AnyPaymentEvent]) -> None:
        authorise(payment, command)
        if stream.repeated is not None:
            idempotency.check_same(stream.repeated.digests, metadata.digests)
        elif expected_version is not None and expected_version != stream.version:
            raise NotAtVersion(command.payment_id, expected_version, payment)

    done = replay.execute(
        PAYMENT_AGGREGATE,
        command.payment_id,
        lambda payment: decide(payment, command),
        metadata=metadata,
        check=check,
        # Nobody can have seen a new payment, so the append proves that its stream is empty.
        new=isinstance(command, ProcessPayment) and not expected_version,
        reservations=_reservations(command, metadata),
        companion=companion,
        alongside=alongside,
    )
    return Outcome(done.state, done.position, done.replayed)


def dispatch_new(commands: Sequence[tuple[ProcessPayment, CommandContext]]) -> int:
    """Carry out commands for payments that should all be new; return how many were.

    They are one statement.

    Where that cannot be (one of them exists, or reserves a reference) they are dispatched one by one,
    and the existing ones replay. Raises PaymentError, KeyReused, AlreadyReserved.
    """
    if not commands:
        return 0
    if all(command.reference is None for command, _ in commands):
        streams = [
            store.Append(
                command.payment_id, decide(None, command), _metadata(command, context, None)
            )
            for command, context in commands
        ]
        with suppress(store.StaleVersion):
            replay.announce(store.append_streams(PAYMENT_AGGREGATE, streams))
            return len(commands)
    return sum(not dispatch(command, context).replayed for command, context in commands)


def next_review(client_id: UUID | None, key: str) -> store.Reservation:
    """Return the reservation of a ClaimNextReview with this key, which its repetition finds."""
    return store.Reservation(f"review.claim_next:{client_id}", key)


def _reservations(command: PaymentCommand, metadata: Metadata) -> tuple[store.Reservation, ...]:
    if isinstance(command, ProcessPayment) and command.reference is not None:
        return (store.Reservation(f"payment.reference:{command.client_id}", command.reference),)
    if isinstance(command, ClaimNextReview) and metadata.key is not None:
        return (next_review(command.client_id, metadata.key),)
    return ()


def _metadata(command: PaymentCommand, context: CommandContext, note: str | None) -> Metadata:
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
