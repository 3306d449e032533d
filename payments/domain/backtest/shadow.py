"""What a shadow policy would have decided on payments as they arrived, by day.

The event that scores a payment holds everything that a policy needs. The counts of a day are
therefore a pure function of these events. Neither later events of a payment nor the borders between
the steps of reading matter. All labels are unknown: a new payment has none, and a later label would
change a day that has passed. A backtest over the same payments has the labels.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Final
from uuid import UUID

import msgspec

from payments.domain.backtest.cases import case_of
from payments.domain.backtest.digest import Difference, first_difference, hash_of
from payments.domain.backtest.evaluation import Evaluation
from payments.domain.backtest.question import Question
from payments.domain.backtest.result import result_of
from payments.domain.backtest.tally import Tally
from payments.domain.payment.events import (
    AnyPaymentEvent,
    PaymentFailed,
    PaymentFlaggedForReview,
    PaymentProcessed,
)
from payments.domain.risk.policy import RiskPolicy

SCORING: Final = (PaymentProcessed, PaymentFailed, PaymentFlaggedForReview)
_BEFORE_ALL: Final = datetime.min.replace(tzinfo=UTC)  # no payment is mature

Days = dict[date, Tally]


def observe(candidate: RiskPolicy, events: Iterable[tuple[UUID, int, AnyPaymentEvent]]) -> Days:
    """Evaluate the payments that these events scored. Other events are ignored.

    Each event comes with the id of its payment and its position. A day begins at midnight UTC.
    """
    question = Question(candidate=candidate, since=0, upto=0, at=_BEFORE_ALL)
    evaluations: dict[date, Evaluation] = {}
    for payment_id, position, event in events:
        if not isinstance(event, SCORING) or event.risk is None:
            continue
        day = event.at.astimezone(UTC).date()
        if day not in evaluations:
            evaluations[day] = Evaluation(question, policies=None)
        evaluations[day].add(case_of(payment_id, position, (event,)))
    return {day: evaluation.tally for day, evaluation in evaluations.items()}


def add(days: Days, more: Days) -> None:
    """Add the counts of `more`, which come from further events."""
    for day, tally in more.items():
        days.setdefault(day, Tally()).merge(tally)


def digest(candidate_id: str, *, since: int, position: int, days: Mapping[date, Tally]) -> str:
    """Return the hex SHA-256 of the engine's version, the policy, the range and daily counts."""
    document = {
        "candidate": candidate_id,
        "since": since,
        "position": position,
        "days": {day.isoformat(): _stored(tally) for day, tally in days.items()},
    }
    return hash_of(document)


def first_difference_of_days(
    first: Mapping[date, Tally], second: Mapping[date, Tally]
) -> tuple[date, Difference] | None:
    """Return the first day whose counts differ, and the first such cell. None if all days agree."""
    for day in sorted({*first, *second}):
        ours, theirs = first.get(day, Tally()), second.get(day, Tally())
        if found := first_difference(result_of(ours), result_of(theirs)):
            return day, found
        mine, other = (hash_of({"day": _stored(each)}) for each in (ours, theirs))
        if mine != other:
            return day, Difference("digest", mine, other)
    return None


def _stored(tally: Tally) -> object:
    return msgspec.to_builtins(tally, str_keys=True)
