"""The projections. Each is a name, a version and one pure function, see `kinds`.

Catching up, rebuilding and checking call the same function.
"""

from collections.abc import Mapping
from typing import Final

from readmodels.projections import (
    customer_activity,
    daily_statistics,
    dispute_summary,
    event_index,
    payment_summary,
    personal_access,
    review_day,
    second_review,
)
from readmodels.projections.kinds import Projection

PROJECTIONS: Final[Mapping[str, Projection]] = {
    projection.name: projection
    for projection in (
        payment_summary.PROJECTION,
        daily_statistics.PROJECTION,
        dispute_summary.PROJECTION,
        customer_activity.PROJECTION,
        event_index.PROJECTION,
        review_day.PROJECTION,
        second_review.PROJECTION,
        personal_access.PROJECTION,
    )
}
