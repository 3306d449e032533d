"""The live API keys in memory, so that recognising one costs no round trip.

A process reads all of them again when what it knows is older than two seconds, in the request that
finds it out, so a revoked key dies everywhere within three. It looks up an unknown key by itself, at most a
hundred times a second. The time of a key's last use is noted in memory; a thread writes the new times in
bulk, and so does the end of the process. While the database is away the old knowledge is good for half a
minute: nobody can pay without the database, but errors should say what is wrong.
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
# A guess costs one look at an index; guesses beyond this number cost nothing.
_LOOKUPS_PER_SECOND: Final = 100

# Expired keys are sorted out by their time. The keys of people who left, or are no longer staff, are dead.
_LIVE: Final = """
SELECT key.digest, key.id, key.client_id, key.scopes, key.expires_at, key.staff_id
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
    client_id: UUID
    client_actor: str
    scopes: frozenset[str]
    expires_at: datetime | None
    staff_id: int | None


def digest(key: str) -> bytes:
    """Return what is stored of a key. SHA-256 is enough: a random key cannot be guessed from a dictionary."""
    return sha256(key.encode()).digest()


class Keyring:
    """What one process knows of the keys, shared by its threads."""

    def __init__(self) -> None:
        self._keys: Mapping[bytes, LiveKey] = {}
        self._read_at = float("-inf")
        self._lookups_since = float("-inf")
        self._lookups = 0
        self._uses: dict[UUID, datetime] = {}
        self._written: dict[UUID, datetime] = {}
        self._writing = threading.Lock()
        self._writer_of: int | None = None  # the process; threads do not survive a fork
        self._ended = threading.Event()
        self._refreshing = threading.Lock()

    def find(self, text: str, *, at: datetime) -> LiveKey | None:
        """Return the live key that reads `text`.

        Raises Django's DatabaseError or InterfaceError when the keys are too old and cannot be read.
        """
        self._refresh(max_age=_FRESH_SECONDS)
        sought = digest(text)
        key = self._keys.get(sought)
        if key is None and self._may_look_up():
            # Another thread may be reading all keys, from before this one was made.
            key = next(iter(_read(_ONE, {"digest": sought}).values()), None)
        if key is None or (key.expires_at is not None and key.expires_at <= at):
            return None
        self._uses[key.key_id] = at
        return key

    def forget(self) -> None:
        """Read the keys again at the next request."""
        self._read_at = float("-inf")

    def write_uses(self) -> None:
        """Write the uses that are not written yet. What fails is tried again the next time."""
        with self._writing:
            # Copied in one step: threads of requests go on noting.
            noted = self._uses.copy()
            uses = [(key, at) for key, at in noted.items() if self._written.get(key) != at]
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
                # It is needed so seldom that a new one each time is cheaper than one that lies idle.
                connection.close()

    def end(self) -> None:
        """Write what is left, and have the thread end."""
        self._ended.set()
        self.write_uses()

    def _may_look_up(self) -> bool:
        """Count a lookup. New keys work at once, and guesses cannot cause a read each."""
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
        # One thread reads; the others go on with what is known, if it is not too old.
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
            # While the old ones do, the request itself will meet the database and tell.
            if not usable:
                raise
        finally:
            self._refreshing.release()

    def _start_writer(self) -> None:
        """Start the thread that writes uses, unless this process has it. `_refreshing` must be held."""
        seconds: float = settings.API_KEY_USES_SECONDS
        if not seconds or self._writer_of == os.getpid():
            return
        self._writer_of = os.getpid()
        threading.Thread(target=self._run, args=(seconds,), name="key uses", daemon=True).start()
        # As atexit, and also in processes that multiprocessing has forked, which know no atexit.
        Finalize(None, self.end, exitpriority=0)

    def _run(self, seconds: float) -> None:
        while not self._ended.wait(seconds):
            try:
                self.write_uses()
            except Exception:
                # Whatever it is, the thread must live on: no other writes them.
                logger.exception("The last uses of keys were not written.")


def _read(statement: str, parameters: Mapping[str, object] | None = None) -> dict[bytes, LiveKey]:
    return {
        bytes(row[0]): LiveKey(
            row[1], row[2], actors.client(row[2]), frozenset(row[3]), row[4], row[5]
        )
        for row in execute(statement, parameters or {})
    }


keyring: Final = Keyring()
