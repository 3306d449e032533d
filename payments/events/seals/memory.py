"""Remember the highest head that this host has seen, in a file outside the database: SEAL_HEAD_FILE.

An attacker who can change the log can delete its seals, and a sealer would seal the forged events.
A sealer that remembers the last seal refuses to do so.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings

from payments.events.seals import heads, seal, table
from payments.events.seals.heads import Head


class HeadContradicted(Exception):
    """The log lacks the remembered seal."""

    def __init__(self, head: Head) -> None:
        super().__init__(
            f"The log does not have seal {head.seal.number}, up to position {head.seal.last}, which"
            f" {settings.SEAL_HEAD_FILE} (SEAL_HEAD_FILE) remembers: its seals were deleted or made again,"
            " or it is another log. Nothing is sealed. See `./manage.py verify_events`. After an intended"
            " restore, move that file away."
        )


def recall(trusted: frozenset[str] | None = None) -> Head | None:
    """Return the remembered head, None if there is none. Without `trusted`, check no signature.

    Raises NotAHead.
    """
    path = _path()
    if path is None or not path.exists():
        return None
    return heads.parse(path) if trusted is None else heads.read(path, trusted)


def check(head: Head) -> None:
    """Raise HeadContradicted unless the log still has the head's seal."""
    stored = table.statement(head.seal.number)
    if stored != seal.encode(head.seal):
        raise HeadContradicted(head)


def remember(head: Head) -> None:
    """Remember the head unless a higher one is remembered. Raises OSError, NotAHead."""
    path = _path()
    if path is None:
        return
    with _alone(path.parent):
        known = recall()
        if known is None or known.seal.number < head.seal.number:
            heads.write(path, head)


def _path() -> Path | None:
    return Path(settings.SEAL_HEAD_FILE) if settings.SEAL_HEAD_FILE else None


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other processes of this host from replacing a higher head with a lower one."""
    lock = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)
