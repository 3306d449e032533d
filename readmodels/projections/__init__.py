"""The projections: each a name, a version and one pure function; the runner does everything else.

Rows fold the events of one aggregate into one row, counters turn each event into amounts to add,
entries select what the log stores. The same function serves catching up, rebuilding and checking.
"""

from collections.abc import Mapping
from typing import Final

from readmodels.projections import (
    customer_activity,
    daily_statistics,
    event_index,
    payment_summary,
)
from readmodels.projections.kinds import Projection

PROJECTIONS: Final[Mapping[str, Projection]] = {
    projection.name: projection
    for projection in (
        payment_summary.PROJECTION,
        daily_statistics.PROJECTION,
        customer_activity.PROJECTION,
        event_index.PROJECTION,
    )
}
