"""Keep the live API keys in memory, so that authentication needs no round trip.

A request reads all keys again if the copy is older than two seconds, so a revoked key is refused
within three. An unknown key is looked up individually, at most a hundred times a second. A thread
writes the last-use times in bulk, and a process that ends writes the rest. While the database is
unreachable, the copy is used for 30 seconds. No payment is possible then, but requests get the
database error instead of a 401.
"""

import logging
import os
import threading
import time
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from multiprocessing.util import Finalize
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection
from msgspec import Struct

from payments import actors
from payments.database import cursor, execute

logger: Final = logging.getLogger(__name__)

_FRESH_SECONDS: Final = 2.0
_USABLE_SECONDS: Final = 30.0
# A guessed key costs one index lookup; guesses beyond this rate cost nothing.
_LOOKUPS_PER_SECOND: Final = 100

# `find` checks expiry. A key is not live if its staff member is inactive or no longer staff.
_LIVE: Final = """
SELECT key.digest, key.id, key.prefix, key.client_id, key.scopes, key.expires_at, key.staff_id
  FROM clients_apikey AS key LEFT JOIN auth_user AS staff ON staff.id = key.staff_id
 WHERE key.revoked_at IS NULL AND (key.staff_id IS NULL OR staff.is_active AND staff.is_staff)
"""
_ONE: Final = f"{_LIVE} AND key.digest = %(digest)s"
_USED: Final = """
UPDATE clients_apikey AS key SET last_used_at = greatest(key.last_used_at, used.at)
  FROM unnest(%s::uuid[], %s::timestamptz[]) AS used (id, at) WHERE key.id = used.id
"""


class LiveKey(Struct, frozen=True):
    """A key that is neither revoked nor expired. `client_actor` is the actor id of its client."""

    key_id: UUID
    prefix: str
    client_id: UUID
    client_actor: str
    scopes: frozenset[str]
    expires_at: datetime | None
    staff_id: int | None


def digest(key: str) -> bytes:
    """Return the digest to store for a key. SHA-256 is enough, because the keys are random."""
    return sha256(key.encode()).digest()


class Keyring:
    """The keys in the memory of one process, shared by its threads."""

    def __init__(self) -> None:
        self._keys: Mapping[bytes, LiveKey] = {}
        self._read_at = float("-inf")
        self._lookups_since = float("-inf")
        self._lookups = 0
        self._uses: dict[UUID, datetime] = {}
        self._written: dict[UUID, datetime] = {}
        self._writing = threading.Lock()
        self._writer_of: int | None = None  # the process id; threads do not survive a fork
        self._ended = threading.Event()
        self._refreshing = threading.Lock()

    def find(self, text: str, *, at: datetime) -> LiveKey | None:
        """Return the live key whose text is `text`, if there is one.

        Raises Django's DatabaseError or InterfaceError if the copy is too old and cannot be read again.
        """
        self._refresh(max_age=_FRESH_SECONDS)
        sought = digest(text)
        key = self._keys.get(sought)
        if key is None and self._may_look_up():
            # The key may have been created after the copy was read.
            key = next(iter(_read(_ONE, {"digest": sought}).values()), None)
        if key is None or (key.expires_at is not None and key.expires_at <= at):
            return None
        self._uses[key.key_id] = at
        return key

    def forget(self) -> None:
        """Make the next request read the keys again."""
        self._read_at = float("-inf")

    def write_uses(self) -> None:
        """Write the last-use times not written yet. A failed write is repeated next time."""
        with self._writing:
            # Copy atomically, because request threads keep adding uses.
            recorded = self._uses.copy()
            uses = [(key, at) for key, at in recorded.items() if self._written.get(key) != at]
            if not uses:
                return
            try:
                with cursor() as cur:
                    cur.execute(_USED, ([key for key, _ in uses], [at for _, at in uses]))
            except (DatabaseError, InterfaceError) as error:
                logger.warning("The last uses of %d keys were not written: %s", len(uses), error)
            else:
                self._written.update(uses)
            finally:
                # Opening a connection every 30 seconds is cheaper than keeping an idle one.
                connection.close()

    def end(self) -> None:
        """Stop the thread and write the remaining last-use times."""
        self._ended.set()
        self.write_uses()

    def _may_look_up(self) -> bool:
        """Count a lookup, and return whether the rate limit allows it."""
        now = time.monotonic()
        if now - self._lookups_since >= 1:
            self._lookups_since, self._lookups = now, 0
        self._lookups += 1
        return self._lookups <= _LOOKUPS_PER_SECOND

    def _refresh(self, *, max_age: float) -> None:
        age = time.monotonic() - self._read_at
        if age <= max_age:
            return
        usable = age < _USABLE_SECONDS
        # One thread reads. The others use the copy while it is usable.
        if not self._refreshing.acquire(blocking=not usable):
            return
        try:
            if time.monotonic() - self._read_at <= max_age:
                return
            began = time.monotonic()
            self._keys = _read(_LIVE)
            self._read_at = began
            self._start_writer()
        except (DatabaseError, InterfaceError):
            # With a usable copy, the request continues and meets the database error itself.
            if not usable:
                raise
        finally:
            self._refreshing.release()

    def _start_writer(self) -> None:
        """Start this process's writing thread, if it has none. The caller must hold `_refreshing`."""
        seconds: float = settings.API_KEY_USES_SECONDS
        if not seconds or self._writer_of == os.getpid():
            return
        self._writer_of = os.getpid()
        threading.Thread(target=self._run, args=(seconds,), name="key uses", daemon=True).start()
        # Unlike atexit, this also runs in processes that multiprocessing has forked.
        Finalize(None, self.end, exitpriority=0)

    def _run(self, seconds: float) -> None:
        while not self._ended.wait(seconds):
            try:
                self.write_uses()
            except Exception:
                # The thread must survive any error, since no other thread writes.
                logger.exception("The last uses of keys were not written.")


def _read(statement: str, parameters: Mapping[str, object] | None = None) -> dict[bytes, LiveKey]:
    return {
        bytes(digest_): LiveKey(
            key_id,
            prefix,
            client_id,
            actors.client(client_id),
            frozenset(scopes),
            expires_at,
            staff_id,
        )
        for digest_, key_id, prefix, client_id, scopes, expires_at, staff_id in execute(
            statement, parameters or {}
        )
    }


keyring: Final = Keyring()
