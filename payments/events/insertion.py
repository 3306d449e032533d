"""Execute the statement of an append: retry after a deadlock, and recognize a contradicted log."""

import random
import time
from contextlib import nullcontext
from typing import Final

from django.db import DatabaseError, IntegrityError, OperationalError, connection, transaction
from psycopg import errors

from payments.database import execute
from payments.events import contradictions
from payments.events.models import POSITION_CONSTRAINT

# Nothing was stored, and a retry ends the conflict. Serialization failures occur only through a pooler, where
# the database's own default may apply.
_RIVALRY: Final = (errors.DeadlockDetected, errors.SerializationFailure)
_ATTEMPTS: Final = 5
# In seconds. Without a pause, the two rivals could deadlock again.
_PAUSE_STEP: Final = 0.05


def insert(statement: str, parameters: dict[str, object]) -> list[int]:
    """Return the positions of the events. Raises IntegrityError, LogContradicted.

    Inside a transaction a savepoint keeps the transaction usable when the statement fails.
    """
    attempt = 1
    while True:
        try:
            with transaction.atomic() if connection.in_atomic_block else nullcontext():
                return [position for (position,) in execute(statement, parameters)]
        except OperationalError as error:
            rivalry = isinstance(error.__cause__, _RIVALRY)
            if not rivalry or connection.in_atomic_block or attempt == _ATTEMPTS:
                raise
            time.sleep(random.uniform(0, _PAUSE_STEP * attempt))  # noqa: S311 - no secret
            attempt += 1
        except IntegrityError as error:
            if violated(error) == POSITION_CONSTRAINT:
                raise contradictions.of_taken_position() from error
            raise
        except DatabaseError as error:
            if (refused := contradictions.refused_append(error)) is not None:
                raise refused from error
            raise


def violated(error: IntegrityError) -> str | None:
    """Return the name of the unique constraint that was violated.

    Only the named constraints mean a conflict. Retrying on any other violation would never end.
    """
    cause = error.__cause__
    return cause.diag.constraint_name if isinstance(cause, errors.UniqueViolation) else None
