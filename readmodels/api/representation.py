"""The answers of the read API."""

import datetime as dt
from collections.abc import Iterable
from typing import Annotated, Final
from uuid import UUID

import msgspec
from msgspec import Meta, Struct, structs

from payments.api.dispute_view import DisputeView
from payments.api.representation import (
    PaymentFields,
    PaymentView,
    RefundView,
)
from payments.customers.models import Customer
from readmodels.engine.lag import COUNTED_TO, Lag, State
from readmodels.models import DailyStatistics, DisputeSummary, PaymentSummary
from readmodels.projections import dispute_summary

_COUNTED: Final = {"minimum": 0, "maximum": COUNTED_TO}


class PaymentPage(Struct):
    """A page of a list of payments."""

    payments: Annotated[list[PaymentView], Meta(description="At most `limit`.")]
    next: Annotated[
        str | None,
        Meta(
            description="The `cursor` of the next page; null: this is the last page. With `ordering=position`"
            " it is never null: use it later for new payments."
        ),
    ]


class RefundList(Struct):
    """All refunds of a payment."""

    refunds: Annotated[list[RefundView], Meta(description="The refunds, the oldest first.")]


def _count(which: str) -> Meta:
    return Meta(description=f"The number of payments that {which}.")


def _volume(which: str) -> Meta:
    return Meta(description=f"The sum of {which}, in minor units of the currency.")


class DayView(Struct):
    """One currency on one UTC day.

    Totals count a payment on the day of its submission. The other numbers count it on the day of the event,
    such as its completion. Over all days, `total_count` is the sum of the completed, failed, rejected,
    cancelled and expired payments and of `open_reviews`.
    """

    date: Annotated[dt.date, Meta(description="The day, in UTC.")]
    currency: Annotated[str, Meta(description="An ISO 4217 code.")]
    total_count: Annotated[int, _count("were submitted")]
    total_volume: Annotated[int, _volume("their amounts")]
    average: Annotated[
        float | None,
        Meta(
            description="`total_volume` divided by `total_count`, in minor units, rounded to two decimals;"
            " null: no payment was submitted."
        ),
    ]
    completed_count: Annotated[int, _count("were completed, whenever they were submitted")]
    completed_volume: Annotated[int, _volume("their amounts")]
    failed_count: Annotated[int, _count("failed")]
    failed_volume: Annotated[int, _volume("their amounts")]
    rejected_count: Annotated[int, _count("were rejected by a reviewer")]
    rejected_volume: Annotated[int, _volume("their amounts")]
    cancelled_count: Annotated[int, _count("were cancelled")]
    cancelled_volume: Annotated[int, _volume("their amounts")]
    expired_count: Annotated[int, _count("expired, because nobody decided")]
    expired_volume: Annotated[int, _volume("their amounts")]
    refunded_count: Annotated[
        int, Meta(description="The number of refunds. A payment may have several.")
    ]
    refunded_volume: Annotated[int, _volume("these refunds")]
    payment_day_disputed_count: Annotated[
        int,
        Meta(description="The number of disputes of the payments submitted on this day."),
    ]
    payment_day_disputed_volume: Annotated[int, _volume("the disputed amounts")]
    payment_day_lost_count: Annotated[
        int, Meta(description="The number of these disputes that took money.")
    ]
    payment_day_lost_volume: Annotated[int, _volume("what they took")]
    dispute_day_disputed_count: Annotated[
        int,
        Meta(description="The number of disputes opened on this day, of any payments."),
    ]
    dispute_day_disputed_volume: Annotated[int, _volume("the disputed amounts")]
    dispute_day_lost_count: Annotated[
        int, Meta(description="The number of these disputes that took money.")
    ]
    dispute_day_lost_volume: Annotated[int, _volume("what they took")]
    review_count: Annotated[int, _count("were flagged for review on this day")]
    open_reviews: Annotated[
        int,
        Meta(
            description="The number of payments flagged on this day that still wait for a decision."
        ),
    ]


class DayList(Struct):
    """The days on which payments were submitted or changed."""

    days: Annotated[
        list[DayView],
        Meta(
            description="The newest day first. Within a day, currencies are in alphabetical order."
        ),
    ]


