"""Proposed policies, and shadows that observe them."""

from collections.abc import Mapping
from datetime import date
from typing import Final

from django.utils import timezone
from msgspec.structs import replace

from payments.domain.backtest.tally import Tally
from payments.domain.risk.policy import RiskPolicy
from readmodels.backtests import observing, shadows
from readmodels.backtests.models import Shadow
from tests.support import policies
from tests.support.backtests import STRICT
from tests.support.examples import OPERATOR

# Five policies that differ only in how long a review takes.
POLICIES: Final = tuple(
    RiskPolicy.of(replace(STRICT.document, review_hours=hours)) for hours in range(1, 6)
)


def started(policy: RiskPolicy = STRICT, *, by: str | None = None, name: str = "") -> Shadow:
    """Propose a policy, and start a shadow that observes it from now on."""
    author = by or policies.staff(f"author of {policy.policy_id[:8]}")
    policies.propose(policy, author, name=name)
    return shadows.start(policy.policy_id, by=OPERATOR, at=timezone.now())


def observed(shadow: Shadow) -> Shadow:
    """Take steps until the shadow has no more to read."""
    shadow.refresh_from_db()
    while observing.step(shadow, at=timezone.now()):
        shadow.refresh_from_db()
    shadow.refresh_from_db()
    return shadow


def days_of(shadow: Shadow) -> Mapping[date, Tally]:
    return shadows.with_days(shadow)[1]


def counted(shadow: Shadow) -> dict[str, int]:
    """Return the number of counted payments by day."""
    return {day.isoformat(): tally.recorded for day, tally in days_of(shadow).items()}


def is_repeatable(shadow: Shadow) -> bool:
    """Return whether counting the shadow's days again gives the same digest."""
    again = observing.recomputed(shadow)
    digest = shadows.digest_of(shadow, days_of(shadow))
    return shadows.digest_of(shadow, again) == digest
