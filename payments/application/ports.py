"""What the risk rules need to know of a customer, from whoever the settings say knows it."""

from datetime import datetime
from functools import cache
from typing import Protocol, cast
from uuid import UUID

from django.conf import settings
from django.utils.module_loading import import_string
from msgspec import Struct

from payments.domain.risk.conditions import RiskFeatures


class KnownCustomer(Struct, frozen=True):
    """One query's answer: whether the customer is registered, the features, the active policy.

    None is the built-in policy. The position is that of the register's last event, 0 if it has none.
    """

    registered: bool
    features: RiskFeatures
    policy_id: str | None
    register_position: int


class FeatureSource(Protocol):
    def __call__(self, customer_id: UUID, *, currency: str, at: datetime) -> KnownCustomer: ...


@cache
def source() -> FeatureSource:
    """The function that `settings.RISK_FEATURE_SOURCE` names."""
    return cast("FeatureSource", import_string(settings.RISK_FEATURE_SOURCE))
