"""The ports: functions that the write side calls and the read side provides.

The write side must not import the read side. The read side connects its functions when it starts: see
readmodels/queries/ports.py, where mypy checks them against these protocols.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from msgspec import Struct

from payments.domain.risk.conditions import RiskFeatures


class KnownCustomer(Struct, frozen=True):
    """A customer and the register of policies, read by one query.

    `policy_id` is the active policy, None for the built-in one. `register_position` is the position of
    the register's last event, 0 if it has none.
    """

    registered: bool
    features: RiskFeatures
    policy_id: str | None
    register_position: int


class RiskFeatureSource(Protocol):
    """Return the features of the customer at `at`, in one round trip.

    `item_keys` are the list keys that `listable` returns for the payment.
    """

    def __call__(
        self, customer_id: UUID, *, currency: str, item_keys: Sequence[str], at: datetime
    ) -> KnownCustomer: ...


class DueReviews(Protocol):
    """Yield the payments whose review deadline is not after `at`, the earliest deadline first."""

    def __call__(self, *, at: datetime) -> Iterator[UUID]: ...


class ReviewQueue(Protocol):
    """Yield the payments that the reviewer may claim, the most urgent first.

    Each is locked until the transaction ends. `client_id` restricts them to one client.
    """

    def __call__(
        self, *, reviewer: str, senior: bool, client_id: UUID | None, at: datetime
    ) -> Iterator[UUID]: ...


class HeldReviews(Protocol):
    """Return the payments that the reviewer has claimed, and possibly some that were released since."""

    def __call__(
        self, *, reviewer: str, client_id: UUID | None, at: datetime
    ) -> Iterable[UUID]: ...


class FinalDecision(Struct, frozen=True, kw_only=True):
    """A final decision of a reviewer on a payment."""

    payment_id: UUID
    reviewer: str
    at: datetime


class UnreviewedDecisions(Protocol):
    """Yield the final decisions from `since` on for which no second review was requested."""

    def __call__(self, *, since: datetime) -> Iterator[FinalDecision]: ...


class RecentDecisions(Protocol):
    """Return how many decisions the reviewer made in the 90 days up to `at`."""

    def __call__(self, *, reviewer: str, at: datetime) -> int: ...


class Ports(Struct, frozen=True, kw_only=True):
    """An implementation of every port."""

    risk_features: RiskFeatureSource
    due_reviews: DueReviews
    review_queue: ReviewQueue
    held_reviews: HeldReviews
    recent_decisions: RecentDecisions
    unreviewed_decisions: UnreviewedDecisions


# Has no value until the read side has started.
connected: Ports


def connect(ports: Ports) -> None:
    """Use these implementations from now on in this process."""
    global connected  # noqa: PLW0603 - set once, when Django starts
    connected = ports
