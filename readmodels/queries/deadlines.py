"""How much of a review's time has passed, and sums over the payments that wait.

A level is a share of the time in percent. The levels of payments that wait follow from the queue alone.
`readmodels.deadline_levels` remembers which of them were reported.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from django.db.models import DateTimeField, DurationField, ExpressionWrapper, F, Q, Value
from django.db.models.functions import Coalesce
from msgspec import Struct

from payments.database import execute

LEVELS: Final = (50, 80, 100)
# The limits of the age groups of waiting payments. The last group has no limit.
AGES: Final = (timedelta(hours=1), timedelta(hours=4), timedelta(days=1), timedelta(days=3))
# Sums cover at most this many payments, those with the earliest deadlines.
MOST: Final = 10_000

_SUMS: Final = """
SELECT currency, age, snoozed, count(*), sum(amount)::bigint, count(*) FILTER (WHERE due <= %(soon)s),
       count(*) FILTER (WHERE share >= 0.5), count(*) FILTER (WHERE share >= 0.8),
       count(*) FILTER (WHERE share >= 1), extract(epoch FROM %(at)s - min(flagged))::float8
  FROM (SELECT currency, amount, due, flagged, snoozed,
               width_bucket(%(at)s - flagged, %(ages)s::interval[]) AS age,
               extract(epoch FROM %(at)s - flagged)
                 / greatest(extract(epoch FROM due - flagged), 1) AS share
          FROM (SELECT currency, amount, review_deadline AS due,
                       coalesce(flagged_at, initiated_at) AS flagged,
                       snoozed_until IS NOT NULL AND snoozed_until > %(at)s AS snoozed
                  FROM readmodels_paymentsummary WHERE status = 'pending_review'
                 ORDER BY review_deadline, payment_id LIMIT %(most)s) AS waiting) AS shares
 GROUP BY currency, age, snoozed ORDER BY currency, age, snoozed
"""

_MORE: Final = """
SELECT count(*) > %(most)s
  FROM (SELECT FROM readmodels_paymentsummary WHERE status = 'pending_review'
         ORDER BY review_deadline, payment_id LIMIT %(most)s + 1) AS waiting
"""


class Waiting(Struct, frozen=True):
    """Payments in one currency of one age, snoozed or not.

    `age` says how many of the `AGES` they have reached. For each of the `LEVELS`, `past` counts the
    payments that have reached it. `due_soon` counts those due within 24 hours.
    """

    currency: str
    age: int
    snoozed: bool
    count: int
    amount: int
    due_soon: int
    past: tuple[int, int, int]
    oldest_seconds: float


def waiting(at: datetime) -> list[Waiting]:
    """Return sums over the `MOST` most urgent payments that wait, by currency and age."""
    parameters = {"at": at, "soon": at + timedelta(days=1), "ages": list(AGES), "most": MOST}
    return [
        Waiting(currency, age, snoozed, count, amount, soon, (half, most, over), seconds)
        for currency, age, snoozed, count, amount, soon, half, most, over, seconds in execute(
            _SUMS, parameters
        )
    ]


def is_cut(found: Iterable[Waiting]) -> bool:
    """Return whether more payments wait than `waiting` found."""
    if sum(each.count for each in found) < MOST:
        return False
    ((more,),) = execute(_MORE, {"most": MOST})
    return bool(more)


def level(flagged_at: datetime, deadline: datetime, at: datetime) -> int:
    """Return the highest level that a review has reached, 0 if none."""
    gone, whole = at - flagged_at, max(deadline - flagged_at, timedelta(seconds=1))
    return max((each for each in LEVELS if gone * 100 >= whole * each), default=0)


def reached(level: int, at: datetime) -> Q:
    """Return the condition for payments in review that have reached the level."""
    gone = ExpressionWrapper(
        Value(at, DateTimeField()) - Coalesce("flagged_at", F("initiated_at")),
        output_field=DurationField(),
    )
    rest = ExpressionWrapper(gone * Value((100 - level) / level), output_field=DurationField())
    end = ExpressionWrapper(Value(at, DateTimeField()) + rest, output_field=DateTimeField())
    return Q(review_deadline__lte=end)
