"""States of long streams, kept so that a command need not fold them from the start.

A snapshot is a cache: whatever is wrong with it or with keeping it, the log says the same. All of
them may be deleted at any time.
"""

import logging
import threading
from typing import Final
from uuid import UUID

from django.db import Error, connection

from payments.database import cursor

logger = logging.getLogger(__name__)

# A load that replayed more events than this has the next one begin later.
AFTER: Final = 100

# Whoever comes late with an older state leaves the newer one alone.
_KEEP: Final = """
INSERT INTO events_snapshot AS kept (aggregate_id, version, fold, state)
VALUES (%(aggregate_id)s, %(version)s, %(fold)s, %(state)s)
    ON CONFLICT (aggregate_id) DO UPDATE
   SET version = excluded.version, fold = excluded.fold, state = excluded.state
 WHERE kept.version < excluded.version
"""

_one_at_a_time: Final = threading.Semaphore()


def keep_soon(aggregate_id: UUID, version: int, state: str, *, fold: str) -> None:
    """`keep` in a thread and on a connection of its own: nobody waits for it.

    While another one is being kept it is dropped: the next load brings it again.
    """
    if _one_at_a_time.acquire(blocking=False):
        arguments = (aggregate_id, version, state, fold)
        try:
            threading.Thread(target=_keep, args=arguments, name="snapshot", daemon=True).start()
        except RuntimeError:  # there are too many threads
            _one_at_a_time.release()
            raise


def keep(aggregate_id: UUID, version: int, state: str, *, fold: str) -> None:
    """Keep the state unless there is a newer one. The events that made it must be committed."""
    parameters = {"aggregate_id": aggregate_id, "version": version, "state": state, "fold": fold}
    with cursor() as cur:
        cur.execute(_KEEP, parameters)


def _keep(aggregate_id: UUID, version: int, state: str, fold: str) -> None:
    try:
        keep(aggregate_id, version, state, fold=fold)
    except Error as error:
        logger.warning("The snapshot of %s was not kept: %s", aggregate_id, error)
    finally:
        connection.close()
        _one_at_a_time.release()
