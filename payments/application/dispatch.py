"""The one way to change a payment: load, fold, decide, append, announce."""

import random
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from typing import Any, Final
from uuid import UUID

from django.db import connection, transaction
from msgspec import Struct

from payments import pseudonyms
from payments.application import idempotency, loading
from payments.domain.payment.commands import ClaimNextReview, PaymentCommand, ProcessPayment
from payments.domain.payment.deciding import authorise, decide
from payments.domain.payment.state import Payment, replay
from payments.events import signals, store
from payments.events.metadata import Metadata

# A stale version means that another command succeeded, so a few attempts settle most races. Later attempts
# pause for a random time, or many rivals would collide again and again. The longest pause grows, because
# it has to make room for all rivals on a machine of any speed.
_ATTEMPTS: Final = 20
_AT_ONCE: Final = 3
_PAUSE_STEP: Final = 0.02
_NOTHING: Final = store.Stream((), ())


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

    Raises PaymentError, KeyReused, AlreadyClaimed, StaleVersion (NotAtVersion where it was pinned).
    """
    metadata = _metadata(command, context, note)
    # Nobody can have seen a new payment, so its stream is taken to be empty and the append is the
    # proof.
    unseen = isinstance(command, ProcessPayment) and not expected_version
    stream = _NOTHING if unseen else None
    attempt = 1
    while True:
        payment = None
        if stream is None:
            payment, stream = loading.load(command.payment_id, key=metadata.key)
        authorise(payment, command)
        if stream.repeated is not None and stream.repeated_version is not None:
            idempotency.check_same(stream.repeated.digests, metadata.digests)
            then, position = loading.at_version(command.payment_id, stream, stream.repeated_version)
            return Outcome(then, position, replayed=True)
        if expected_version is not None and expected_version != stream.version:
            raise NotAtVersion(command.payment_id, expected_version, payment)
        try:
            return _carry_out(command, payment, stream, metadata, companion, alongside)
        except store.StaleVersion:
            # Inside a transaction the caller begins anew, unless the stream was only taken to be empty.
            # A pinned version is looked at again too: it may be this very command that was faster.
            if (connection.in_atomic_block and stream is not _NOTHING) or attempt == _ATTEMPTS:
                raise
            stream = None
            if attempt > _AT_ONCE:
                longest = _PAUSE_STEP * (attempt - _AT_ONCE)
                time.sleep(random.uniform(0, longest))  # noqa: S311 - no secret
            attempt += 1


def dispatch_new(commands: Sequence[tuple[ProcessPayment, CommandContext]]) -> int:
    """Carry out commands for payments that should all be new; return how many were.

    They are one statement.

    Where that cannot be (one of them exists, or claims a reference) they are dispatched one by one,
    and the existing ones replay. Raises PaymentError, KeyReused, AlreadyClaimed.
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
            signals.announce(store.append_streams(streams))
            return len(commands)
    return sum(not dispatch(command, context).replayed for command, context in commands)


def _carry_out(
    command: PaymentCommand,
    payment: Payment | None,
    stream: store.Stream,
    metadata: Metadata,
    companion: store.Companion | None,
    alongside: Callable[[], None] | None,
) -> Outcome:
    events = decide(payment, command)
    with transaction.atomic() if alongside is not None else nullcontext():
        position = store.append(
            command.payment_id,
            events,
            expected=stream.version,
            metadata_=metadata,
            claims=_claims(command, metadata),
            companion=companion,
        )
        if alongside is not None:
            alongside()
        signals.announce(position)
    after = replay(command.payment_id, events, payment)
    assert after is not None, "decide returns at least one event"  # noqa: S101
    loading.keep(after, stream)
    return Outcome(after, position, replayed=False)


def next_review(client_id: UUID | None, key: str) -> store.Claim:
    """What a ClaimNextReview with this key (see Metadata) claims, for its repetition to find."""
    return store.Claim(f"review.claim_next:{client_id}", key)


def _claims(command: PaymentCommand, metadata: Metadata) -> tuple[store.Claim, ...]:
    if isinstance(command, ProcessPayment) and command.reference is not None:
        return (store.Claim(f"payment.reference:{command.client_id}", command.reference),)
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
