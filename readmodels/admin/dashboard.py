"""The dashboard: reviews, due disputes, today's payments, failing endpoints, 14 days and projections."""

from collections import defaultdict
from datetime import date, datetime, timedelta
from typing import Any, Final

from django.db.models import F, QuerySet, Sum
from django.http import HttpRequest
from django.utils import timezone

from payments.clients.models import Client
from payments.customers.models import Customer
from readmodels import labels
from readmodels.admin.base import charts, fragments
from readmodels.admin.base.charts import Bars
from readmodels.admin.review.actions import Person, next_key
from readmodels.admin.webhooks.changes import may_manage
from readmodels.admin.webhooks.trouble import in_trouble
from readmodels.engine import lag
from readmodels.models import DailyStatistics, DisputeSummary, PaymentSummary
from readmodels.queries import review_queue, routing

_DAYS: Final = 14
_WAITING: Final = 8
# An exact larger number would cost more and change no decision.
_COUNTED_TO: Final = 1_000


def context(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Return the context of the dashboard: unfold's DASHBOARD_CALLBACK. Every query uses an index."""
    if not request.user.has_perm("readmodels.view_paymentsummary"):
        return context | {"title": "No access yet"}
    today = timezone.now().date()
    days = _days(today)
    endpoints, more_endpoints = in_trouble() if may_manage(request) else ([], False)
    return context | {
        "endpoints": endpoints,
        "more_endpoints": more_endpoints,
        "title": "Dashboard",
        "next_key": next_key(Person.of(request.user)),
        "waiting": _waiting(),
        "waiting_count": waiting_count(),
        "disputes_due": _disputes_due(),
        "today": days[today],
        "volumes": _volumes(today),
        "chart": _chart(days),
        "chart_options": charts.OPTIONS,
        "projections": [
            (each, labels.label(each.state), fragments.STATE_COLORS[each.state])
            for each in lag.measure()
        ],
    }


def waiting_badge(request: HttpRequest) -> str:
    """Return the number next to "Review queue" in the sidebar."""
    if not request.user.has_perm("readmodels.view_paymentsummary"):
        return ""
    return waiting_count()


def waiting_count() -> str:
    """Return the number of payments in the review queue, as text: "1000+" at most."""
    return _counted(_queue(timezone.now()))


def _queue(at: datetime) -> QuerySet[PaymentSummary]:
    """Return what the queue shows: the payments that wait for review without the snoozed ones."""
    return review_queue.pending().filter(routing.awake(at))


def _disputes_due() -> str:
    """Return the number of disputes that need a response within a week, overdue ones included."""
    soon = timezone.now() + fragments.RESPOND_SOON
    due = DisputeSummary.objects.filter(closed_at__isnull=True, due_at__lt=soon)
    return _counted(due)


def _counted(rows: QuerySet[Any]) -> str:
    count = rows[:_COUNTED_TO].count()
    return f"{count}+" if count == _COUNTED_TO else str(count)


def _waiting() -> list[dict[str, Any]]:
    """Return the most urgent payments that wait for review."""
    now = timezone.now()
    rows = list(_queue(now).order_by("review_deadline", "payment_id")[:_WAITING])
    customers = Customer.objects.in_bulk({row.customer_id for row in rows})
    clients = Client.objects.in_bulk({row.client_id for row in rows})
    claims = {
        row.pk: row.claimed_by for row in rows if row.claimed_until and row.claimed_until > now
    }
    names = labels.people(claims.values())
    return [
        {
            "id": row.payment_id,
            "left": fragments.time_left(row.review_deadline or now, now),
            "money": labels.amount(row.amount, row.currency),
            "customer": customers.get(row.customer_id, "unknown"),
            "client": clients.get(row.client_id, "unknown"),
            "claimed_by": names.get(claims.get(row.pk, ""), claims.get(row.pk)),
            "badges": fragments.review_badges(
                escalated=row.escalated,
                four_eyes=row.four_eyes,
                first_approver=row.first_approver,
                reject_advised=row.reject_advised,
            ),
        }
        for row in rows
    ]


def _days(today: date) -> dict[date, dict[str, Any]]:
    """Return the counts of each day, also of empty days. Amounts cannot be added across currencies."""
    first = today - timedelta(days=_DAYS - 1)
    days: dict[date, dict[str, Any]] = {
        first + timedelta(days=n): defaultdict(int) for n in range(_DAYS)
    }
    sums = (
        DailyStatistics.objects.filter(day__range=(first, today))
        .order_by()
        .values("day")
        .annotate(
            total=Sum("total_count"),
            completed=Sum("completed_count"),
            failed=Sum("failed_count"),
            rejected=Sum("rejected_count"),
            reviews=Sum("review_count"),
        )
    )
    for row in sums:
        days[row["day"]] = {name: value for name, value in row.items() if name != "day"}
    return days


def _volumes(today: date) -> list[str]:
    """Return today's completed volume in the currencies with most payments."""
    rows = (
        DailyStatistics.objects.filter(day=today, completed_count__gt=0)
        .order_by()
        .values(code=F("currency"))
        .annotate(volume=Sum("completed_volume"), count=Sum("completed_count"))
        .order_by("-count")[:4]
    )
    return [labels.amount(row["volume"], row["code"]) for row in rows]


def _chart(days: dict[date, dict[str, Any]]) -> str:
    colors = {
        "completed": "var(--color-green-700)",
        "failed": "var(--color-base-400)",
        "rejected": "var(--color-red-700)",
    }
    return charts.by_day(
        days,
        (
            Bars(
                label=name.capitalize(),
                color=color,
                counts=[counts[name] for counts in days.values()],
            )
            for name, color in colors.items()
        ),
    )