class ProjectionView(Struct):
    """The lag of a read model, and the number of events that it could not apply.

    Both are counted up to 100,000.
    """

    name: Annotated[str, Meta(description="The name of the read model.")]
    state: Annotated[
        State,
        Meta(
            description="`behind` catches up by itself. `parked` has read the whole log but lacks events that"
            " have to be repaired. `stopped`, `needs_rebuild` and `ahead_of_log` need an operator."
        ),
    ]
    position: Annotated[
        int, Meta(description="The position of the last event that it has read; 0: none yet.")
    ]
    events: Annotated[
        int,
        Meta(
            description="The number of events that it has not read yet, up to 100,000.",
            extra_json_schema=_COUNTED,
        ),
    ]
    seconds: Annotated[
        float, Meta(description="The age of the oldest of these events in seconds; 0: none.")
    ]
    parked: Annotated[
        int,
        Meta(
            description="The number of events that have to be repaired, up to 100,000.",
            extra_json_schema=_COUNTED,
        ),
    ]


class ProjectionList(Struct):
    """All read models."""

    projections: Annotated[
        list[ProjectionView], Meta(description="The read models, in no particular order.")
    ]


def payments(summaries: Iterable[PaymentSummary]) -> list[PaymentView]:
    """Return the payments with the references of their customers and with their disputes.

    Takes one query, and another one if any payment has disputes. The disputes may be newer or older than the
    rows.
    """
    rows = list(summaries)
    customers = Customer.objects.filter(pk__in={row.customer_id for row in rows})
    references = dict(customers.values_list("pk", "reference"))
    disputes = _disputes([row.payment_id for row in rows if row.dispute_count])
    return [
        PaymentView.of(
            structs.replace(
                msgspec.convert(row, PaymentFields, from_attributes=True),
                disputes=tuple(disputes.get(row.payment_id, ())),
            ),
            customer_reference=references.get(row.customer_id),
        )
        for row in rows
    ]


def _disputes(payment_ids: list[UUID]) -> dict[UUID, list[DisputeView]]:
    """Return the disputes of the payments, the first opened one first."""
    found: dict[UUID, list[DisputeView]] = {}
    if payment_ids:
        rows = DisputeSummary.objects.filter(payment_id__in=payment_ids)
        for row in rows.order_by("opened_at", "dispute_id"):
            found.setdefault(row.payment_id, []).append(dispute(row))
    return found


def dispute(row: DisputeSummary) -> DisputeView:
    stored = msgspec.convert(row, dispute_summary.Row, from_attributes=True)
    return DisputeView.of(dispute_summary.dispute(stored))


def day(row: DailyStatistics) -> DayView:
    return DayView(
        date=row.day,
        currency=row.currency,
        total_count=row.total_count,
        total_volume=row.total_volume,
        average=round(row.total_volume / row.total_count, 2) if row.total_count else None,
        completed_count=row.completed_count,
        completed_volume=row.completed_volume,
        failed_count=row.failed_count,
        failed_volume=row.failed_volume,
        rejected_count=row.rejected_count,
        rejected_volume=row.rejected_volume,
        cancelled_count=row.cancelled_count,
        cancelled_volume=row.cancelled_volume,
        expired_count=row.expired_count,
        expired_volume=row.expired_volume,
        refunded_count=row.refunded_count,
        refunded_volume=row.refunded_volume,
        payment_day_disputed_count=row.payment_day_disputed_count,
        payment_day_disputed_volume=row.payment_day_disputed_volume,
        payment_day_lost_count=row.payment_day_lost_count,
        payment_day_lost_volume=row.payment_day_lost_volume,
        dispute_day_disputed_count=row.dispute_day_disputed_count,
        dispute_day_disputed_volume=row.dispute_day_disputed_volume,
        dispute_day_lost_count=row.dispute_day_lost_count,
        dispute_day_lost_volume=row.dispute_day_lost_volume,
        review_count=row.review_count,
        open_reviews=row.open_reviews,
    )


def projection(lag: Lag) -> ProjectionView:
    """Return the lag without the error, which may name payments of other clients."""
    return ProjectionView(lag.name, lag.state, lag.position, lag.events, lag.seconds, lag.parked)
