"""Verify an export of the event log. This needs only Python and the package `cryptography`.

    python verify_export.py EXPORT PUBLIC_KEY [PUBLIC_KEY...]

The first line, and no other, names the columns. A line with "event" holds an event as a JSON array.
Its leaf is the SHA-256 of the bytes of that array. A line with "seal" comes after the events that
it covers. It has "seal", "positions", "digests" and "signature", and this must hold:

- its key is one of the given keys, and "signature" is its Ed25519 signature of "seal" as compact JSON
- its chain is the SHA-256 of the chain before it ("previous"), followed by the position (8 bytes,
  big-endian) and the leaf of each event; "events" is their number, "last" the last one's position
- "positions" has their positions, such as "1-4711 4713", and "digests" the first 8 bytes of each leaf
- its index is the SHA-256 of "positions", a newline and "digests"
- its number, "first", "previous" and "log" follow from the seal before it

Exit status: 0 if all events match their seals, 1 if not.
"""

import hashlib
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

COLUMNS = (
    b'["aggregate_type","aggregate_id","version","event_type","schema_version","data","metadata",'
    b'"occurred_at","recorded_at"]'
)  # times are microseconds since 1970
HEADER = b'{"format":"payments-export/1","columns":' + COLUMNS + b"}\n"

BEFORE_THE_FIRST = "00" * 32  # the chain before the first seal

Leaves = list[tuple[int, bytes]]


def verify(lines: Iterable[bytes], keys: list[str]) -> str:
    """Return a summary of the verified export. Raises ValueError at the first difference."""
    events = 0
    leaves: Leaves = []
    seal: dict[str, Any] | None = None
    began = None
    lines = iter(lines)
    if next(lines, None) != HEADER:
        raise ValueError("The first line does not name the columns of an export.")
    for line in lines:
        head, is_event, event = line.partition(b', "event": ')
        if is_event:
            position = int(head.removeprefix(b'{"position": '))
            event = event.removesuffix(b"}\n")
            if line != b'{"position": %d, "event": %b}\n' % (position, event):
                raise ValueError(f"Position {position} is not in the format of an export.")
            leaves.append((position, hashlib.sha256(event).digest()))
        elif line.startswith(b'{"seal":'):
            written = json.loads(line)
            if line != json.dumps(written, separators=(",", ":")).encode() + b"\n":
                raise ValueError("A seal is not in the format of an export.")
            seal = verify_seal(written, leaves, seal, keys)
            began = began or seal
            events += len(leaves)
            leaves = []
        else:  # also refuses a second header, and text that another reader might take for an event
            raise ValueError("A line is neither an event nor a seal.")
    if leaves or seal is None or began is None:
        raise ValueError("The file does not end with a seal: its end is missing.")
    return (
        f"{events:,} events, seals {began['number']} to {seal['number']}, positions {began['first']}"
        f" to {seal['last']}: all events match their seals. Chain of the last seal: {seal['chain']}"
    )


def verify_seal(
    line: dict[str, Any], leaves: Leaves, before: dict[str, Any] | None, keys: list[str]
) -> dict[str, Any]:
    """Return the statement of the seal in `line`. Raises ValueError if it, or an event, differs."""
    seal: dict[str, Any] = line["seal"]
    name = f"Seal {seal['number']}"
    if list(line) != ["seal", "positions", "digests", "signature"]:
        raise ValueError(f"{name} has missing, additional or reordered members.")
    if line["signature"] != bytes.fromhex(line["signature"]).hex():
        raise ValueError(f"{name} has a signature that is not in the format of an export.")
    if seal["key"] not in keys:
        raise ValueError(f"{name} is signed with the unknown key {seal['key']}.")
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(seal["key"])).verify(
            bytes.fromhex(line["signature"]), json.dumps(seal, separators=(",", ":")).encode()
        )
    except InvalidSignature:
        raise ValueError(f"{name} does not match its signature.") from None
    follows = (seal["number"], seal["first"], seal["previous"])
    if before and follows != (before["number"] + 1, before["last"] + 1, before["chain"]):
        raise ValueError(f"{name} does not follow seal {before['number']}.")
    if before and before.get("log", seal.get("log")) != seal.get("log"):
        raise ValueError(f"{name} belongs to another log than seal {before['number']}.")
    if not before and seal["number"] == 1 and follows != (1, 1, BEFORE_THE_FIRST):
        raise ValueError(f"{name} has the number of the first seal, but not its beginning.")
    chain = hashlib.sha256(bytes.fromhex(seal["previous"]))
    for position, leaf in leaves:
        chain.update(position.to_bytes(8, "big", signed=True) + leaf)
    if chain.hexdigest() != seal["chain"]:
        digests = bytes.fromhex(
            line["digests"]
        )  # the first 8 bytes of each leaf, to find the place
        for number, (position, leaf) in enumerate(leaves):
            if digests[8 * number :][:8] != leaf[:8]:
                raise ValueError(
                    f"{name}: the events from position {position} on differ from the sealed ones."
                )
        raise ValueError(
            f"{name}: the events from {seal['first']} to {seal['last']} differ from the sealed ones."
        )
    if not leaves or (seal["events"], seal["last"]) != (len(leaves), leaves[-1][0]):
        raise ValueError(f"{name} states another number of events or another last position.")
    listed = line["positions"].encode() + b"\n" + bytes.fromhex(line["digests"])
    if hashlib.sha256(listed).hexdigest() != seal["index"]:
        raise ValueError(f"{name}: its positions or digests differ from the signed ones.")
    written = b"".join(leaf[:8] for _, leaf in leaves).hex()
    if (line["positions"], line["digests"]) != (ranges(leaves), written):
        raise ValueError(f"{name}: its positions or digests differ from those of its events.")
    return seal


def ranges(leaves: Leaves) -> str:
    """Return the positions in the format of an export, such as "1-4711 4713"."""
    found: list[list[int]] = []
    for position, _ in leaves:
        if found and position == found[-1][1] + 1:
            found[-1][1] = position
        else:
            found.append([position, position])
    return " ".join(f"{first}-{last}" if first < last else str(first) for first, last in found)


if __name__ == "__main__":
    if len(sys.argv) < 3:  # noqa: PLR2004
        sys.exit(__doc__)
    try:
        with Path(sys.argv[1]).open("rb") as export:
            print(verify(export, [key.lower() for key in sys.argv[2:]]))
    except OSError as error:
        sys.exit(f"{sys.argv[1]} cannot be read: {error.strerror}.")
    except (
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        OverflowError,
        RecursionError,
    ) as error:
        sys.exit(f"The export does NOT match its seals: {error}")
