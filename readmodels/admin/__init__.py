"""The back office. This module imports the admin of every model. `urls` has the other screens.

No page edits rows directly. Every change is a command that a button sends.
"""

from readmodels.admin import statistics
from readmodels.admin.account import records, resets
from readmodels.admin.backtests import lists as backtests, shadow_list as shadows
from readmodels.admin.disputes import lists as disputes
from readmodels.admin.operations import (
    accesses,
    discarded,
    events,
    exports,
    parked,
    projections,
    rebuilds,
)
from readmodels.admin.people import clients, customers, sign_ins, staff
from readmodels.admin.review import payments
from readmodels.admin.second_reviews import lists as second_reviews
from readmodels.admin.webhooks import attempts, endpoints, held

__all__ = (
    "accesses",
    "attempts",
    "backtests",
    "clients",
    "customers",
    "discarded",
    "disputes",
    "endpoints",
    "events",
    "exports",
    "held",
    "parked",
    "payments",
    "projections",
    "rebuilds",
    "records",
    "resets",
    "second_reviews",
    "shadows",
    "sign_ins",
    "staff",
    "statistics",
)
