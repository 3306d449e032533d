"""Projections: tables that `manage.py rebuild_projections` can rebuild from the log at any time.

No foreign key points to or from these tables, because a rebuild replaces whole tables.
"""

from enum import StrEnum
from functools import reduce
from operator import or_
from typing import Final

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Collate, Lower

from payments.domain.methods import CARDS, Method
from payments.domain.payment.codes import (
    ApprovalReason,
    FailureReason,
    RejectionReason,
    SnoozeReason,
)
from payments.domain.payment.state import Status
from payments.domain.risk.policy import Band

# Statuses that show that the customer has paid. A full refund proves nothing.
PAID: Final = (Status.COMPLETED.value, Status.PARTIALLY_REFUNDED.value)
CARD_METHODS: Final = tuple(sorted(method.value for method in CARDS))


def choices(*enums: type[StrEnum]) -> list[tuple[str, str]]:
    """Return the members as choices of a column, each with a label."""
    values = dict.fromkeys(str(member) for enum in enums for member in enum)
    return [(value, value.replace("_", " ").capitalize()) for value in values]


_IN_REVIEW: Final = models.Q(status=Status.PENDING_REVIEW.value)


def _one_of(field: str, *values: str) -> models.Q:
    """Return a condition that a rebuild can copy.

    PostgreSQL rewrites `IN`, so an index created from its stored definition would differ from the
    original.
    """
    return reduce(or_, (models.Q(**{field: str(value)}) for value in values))


_NEWEST_FIRST: Final = ("-initiated_at", "-payment_id")


