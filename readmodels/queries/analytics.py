"""Add up daily sums of payments and of reviewers' work. No query reads single payments."""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from django.db.models import BigIntegerField, F, QuerySet, Sum
from msgspec import Struct

from readmodels.models import DailyStatistics, ReviewDay


class Period(Struct, frozen=True):
    """Whole UTC days, the last included, in one currency or in all."""

    first: date
    last: date
    currency: str | None = None


Sums = Mapping[str, int]


def _counters(model: type[DailyStatistics | ReviewDay]) -> dict[str, Any]:
    return {
        field.name: Sum(field.name)
        for field in model._meta.get_fields()
        if isinstance(field, BigIntegerField)
    }


_RECENT: Final = timedelta(days=90)
_REVIEWS: Final = _counters(ReviewDay)
_PAYMENTS: Final = _counters(DailyStatistics)


def payments_by(column: str, period: Period) -> dict[Any, dict[str, int]]:
    """Return the sums of payments by "currency" or by "day"."""
    return _by(column, _within(DailyStatistics.objects.all(), period), _PAYMENTS)


def payments_of(rows: QuerySet[DailyStatistics], column: str) -> dict[Any, dict[str, int]]:
    """Return the sums of these rows by "currency" or by "day"."""
    return _by(column, rows, _PAYMENTS)


def reviews_by(
    column: str, period: Period, *, reviewer: str | None = None
) -> dict[Any, dict[str, int]]:
    """Return the sums of reviews by "currency", "day" or "reviewer", for one reviewer or all."""
    rows = _within(ReviewDay.objects.all(), period)
    if reviewer is not None:
        rows = rows.filter(reviewer=reviewer)
    return _by(column, rows, _REVIEWS)


def recent_decisions(*, reviewer: str, at: datetime) -> int:
    """Return how many decisions the reviewer made in the 90 days up to `at`."""
    # The primary key begins with the day.
    days = (at.astimezone(UTC).date() - _RECENT, at.astimezone(UTC).date())
    rows = ReviewDay.objects.filter(reviewer=reviewer, day__range=days)
    counts = F("first_approved_count") + F("approved_count") + F("rejected_count")
    found: int | None = rows.aggregate(found=Sum(counts))["found"]
    return found or 0


def total(sums: Mapping[Any, Sums]) -> dict[str, int]:
    """Return the sums over all keys. Amounts cannot be added across currencies."""
    names = {name for row in sums.values() for name in row}
    return {name: sum(row[name] for row in sums.values()) for name in names}


def total_by(amounts: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Return the sums of amounts by currency."""
    sums: dict[str, int] = {}
    for currency, amount in amounts:
        sums[currency] = sums.get(currency, 0) + amount
    return sums


def _within(rows: QuerySet[Any], period: Period) -> QuerySet[Any]:
    found = rows.filter(day__range=(period.first, period.last))
    return found if period.currency is None else found.filter(currency=period.currency)


def _by(column: str, rows: QuerySet[Any], counters: Mapping[str, Any]) -> dict[Any, dict[str, int]]:
    # `order_by()` removes the order of the model, which would be part of the grouping.
    grouped = rows.order_by().values(column).annotate(**_renamed(counters)).order_by(column)
    return {
        row.pop(column): {name.removesuffix("_sum"): value for name, value in row.items()}
        for row in grouped
    }


def _renamed(counters: Mapping[str, Any]) -> dict[str, Any]:
    # An annotation must not have the name of a column.
    return {f"{name}_sum": expression for name, expression in counters.items()}
