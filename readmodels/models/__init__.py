"""The tables of the read side, by what happens if their rows are lost.

- `projections`, `disputes`, `reviews`, `accesses`: rebuilt from the log.
- `engine`: the state of the projections, rewritten by a rebuild.
- `decisions`: decisions of staff, which nothing can rebuild.
- `rebuilds`: rebuilds that staff started, with their reports, which nothing can rebuild.
- `saved_views`: saved views of staff, which nothing can rebuild.
- `alerts`: levels of deadlines that were reported, which nothing can rebuild.
"""

from readmodels.models.accesses import PersonalAccess
from readmodels.models.alerts import ReachedLevel, ReachedLevelCount
from readmodels.models.decisions import DiscardedEvent
from readmodels.models.disputes import DisputeSummary
from readmodels.models.engine import Checkpoint, ParkedEvent
from readmodels.models.projections import (
    CustomerActivity,
    DailyStatistics,
    EventIndex,
    PaymentSummary,
)
from readmodels.models.rebuilds import RebuildRun, RebuildStep
from readmodels.models.reviews import ReviewDay, SecondReview
from readmodels.models.saved_views import SavedView, StartView

__all__ = [
    "Checkpoint",
    "CustomerActivity",
    "DailyStatistics",
    "DiscardedEvent",
    "DisputeSummary",
    "EventIndex",
    "ParkedEvent",
    "PaymentSummary",
    "PersonalAccess",
    "ReachedLevel",
    "ReachedLevelCount",
    "RebuildRun",
    "RebuildStep",
    "ReviewDay",
    "SavedView",
    "SecondReview",
    "StartView",
]
