"""The projection of disputes, which a rebuild can replace like those in `projections`."""

from typing import Final

from django.db import models

from payments.domain.methods import Method
from payments.domain.payment.codes import DisputeKind, DisputeOutcome, DisputeReason
from payments.domain.payment.disputes import DisputeStatus
from readmodels.models.projections import choices

_OPEN: Final = models.Q(closed_at__isnull=True)


class DisputeSummary(models.Model):
    """A dispute of a payment after its event at `position`.

    The first columns repeat the payment. `stated_at` and `source` identify the notice that stated what is
    disputed.
    """

    id = models.UUIDField(primary_key=True, editable=False)  # from payment_id and dispute_id
    payment_id = models.UUIDField()
    dispute_id = models.CharField(max_length=255, help_text="The provider's or the client's id.")
    client_id = models.UUIDField()
    customer_id = models.UUIDField()
    method = models.CharField(max_length=20, choices=choices(Method))
    currency = models.CharField(max_length=3)
    payment_amount = models.BigIntegerField(help_text="In minor units of the currency.")
    payment_initiated_at = models.DateTimeField()
    status = models.CharField(max_length=20, choices=choices(DisputeStatus))
    kind = models.CharField(max_length=20, choices=choices(DisputeKind))
    reason = models.CharField(max_length=30, choices=choices(DisputeReason))
    outcome = models.CharField(max_length=20, choices=choices(DisputeOutcome), blank=True)
    network = models.CharField(max_length=100, blank=True)
    network_reason_code = models.CharField(max_length=100, blank=True)
    disputed_amount = models.BigIntegerField()
    lost_amount = models.BigIntegerField(null=True, help_text="Empty while it is open.")
    opened_at = models.DateTimeField()
    inferred = models.BooleanField(help_text="The notice of the opening has not arrived.")
    stated_at = models.DateTimeField()
    source = models.SmallIntegerField()
    respond_by = models.DateTimeField(null=True)
    due_at = models.DateTimeField(
        help_text="The same while a response is needed, else the year 9999, which sorts last."
    )
    responded_at = models.DateTimeField(null=True)
    responded_by = models.CharField(max_length=100, blank=True, help_text="The actor.")
    closed_at = models.DateTimeField(null=True)
    updated_at = models.DateTimeField()
    version = models.IntegerField(help_text="Of the payment.")
    position = models.BigIntegerField()

    class Meta:
        default_permissions = ("view",)
        verbose_name = "dispute"
        ordering = ("-opened_at", "-id")
        # For two lists: open disputes by due time, and all disputes by opening time. Each filter
        # has an index in the order of the list.
        indexes = (
            *(
                models.Index(fields=(*column, "due_at", "id"), name=name, condition=_OPEN)
                for name, column in (
                    ("dispute_due", ()),
                    ("dispute_due_client", ("client_id",)),
                    ("dispute_due_status", ("status",)),
                    ("dispute_due_kind", ("kind",)),
                    ("dispute_due_reason", ("reason",)),
                )
            ),
            *(
                models.Index(fields=(*column, "-opened_at", "-id"), name=name)
                for name, column in (
                    ("dispute_by_time", ()),
                    ("dispute_by_client", ("client_id",)),
                    ("dispute_by_status", ("status",)),
                    ("dispute_by_kind", ("kind",)),
                    ("dispute_by_reason", ("reason",)),
                    ("dispute_by_outcome", ("outcome",)),
                    ("dispute_by_payment", ("payment_id",)),
                    ("dispute_by_customer", ("customer_id",)),
                )
            ),
            models.Index(fields=("dispute_id",), name="dispute_by_id"),
        )

    def __str__(self) -> str:
        return f"Dispute {self.dispute_id}"
