"""The figures on second reviews, as table cells."""

from datetime import datetime
from typing import Any

from readmodels import labels
from readmodels.admin.analytics import tables
from readmodels.admin.base.figures import NONE, count, rate
from readmodels.queries import agreement
from readmodels.queries.agreement import AGES, Agreement
from readmodels.queries.analytics import Period

Row = tuple[str, list[str]]


def own(period: Period, actor: str) -> dict[str, Any]:
    """Return how often second reviewers agreed with the person's decisions. Takes two queries."""
    return {
        "agreement_reviewers": _by_reviewer(period, actor),
        "least_second_reviews": agreement.LEAST,
    }


def everyone(period: Period, actor: str, at: datetime) -> dict[str, Any]:
    """Return the agreement by reviewer and reason, the chosen share and the open second reviews.

    The share and the open second reviews leave out the viewer's own decisions. Otherwise they would
    reveal which of these were chosen. Takes six queries.
    """
    shares = agreement.chosen(period, but=actor)
    decisions, chosen = (
        sum(share.decisions for share in shares),
        sum(share.chosen for share in shares),
    )
    return {
        "agreement_reviewers": _by_reviewer(period, None),
        "agreement_reasons": [
            (
                f"{'Approved' if approved else 'Rejected'}: {labels.label(code).lower()}",
                _rates(each),
            )
            for (code, approved), each in agreement.by_reason(period).items()
        ],
        "chosen_days": [
            (f"{share.day:%Y-%m-%d}", _share(share.decisions, share.chosen)) for share in shares
        ],
        "chosen_total": _share(decisions, chosen) if decisions else [],
        "second_reviews_open": [
            (tables.age(number, AGES), [count(found)])
            for number, found in agreement.waiting(at, but=actor).items()
        ],
        "sees_second_reviews": True,
        "least_second_reviews": agreement.LEAST,
    }


def _by_reviewer(period: Period, reviewer: str | None) -> list[Row]:
    found = agreement.by_reviewer(period, reviewer=reviewer)
    names = labels.people(found)
    return [
        (
            names.get(actor, actor),
            [*_rates(each), NONE if each.kappa is None else f"{each.kappa:.2f}"],
        )
        for actor, each in found.items()
    ]


def _rates(found: Agreement) -> list[str]:
    """Return the table cells: second reviews, agreement rate and its confidence interval."""
    low, high = found.interval
    return [
        count(found.count),
        rate(found.same, found.count),
        f"{100 * low:.1f} to {100 * high:.1f} %",
    ]


def _share(decisions: int, chosen: int) -> list[str]:
    return [count(decisions), count(chosen), rate(chosen, decisions)]
