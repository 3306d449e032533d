"""One payment as a backtest sees it: its state at the end of the range, and how long reviewers worked."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Final
from uuid import UUID

from msgspec import Struct

from payments.domain.list_items import ListMatch
from payments.domain.payment.events import (
    AnyPaymentEvent,
    PaymentApproved,
    PaymentFirstApproved,
    PaymentRejected,
)
from payments.domain.payment.state import Payment, evolve
from payments.domain.risk.conditions import RiskFeatures

_MILLISECOND: Final = timedelta(milliseconds=1)


class Case(Struct, frozen=True, kw_only=True, gc=False):
    """A payment, and what its state does not show.

    `position` is that of its first event. `worked_ms` has the time from each claim to its decision.
    `reconstructed` are the features that `CustomerHistory` returns, None if the question does not
    need them. Recorded features are in the assessment of `payment`. `lists` are the lists of the
    question that the payment was on when it began, None if they were not looked up.
    """

    payment: Payment
    position: int
    worked_ms: tuple[int, ...] = ()
    lists: tuple[ListMatch, ...] | None = None
    reconstructed: RiskFeatures | None = None


def case_of(
    payment_id: UUID,
    position: int,
    events: Iterable[AnyPaymentEvent],
    reconstructed: RiskFeatures | None = None,
) -> Case:
    """Return the case for all events of a payment up to the end of the range, at least one."""
    payment: Payment | None = None
    worked_ms: tuple[int, ...] = ()
    for event in events:
        if isinstance(event, PaymentFirstApproved | PaymentApproved | PaymentRejected):
            lease = None if payment is None else payment.lease
            if lease is not None:
                worked_ms += ((event.at - lease.since) // _MILLISECOND,)
        payment = evolve(payment, payment_id, event)
    if payment is None:
        raise ValueError(f"The payment {payment_id} has no events.")
    return Case(
        payment=payment, position=position, worked_ms=worked_ms, reconstructed=reconstructed
    )
