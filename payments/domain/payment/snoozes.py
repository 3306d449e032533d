"""A snooze: a payment under review waits for a while, for example for the customer's answer."""

from datetime import datetime

from msgspec import Struct

from payments.domain.payment.codes import SnoozeReason


class Snooze(Struct, frozen=True, kw_only=True):
    """`reviewer` waits until `until`. Afterwards the payment is offered to them first."""

    reviewer: str
    until: datetime
    reason: SnoozeReason


def running(snooze: Snooze | None, at: datetime) -> Snooze | None:
    """Return the snooze unless it has ended at that time."""
    return snooze if snooze is not None and at < snooze.until else None
