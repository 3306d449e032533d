"""The back office: one module a screen. Forms are read-only; every button issues a command."""

from readmodels.admin import statistics
from readmodels.admin.operations import discarded, events, parked, projections
from readmodels.admin.people import clients, customers, sign_ins, staff
from readmodels.admin.review import payments

__all__ = (
    "clients",
    "customers",
    "discarded",
    "events",
    "parked",
    "payments",
    "projections",
    "sign_ins",
    "staff",
    "statistics",
)
