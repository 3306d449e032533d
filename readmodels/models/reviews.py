"""Projections of the reviewers' work, in addition to those in `projections`."""

from django.db import models


class ReviewDay(models.Model):
    """The work of one reviewer in one currency on one UTC day.

    Everything counts on the day of its event, except overturned approvals: they count on the day of the
    approval. An approval is overturned while the payment is known to be fraud.

    Each decision with a known claim counts in one `worked_` column, by the time since the claim.
    Each final decision counts in one `waited_` column, by the time since the flagging. Columns can
    be added up over days and reviewers, so percentiles of any period can be estimated.
    """

    pk = models.CompositePrimaryKey("day", "currency", "reviewer")
    day = models.DateField()
    currency = models.CharField(max_length=3)
    reviewer = models.CharField(max_length=100, help_text="The actor.")
    claimed_count = models.BigIntegerField(default=0, help_text="Without extensions.")
    released_count = models.BigIntegerField(
        default=0, help_text="Claims that ended without a decision, taken over ones included."
    )
    snoozed_count = models.BigIntegerField(default=0)
    expired_count = models.BigIntegerField(
        default=0, help_text="Payments that expired while the reviewer held them."
    )
    escalated_count = models.BigIntegerField(default=0)
    first_approved_count = models.BigIntegerField(default=0, help_text="The first of two.")
    approved_count = models.BigIntegerField(default=0, help_text="The final approval.")
    approved_volume = models.BigIntegerField(default=0, help_text="In minor units of the currency.")
    rejected_count = models.BigIntegerField(default=0)
    rejected_volume = models.BigIntegerField(default=0)
    first_overturned_count = models.BigIntegerField(default=0)
    overturned_count = models.BigIntegerField(default=0)
    overturned_volume = models.BigIntegerField(default=0)
    worked_seconds = models.BigIntegerField(default=0, help_text="From claim to decision.")
    worked_15s = models.BigIntegerField(default=0)
    worked_30s = models.BigIntegerField(default=0)
    worked_1m = models.BigIntegerField(default=0)
    worked_2m = models.BigIntegerField(default=0)
    worked_3m = models.BigIntegerField(default=0)
    worked_5m = models.BigIntegerField(default=0)
    worked_10m = models.BigIntegerField(default=0)
    worked_15m = models.BigIntegerField(default=0)
    worked_30m = models.BigIntegerField(default=0)
    worked_1h = models.BigIntegerField(default=0)
    worked_longer = models.BigIntegerField(default=0)
    waited_seconds = models.BigIntegerField(default=0, help_text="From flagging to decision.")
    waited_1m = models.BigIntegerField(default=0)
    waited_5m = models.BigIntegerField(default=0)
    waited_15m = models.BigIntegerField(default=0)
    waited_30m = models.BigIntegerField(default=0)
    waited_1h = models.BigIntegerField(default=0)
    waited_2h = models.BigIntegerField(default=0)
    waited_4h = models.BigIntegerField(default=0)
    waited_8h = models.BigIntegerField(default=0)
    waited_16h = models.BigIntegerField(default=0)
    waited_1d = models.BigIntegerField(default=0)
    waited_2d = models.BigIntegerField(default=0)
    waited_3d = models.BigIntegerField(default=0)
    waited_5d = models.BigIntegerField(default=0)
    waited_7d = models.BigIntegerField(default=0)
    waited_longer = models.BigIntegerField(default=0)

    class Meta:
        default_permissions = ("view",)
        verbose_name = "day of a reviewer"
        verbose_name_plural = "days of reviewers"

    def __str__(self) -> str:
        return f"{self.day} {self.currency} {self.reviewer}"


class SecondReview(models.Model):
    """A second review: the decision on a payment, and the verdict of another person once it is concluded.

    `first_` is the approval before the final decision, if there was one. `second_` is the verdict.
    """

    id = models.UUIDField(primary_key=True, editable=False)
    payment_id = models.UUIDField()
    amount = models.BigIntegerField(help_text="In minor units of the currency.")
    currency = models.CharField(max_length=3)
    reviewer = models.CharField(max_length=100, help_text="The actor who decided.")
    approved = models.BooleanField()
    reason = models.CharField(max_length=50)
    first_reviewer = models.CharField(max_length=100, blank=True)
    first_reason = models.CharField(max_length=50, blank=True)
    decided_at = models.DateTimeField()
    requested_at = models.DateTimeField()
    concluded_at = models.DateTimeField(null=True, help_text="Empty while it is open.")
    concluded_by = models.CharField(max_length=100, blank=True)
    second_approved = models.BooleanField(null=True)
    second_reason = models.CharField(max_length=50, blank=True)
    severity = models.CharField(max_length=20, blank=True)
    position = models.BigIntegerField()

    class Meta:
        default_permissions = ("view",)
        verbose_name = "second review"
        ordering = ("-concluded_at", "-id")
        indexes = (
            models.Index(
                fields=("requested_at", "id"),
                name="second_review_open",
                condition=models.Q(concluded_at__isnull=True),
            ),
            models.Index(
                fields=("-concluded_at", "-id"),
                name="second_review_done",
                condition=models.Q(concluded_at__isnull=False),
            ),
            # For readmodels.queries.agreement.
            models.Index(fields=("decided_at",), name="second_review_decided"),
        )

    def __str__(self) -> str:
        return f"Second review {self.id}"
