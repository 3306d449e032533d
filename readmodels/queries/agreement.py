"""Agreement of second reviews with the decisions, and the share of decisions chosen for one.

Everything counts on the day of the decision. A first approval counts as a decision of its own.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from math import sqrt
from typing import Any, Final, LiteralString

from django.db.models import Count, F, Q, Sum
from django.db.models.functions import TruncDate
from msgspec import Struct

from payments.application.ports import FinalDecision
from payments.database import execute
from payments.domain.payment.events import PaymentApproved, PaymentRejected
from readmodels.models import EventIndex, ReviewDay, SecondReview
from readmodels.queries.analytics import Period

# Fewer second reviews say too little about a person.
LEAST: Final = 20
# The limits of the age groups of open second reviews. The last group has no limit.
AGES: Final = (timedelta(days=1), timedelta(days=3), timedelta(days=7))
# Ages are read for at most this many open second reviews, those that have waited longest.
MOST: Final = 10_000
_FINAL: Final = (PaymentApproved.event_type, PaymentRejected.event_type)
_Z: Final = 1.96  # 95 % of a normal distribution are within this many standard deviations

_CELLS: Final = """
SELECT {key},
       count(*) FILTER (WHERE verdict.approved AND second_approved),
       count(*) FILTER (WHERE verdict.approved AND NOT second_approved),
       count(*) FILTER (WHERE NOT verdict.approved AND second_approved),
       count(*) FILTER (WHERE NOT verdict.approved AND NOT second_approved)
  FROM readmodels_secondreview AS reviewed
 CROSS JOIN LATERAL (VALUES (reviewed.reviewer, reviewed.approved, reviewed.reason),
                            (reviewed.first_reviewer, true, reviewed.first_reason))
       AS verdict (reviewer, approved, reason)
 WHERE concluded_at IS NOT NULL AND verdict.reviewer <> ''
   AND decided_at >= %(begin)s AND decided_at < %(end)s
   AND (%(currency)s::text IS NULL OR currency = %(currency)s)
   AND (%(reviewer)s::text IS NULL OR verdict.reviewer = %(reviewer)s)
 GROUP BY 1, 2 HAVING count(*) >= %(least)s ORDER BY count(*) DESC, 1, 2
"""
_AGES: Final = """
SELECT width_bucket(%(at)s - requested_at, %(ages)s::interval[]), count(*)
  FROM (SELECT requested_at FROM readmodels_secondreview
         WHERE concluded_at IS NULL AND reviewer <> %(but)s AND first_reviewer <> %(but)s
         ORDER BY requested_at, id LIMIT %(most)s) AS waiting
 GROUP BY 1 ORDER BY 1
"""


class Agreement(Struct, frozen=True, kw_only=True):
    """How often the second reviewers confirmed the approvals and rejections of one group.

    `approved_rejected` counts decisions to approve that the second reviewer would have rejected.
    """

    approved_approved: int
    approved_rejected: int
    rejected_approved: int
    rejected_rejected: int

    @property
    def count(self) -> int:
        return (
            self.approved_approved
            + self.approved_rejected
            + self.rejected_approved
            + self.rejected_rejected
        )

    @property
    def same(self) -> int:
        return self.approved_approved + self.rejected_rejected

    @property
    def interval(self) -> tuple[float, float]:
        """Return Wilson's 95 % interval for the share of decisions that were confirmed."""
        return wilson(self.same, self.count)

    @property
    def kappa(self) -> float | None:
        """Return Cohen's kappa, or None if both sides gave only approvals or only rejections."""
        n = self.count
        approved = self.approved_approved + self.approved_rejected
        second_approved = self.approved_approved + self.rejected_approved
        # Exact integers: expected agreement times n².
        chance = approved * second_approved + (n - approved) * (n - second_approved)
        if chance == n * n:
            return None
        return (self.same * n - chance) / (n * n - chance)


def wilson(part: int, whole: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval for `part` as a share of `whole`, which is above 0."""
    share, square = part / whole, _Z * _Z
    center = (share + square / (2 * whole)) / (1 + square / whole)
    spread = share * (1 - share) / whole + square / (4 * whole * whole)
    half = _Z * sqrt(spread) / (1 + square / whole)
    return max(0.0, center - half), min(1.0, center + half)


class Share(Struct, frozen=True):
    """The final decisions of one day, and how many of them were chosen for a second review."""

    day: date
    decisions: int
    chosen: int


def unreviewed_decisions(*, since: datetime) -> Iterator[FinalDecision]:
    """Yield the final decisions from `since` on for which no second review was requested."""
    known = SecondReview.objects.filter(decided_at__gte=since).values_list("payment_id", flat=True)
    requested = set(known)
    decisions = EventIndex.objects.filter(event_type__in=_FINAL, recorded_at__gte=since)
    for payment_id, actor, at in decisions.values_list("aggregate_id", "actor", "occurred_at"):
        if payment_id not in requested:
            yield FinalDecision(payment_id=payment_id, reviewer=actor, at=at)


def by_reviewer(period: Period, *, reviewer: str | None = None) -> dict[str, Agreement]:
    """Return the agreement by reviewer, for reviewers with at least `LEAST` second reviews."""
    found = _cells("verdict.reviewer, NULL::boolean", period, reviewer)
    return {actor: agreement for (actor, _), agreement in found.items()}


def by_reason(period: Period) -> dict[tuple[str, bool], Agreement]:
    """Return the agreement by the reason for the decision, and by whether it was an approval."""
    return _cells("verdict.reason, verdict.approved", period, None)


def chosen(period: Period, *, but: str) -> list[Share]:
    """Return the share for each day with decisions, newest first.

    Decisions by the actor `but` are left out.
    """
    within = SecondReview.objects.filter(
        decided_at__gte=_midnight(period.first),
        decided_at__lt=_midnight(period.last + timedelta(days=1)),
    )
    reviews = within.exclude(Q(reviewer=but) | Q(first_reviewer=but))
    days = ReviewDay.objects.filter(day__range=(period.first, period.last)).exclude(reviewer=but)
    if period.currency is not None:
        reviews = reviews.filter(currency=period.currency)
        days = days.filter(currency=period.currency)
    counts = reviews.order_by().annotate(day=TruncDate("decided_at", tzinfo=UTC))
    found = dict(counts.values("day").annotate(count=Count("pk")).values_list("day", "count"))
    decisions = Sum(F("approved_count") + F("rejected_count"))
    made = days.order_by().values("day").annotate(made=decisions).values_list("day", "made")
    return [Share(day, count, found.get(day, 0)) for day, count in made.order_by("-day") if count]


def waiting(at: datetime, *, but: str) -> dict[int, int]:
    """Return the number of open second reviews by how many of the `AGES` they have reached.

    Reviews of decisions by the actor `but` are left out.
    """
    parameters = {"at": at, "ages": list(AGES), "but": but, "most": MOST}
    return dict(execute(_AGES, parameters))


def _cells(key: LiteralString, period: Period, reviewer: str | None) -> dict[Any, Agreement]:
    parameters = {
        "begin": _midnight(period.first),
        "end": _midnight(period.last + timedelta(days=1)),
        "currency": period.currency,
        "reviewer": reviewer,
        "least": LEAST,
    }
    return {
        (code, approved): Agreement(
            approved_approved=both,
            approved_rejected=only_first,
            rejected_approved=only_second,
            rejected_rejected=neither,
        )
        for code, approved, both, only_first, only_second, neither in execute(
            _CELLS.format(key=key), parameters
        )
    }


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
