"""Snapshots: stored states of long streams, so that a command need not fold all events.

Snapshots are a cache. A damaged or missing snapshot does no harm, and all of them may be deleted at
any time.
"""

import logging
import threading
from typing import Final
from uuid import UUID

import msgspec
from django.db import Error, connection

from payments.database import cursor
from payments.events.aggregates import Aggregate, E, S

logger = logging.getLogger(__name__)

# A command that loads more events than this keeps a snapshot.
AFTER: Final = 100

# A newer snapshot is not replaced by an older one.
_KEEP: Final = """
INSERT INTO events_snapshot AS kept (aggregate_id, version, fold, state)
VALUES (%(aggregate_id)s, %(version)s, %(fold)s, %(state)s)
    ON CONFLICT (aggregate_id) DO UPDATE
   SET version = excluded.version, fold = excluded.fold, state = excluded.state
 WHERE kept.version < excluded.version
"""

_one_at_a_time: Final = threading.Semaphore()


def keep_soon(aggregate: Aggregate[S, E], aggregate_id: UUID, version: int, state: S) -> None:
    """Keep the state in another thread, on its own connection, so that the caller does not wait.

    If another snapshot is being stored, this one is dropped. The next command on the stream offers
    a newer one.
    """
    if _one_at_a_time.acquire(blocking=False):
        arguments = (aggregate, aggregate_id, version, state)
        try:
            threading.Thread(target=_keep, args=arguments, name="snapshot", daemon=True).start()
        except RuntimeError:  # there are too many threads
            _one_at_a_time.release()
            raise


def keep(aggregate: Aggregate[S, E], aggregate_id: UUID, version: int, state: S) -> None:
    """Keep the state unless a newer one is kept. The events of the state must be committed."""
    parameters = {
        "aggregate_id": aggregate_id,
        "version": version,
        "fold": aggregate.fold_id,
        "state": msgspec.json.encode(state).decode(),
    }
    with cursor() as cur:
        cur.execute(_KEEP, parameters)


def _keep(aggregate: Aggregate[S, E], aggregate_id: UUID, version: int, state: S) -> None:
    try:
        keep(aggregate, aggregate_id, version, state)
    except Error as error:
        logger.warning("The snapshot of %s was not kept: %s", aggregate_id, error)
    finally:
        connection.close()
        _one_at_a_time.release()
