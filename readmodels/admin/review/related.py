"""Payments related to a payment: payments of its customer, and payments with its card.

Pages link to lists of them, which use the filters of this module.
"""

import re
from abc import ABC, abstractmethod
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlencode
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from msgspec import Struct

from payments.customers.models import Customer
from payments.domain.cards import Brand, Card
from payments.domain.payment.state import Payment, Status
from readmodels import labels
from readmodels.admin.base import contacts, fragments
from readmodels.admin.base.browsing import as_uuid
from readmodels.admin.base.filters import OneOf
from readmodels.models import PaymentSummary
from readmodels.queries import related
from readmodels.queries.related import Totals

_MOST_LATEST: Final = 5
_FINGERPRINT: Final = re.compile("[0-9a-f]{32}")


class LatestPayment(Struct, frozen=True):
    """A line of parts/latest_payments.html. `customer` is empty if all lines have the same one."""

    payment_id: UUID
    initiated_at: datetime
    amount: str
    status: str
    color: str
    badges: tuple[fragments.Badge, ...]
    customer: str = ""


class SumLine(Struct, frozen=True):
    """The payments in one currency with one status."""

    status: str
    color: str
    count: int
    amount: str


class RelatedPayments(Struct, frozen=True, kw_only=True):
    """The content of parts/related.html. `url` leads to the list of all related payments."""

    count: str
    customers: int
    has_older: bool
    sums: tuple[SumLine, ...]
    url: str
    latest: tuple[LatestPayment, ...] = ()


def of_customer(customer_id: UUID) -> RelatedPayments:
    """Return the customer's payments, with one query."""
    totals = related.totals_of_customer(customer_id)
    return _shown(totals, list_url(customer=customer_id))


def of_card(payment: Payment, *, before: datetime | None = None) -> RelatedPayments | None:
    """Return the payments with the same card, or None for other methods. Takes three queries.

    It lists the latest other payments, or with `before`, the latest ones before that time.
    """
    if payment.card is None:
        return None
    fingerprint = payment.card.fingerprint
    others = _latest(related.of_card(fingerprint), but=payment.payment_id, before=before)
    names = Customer.objects.in_bulk({row.customer_id for row in others})
    return _shown(
        related.totals_of_card(fingerprint),
        list_url(card=fingerprint),
        *(_line(row, contacts.called(names.get(row.customer_id))) for row in others),
    )


def latest(
    customer_id: UUID, *, but: UUID | None = None, before: datetime | None = None
) -> list[LatestPayment]:
    """Return the customer's latest payments except the payment `but`, with one query."""
    rows = related.of_customer(customer_id)
    return [_line(row) for row in _latest(rows, but=but, before=before)]


def list_url(**filters: object) -> str:
    """Return the URL of the list of payments with these filters."""
    return f"{reverse('admin:readmodels_paymentsummary_changelist')}?{urlencode(filters)}"


def _shown(totals: Totals, url: str, *latest: LatestPayment) -> RelatedPayments:
    return RelatedPayments(
        count=f"{totals.count:,}{'+' if totals.has_older else ''}",
        customers=totals.customers,
        has_older=totals.has_older,
        sums=tuple(
            SumLine(
                labels.label(each.status),
                fragments.STATUS_COLORS[Status(each.status)],
                each.count,
                labels.amount(each.amount, each.currency),
            )
            for each in totals.sums
        ),
        url=url,
        latest=latest,
    )


def _latest(
    rows: QuerySet[PaymentSummary], *, but: UUID | None, before: datetime | None
) -> list[PaymentSummary]:
    if but is not None:
        rows = rows.exclude(pk=but)
    if before is not None:
        rows = rows.filter(initiated_at__lt=before)
    return list(rows.order_by("-initiated_at", "-payment_id")[:_MOST_LATEST])


def _line(row: PaymentSummary, customer: str = "") -> LatestPayment:
    return LatestPayment(
        payment_id=row.pk,
        initiated_at=row.initiated_at,
        amount=labels.amount(row.amount, row.currency),
        status=labels.label(row.status),
        color=fragments.STATUS_COLORS[Status(row.status)],
        badges=fragments.dispute_badges(
            open_disputes=row.open_disputes, lost_amount=row.lost_amount
        ),
        customer=customer,
    )


class _Linked(OneOf, ABC):
    """A filter that only links set. It offers its current value and "All"."""

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        value = self.value() or ""
        label = self.label_of(value)
        return [(value, label)] if label else []

    def has_output(self) -> bool:
        return bool(self.value())

    @abstractmethod
    def label_of(self, value: str) -> str:
        """Return the label of the value, or "" if there is none."""

    @property
    def banner(self) -> str:
        """Return the label of the valid value, for backoffice/payments.html."""
        return self.lookup_choices[0][1] if self.lookup_choices else ""


class CustomerFilter(_Linked):
    title = "customer"
    parameter_name = "customer"

    def label_of(self, value: str) -> str:
        customer_id = as_uuid(value)
        customer = Customer.objects.filter(pk=customer_id).first() if customer_id else None
        return contacts.called(customer) if customer else ""

    def filtered(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(customer_id=self.value()) if self.value() else queryset


class CardFilter(_Linked):
    """Filter by card. The URL has its fingerprint."""

    title = "card"
    parameter_name = "card"

    def label_of(self, value: str) -> str:
        row = related.of_card(value).first() if _FINGERPRINT.fullmatch(value) else None
        if row is None:
            return ""
        return labels.card_label(
            Card(fingerprint=value, brand=Brand(row.card_brand), last4=row.card_last4)
        )

    def filtered(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(card_fingerprint=self.value()) if self.value() else queryset
