"""Reads with X-Min-Position: wait until the projection has read the client's own write.

A command answers with X-Event-Position. A client sends it back with a read as X-Min-Position. The answer then
includes that event, or a problem says why it cannot. Only a few requests may wait at a time, because each of
them holds a thread.
"""

import threading
import time
from typing import Final
from uuid import UUID

from django.conf import settings
from rest_framework.request import Request

from payments.api.http.authentication import key_of
from payments.api.openapi.schemas import INT64_MAX
from payments.api.problems.problem import Problem
from payments.database import execute
from payments.events.reading import horizon
from readmodels.projections.kinds import Projection

HEADER: Final = "X-Min-Position"
_LONGEST_WAIT: Final = 0.3
_PAUSE: Final = 0.01
_DIGITS: Final = len(str(INT64_MAX))
# Retry-After in seconds: while workers catch up, and while an operator has to repair.
_SOON: Final = 1
_LATER: Final = 60

_CHECKPOINT: Final = """
SELECT position >= %(position)s, error = '' AND version = %(version)s
  FROM readmodels_checkpoint WHERE name = %(projection)s
"""

# An event that was parked after the position does not matter for an answer as of the position.
# Parked events of other clients are not revealed.
_PARKED_AT: Final = """
SELECT FROM readmodels_parkedevent AS parked
  JOIN events_event AS begun ON begun.aggregate_id = parked.aggregate_id AND begun.version = 1
 WHERE parked.projection = %(projection)s AND parked.position = %(position)s
   AND begun.data ->> 'client_id' = %(client)s
"""
_PARKED_OF: Final = """
SELECT FROM readmodels_parkedevent AS parked
  JOIN events_event AS begun ON begun.aggregate_id = parked.aggregate_id AND begun.version = 1
 WHERE parked.projection = %(projection)s AND parked.aggregate_id = %(payment)s
   AND parked.position <= %(position)s AND begun.data ->> 'client_id' = %(client)s
 LIMIT 1
"""

_waiting: Final = threading.BoundedSemaphore(max(1, settings.WEB_THREADS // 4))


def await_position(
    request: Request, projection: Projection, *, payment_id: UUID | None = None
) -> None:
    """Wait until `projection` has read up to the position in X-Min-Position. Without the header, return.

    A read of one payment passes its id. Raises Problem if the answer would miss an event.
    """
    given = request.headers.get(HEADER)
    if given is None:
        return
    position = _position(given)
    _await(projection, position)
    if _is_parked(projection, position, key_of(request).client_id, payment_id):
        raise Problem(
            "projection_parked",
            f"{projection.name} could not apply an event up to {position}, which has to be"
            f" repaired. Omit {HEADER} to read without the event.",
            retry_after=_LATER,
        )


def _position(given: str) -> int:
    """Return the position in the header. Raises Problem."""
    if not (given.isascii() and given.isdigit() and len(given) <= _DIGITS):
        detail = "Send a number, the X-Event-Position of an earlier answer."
        raise Problem.of_field(HEADER, "wrong_format", detail)
    return min(int(given), INT64_MAX)


def _await(projection: Projection, position: int) -> None:
    """Wait until the projection has read up to `position`. Raises Problem if that takes too long."""
    reached, running = _look(projection, position)
    if reached:
        return
    last = horizon.last_position()
    if position > last:
        raise Problem.of_field(HEADER, "out_of_range", f"The log ends at {last}.")
    if not running:
        raise Problem("projection_behind", f"{projection.name} is stalled.", retry_after=_LATER)
    if not _waiting.acquire(blocking=False):
        raise Problem("projection_behind", "Too many reads are waiting.", retry_after=_SOON)
    try:
        deadline = time.monotonic() + _LONGEST_WAIT
        while time.monotonic() < deadline:
            time.sleep(_PAUSE)
            reached, _ = _look(projection, position)
            if reached:
                return
    finally:
        _waiting.release()
    detail = f"{projection.name} has not reached position {position} of the log."
    raise Problem("projection_behind", detail, retry_after=_SOON)


def _look(projection: Projection, position: int) -> tuple[bool, bool]:
    """Return whether the projection has read up to `position`, and whether it is not stalled."""
    parameters = {
        "projection": projection.name,
        "version": projection.version,
        "position": position,
    }
    found = execute(_CHECKPOINT, parameters)
    return found[0] if found else (False, True)  # without a row, no batch has run yet


def _is_parked(
    projection: Projection, position: int, client_id: UUID, payment_id: UUID | None
) -> bool:
    """Return whether an event that the answer needs is parked.

    For one payment, the answer needs its events up to `position`. A list needs the event at
    `position`.
    """
    parameters = {
        "projection": projection.name,
        "position": position,
        "client": str(client_id),
        "payment": payment_id,
    }
    return bool(execute(_PARKED_AT if payment_id is None else _PARKED_OF, parameters))
