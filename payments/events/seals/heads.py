"""Heads: the statement and signature of the last seal, in a small file to be kept elsewhere.

An attacker who can change the log can also truncate it, with its seals. Only a head that is out of
the attacker's reach proves that the log was longer.
"""

from pathlib import Path

import msgspec
from msgspec import Struct

from payments.events.seals import keys, seal
from payments.events.seals.files import replacing
from payments.events.seals.seal import Statement


class Head(Struct, frozen=True, forbid_unknown_fields=True):
    """The statement of a seal and its signature in hex."""

    seal: Statement
    signature: str


class NotAHead(Exception):
    """The file is not a trustworthy head."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path} is not the head of a log: {why}")


def write(path: Path, head: Head) -> None:
    """Write the head. Raises OSError."""
    with replacing(path) as file:
        file.write(msgspec.json.format(msgspec.json.encode(head)) + b"\n")


def of(statement: Statement, signature: bytes) -> Head:
    """Return the head of a seal."""
    return Head(statement, signature.hex())


def parse(path: Path) -> Head:
    """Read a head without checking its signature. Raises NotAHead."""
    try:
        head = msgspec.json.decode(path.read_bytes(), type=Head)
        bytes.fromhex(head.signature)
    except OSError as error:
        raise NotAHead(path, f"{error.strerror}.") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise NotAHead(path, str(error)) from error
    except ValueError as error:
        raise NotAHead(path, "its signature is not hexadecimal.") from error
    return head


def read(path: Path, trusted: frozenset[str]) -> Head:
    """Read a head that one of the trusted keys signed. Raises NotAHead."""
    head = parse(path)
    signature = bytes.fromhex(head.signature)
    if head.seal.key not in trusted:
        raise NotAHead(path, f"it is signed with key {head.seal.key}, which is not trusted.")
    if not keys.is_signed(seal.encode(head.seal).encode(), signature, head.seal.key):
        raise NotAHead(path, "its signature is not that of its key.")
    return head
