"""Measure how far each projection is behind the log, in events and in seconds."""

from typing import Final, Literal

from django.db import transaction
from msgspec import Struct

from payments.database import execute
from readmodels.projections import PROJECTIONS

# Counting stops at this number. Above it, the exact number does not matter.
COUNTED_TO: Final = 100_000

# Counts rows, because rolled-back appends leave gaps between positions.
_LAG: Final = """
SELECT checkpoint.version, checkpoint.position, checkpoint.error,
       (SELECT count(*) FROM (SELECT FROM events_event WHERE position > covered.position
                               ORDER BY position LIMIT %(counted_to)s) AS missing),
       coalesce((SELECT extract(epoch FROM clock_timestamp() - recorded_at)::float8
                   FROM events_event WHERE position > covered.position ORDER BY position LIMIT 1),
                   0),
       (SELECT count(*) FROM (SELECT FROM readmodels_parkedevent
                               WHERE projection = %(name)s LIMIT %(counted_to)s) AS parked),
       covered.position > (SELECT last_value - (NOT is_called)::int FROM events_event_position_seq)
       OR covered.position > 0
          AND NOT EXISTS (SELECT FROM events_event WHERE position = covered.position)
  FROM (SELECT %(name)s::text AS name) AS asked
  LEFT JOIN readmodels_checkpoint AS checkpoint USING (name)
 CROSS JOIN LATERAL (SELECT coalesce(checkpoint.position, 0) AS position) AS covered
"""


State = Literal["current", "behind", "parked", "stopped", "needs_rebuild", "ahead_of_log"]


class Lag(Struct, frozen=True, kw_only=True):
    """A projection's state. `table_version` is None before its first batch."""

    name: str
    code_version: int
    table_version: int | None
    position: int
    events: int  # counted up to COUNTED_TO
    seconds: float  # age of the oldest missing event
    error: str  # why it is stalled; empty if it is not
    parked: int = 0  # counted up to COUNTED_TO
    ahead_of_log: bool = False  # it has read events that the log or its sequence no longer has

    @property
    def needs_rebuild(self) -> bool:
        return self.table_version not in {None, self.code_version}

    @property
    def state(self) -> State:
        """Return the state as one word, without the text of the error.

        "parked" means that the projection has read the whole log, but could not apply all events. A
        projection that is "behind" may have parked events too.
        """
        if self.ahead_of_log:
            return "ahead_of_log"
        if self.needs_rebuild:
            return "needs_rebuild"
        if self.error:
            return "stopped"
        if self.events:
            return "behind"
        return "parked" if self.parked else "current"


def measure() -> list[Lag]:
    """Return the lag of every projection, one query each."""
    with transaction.atomic():
        lags = []
        for projection in PROJECTIONS.values():
            parameters = {"name": projection.name, "counted_to": COUNTED_TO}
            # The query always returns one row, because the left side of its join has exactly one.
            ((version, position, error, *counts, ahead),) = execute(_LAG, parameters)
            events, seconds, parked = counts
            lags.append(
                Lag(
                    name=projection.name,
                    code_version=projection.version,
                    table_version=version,
                    position=position or 0,
                    events=events,
                    seconds=max(seconds, 0.0),
                    error=error or "",
                    parked=parked,
                    ahead_of_log=ahead,
                )
            )
    return lags
