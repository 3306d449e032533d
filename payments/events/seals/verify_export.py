"""Verify an export of the event log. This needs only Python and the package `cryptography`.

    python verify_export.py EXPORT PUBLIC_KEY [PUBLIC_KEY...]

The first line, and no other, names the columns. A line with "event" holds an event: its leaf is the
SHA-256 of the bytes of that array. A line with "seal" comes after the events that it covers. It has
"seal", "positions", "digests" and "signature", and this must hold:

- its key is one of those given, and its signature is that key's (Ed25519) of "seal" as compact JSON
- its chain is the SHA-256 of the chain before it ("previous"), followed by the position (8 bytes,
  big-endian) and the leaf of each event; "events" is their number, "last" the last one's position
- "positions" has their positions, such as "1-4711 4713", and "digests" the first 8 bytes of each leaf
- its index is the SHA-256 of "positions", a newline and "digests"
- its number, "first", "previous" and "log" continue the seal before it

Exit status: 0 everything is as it was sealed, 1 something differs.
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
    """Return a summary. Raises ValueError at the first difference."""
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
                raise ValueError(f"Position {position} is not written as an export writes it.")
            leaves.append((position, hashlib.sha256(event).digest()))
        elif line.startswith(b'{"seal":'):
            written = json.loads(line)
            if line != json.dumps(written, separators=(",", ":")).encode() + b"\n":
                raise ValueError("A seal is not written as an export writes it.")
            seal = verify_seal(written, leaves, seal, keys)
            began = began or seal
            events += len(leaves)
            leaves = []
        else:  # neither a second header nor text that another reader might take for an event
            raise ValueError("There is a line which is neither an event nor a seal.")
    if leaves or seal is None or began is None:
        raise ValueError("The file does not end with a seal: something was cut off.")
    return (
        f"{events:,} events, seals {began['number']} to {seal['number']}, positions {began['first']}"
        f" to {seal['last']}: everything is as it was sealed. Chain of the last seal: {seal['chain']}"
    )


def verify_seal(
    line: dict[str, Any], leaves: Leaves, before: dict[str, Any] | None, keys: list[str]
) -> dict[str, Any]:
    """Return the statement of the seal in `line`. Raises ValueError if it, or an event, differs."""
    seal: dict[str, Any] = line["seal"]
    name = f"Seal {seal['number']}"
    if list(line) != ["seal", "positions", "digests", "signature"]:
        raise ValueError(f"{name} has other members than an export writes.")
    if line["signature"] != bytes.fromhex(line["signature"]).hex():
        raise ValueError(f"{name}: its signature is not written as an export writes it.")
    if seal["key"] not in keys:
        raise ValueError(f"{name} is signed with the unknown key {seal['key']}.")
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(seal["key"])).verify(
            bytes.fromhex(line["signature"]), json.dumps(seal, separators=(",", ":")).encode()
        )
    except InvalidSignature:
        raise ValueError(f"{name} is not what was signed.") from None
    follows = (seal["number"], seal["first"], seal["previous"])
    if before and follows != (before["number"] + 1, before["last"] + 1, before["chain"]):
        raise ValueError(f"{name} does not continue seal {before['number']}.")
    if before and before.get("log", seal.get("log")) != seal.get("log"):
        raise ValueError(f"{name} is of another log than seal {before['number']}.")
    if not before and seal["number"] == 1 and follows != (1, 1, BEFORE_THE_FIRST):
        raise ValueError(f"{name} is not the first one.")
    chain = hashlib.sha256(bytes.fromhex(seal["previous"]))
    for position, leaf in leaves:
        chain.update(position.to_bytes(8, "big", signed=True) + leaf)
    if chain.hexdigest() != seal["chain"]:
        digests = bytes.fromhex(
            line["digests"]
        )  # the first 8 bytes of each leaf, to find the place
        for number, (position, leaf) in enumerate(leaves):
            if digests[8 * number :][:8] != leaf[:8]:
                raise ValueError(f"{name}: from position {position} on, other events were sealed.")
        raise ValueError(
            f"{name}: other events were sealed from {seal['first']} to {seal['last']}."
        )
    if not leaves or (seal["events"], seal["last"]) != (len(leaves), leaves[-1][0]):
        raise ValueError(f"{name} has another number or end of events.")
    listed = line["positions"].encode() + b"\n" + bytes.fromhex(line["digests"])
    if hashlib.sha256(listed).hexdigest() != seal["index"]:
        raise ValueError(f"{name}: its positions or digests are not those that were signed.")
    written = b"".join(leaf[:8] for _, leaf in leaves).hex()
    if (line["positions"], line["digests"]) != (ranges(leaves), written):
        raise ValueError(f"{name}: its positions or digests are not those of its events.")
    return seal


def ranges(leaves: Leaves) -> str:
    """Return the positions as an export writes them."""
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
        sys.exit(f"NOT as it was sealed: {error}")
