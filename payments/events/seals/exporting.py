"""Write the sealed events and their seals as lines of JSON, to be verified without this service.

The first line names the columns of the events. The events of a seal precede the seal. Each is
written as the exact text that is hashed. `verify_export.py` in this folder shows every step of a
verification.
"""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from payments.database import execute
from payments.events.seals import coverage, seal, table
from payments.events.seals.files import replacing
from payments.events.seals.seal import Seal, Statement

_EVENTS: Final = f"""
SELECT '{{"position": ' || position || ', "event": ' || {seal.LEAF_TEXT} || E'}}\\n'
  FROM events_event WHERE position BETWEEN %(first)s AND %(last)s
 ORDER BY position LIMIT %(events)s::int + 1
"""  # noqa: S608 - only constants

_encoder: Final = msgspec.json.Encoder()


class Exported(Struct, frozen=True, kw_only=True):
    """The content of an export. `last` is the statement of its last seal, None if no file was written."""

    seals: int
    events: int
    last: Statement | None


def export(
    path: Path,
    *,
    after: int = 0,
    force: bool = False,
    progress: Callable[[int], None] = lambda _: None,
) -> Exported:
    """Write the seals with a number > `after`, and their events.

    `progress` gets the last position done. Unless `force` is set, an existing export is replaced
    only if the new file contains all of it. If there is no seal, no file is written. Nothing is
    verified: a log that was tampered with is exported unchanged. Raises OSError, KeptExport, and
    msgspec.DecodeError if a seal cannot be read.
    """
    coverage.check_is_file(path)
    old = None if force else coverage.read(path)
    found = table.read(after=after)
    begun = next(found, None)
    if begun is None:
        return Exported(seals=0, events=0, last=None)
    first = last = seal.decode(begun.statement)
    seals = events = 0
    chain = None
    with replacing(path) as file:
        file.write(_encoder.encode({"format": coverage.FORMAT, "columns": seal.COLUMNS}) + b"\n")
        for stored in itertools.chain([begun], found):
            last = seal.decode(stored.statement)
            for line in _events(last):
                file.write(line)
                events += 1
            file.write(_line(stored))
            seals += 1
            progress(last.last)
            if old is not None and last.number == old.last.number:
                chain = last.chain
        if old is not None:
            coverage.check_replaces(path, old, first.number, last.number, chain)
    return Exported(seals=seals, events=events, last=last)


def _events(statement: Statement) -> Iterator[bytes]:
    # Read at most one event more than was sealed. The extra event makes the verifier refuse the
    # export.
    parameters = {name: getattr(statement, name) for name in ("first", "last", "events")}
    for (line,) in execute(_EVENTS, parameters):
        yield line.encode()


def _line(stored: Seal) -> bytes:
    rest = {
        "positions": stored.positions,
        "digests": stored.digests.hex(),
        "signature": stored.signature.hex(),
    }
    # Write the text that was signed. Encoding the statement again could change it.
    return b'{"seal":' + stored.statement.encode() + b"," + _encoder.encode(rest)[1:] + b"\n"
