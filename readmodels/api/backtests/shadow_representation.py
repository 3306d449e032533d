"""Shadows of risk policies in the answers of the API."""

import datetime as dt
from typing import Annotated, Any, Self
from uuid import UUID

from msgspec import Meta, Struct

from payments.domain.backtest import verdict
from payments.domain.text import Moment, rfc3339
from readmodels.api.backtests.representation import NEXT
from readmodels.backtests import daily, shadows
from readmodels.backtests.daily import Day, Sides
from readmodels.backtests.models import Shadow, ShadowState
from readmodels.backtests.shadows import Figures


class ShadowSides(Struct, frozen=True):
    """A number of the active policy, and the same one of the shadow."""

    active: Annotated[int, Meta(description="By the active policy.")]
    shadow: Annotated[int, Meta(description="By the shadow.")]

    @classmethod
    def of(cls, sides: Sides) -> Self:
        return cls(sides.active, sides.shadow)


class ShadowAmounts(Struct, frozen=True, kw_only=True):
    """The payments of a day in one currency. Amounts are in minor units."""

    currency: Annotated[str, Meta(description="An ISO 4217 code.")]
    payments: Annotated[int, Meta(description="The payments that could be evaluated.")]
    flips: Annotated[int, Meta(description="Those of them that would be decided otherwise.")]
    held: Annotated[ShadowSides, Meta(description="The amount that waits for review.")]
    blocked: Annotated[ShadowSides, Meta(description="The amount that is blocked.")]


class ShadowDayView(Struct, frozen=True, kw_only=True):
    """A day of a shadow."""

    date: Annotated[dt.date, Meta(description="The day of the decisions, in UTC.")]
    payments: Annotated[int, Meta(description="The payments that could be evaluated.")]
    not_evaluable: Annotated[int, Meta(description="The payments that lack a fact.")]
    flips: Annotated[int, Meta(description="The payments that would be decided otherwise.")]
    reviews: Annotated[ShadowSides, Meta(description="The payments under review.")]
    blocks: Annotated[ShadowSides, Meta(description="The blocked payments.")]
    amounts: Annotated[
        list[ShadowAmounts], Meta(description="By currency, the one with the most payments first.")
    ]

    @classmethod
    def of(cls, date: dt.date, day: Day) -> Self:
        return cls(
            date=date,
            payments=day.payments,
            not_evaluable=day.not_evaluable,
            flips=day.flips,
            reviews=ShadowSides.of(day.reviews),
            blocks=ShadowSides.of(day.blocks),
            amounts=[
                ShadowAmounts(
                    currency=each.currency,
                    payments=each.payments,
                    flips=each.flips,
                    held=ShadowSides.of(each.held),
                    blocked=ShadowSides.of(each.blocked),
                )
                for each in day.money
            ],
        )


class ShadowView(Struct, frozen=True, kw_only=True):
    """A shadow: a proposed policy that is evaluated on new payments."""

    id: Annotated[UUID, Meta(description="The id of the shadow.")]
    policy_id: Annotated[str, Meta(description="The policy that is observed.")]
    state: Annotated[
        str,
        Meta(
            description="`approved` and `withdrawn`: what ended the proposal. `expired`: it ran for 30 days.",
            extra_json_schema={"enum": ShadowState.values},
        ),
    ]
    since: Annotated[int, Meta(description="Payments were scored after this position of the log.")]
    position: Annotated[int, Meta(description="The log was read up to this position.")]
    started_by: Annotated[str, Meta(description="The id of the person who started it.")]
    started_at: Annotated[Moment, Meta(description="When it was started (UTC).")]
    ended_at: Annotated[Moment | None, Meta(description="When it ended (UTC); null: it runs.")]
    error: Annotated[str | None, Meta(description="Why it is stalled; null: it is not.")]
    days: Annotated[int, Meta(description="The days with payments.")]
    payments: Annotated[int, Meta(description="The payments that could be evaluated.")]
    flips: Annotated[int, Meta(description="Those of them that would be decided otherwise.")]

    @classmethod
    def of(cls, shadow: Shadow, figures: Figures, **more: Any) -> Self:
        return cls(
            id=shadow.pk,
            policy_id=shadow.candidate_id,
            state=shadow.state,
            since=shadow.since,
            position=shadow.position,
            started_by=shadow.started_by,
            started_at=rfc3339(shadow.started_at),
            ended_at=rfc3339(shadow.ended_at),
            error=shadow.error or None,
            days=figures.days,
            payments=figures.payments,
            flips=figures.flips,
            **more,
        )


class ShadowWithDays(ShadowView, frozen=True, kw_only=True):
    """A shadow with what each day counted."""

    verdict: Annotated[str, Meta(description="The result in one sentence, for people.")]
    limits: Annotated[list[str], Meta(description="What the verdict does not say, for people.")]
    digest: Annotated[
        str,
        Meta(
            description="The SHA-256 of the policy, the range and the days, which `./manage.py backtest"
            " shadow verify` computes again."
        ),
    ]
    by_day: Annotated[list[ShadowDayView], Meta(description="The days, the oldest first.")]


class ShadowPage(Struct, frozen=True):
    """A page of shadows."""

    shadows: Annotated[list[ShadowView], Meta(description="At most `limit`, the newest first.")]
    next: Annotated[str | None, NEXT]


def with_days(found: Shadow) -> ShadowWithDays:
    shadow, tallies = shadows.with_days(found)
    result, total = daily.total(tallies.values())
    return ShadowWithDays.of(
        shadow,
        Figures(len(tallies), total.payments, total.flips),
        verdict=verdict.verdict(result, labeled=False),
        limits=list(verdict.limits(result, labeled=False)),
        digest=shadows.digest_of(shadow, tallies),
        by_day=[
            ShadowDayView.of(date, day)
            for date, day in zip(sorted(tallies), daily.days(tallies), strict=True)
        ],
    )
