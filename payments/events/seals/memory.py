"""The last head that this host has seen, in a file outside the database: SEAL_HEAD_FILE.

An attacker who can change the log can delete its seals, so that a sealer seals the forged events anew. A
sealer that remembers the last seal refuses to. Each host remembers the highest head that it has seen.
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
    """The log does not have the seal that is remembered."""

    def __init__(self, head: Head) -> None:
        super().__init__(
            f"The log does not have seal {head.seal.number}, up to position {head.seal.last}, which"
            f" {settings.SEAL_HEAD_FILE} (SEAL_HEAD_FILE) remembers: its seals were cut off or made anew,"
            " or it is another log. Nothing is sealed. See `./manage.py verify_events`. After a restore that"
            " was meant, move that file away."
        )


def recall(trusted: frozenset[str] | None = None) -> Head | None:
    """Return the remembered head, None without one. Without `trusted` no signature is checked.

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
    """Keep the head, unless a higher one is kept already. Raises OSError, NotAHead."""
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
    """Keep the other processes of this host from writing a lower head over a higher one."""
    lock = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)
