"""The figures of the analytics page, as text for tables and charts."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Final

from readmodels import labels
from readmodels.admin.base import bars, fragments
from readmodels.admin.base.bars import Chart
from readmodels.admin.base.figures import NONE, count, estimate, rate
from readmodels.projections.review_day import WAITED, WORKED
from readmodels.queries import histograms
from readmodels.queries.analytics import Period, Sums
from readmodels.queries.deadlines import AGES, LEVELS, Waiting

Row = tuple[str, list[str]]

_MEDIAN, _P95 = 0.5, 0.95
_OUTCOMES: Final = (
    ("Submitted", "submitted", "total_count"),
    ("Completed", "completed", "completed_count"),
    ("Failed", "failed", "failed_count"),
    ("Rejected", "rejected", "rejected_count"),
    ("Sent to review", "reviewed", "review_count"),
)


def by_currency(payments: Mapping[str, Sums], reviews: Mapping[str, Sums]) -> list[Row]:
    """Return volume and rates for each currency, the one with the most payments first."""
    order = sorted(payments, key=lambda code: -payments[code]["total_count"])
    return [(code, _rates(code, payments[code], reviews.get(code))) for code in order]


def _rates(code: str, paid: Sums, reviews: Sums | None) -> list[str]:
    approved, rejected = (
        (reviews["approved_count"], reviews["rejected_count"]) if reviews else (0, 0)
    )
    return [
        count(paid["total_count"]),
        labels.amount(paid["total_volume"], code),
        count(paid["completed_count"]),
        labels.amount(paid["completed_volume"], code),
        rate(paid["failed_count"], paid["total_count"]),
        rate(paid["review_count"], paid["total_count"]),
        rate(approved, approved + rejected),
    ]


def outcomes(period: Period, payments: Mapping[date, Sums]) -> Chart:
    """Return the number of payments on each day, including days without any."""
    length = (period.last - period.first).days + 1
    days = [period.first + timedelta(days=number) for number in range(length)]
    return bars.chart(
        "Day (UTC)",
        (f"{day:%Y-%m-%d}" for day in days),
        (
            (label, kind, [payments[day][column] if day in payments else 0 for day in days])
            for label, kind, column in _OUTCOMES
        ),
    )


def times(reviews: Sums) -> list[Row]:
    """Return the time to decide: number of decisions, median, 95th percentile and mean."""
    measured = (
        ("From flagging to the final decision", WAITED, "waited_seconds"),
        ("From claim to decision", WORKED, "worked_seconds"),
    )
    rows = []
    for label, limits, seconds in measured:
        known = sum(reviews[name] for name in limits)
        mean = fragments.duration(reviews[seconds] / known) if known > 0 else NONE
        shares = (estimate(histograms.of(reviews, limits, each)) for each in (_MEDIAN, _P95))
        rows.append((label, [count(known), *shares, mean]))
    return rows


def distribution(reviews: Sums, limits: Mapping[str, int | None], label: str) -> Chart:
    """Return the number of decisions in each range of a histogram."""
    longest = max(limit for limit in limits.values() if limit is not None)
    places = (
        f"over {fragments.duration(longest)}"
        if limit is None
        else f"up to {fragments.duration(limit)}"
        for limit in limits.values()
    )
    return bars.chart(
        "Time", places, [(label, "reviewed", [max(0, reviews[name]) for name in limits])]
    )


def by_reviewer(reviews: Mapping[str, Sums]) -> list[Row]:
    """Return the figures of each reviewer, the one with the most decisions first."""
    names = labels.people(reviews)
    order = sorted(reviews, key=lambda actor: (-decisions(reviews[actor]), actor))
    return [(names.get(actor, actor), _work(reviews[actor])) for actor in order]


def decisions(row: Sums) -> int:
    """Return the number of the reviewer's decisions, including first approvals."""
    return row["approved_count"] + row["first_approved_count"] + row["rejected_count"]


def _work(row: Sums) -> list[str]:
    names = ("claimed", "approved", "first_approved", "rejected", "escalated")
    counts = [count(row[f"{name}_count"]) for name in names]
    gone = [count(row[f"{name}_count"]) for name in ("released", "snoozed", "expired")]
    approved = row["approved_count"] + row["first_approved_count"]
    overturned = row["overturned_count"] + row["first_overturned_count"]
    return [
        *counts,
        *gone,
        rate(approved, decisions(row)),
        *(estimate(histograms.of(row, WORKED, share)) for share in (_MEDIAN, _P95)),
        count(overturned),
    ]


def overturned(reviews: Mapping[str, Sums]) -> list[Row]:
    """Return the overturned approvals by currency. A payment with two approvals counts once."""
    return [
        (
            code,
            [
                count(row["approved_count"]),
                count(row["overturned_count"]),
                rate(row["overturned_count"], row["approved_count"]),
                labels.amount(row["overturned_volume"], code),
            ],
        )
        for code, row in reviews.items()
        if row["approved_count"] or row["overturned_count"]
    ]


def open_by_currency(waiting: Iterable[Waiting]) -> list[Row]:
    """Return the payments that are waiting now, by currency."""
    rows: dict[str, list[Waiting]] = {}
    for each in waiting:
        rows.setdefault(each.currency, []).append(each)
    return [
        (
            code,
            [
                *_sum(found, code),
                fragments.duration(max(each.oldest_seconds for each in found)),
                count(sum(each.due_soon for each in found)),
                *(count(sum(each.past[n] for each in found)) for n in range(len(LEVELS))),
            ],
        )
        for code, found in rows.items()
    ]


def open_by_age(waiting: Iterable[Waiting]) -> list[tuple[str, list[Row]]]:
    """Return the payments that are waiting now, by currency and then by the time since flagging."""
    sums: dict[str, dict[int, list[Waiting]]] = {}
    for each in waiting:
        sums.setdefault(each.currency, {}).setdefault(each.age, []).append(each)
    return [
        (code, [(age(number), _sum(found, code)) for number, found in ages.items()])
        for code, ages in sums.items()
    ]


def _sum(waiting: Iterable[Waiting], code: str) -> list[str]:
    found = list(waiting)
    amount = sum(each.amount for each in found)
    return [count(sum(each.count for each in found)), labels.amount(amount, code)]


def age(number: int, ages: Sequence[timedelta] = AGES) -> str:
    """Return the range of ages as text. `number` is the number of `ages` reached: see `Waiting`."""
    ends = [fragments.duration(each.total_seconds()) for each in ages]
    if number == 0:
        return f"less than {ends[0]}"
    return f"{ends[number - 1]} to {ends[number]}" if number < len(ends) else f"{ends[-1]} or more"
