"""The format of a seal: a signed statement about a range of the log.

The statement covers every stored column of every event in the range, and the previous seal:

- An event's *leaf* is the SHA-256 of a JSON array of its columns except the position, as PostgreSQL writes
  it, in UTF-8. Times are microseconds since 1970, because their text depends on the session.
- The *chain* is the SHA-256 of the previous seal's chain (zeros for the first seal), followed by the position
  (8 bytes, big-endian) and the leaf of each event.
- The *index* is the SHA-256 of the positions as text, a newline and the first 8 bytes of each leaf.
  The positions and these bytes are stored with the statement, to locate a difference. A position
  that is not listed was rolled back.

The statement is signed and stored as one text, so no other program has to format it identically.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Annotated, Final, Literal
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

COLUMNS: Final = (
    "aggregate_type",
    "aggregate_id",
    "version",
    "event_type",
    "schema_version",
    "data",
    "metadata",
    "occurred_at",
    "recorded_at",
)
# The names are qualified, so that a role that may create functions cannot shadow them.
_MICROSECONDS: Final = "pg_catalog.trunc(extract(epoch FROM {}) * 1e6)"
_VALUES: Final = ", ".join(
    _MICROSECONDS.format(name) if name.endswith("_at") else name for name in COLUMNS
)
# SQL expressions over a row of events_event: the hashed text, and its hash.
LEAF_TEXT: Final = f"pg_catalog.json_build_array({_VALUES})::text"
LEAF: Final = f"pg_catalog.sha256(pg_catalog.convert_to({LEAF_TEXT}, 'UTF8'))"

MOST_EVENTS: Final = 10_000
DIGEST_BYTES: Final = 8
BEFORE_THE_FIRST: Final = "00" * 32


_Positive = Annotated[int, Meta(ge=1, le=2**63 - 1)]
_Hash = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]


class Statement(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The signed statement. `first` follows the last position of the previous seal; hashes are hex.

    `log` is the identity of the log, unique to the installation. Seals of format 1 have none.
    """

    format: Literal["payments-seal/1", "payments-seal/2"] = "payments-seal/2"
    log: UUID | UnsetType = UNSET
    number: _Positive
    first: _Positive
    last: _Positive
    events: _Positive
    index: _Hash
    previous: _Hash
    chain: _Hash
    sealed_at: datetime
    key: _Hash


class Seal(Struct, frozen=True):
    """A row of events_seal, not verified: see `verifying`."""

    number: int
    statement: str
    positions: str
    digests: bytes
    signature: bytes


_encoder: Final = msgspec.json.Encoder()
_decoder: Final = msgspec.json.Decoder(Statement)


def encode(statement: Statement) -> str:
    """Return the text to sign: compact JSON with the keys in the order of the class."""
    return _encoder.encode(statement).decode()


def decode(text: str) -> Statement:
    """Return the statement of a signed text. Raises msgspec.DecodeError."""
    statement = _decoder.decode(text)
    if (statement.log is UNSET) != (statement.format == "payments-seal/1"):
        raise msgspec.DecodeError("Seals have a log since format 2, and only since then")
    return statement


def chain(previous: str, leaves: Iterable[tuple[int, bytes]]) -> str:
    """Return the chain after these pairs of position and leaf."""
    running = hashlib.sha256(bytes.fromhex(previous))
    for position, leaf in leaves:
        running.update(position.to_bytes(8, "big") + leaf)
    return running.hexdigest()


def index(positions: str, digests: bytes) -> str:
    """Return the index of a seal with these positions and digests."""
    return hashlib.sha256(positions.encode() + b"\n" + digests).hexdigest()


def each_digest(digests: bytes) -> Iterator[bytes]:
    """Yield the digest of each event."""
    for start in range(0, len(digests), DIGEST_BYTES):
        yield digests[start : start + DIGEST_BYTES]


def as_ranges(positions: Sequence[int]) -> str:
    """Return ascending positions as text, such as "1-4711 4713 4715-4800"."""
    ranges: list[list[int]] = []
    for position in positions:
        if ranges and position == ranges[-1][1] + 1:
            ranges[-1][1] = position
        else:
            ranges.append([position, position])
    return " ".join(f"{a}-{b}" if a < b else f"{a}" for a, b in ranges)


def from_ranges(text: str) -> Iterator[int]:
    """Yield the positions of a text made by `as_ranges`."""
    for part in text.split():
        first, _, last = part.partition("-")
        yield from range(int(first), int(last or first) + 1)
