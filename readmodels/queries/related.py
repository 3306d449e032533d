"""The payments of one customer, and those with one card: counts and sums by currency and status.

A customer may have millions of payments. Therefore only the latest `MOST` payments are read. That
bounds the time without more counters, which would slow the projections down.
"""

from typing import Final
from uuid import UUID

from django.db.models import QuerySet
from msgspec import Struct

from payments.database import execute
from readmodels.models import PaymentSummary

MOST: Final = 1_000

_TOTALS: Final = """
WITH latest AS MATERIALIZED (
  SELECT currency, status, amount, customer_id,
         row_number() OVER (ORDER BY initiated_at DESC, payment_id DESC) AS number
    FROM readmodels_paymentsummary
   WHERE {column} = %(value)s ORDER BY initiated_at DESC, payment_id DESC LIMIT {most} + 1)
SELECT currency, status, count(*), sum(amount)::bigint,
       (SELECT count(DISTINCT customer_id) FROM latest WHERE number <= {most}),
       (SELECT count(*) > {most} FROM latest)
  FROM latest WHERE number <= {most}
 GROUP BY currency, status ORDER BY currency, count(*) DESC, status
"""


class Sum(Struct, frozen=True, kw_only=True):
    """The payments in one currency with one status. `amount` is in minor units, without refunds."""

    currency: str
    status: str
    count: int
    amount: int


class Totals(Struct, frozen=True, kw_only=True):
    """The sums of the latest payments, and the number of customers who made them.

    If `has_older` is True, there are older payments, which the sums leave out.
    """

    sums: tuple[Sum, ...]
    customers: int
    has_older: bool

    @property
    def count(self) -> int:
        return sum(each.count for each in self.sums)


def of_customer(customer_id: UUID) -> QuerySet[PaymentSummary]:
    """Return all payments of the customer, the latest first."""
    return PaymentSummary.objects.filter(customer_id=customer_id)


def of_card(fingerprint: str) -> QuerySet[PaymentSummary]:
    """Return all payments with the card, the latest first, also those of other customers.

    A fingerprint belongs to one client, so all of them are payments of that client.
    """
    return PaymentSummary.objects.filter(card_fingerprint=fingerprint)


def totals_of_customer(customer_id: UUID) -> Totals:
    return _totals("customer_id", customer_id)


def totals_of_card(fingerprint: str) -> Totals:
    return _totals("card_fingerprint", fingerprint)


def _totals(column: str, value: UUID | str) -> Totals:
    rows = execute(_TOTALS.format(column=column, most=MOST), {"value": value})
    return Totals(
        sums=tuple(
            Sum(currency=currency, status=status, count=count, amount=amount)
            for currency, status, count, amount, *_ in rows
        ),
        customers=rows[0][-2] if rows else 0,
        has_older=rows[0][-1] if rows else False,
    )
