"""Generate realistic disputes of simulated payments: who disputes, when, why, and how it ends."""

import random
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from msgspec import Struct

from payments.domain.money import Money
from payments.domain.payment.codes import DisputeKind, DisputeOutcome, DisputeReason
from payments.domain.payment.commands import AnyNotice, CloseDispute, OpenDispute, UpdateDispute
from payments.traffic.simulation import UNITS_OF_A_DOLLAR, Attempt

DAY: Final = timedelta(days=1)

# Card payments of at least this many dollars look like fraud. They are 7.5 % of the simulated
# payments, and are disputed six times as often as the average payment. Other payments are disputed
# accordingly less often.
_LARGE: Final = 200
_FRAUD_LIKE: Final = 6.0
_OTHERS: Final = 0.6
# The delay from a payment to its dispute is log-normal with this median in days, plus one day.
_TYPICAL_DELAY: Final = 12
_SPREAD: Final = 0.8
_LONGEST_DELAY: Final = 85
_DAYS_TO_RESPOND: Final = 14

_FRAUD_REASONS: Final = {DisputeReason.FRAUDULENT: 80, DisputeReason.UNRECOGNIZED: 10}
_OTHER_REASONS: Final = {
    DisputeReason.PRODUCT_NOT_RECEIVED: 40,
    DisputeReason.UNRECOGNIZED: 15,
    DisputeReason.CREDIT_NOT_PROCESSED: 15,
    DisputeReason.DUPLICATE: 12,
    DisputeReason.SUBSCRIPTION_CANCELED: 10,
    DisputeReason.GENERAL: 8,
}
_FRAUD_OUTCOMES: Final = {
    DisputeOutcome.LOST: 65,
    DisputeOutcome.ACCEPTED: 20,
    DisputeOutcome.WON: 12,
    DisputeOutcome.WITHDRAWN: 3,
}
_OTHER_OUTCOMES: Final = {
    DisputeOutcome.WON: 45,
    DisputeOutcome.LOST: 25,
    DisputeOutcome.ACCEPTED: 15,
    DisputeOutcome.WITHDRAWN: 15,
}


class Paid(Struct, frozen=True):
    """A payment that can be disputed."""

    payment_id: UUID
    client_id: UUID
    attempt: Attempt
    at: datetime


def is_fraud_like(attempt: Attempt) -> bool:
    large = _LARGE * UNITS_OF_A_DOLLAR[attempt.amount.currency]
    return attempt.card is not None and attempt.amount.minor >= large


def notices(paid: Paid, share: float, *, day: timedelta = DAY) -> list[AnyNotice]:
    """Return the notices of the payment's dispute in order of time, none for most payments.

    The `share` (0 to 1) of all payments is disputed. The notices depend only on the attempt's key.
    `day` is the duration of each day before a notice, to shorten the weeks in a live simulation.
    """
    rng = random.Random(f"dispute {paid.attempt.key}")  # noqa: S311 - not a secret
    fraud_like = is_fraud_like(paid.attempt)
    if rng.random() >= share * (_FRAUD_LIKE if fraud_like else _OTHERS):
        return []
    fraud = fraud_like and rng.random() < 0.8  # noqa: PLR2004
    reason = _chosen(rng, _FRAUD_REASONS if fraud else _OTHER_REASONS)
    outcome = _chosen(rng, _FRAUD_OUTCOMES if fraud else _OTHER_OUTCOMES)
    delay = min(rng.lognormvariate(0, _SPREAD) * _TYPICAL_DELAY + 1, _LONGEST_DELAY)
    opened_at = paid.at + delay * day
    amount = paid.attempt.amount
    if not fraud and rng.random() < 0.2:  # noqa: PLR2004
        amount = Money(max(1, round(amount.minor * rng.uniform(0.2, 0.8))), amount.currency)
    inquiry = rng.random() < 0.15  # noqa: PLR2004
    card = paid.attempt.card
    stated: dict[str, Any] = {
        "reason": reason,
        "amount": amount,
        "network": None if card is None else card.brand.value,
    }
    found: list[AnyNotice] = [
        OpenDispute(
            kind=DisputeKind.INQUIRY if inquiry else DisputeKind.CHARGEBACK,
            opened_at=opened_at,
            respond_by=opened_at + _DAYS_TO_RESPOND * DAY,
            **stated,
            **_of(paid, opened_at),
        )
    ]
    at = opened_at
    if inquiry:
        at += rng.uniform(3, 9) * day
        found.append(
            UpdateDispute(
                kind=DisputeKind.CHARGEBACK,
                updated_at=at,
                respond_by=at + _DAYS_TO_RESPOND * DAY,
                **stated,
                **_of(paid, at),
            )
        )
    at += rng.uniform(8, 40) * day
    lost = outcome in {DisputeOutcome.LOST, DisputeOutcome.ACCEPTED}
    found.append(
        CloseDispute(
            outcome=outcome,
            lost_amount=amount if lost else Money(0, amount.currency),
            closed_at=at,
            **_of(paid, at),
        )
    )
    return found


def _of(paid: Paid, at: datetime) -> dict[str, Any]:
    return {
        "payment_id": paid.payment_id,
        "client_id": paid.client_id,
        "dispute_id": f"dispute-{paid.attempt.key}",
        "at": at,
    }


def _chosen(rng: random.Random, weights: dict[Any, int]) -> Any:
    return rng.choices(list(weights), list(weights.values()))[0]
