"""Load the state of a stream, and execute commands: load, fold, decide, append, announce."""

import logging
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from typing import Generic
from uuid import UUID

import msgspec
from django.db import connection, transaction
from msgspec import Struct

from payments.events import snapshots, store
from payments.events.aggregates import Aggregate, E, S
from payments.events.metadata import Metadata
from payments.events.retries import STALE_VERSION
from payments.events.signals import appended
from payments.events.store import Stream

logger = logging.getLogger(__name__)


class Loaded(Struct, Generic[S, E], frozen=True):
    """A stream, and the state after it: None if the stream is empty."""

    state: S | None
    stream: Stream[E]


class Executed(Struct, Generic[S], frozen=True):
    """The state after a command, the position of its last event, and whether it is a repetition."""

    state: S
    position: int
    replayed: bool


def execute(
    aggregate: Aggregate[S, E],
    aggregate_id: UUID,
    decide: Callable[[S | None], Sequence[E]],
    *,
    metadata: Metadata,
    check: Callable[[S | None, Stream[E]], None] = lambda _state, _stream: None,
    new: bool = False,
    reservations: Sequence[store.Reservation] = (),
    companion: store.Companion | None = None,
    alongside: Callable[[], None] | None = None,
) -> Executed[S]:
    """Append the events that `decide` returns for the stream's state, or repeat the earlier outcome.

    If an earlier run with the key of `metadata` appended events, return the state after them. If
    `decide` returns no events, store nothing and return the current state with `replayed` set. On a
    stale version, decide again on the fresh state, unless the caller opened a transaction.

    `check` refuses by raising; it runs before `decide` and before an outcome is repeated. With
    `new`, the first attempt assumes an empty stream, which saves the load. The row of `companion`,
    and the rows that `alongside` stores, exist if and only if the events do.

    Raises StaleVersion, AlreadyReserved, LogContradicted, UnknownEventType, and errors of `check` and
    `decide`.
    """
    for attempt in range(1, STALE_VERSION.attempts + 1):
        assumed = new and attempt == 1
        loaded: Loaded[S, E] = (
            Loaded(None, Stream()) if assumed else load(aggregate, aggregate_id, key=metadata.key)
        )
        state, stream = loaded.state, loaded.stream
        check(state, stream)
        if stream.repeated_version is not None:
            then, position = at_version(aggregate, aggregate_id, stream, stream.repeated_version)
            return Executed(then, position, replayed=True)
        events = decide(state)
        if not events and state is not None:
            return Executed(state, stream.position(stream.version), replayed=True)
        try:
            with transaction.atomic() if alongside is not None else nullcontext():
                position = store.append(
                    aggregate,
                    aggregate_id,
                    events,
                    expected=stream.version,
                    metadata=metadata,
                    reservations=reservations,
                    companion=companion,
                )
                if alongside is not None:
                    alongside()
                announce(position)
        except store.StaleVersion:
            # A caller has to start its own transaction over. Only a wrong assumption of an empty
            # stream is corrected within the transaction, by one more attempt.
            if (connection.in_atomic_block and not assumed) or attempt == STALE_VERSION.attempts:
                raise
            STALE_VERSION.pause(attempt)
            continue
        after = _fold(aggregate, aggregate_id, events, state)
        _keep(aggregate, aggregate_id, after, stream, version=stream.version + len(events))
        return Executed(after, position, replayed=False)
    raise AssertionError("the last attempt returns or raises")


def load(aggregate: Aggregate[S, E], aggregate_id: UUID, *, key: str | None = None) -> Loaded[S, E]:
    """Return the stream and its state in one round trip. `key` is as in `store.load`.

    Raises UnknownEventType.
    """
    stream = store.load(aggregate, aggregate_id, key=key, snapshot=True)
    return loaded(aggregate, aggregate_id, stream, key=key)


def loaded(
    aggregate: Aggregate[S, E], aggregate_id: UUID, stream: Stream[E], *, key: str | None = None
) -> Loaded[S, E]:
    """Return the stream with its state. A damaged snapshot is ignored."""
    begin = _snapshot_state(aggregate, aggregate_id, stream)
    if begin is None and stream.snapshot is not None:
        stream = store.load(aggregate, aggregate_id, key=key)
    return Loaded(fold(aggregate, aggregate_id, stream.events, begin), stream)


def at_version(
    aggregate: Aggregate[S, E], aggregate_id: UUID, stream: Stream[E], version: int
) -> tuple[S, int]:
    """Return the state at an existing version of the stream, and the position of that version's event."""
    if version < stream.begin:
        stream = store.load(aggregate, aggregate_id)
    events = stream.events[: version - stream.begin]
    begin = _snapshot_state(aggregate, aggregate_id, stream)
    return _fold(aggregate, aggregate_id, events, begin), stream.position(version)


def fold(
    aggregate: Aggregate[S, E], aggregate_id: UUID, events: Iterable[E], state: S | None = None
) -> S | None:
    """Return the state after `events`, which follow `state`; None if there are no events at all."""
    for event in events:
        state = aggregate.evolve(state, aggregate_id, event)
    return state


def _fold(
    aggregate: Aggregate[S, E], aggregate_id: UUID, events: Iterable[E], state: S | None
) -> S:
    after = fold(aggregate, aggregate_id, events, state)
    assert after is not None, "versions begin at 1"  # noqa: S101
    return after


def announce(position: int) -> None:
    """Send `appended`: at once in autocommit, after commit inside a transaction.

    The events are stored already, so errors of receivers are only logged.
    """
    transaction.on_commit(lambda: appended.send_robust(None, position=position), robust=True)


def _keep(
    aggregate: Aggregate[S, E], aggregate_id: UUID, state: S, stream: Stream[E], *, version: int
) -> None:
    """Keep a snapshot after commit if `stream` is long. Errors are only logged."""
    if len(stream.events) > snapshots.AFTER and aggregate.fold_id is not None:
        transaction.on_commit(
            lambda: snapshots.keep_soon(aggregate, aggregate_id, version, state), robust=True
        )


def _snapshot_state(aggregate: Aggregate[S, E], aggregate_id: UUID, stream: Stream[E]) -> S | None:
    """Return the state in the stream's snapshot; None if it is missing or damaged."""
    if stream.snapshot is None:
        return None
    try:
        state = aggregate.decode_state(stream.snapshot.state)
    except msgspec.DecodeError as error:
        logger.warning("The snapshot of %s cannot be read: %s", aggregate_id, error)
        return None
    found = (aggregate_id, stream.snapshot.version)
    if aggregate.identity is not None and aggregate.identity(state) != found:
        logger.warning("The snapshot of %s holds another stream or version.", aggregate_id)
        return None
    return state