class PaymentSummary(models.Model):
    """A payment after its event at `position`. The customer's name is joined on read."""

    payment_id = models.UUIDField(primary_key=True, editable=False)
    client_id = models.UUIDField()
    customer_id = models.UUIDField()
    reference = models.CharField(max_length=255, null=True)  # noqa: DJ001 - none is not empty
    amount = models.BigIntegerField(help_text="In minor units of the currency.")
    refunded_amount = models.BigIntegerField(default=0)
    currency = models.CharField(max_length=3)
    method = models.CharField(max_length=20, choices=choices(Method))
    # `db_default`: during a deployment, older code inserts rows without these columns.
    card_brand = models.CharField(max_length=20, blank=True, default="", db_default="")
    card_last4 = models.CharField(max_length=4, blank=True, default="", db_default="")
    card_fingerprint = models.CharField(max_length=32, null=True)  # noqa: DJ001 - most have none
    status = models.CharField(max_length=20, choices=choices(Status))
    risk_score = models.SmallIntegerField(null=True, help_text="Empty if not assessed.")
    risk_band = models.CharField(max_length=10, choices=choices(Band), blank=True)
    risk_reasons = ArrayField(models.CharField(max_length=50), default=list)
    requires_review = models.BooleanField(help_text="Whether it was flagged for review.")
    failure_reason = models.CharField(max_length=50, choices=choices(FailureReason), blank=True)
    four_eyes = models.BooleanField(
        default=False, db_default=False, help_text="Two people must approve it."
    )
    reject_advised = models.BooleanField(default=False, db_default=False)
    claimed_by = models.CharField(
        max_length=100, blank=True, default="", db_default="", help_text="The actor of the claim."
    )
    claimed_until = models.DateTimeField(null=True)
    assigned_to = models.CharField(
        max_length=100, blank=True, db_default="", help_text="The actor who should decide."
    )
    snoozed_by = models.CharField(max_length=100, blank=True, db_default="")
    snoozed_until = models.DateTimeField(
        null=True, help_text="When it returned or returns to the queue."
    )
    snooze_reason = models.CharField(
        max_length=30, choices=choices(SnoozeReason), blank=True, db_default=""
    )
    escalated = models.BooleanField(
        default=False, db_default=False, help_text="Senior reviewers decide."
    )
    first_approver = models.CharField(max_length=100, blank=True, default="", db_default="")
    reviewer = models.CharField(max_length=100, blank=True, help_text="The actor who decided.")
    review_reason = models.CharField(
        max_length=50, choices=choices(ApprovalReason, RejectionReason), blank=True
    )
    review_note_id = models.UUIDField(null=True)
    reviewed_at = models.DateTimeField(null=True)
    initiated_at = models.DateTimeField()
    flagged_at = models.DateTimeField(null=True)
    review_deadline = models.DateTimeField(null=True)
    processed_at = models.DateTimeField(null=True)
    updated_at = models.DateTimeField()
    version = models.IntegerField()
    position = models.BigIntegerField()
    dispute_count = models.IntegerField(db_default=0)
    open_disputes = models.IntegerField(db_default=0)
    disputed_amount = models.BigIntegerField(
        db_default=0, help_text="The amount that open disputes claim."
    )
    lost_amount = models.BigIntegerField(
        db_default=0, help_text="The amount that closed disputes took."
    )
    first_position = models.BigIntegerField(
        default=0,
        db_default=0,
        help_text="Position of its first event. Orders the list that clients follow.",
    )

    class Meta:
        default_permissions = ("view",)
        verbose_name = "payment"
        ordering = _NEWEST_FIRST
        # Rare filter values have their own index, sorted like the list. A page is then found among
        # few rows, even with other filters. Common values are found quickly in the list itself.
        indexes = (
            models.Index(fields=_NEWEST_FIRST, name="payment_by_time"),
            models.Index(fields=("client_id", *_NEWEST_FIRST), name="payment_by_client"),
            models.Index(fields=("client_id", "first_position"), name="payment_by_position"),
            models.Index(fields=("customer_id", *_NEWEST_FIRST), name="payment_by_customer"),
            models.Index(
                fields=("card_fingerprint", *_NEWEST_FIRST),
                name="payment_by_card",
                condition=models.Q(card_fingerprint__isnull=False),
            ),
            models.Index(fields=("status", *_NEWEST_FIRST), name="payment_by_status"),
            models.Index(fields=("currency", *_NEWEST_FIRST), name="payment_by_currency"),
            models.Index(
                fields=("risk_band", *_NEWEST_FIRST),
                name="payment_by_band",
                condition=_one_of("risk_band", Band.MEDIUM, Band.HIGH),
            ),
            models.Index(
                fields=_NEWEST_FIRST,
                name="payment_reviewed",
                condition=models.Q(requires_review=True),
            ),
            # For readmodels.queries.risk_features.
            models.Index(
                fields=("customer_id",),
                name="payment_paid_by_card",
                condition=_one_of("status", *PAID) & _one_of("method", *CARD_METHODS),
            ),
            # For readmodels.queries.search: references by their beginning, in any case.
            models.Index(
                Collate(Lower("reference"), "C"),
                name="payment_by_folded_reference",
                condition=models.Q(reference__isnull=False),
            ),
            models.Index(fields=("currency", "amount", *_NEWEST_FIRST), name="payment_by_amount"),
            models.Index(
                fields=("card_last4", *_NEWEST_FIRST),
                name="payment_by_last4",
                condition=models.Q(card_last4__gt=""),
            ),
            models.Index(
                fields=("review_deadline", "payment_id"),
                name="payment_by_deadline",
                condition=_IN_REVIEW,
            ),
            models.Index(
                fields=("flagged_at", "payment_id"), name="review_by_age", condition=_IN_REVIEW
            ),
            models.Index(
                fields=("currency", "-amount", "-payment_id"),
                name="review_by_amount",
                condition=_IN_REVIEW,
            ),
            models.Index(
                fields=("client_id", "review_deadline", "payment_id"),
                name="review_by_client",
                condition=_IN_REVIEW,
            ),
            # For searches of the queue, which may find many customers with many payments each.
            models.Index(
                fields=("customer_id", "review_deadline", "payment_id"),
                name="review_by_customer",
                condition=_IN_REVIEW,
            ),
            # For the polls of the queue: payments that are new since a position.
            models.Index(
                fields=("first_position",), name="review_by_position", condition=_IN_REVIEW
            ),
            models.Index(
                fields=("assigned_to", "review_deadline", "payment_id"),
                name="payment_assigned",
                condition=models.Q(status=Status.PENDING_REVIEW.value) & ~models.Q(assigned_to=""),
            ),
            models.Index(
                fields=("snoozed_by", "review_deadline", "payment_id"),
                name="payment_snoozed",
                condition=models.Q(status=Status.PENDING_REVIEW.value) & ~models.Q(snoozed_by=""),
            ),
        )

    def __str__(self) -> str:
        return f"Payment {self.payment_id}"


