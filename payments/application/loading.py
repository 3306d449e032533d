"""What a payment is now: the fold of its stream, from a snapshot where the stream is long."""

import logging
from typing import Final
from uuid import UUID

import msgspec
from django.db import transaction

from payments.domain.payment.state import STATE_VERSION, Payment, replay
from payments.events import snapshots, store
from payments.events.store import Stream

logger = logging.getLogger(__name__)

# Names what a snapshot's state was made by; one that was made by anything else is ignored.
FOLD: Final = f"payment {STATE_VERSION}"

_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(Payment).decode


def load(payment_id: UUID, *, key: str | None = None) -> tuple[Payment | None, Stream]:
    """Return the payment and its stream in one round trip. `key` is as in `store.load`.

    Raises UnknownEventType.
    """
    stream = store.load(payment_id, key=key, fold=FOLD)
    begin = _snapshot_state(payment_id, stream)
    if begin is None and stream.snapshot is not None:
        stream = store.load(payment_id, key=key)  # it is damaged
    return replay(payment_id, stream.events, begin), stream


def at_version(payment_id: UUID, stream: Stream, version: int) -> tuple[Payment, int]:
    """Return what the payment was at a version that it had, and the position of its last event then."""
    if version < stream.begin:
        stream = store.load(payment_id)
    events = stream.events[: version - stream.begin]
    payment = replay(payment_id, events, _snapshot_state(payment_id, stream))
    assert payment is not None, "a version is at least 1"  # noqa: S101
    return payment, stream.position(version)


def keep(payment: Payment, stream: Stream) -> None:
    """Have a snapshot of the payment once what was done is committed, if its `stream` was long.

    Whatever goes wrong with it is logged.
    """
    if len(stream.events) <= snapshots.AFTER:
        return
    state = _encode(payment).decode()
    transaction.on_commit(
        lambda: snapshots.keep_soon(payment.payment_id, payment.version, state, fold=FOLD),
        robust=True,
    )


def _snapshot_state(payment_id: UUID, stream: Stream) -> Payment | None:
    """The state that the stream's events follow; None at its start, and for a damaged snapshot."""
    if stream.snapshot is None:
        return None
    try:
        payment = _decode(stream.snapshot.state)
    except msgspec.DecodeError as error:
        logger.warning("The snapshot of %s cannot be read: %s", payment_id, error)
        return None
    if (payment.payment_id, payment.version) != (payment_id, stream.snapshot.version):
        logger.warning("The snapshot of %s is of another payment or version.", payment_id)
        return None
    return payment
