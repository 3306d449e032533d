"""The endpoints of clients, the payments that an endpoint refused, and the attempts to deliver.

No rebuild restores these tables, because the log holds neither the settings of clients nor
attempts.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar, Final
from uuid import uuid4

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone
from django.utils.text import Truncator

MOST_ENDPOINTS: Final = 10  # per client


class State(models.TextChoices):
    """The state of an endpoint.

    `PAUSED` is requested by a person. `DISABLED` is set by the service after too many failures or a
    410, or by an operator with a reason.
    """

    ACTIVE = "active"
    PAUSED = "paused"
    DISABLED = "disabled"


class Outcome(models.TextChoices):
    """The result of an attempt.

    `REJECTED`: the endpoint refused this event. `FAILED`: the endpoint did not answer, or not properly.
    `DROPPED`: the event was rejected for too long and will not be sent again.
    """

    DELIVERED = "delivered"
    REJECTED = "rejected"
    FAILED = "failed"
    DROPPED = "dropped"


class Endpoint(models.Model):
    """An address of a client that receives its events, and how far they were delivered.

    `position` is the cursor: all events up to it are delivered, or their payments are held. Only the
    holder of the lease may move it, send, or change held payments.
    """

    # Typed by people: an erasure searches them for the customer, see payments.customers.free_texts.
    free_texts: ClassVar[Mapping[str, str]] = {
        "description": "descriptions of webhook endpoints",
        "disabled_reason": "reasons of disabled webhook endpoints",
    }

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    client = models.ForeignKey("clients.Client", on_delete=models.PROTECT, db_index=False)
    number = models.SmallIntegerField(help_text="1 to 10 among the endpoints of its client.")
    url = models.CharField(max_length=500)
    description = models.CharField(max_length=200, blank=True, default="", db_default="")
    event_types = ArrayField(
        models.CharField(max_length=50), default=list, blank=True, help_text="Empty: all."
    )
    thin = models.BooleanField(
        default=False, db_default=False, help_text="Send only the id of the payment."
    )
    state = models.CharField(max_length=10, choices=State.choices, default=State.ACTIVE)
    disabled_reason = models.CharField(max_length=200, blank=True, default="", db_default="")
    position = models.BigIntegerField()
    # Encrypted, see keys.py. The old secret signs too until `old_secret_until`.
    secret = models.BinaryField(editable=False)
    old_secret = models.BinaryField(null=True, editable=False)
    old_secret_until = models.DateTimeField(null=True)
    test_id = models.UUIDField(null=True, help_text="Of a test message to send next.")
    failures = models.IntegerField(default=0, db_default=0, help_text="In a row.")
    failing_since = models.DateTimeField(null=True)
    next_attempt_at = models.DateTimeField(help_text="Nothing is sent earlier.")
    lease = models.UUIDField(null=True, help_text="The holder's token.")
    leased_until = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)

    class Meta:
        default_permissions = ("view",)
        permissions = (("manage_endpoint", "Can create, change, pause and replay endpoints"),)
        verbose_name = "webhook endpoint"
        ordering = ("client", "number")
        constraints: ClassVar[tuple[models.BaseConstraint, ...]] = (
            # Its index finds the endpoints of a client.
            models.UniqueConstraint(fields=("client", "number"), name="webhooks_endpoint_number"),
            # A repeated request to create an endpoint is refused.
            models.UniqueConstraint(fields=("client", "url"), name="webhooks_endpoint_url"),
            models.CheckConstraint(
                condition=models.Q(number__range=(1, MOST_ENDPOINTS)),
                name="webhooks_endpoint_at_most_ten",
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=State.values), name="webhooks_endpoint_state"
            ),
            models.CheckConstraint(
                condition=models.Q(position__gte=0), name="webhooks_endpoint_position"
            ),
            models.CheckConstraint(
                condition=models.Q(failures=0, failing_since__isnull=True)
                | models.Q(failures__gt=0, failing_since__isnull=False),
                name="webhooks_endpoint_failing",
            ),
            models.CheckConstraint(
                condition=models.Q(lease__isnull=True, leased_until__isnull=True)
                | models.Q(lease__isnull=False, leased_until__isnull=False),
                name="webhooks_endpoint_lease",
            ),
            models.CheckConstraint(
                condition=models.Q(old_secret__isnull=True)
                | models.Q(old_secret_until__isnull=False),
                name="webhooks_endpoint_old_secret",
            ),
            models.CheckConstraint(
                condition=models.Q(state=State.DISABLED.value) | models.Q(disabled_reason=""),
                name="webhooks_endpoint_reason",
            ),
        )
        indexes = (
            models.Index(
                fields=("next_attempt_at",),
                name="endpoint_due",
                condition=models.Q(state=State.ACTIVE.value),
            ),
            # For the dashboard.
            models.Index(
                fields=("state", "failing_since", "id"),
                name="endpoint_in_trouble",
                condition=models.Q(state=State.DISABLED.value)
                | models.Q(state=State.ACTIVE.value, failures__gt=0),
            ),
            models.Index(
                fields=("test_id",),
                name="endpoint_to_test",
                condition=models.Q(test_id__isnull=False),
            ),
        )

    def __str__(self) -> str:
        return f"Endpoint {self.number}: {Truncator(self.url).chars(60)}"

    @property
    def is_failing(self) -> bool:
        """Return whether the latest delivery failed and will be tried again."""
        return self.state == State.ACTIVE and self.failures > 0

    def is_leased(self, at: datetime) -> bool:
        return self.leased_until is not None and at < self.leased_until


class HeldPayment(models.Model):
    """A payment whose event at `position` an endpoint rejected. Its later events wait too."""

    endpoint = models.ForeignKey(
        Endpoint, on_delete=models.CASCADE, related_name="held", db_index=False
    )
    payment_id = models.UUIDField()
    position = models.BigIntegerField(help_text="Of its first event that is not delivered.")
    since = models.DateTimeField(help_text="When that event was first rejected.")
    tries = models.IntegerField()
    next_attempt_at = models.DateTimeField()
    error = models.CharField(max_length=500)

    class Meta:
        default_permissions = ("view",)
        ordering = ("since", "id")
        constraints = (
            models.UniqueConstraint(fields=("endpoint", "payment_id"), name="webhooks_held_once"),
            models.CheckConstraint(
                condition=models.Q(position__gte=1, tries__gte=0), name="webhooks_held_numbers"
            ),
        )
        indexes = (
            models.Index(fields=("next_attempt_at",), name="held_due"),
            models.Index(fields=("since", "id"), name="held_by_time"),
            models.Index(fields=("endpoint", "since", "id"), name="held_by_endpoint"),
            models.Index(fields=("payment_id",), name="held_by_payment"),
        )

    def __str__(self) -> str:
        return str(self.payment_id)


class Attempt(models.Model):
    """One request to an endpoint, or the decision to drop an event. Kept for 30 days.

    `error` is a sentence of the service. `response` is the receiver's text, which may repeat the message.
    It is kept only if the event was not delivered.
    """

    free_texts: ClassVar[Mapping[str, str]] = {"response": "answers of webhook endpoints"}

    id = models.BigAutoField(primary_key=True)
    endpoint = models.ForeignKey(
        Endpoint, on_delete=models.CASCADE, related_name="attempts", db_index=False
    )
    message_id = models.CharField(max_length=100, help_text="The header webhook-id.")
    event_type = models.CharField(max_length=50)
    position = models.BigIntegerField(null=True, help_text="None: a test.")
    payment_id = models.UUIDField(null=True)
    number = models.IntegerField(help_text="1 for the first attempt, if known.")
    at = models.DateTimeField()
    milliseconds = models.IntegerField()
    outcome = models.CharField(max_length=10, choices=Outcome.choices)
    status = models.SmallIntegerField(null=True, help_text="Of HTTP. None: there was no answer.")
    error = models.CharField(max_length=500, blank=True)
    response = models.TextField(blank=True, help_text="The beginning of the answer's body.")

    class Meta:
        default_permissions = ("view",)
        verbose_name = "delivery attempt"
        ordering = ("-at", "-id")
        constraints = (
            models.CheckConstraint(
                condition=models.Q(outcome__in=Outcome.values), name="webhooks_attempt_outcome"
            ),
            models.CheckConstraint(
                condition=models.Q(number__gte=1, milliseconds__gte=0)
                & (models.Q(status__isnull=True) | models.Q(status__range=(100, 999))),
                name="webhooks_attempt_numbers",
            ),
            # An attempt is for an event or for a test.
            models.CheckConstraint(
                condition=models.Q(position__isnull=True, payment_id__isnull=True)
                | models.Q(position__isnull=False, position__gte=1, payment_id__isnull=False),
                name="webhooks_attempt_event",
            ),
        )
        # Each index ends in the order of the lists, so that a time range narrows it further.
        indexes = (
            models.Index(fields=("-at", "-id"), name="attempt_by_time"),
            models.Index(fields=("endpoint", "-at", "-id"), name="attempt_by_endpoint"),
            models.Index(fields=("event_type", "-at", "-id"), name="attempt_by_type"),
            models.Index(
                fields=("payment_id", "-at", "-id"),
                name="attempt_by_payment",
                condition=models.Q(payment_id__isnull=False),
            ),
            # Only for attempts that did not succeed, which are few. The indexes above find the
            # others.
            models.Index(
                fields=("outcome", "-at", "-id"),
                name="attempt_by_outcome",
                condition=~models.Q(outcome=Outcome.DELIVERED.value),
            ),
            models.Index(
                fields=("endpoint", "-at", "-id"),
                name="attempt_not_delivered",
                condition=~models.Q(outcome=Outcome.DELIVERED.value),
            ),
        )

    def __str__(self) -> str:
        return f"Attempt {self.number} of {self.message_id}"
