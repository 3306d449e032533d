"""The dashboard: reviews, the person's day, today's payments, endpoints and projections."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final

from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html

from payments.clients.models import Client
from payments.customers.models import Customer
from payments.domain.payment.state import Status
from readmodels import labels
from readmodels.admin.analytics import tables
from readmodels.admin.base import contacts, fragments
from readmodels.admin.base.figures import count, count_up_to, rate
from readmodels.admin.review.actions import Person, next_key
from readmodels.admin.webhooks.changes import may_manage
from readmodels.admin.webhooks.trouble import in_trouble
from readmodels.engine import lag
from readmodels.models import DisputeSummary, PaymentSummary, ReachedLevel
from readmodels.queries import analytics, deadlines, review_queue, routing
from readmodels.queries.analytics import Period, Sums
from readmodels.queries.bounded import TooBroad, bounded

_DAYS: Final = 14
_WAITING: Final = 8
_REACHED: Final = 5
_URGENT: Final = 80
# Counting further would cost more and change no decision.
_COUNTED_TO: Final = 1_000
_CURRENCIES: Final = 4
_REPAIR: Final = "readmodels.repair_projections"
_POLL_SECONDS: Final = 60


def context(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Return the dashboard's context for unfold's DASHBOARD_CALLBACK. All queries use indexes."""
    if not request.user.has_perm("readmodels.view_paymentsummary"):
        return context | {"title": "No access yet"}
    now = timezone.now()
    person = Person.of(request.user)
    endpoints, more_endpoints = in_trouble() if may_manage(request) else ([], False)
    return context | {
        "endpoints": endpoints,
        "more_endpoints": more_endpoints,
        "title": "Dashboard",
        "next_key": next_key(person),
        "waiting": _waiting(person, now),
        "waiting_title": "To decide next" if person.reviews else "Most urgent reviews",
        "reviews": person.reviews,
        "my_day": _my_day(person, now) if person.reviews else None,
        "disputes_due": _disputes_due(now),
        "reached": _reached(now),
        "projections": _projections() if request.user.has_perm(_REPAIR) else [],
        **_queue(now),
        **_payments(now.date()),
    }


def waiting_badge(request: HttpRequest) -> str:
    """Return the number next to "Review queue" in the sidebar. polling.js keeps it current."""
    if not request.user.has_perm("readmodels.view_paymentsummary"):
        return ""
    return format_html(
        '<span data-waiting="{}" data-seconds="{}" data-now="{}">{}</span>',
        reverse("queue_poll"),
        _POLL_SECONDS,
        timezone.now().isoformat(),
        waiting_count(),
    )


def waiting_count() -> str:
    """Return the number of payments in the review queue, as text: "1000+" at most."""
    return count_up_to(_COUNTED_TO, _listed(timezone.now()))


def _listed(at: datetime) -> QuerySet[PaymentSummary]:
    """Return the payments that the queue shows: those waiting for review, except snoozed ones."""
    return review_queue.pending().filter(routing.awake(at))


def _queue(now: datetime) -> dict[str, Any]:
    """Return counts and sums for the payments that the queue shows."""
    waiting = deadlines.waiting(now)
    awake = [each for each in waiting if not each.snoozed]
    more = "+" if deadlines.is_cut(waiting) else ""
    values = analytics.total_by((each.currency, each.amount) for each in awake)
    largest = sorted(
        values, key=lambda code: (-sum(e.count for e in awake if e.currency == code), code)
    )
    return {
        "waiting_count": f"{count(sum(each.count for each in awake))}{more}",
        "snoozed_count": sum(each.count for each in waiting if each.snoozed),
        "waiting_values": _shown([labels.amount(values[code], code) for code in largest]),
        "due_soon": count(sum(each.due_soon for each in awake)),
        "levels": [
            (level, fragments.LEVEL_BADGES[level].text, sum(each.past[number] for each in awake))
            for number, level in enumerate(deadlines.LEVELS)
        ],
    }


def _my_day(person: Person, now: datetime) -> dict[str, str]:
    """Return how many payments the person has decided today, and how many they hold now."""
    today = now.date()
    done = analytics.reviews_by("day", Period(today, today), reviewer=person.actor).get(today)
    held = _listed(now).filter(claimed_by=person.actor, claimed_until__gt=now)
    return {
        "decided": count(tables.decisions(done) if done else 0),
        "held": count_up_to(_COUNTED_TO, held),
    }


