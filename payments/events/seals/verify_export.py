"""Verifies an export of the event log; needs nothing but Python and the package `cryptography`.

    python verify_export.py EXPORT PUBLIC_KEY [PUBLIC_KEY...]

The first line names the columns. A line with "event" holds an event: its leaf is the SHA-256 of the
bytes of that array. A line with "seal" comes after the events that it covers, and this must hold:

- its key is one of those given, and its signature is that key's (Ed25519) of "seal" as compact JSON
- its chain is the SHA-256 of the chain before it ("previous"), followed by the position (8 bytes,
  big-endian) and the leaf of each event
- its number and "previous" continue the seal before it

Exit status: 0 everything is as it was sealed, 1 it is not.
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

Leaves = list[tuple[int, bytes]]


def verify(lines: Iterable[bytes], keys: list[str]) -> str:
    """Return what was verified. Raises ValueError at the first thing that is wrong."""
    events = 0
    leaves: Leaves = []
    seal: dict[str, Any] | None = None
    began = None
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
        elif line != HEADER:  # nothing that other readers might take for an event
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
    seal: dict[str, Any] = line["seal"]
    name = f"Seal {seal['number']}"
    if seal["key"] not in keys:
        raise ValueError(f"{name} is signed with the unknown key {seal['key']}.")
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(seal["key"])).verify(
            bytes.fromhex(line["signature"]), json.dumps(seal, separators=(",", ":")).encode()
        )
    except InvalidSignature:
        raise ValueError(f"{name} is not what was signed.") from None
    if before and (before["number"] + 1, before["chain"]) != (seal["number"], seal["previous"]):
        raise ValueError(f"{name} does not continue seal {before['number']}.")
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
    return seal


if __name__ == "__main__":
    if len(sys.argv) < 3:  # noqa: PLR2004
        sys.exit(__doc__)
    try:
        with Path(sys.argv[1]).open("rb") as export:
            print(verify(export, [key.lower() for key in sys.argv[2:]]))
    except OSError as error:
        sys.exit(f"{sys.argv[1]} cannot be read: {error.strerror}.")
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        sys.exit(f"NOT as it was sealed: {error}")
