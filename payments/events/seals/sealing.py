"""Seal the log up to its safe position, so that no event that is still being written is skipped.

A seal is one INSERT. Its number, the primary key, is the previous seal's plus one. If two sealers run
concurrently, the slower one fails harmlessly and continues after the other.
"""

import logging
import math
from collections.abc import Iterator
from typing import Final, Literal
from uuid import UUID

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.utils import timezone
from msgspec import UNSET, Struct

from payments.database import cursor, execute, require_no_transaction
from payments.events import contradictions
from payments.events.contradictions import LogContradicted
from payments.events.reading import horizon
from payments.events.seals import heads, keys, memory, seal, table
from payments.events.seals.heads import Head
from payments.events.seals.seal import Seal, Statement

# Workers seal every minute, so sealing is late if an event waits longer than this.
LONGEST_UNSEALED_SECONDS: Final = 300

logger = logging.getLogger(__name__)

_LEAVES: Final = f"""
SELECT position, {seal.LEAF} FROM events_event
 WHERE position > %(after)s AND position <= %(upto)s ORDER BY position LIMIT %(limit)s
"""  # noqa: S608 - only constants
_WAITING: Final = """
SELECT extract(epoch FROM clock_timestamp() - recorded_at)::float8
  FROM events_event WHERE position > %(sealed)s ORDER BY position LIMIT 1
"""


class DamagedSeal(Exception):
    """A seal is missing or was changed, so no other seal can follow it."""

    def __init__(self, number: int) -> None:
        super().__init__(f"Seal {number} was changed: see `./manage.py verify_events`.")


# The errors that stop sealing. Their texts are messages for operators.
REFUSALS: Final = (
    keys.SealKeyError,
    DamagedSeal,
    LogContradicted,
    memory.HeadContradicted,
    heads.NotAHead,
)


def seal_all(*, patience: float = 1.0) -> Iterator[Statement]:
    """Seal up to the safe position; yield each statement when its seal is stored.

    Raises SealKeyError, HorizonHeld, DamagedSeal, LogContradicted, HeadContradicted, NotAHead, and
    TransactionManagementError inside a transaction: a rollback would remove seals that are already
    remembered.
    """
    require_no_transaction()
    key = keys.signing_key()
    if found := contradictions.find():
        raise LogContradicted.by(found)
    if (head := memory.recall(keys.trusted())) is not None:
        memory.check(head)
    _remember_last(head)
    log = table.identity()
    upto = horizon.safe_position(patience=patience)
    while (made := _next(upto, key, log)) is not None:
        statement, new = made
        if table.append(new):
            _remember(heads.of(statement, new.signature))
            yield statement


def last() -> Statement | None:
    """Return the statement of the last seal. Raises DamagedSeal."""
    row = table.last()
    return None if row is None else _decoded(row[0], row[1])


def _decoded(number: int, text: str) -> Statement:
    try:
        statement = seal.decode(text)
    except msgspec.DecodeError as error:
        raise DamagedSeal(number) from error
    if statement.number != number:
        raise DamagedSeal(number)
    return statement


class Remembered(Struct, frozen=True):
    """The last seal that the database remembers. The seal itself may be missing."""

    number: int
    position: int


def remembered() -> Remembered:
    """Return the last seal that the database remembers. Its number is 0 before the first seal."""
    rows = execute("SELECT sealed_number, sealed_position FROM events_log")
    return Remembered(*rows[0]) if rows else Remembered(0, 0)


def unsealed_seconds() -> float:
    """Return the age of the oldest unsealed event; infinite if no seal can follow the last one."""
    try:
        before = last()
    except DamagedSeal:
        return math.inf
    oldest = execute(_WAITING, {"sealed": before.last if before else 0})
    return max(oldest[0][0], 0.0) if oldest else 0.0


def is_contradicted() -> bool:
    """Return whether the log lacks the seal that this host remembers.

    If this host remembers no seal, no query is sent.
    """
    try:
        if (head := memory.recall()) is not None:
            memory.check(head)
    except (memory.HeadContradicted, heads.NotAHead):
        return True
    return False


def state() -> Literal["ok", "late", "contradicted"]:
    """Return whether the log is sealed in time and has the seal that this host remembers."""
    if is_contradicted():
        return "contradicted"
    return "late" if unsealed_seconds() > LONGEST_UNSEALED_SECONDS else "ok"


def _remember_last(known: Head | None) -> None:
    """Remember the log's last seal if it is above `known`: another host may have made it."""
    if (row := table.last()) is None:
        return
    number, text, signature = row
    statement = _decoded(number, text)
    if known is not None and known.seal.number >= number:
        return
    if statement.key in keys.trusted() and keys.is_signed(text.encode(), signature, statement.key):
        _remember(heads.of(statement, signature))


def _remember(head: Head) -> None:
    try:
        memory.remember(head)
    except OSError as error:
        logger.warning("%s (SEAL_HEAD_FILE) cannot be written: %s", error.filename, error.strerror)


def _next(upto: int, key: Ed25519PrivateKey, log: UUID) -> tuple[Statement, Seal] | None:
    """Return the next seal without storing it; None if no unsealed event exists up to `upto`."""
    before = last()
    if before and before.log not in {UNSET, log}:
        raise DamagedSeal(before.number)
    if before and before.key not in keys.trusted():
        logger.error(
            "Seal %s is signed with the key %s, which is neither SEAL_KEY's nor among SEAL_PUBLIC_KEYS. Set"
            " SEAL_KEY to that of the other workers or, if it was rotated, add the key to SEAL_PUBLIC_KEYS.",
            before.number,
            before.key,
        )
    after = before.last if before else 0
    with cursor() as cur:
        # Binary, because the hashes are bytes.
        parameters = {"after": after, "upto": upto, "limit": seal.MOST_EVENTS}
        leaves = cur.execute(_LEAVES, parameters, binary=True).fetchall()
    if not leaves:
        return None
    positions = seal.as_ranges([position for position, _ in leaves])
    digests = b"".join(leaf[: seal.DIGEST_BYTES] for _, leaf in leaves)
    previous = before.chain if before else seal.BEFORE_THE_FIRST
    statement = Statement(
        log=log,
        number=before.number + 1 if before else 1,
        first=after + 1,
        # Cover the log only up to the last event that was read, not up to the horizon. After a
        # crash, the sequence may assign uncommitted positions again.
        last=leaves[-1][0],
        events=len(leaves),
        index=seal.index(positions, digests),
        previous=previous,
        chain=seal.chain(previous, leaves),
        sealed_at=timezone.now(),
        key=keys.public_key(key),
    )
    text = seal.encode(statement)
    return statement, Seal(statement.number, text, positions, digests, key.sign(text.encode()))