def _reached(now: datetime) -> list[dict[str, Any]]:
    """Return the urgent deadline levels that were reached within the last day, newest first."""
    rows = ReachedLevel.objects.filter(at__gt=now - timedelta(days=1), level__gte=_URGENT)
    newest = list(rows.order_by("-at", "payment_id")[:_REACHED])
    payments = PaymentSummary.objects.in_bulk({row.payment_id for row in newest})
    return [
        {
            "id": row.payment_id,
            "money": labels.amount(payment.amount, payment.currency),
            "badge": fragments.LEVEL_BADGES[row.level],
            "status": labels.label(payment.status),
            "status_color": fragments.STATUS_COLORS[Status(payment.status)],
            "at": row.at,
        }
        for row in newest
        if (payment := payments.get(row.payment_id)) is not None
    ]


def _disputes_due(now: datetime) -> str:
    """Return the number of disputes that need a response within a week, including overdue ones."""
    soon = now + fragments.RESPOND_SOON
    due = DisputeSummary.objects.filter(closed_at__isnull=True, due_at__lt=soon)
    return count_up_to(_COUNTED_TO, due)


def _waiting(person: Person, now: datetime) -> list[dict[str, Any]]:
    """Return the most urgent payments. Reviewers get only those that they may decide now."""
    found = _listed(now)
    if person.reviews:
        found = found.filter(
            review_queue.decidable(reviewer=person.actor, senior=person.senior, at=now)
        )
    rows = list(found.order_by("review_deadline", "payment_id")[:_WAITING])
    customers = Customer.objects.in_bulk({row.customer_id for row in rows})
    clients = Client.objects.in_bulk({row.client_id for row in rows})
    return [
        {
            "id": row.payment_id,
            "left": fragments.countdown(row.review_deadline or now, now),
            "money": labels.amount(row.amount, row.currency),
            "customer": contacts.called(customers.get(row.customer_id)),
            "client": clients.get(row.client_id, "unknown"),
            "is_held": bool(row.claimed_until and row.claimed_until > now),
            "badges": fragments.review_badges(
                escalated=row.escalated,
                four_eyes=row.four_eyes,
                first_approver=row.first_approver,
                reject_advised=row.reject_advised,
            ),
        }
        for row in rows
    ]


def _payments(today: date) -> dict[str, Any]:
    """Return today's payments and the chart of the last days. `today` is None after a timeout."""
    period = Period(today - timedelta(days=_DAYS - 1), today)
    try:
        with bounded():
            days = analytics.payments_by("day", period)
            currencies = analytics.payments_by("currency", Period(today, today))
    except TooBroad:
        return {"day": today, "today": None}
    return {
        "day": today,
        "today": _today(days.get(today)),
        "volumes": _volumes(currencies),
        "chart": tables.outcomes(period, days),
    }


def _today(sums: Sums | None) -> dict[str, str]:
    if sums is None:
        return {"total": "0", "completed": "0", "failed": "0", "rejected": "0"}
    total = sums["total_count"]
    return {
        **{
            name: count(sums[f"{name}_count"])
            for name in ("total", "completed", "failed", "rejected")
        },
        "failure_rate": rate(sums["failed_count"], total),
        "review_rate": rate(sums["review_count"], total),
    }


def _volumes(currencies: Mapping[str, Sums]) -> list[str]:
    """Return the completed volume in the currencies with the most completed payments."""
    completed = {code: row for code, row in currencies.items() if row["completed_count"] > 0}
    order = sorted(completed, key=lambda code: -completed[code]["completed_count"])
    return _shown([labels.amount(completed[code]["completed_volume"], code) for code in order])


def _shown(amounts: Sequence[str]) -> list[str]:
    """Return the first amounts, and a text that counts the remaining currencies."""
    others = len(amounts) - _CURRENCIES
    more = [f"{others} other currenc{'y' if others == 1 else 'ies'}"] if others > 0 else []
    return [*amounts[:_CURRENCIES], *more]


def _projections() -> list[tuple[Any, str, str]]:
    return [
        (each, labels.label(each.state), fragments.STATE_COLORS[each.state])
        for each in lag.measure()
    ]
