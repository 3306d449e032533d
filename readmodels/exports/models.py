"""The record of exports.

No rebuild restores it, because no event records what people took out of the service. Triggers
refuse to delete a row or to change its request or its result: see the migrations.
"""

from collections.abc import Mapping
from typing import ClassVar, Final
from uuid import uuid4

from django.db import models

_DIGITS: Final = 64  # hexadecimal digits of a SHA-256
LONGEST_REASON: Final = 500
LONGEST_QUERY: Final = 1_000  # characters of the filters, encoded as in an address


class Kind(models.TextChoices):
    """What was exported: the evidence of a payment, or the rows of a list."""

    EVIDENCE = "evidence", "Evidence pack"
    PAYMENTS = "payments", "Payments"
    QUEUE = "queue", "Review queue"
    EVENTS = "events", "Event log"
    DECISIONS = "decisions", "Decisions"
    STATISTICS = "statistics", "Daily statistics"
    CUSTOMERS = "customers", "Customers"


class State(models.TextChoices):
    """An export's state. `INTERRUPTED`: the person cancelled it or did not receive all of it."""

    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    DONE = "done", "Done"
    INTERRUPTED = "interrupted", "Interrupted"
    FAILED = "failed", "Failed"


class Format(models.TextChoices):
    ZIP = "zip", "ZIP"
    CSV = "csv", "CSV"
    XLSX = "xlsx", "XLSX"


UNFINISHED: Final = (State.QUEUED, State.RUNNING)


class Export(models.Model):
    """A file that a person asked for.

    `digest` is the SHA-256 of the file, or of the JSON file in an evidence pack. `query` has the
    filters of a list as in its address. A file that was made in the background stays in
    EXPORT_FOLDER until `expires_at`. `lease` is the token of the worker that makes it.
    """

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    kind = models.CharField(max_length=20, choices=Kind.choices)
    format = models.CharField(max_length=4, choices=Format.choices)
    with_bom = models.BooleanField(default=False, help_text="A CSV file begins with a BOM.")
    subject = models.UUIDField(null=True, help_text="The payment of an evidence pack.")
    version = models.IntegerField(null=True, help_text="The decision of an evidence pack.")
    query = models.CharField(max_length=LONGEST_QUERY, blank=True)
    reason = models.CharField(max_length=LONGEST_REASON, blank=True)
    requested_by = models.CharField(max_length=100, help_text="An actor id.")
    requested_at = models.DateTimeField()
    state = models.CharField(max_length=11, choices=State.choices)
    rows = models.BigIntegerField(default=0, help_text="Events of an evidence pack.")
    position = models.BigIntegerField(null=True, help_text="Of the log that the rows show.")
    digest = models.CharField(max_length=_DIGITS, blank=True)
    finished_at = models.DateTimeField(null=True)
    error = models.CharField(max_length=500, blank=True)
    in_background = models.BooleanField(default=False)
    lease = models.UUIDField(null=True)
    leased_until = models.DateTimeField(null=True)
    attempts = models.SmallIntegerField(default=0)
    expires_at = models.DateTimeField(null=True, help_text="Empty: there is no file.")

    # Texts that people type. An erasure searches them for the customer: see
    # payments.customers.free_texts.
    free_texts: ClassVar[Mapping[str, str]] = {"reason": "reasons of exports"}

    class Meta:
        default_permissions = ("view",)
        permissions = (
            ("export_evidence", "Can export evidence packs"),
            ("export_lists", "Can export lists"),
        )
        ordering = ("-requested_at", "-id")
        constraints: ClassVar[tuple[models.BaseConstraint, ...]] = (
            models.CheckConstraint(
                condition=models.Q(kind__in=Kind.values, format__in=Format.values),
                name="exports_export_kind",
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=State.values), name="exports_export_state"
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=[each.value for each in UNFINISHED])
                & models.Q(finished_at__isnull=True)
                | ~models.Q(state__in=[each.value for each in UNFINISHED])
                & models.Q(finished_at__isnull=False),
                name="exports_export_finished",
            ),
            models.CheckConstraint(
                condition=models.Q(state=State.DONE.value) & ~models.Q(digest="")
                | ~models.Q(state=State.DONE.value) & models.Q(digest=""),
                name="exports_export_digest",
            ),
            models.CheckConstraint(
                condition=models.Q(kind=Kind.EVIDENCE.value, subject__isnull=False)
                | ~models.Q(kind=Kind.EVIDENCE.value) & models.Q(subject__isnull=True),
                name="exports_export_subject",
            ),
            models.CheckConstraint(
                condition=models.Q(lease__isnull=True, leased_until__isnull=True)
                | models.Q(
                    state=State.RUNNING.value,
                    in_background=True,
                    lease__isnull=False,
                    leased_until__isnull=False,
                ),
                name="exports_export_lease",
            ),
        )
        indexes = (
            models.Index(fields=("-requested_at", "-id"), name="export_by_time"),
            models.Index(fields=("requested_by", "-requested_at", "-id"), name="export_by_person"),
            models.Index(
                fields=("subject", "-requested_at"),
                name="export_by_subject",
                condition=models.Q(subject__isnull=False),
            ),
            models.Index(
                fields=("requested_at", "id"),
                name="export_unfinished",
                condition=models.Q(
                    state__in=[each.value for each in UNFINISHED], in_background=True
                ),
            ),
            models.Index(
                fields=("expires_at",),
                name="export_expiring",
                condition=models.Q(expires_at__isnull=False),
            ),
        )

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {str(self.pk)[:8]}"