class DailyStatistics(models.Model):
    """Sums of one client's payments in one currency on one UTC day.

    Totals count on the day of initiation, outcomes on the day of the outcome, reviews on the day of
    flagging. Disputes count on two days: in the `payment_day_` columns on the day of their
    payment's initiation, in the `dispute_day_` columns on the day of their opening. Lost disputes
    are those that took money. A counter may be negative for a while, because one batch may decrease
    it before another batch increases it.
    """

    key = models.CharField(primary_key=True, max_length=60, editable=False)  # day, client, currency
    day = models.DateField()
    client_id = models.UUIDField()
    currency = models.CharField(max_length=3)
    total_count = models.BigIntegerField(default=0)
    total_volume = models.BigIntegerField(default=0, help_text="In minor units of the currency.")
    completed_count = models.BigIntegerField(default=0)
    completed_volume = models.BigIntegerField(default=0)
    failed_count = models.BigIntegerField(default=0)
    failed_volume = models.BigIntegerField(default=0)
    rejected_count = models.BigIntegerField(default=0)
    rejected_volume = models.BigIntegerField(default=0)
    cancelled_count = models.BigIntegerField(db_default=0)
    cancelled_volume = models.BigIntegerField(db_default=0)
    expired_count = models.BigIntegerField(db_default=0)
    expired_volume = models.BigIntegerField(db_default=0)
    refunded_count = models.BigIntegerField(default=0)
    refunded_volume = models.BigIntegerField(default=0)
    payment_day_disputed_count = models.BigIntegerField(db_default=0)
    payment_day_disputed_volume = models.BigIntegerField(db_default=0)
    payment_day_lost_count = models.BigIntegerField(db_default=0)
    payment_day_lost_volume = models.BigIntegerField(db_default=0)
    dispute_day_disputed_count = models.BigIntegerField(db_default=0)
    dispute_day_disputed_volume = models.BigIntegerField(db_default=0)
    dispute_day_lost_count = models.BigIntegerField(db_default=0)
    dispute_day_lost_volume = models.BigIntegerField(db_default=0)
    review_count = models.BigIntegerField(default=0, help_text="Flagged for review on this day.")
    open_reviews = models.BigIntegerField(
        default=0, help_text="Flagged on this day and still open."
    )

    class Meta:
        default_permissions = ("view",)
        verbose_name = verbose_name_plural = "daily statistics"
        ordering = ("-day", "currency", "client_id")
        indexes = (
            models.Index(fields=("-day", "currency", "client_id"), name="statistics_by_day"),
            models.Index(fields=("client_id", "-day"), name="statistics_by_client"),
        )

    def __str__(self) -> str:
        return f"{self.day} {self.currency}"


class CustomerActivity(models.Model):
    """One customer's initiated payments in one currency within five minutes, for velocity rules."""

    pk = models.CompositePrimaryKey("customer_id", "bucket", "currency")
    customer_id = models.UUIDField()
    bucket = models.DateTimeField(help_text="Start of the five minutes.")
    currency = models.CharField(max_length=3)
    initiated_count = models.BigIntegerField(default=0)
    initiated_volume = models.BigIntegerField(
        default=0, help_text="In minor units of the currency."
    )

    class Meta:
        default_permissions = ()
        verbose_name_plural = "customer activity"

    def __str__(self) -> str:
        return f"{self.customer_id} {self.bucket:%Y-%m-%d %H:%M} {self.currency}"


class EventIndex(models.Model):
    """Columns by which clients and staff find events. Indexes on the log would slow each append."""

    position = models.BigIntegerField(primary_key=True)
    aggregate_id = models.UUIDField(verbose_name="payment")
    version = models.IntegerField()
    event_type = models.CharField(max_length=100)
    actor = models.CharField(max_length=100)
    command = models.CharField(max_length=50)
    correlation_id = models.CharField(max_length=100, null=True)  # noqa: DJ001 - none is not empty
    occurred_at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    client_id = models.UUIDField(null=True, help_text="None: a risk policy.")

    class Meta:
        default_permissions = ("view",)
        verbose_name = "event"
        ordering = ("-recorded_at", "-position")
        # Each index ends in the order of the list, so that a time range narrows it further.
        indexes = (
            models.Index(fields=("event_type", "-recorded_at", "-position"), name="event_by_type"),
            models.Index(fields=("actor", "-recorded_at", "-position"), name="event_by_actor"),
            models.Index(
                fields=("aggregate_id", "-recorded_at", "-position"), name="event_by_aggregate"
            ),
            models.Index(
                fields=("correlation_id", "-recorded_at", "-position"),
                name="event_by_correlation",
                condition=models.Q(correlation_id__isnull=False),
            ),
            models.Index(fields=("-recorded_at", "-position"), name="event_by_time"),
            # For readmodels.feed.
            models.Index(
                fields=("client_id", "position"), include=("event_type",), name="event_by_client"
            ),
        )

    def __str__(self) -> str:
        return f"{self.position} {self.event_type} v{self.version}"
