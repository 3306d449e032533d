"""The back office: one module a screen. Forms are read-only; every button issues a command."""

from readmodels.admin import (
    clients,
    customers,
    discarded,
    events,
    parked,
    payments,
    projections,
    sign_ins,
    staff,
    statistics,
)

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
