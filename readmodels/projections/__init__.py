"""The projections: each a name, a version and one pure function; the runner does everything else.

`ROWS` projections fold the events of one aggregate into one row; `COUNTERS` projections turn each
event into amounts to add. Both functions serve catching up and rebuilding alike.
"""

from collections.abc import Mapping
from typing import Final

from readmodels.projections import daily_statistics, payment_summary
from readmodels.projections.forms import Projection

PROJECTIONS: Final[Mapping[str, Projection]] = {
    projection.name: projection
    for projection in (payment_summary.PROJECTION, daily_statistics.PROJECTION)
}
