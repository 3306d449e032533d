"""API clients and their keys. Admin classes: readmodels/admin/people/."""

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar, Final
from uuid import uuid4

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models


class Client(models.Model):
    """A merchant. Every payment belongs to a client."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    name = models.CharField(max_length=200, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        default_permissions = ("view", "add", "change")

    def __str__(self) -> str:
        return self.name


LONGEST_LABEL: Final = 100


class Scope(models.TextChoices):
    PAYMENTS_WRITE = "payments:write"
    PAYMENTS_READ = "payments:read"
    REVIEWS_WRITE = "reviews:write"
    DISPUTES_WRITE = "disputes:write"
    STATISTICS_READ = "statistics:read"
    WEBHOOKS_WRITE = "webhooks:write"
    POLICIES_READ = "policies:read"
    POLICIES_WRITE = "policies:write"


# A key with one of these scopes has the permissions of a staff member. Decisions need a person.
# Policies and backtests concern the payments of all clients.
OF_STAFF: Final = frozenset({Scope.REVIEWS_WRITE, Scope.POLICIES_READ, Scope.POLICIES_WRITE})


class ApiKey(models.Model):
    """The digest and the scopes of an API key. The key itself is shown once and never stored."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="keys")
    prefix = models.CharField(
        max_length=16, unique=True, help_text="The beginning of the key, by which people name it."
    )
    label = models.CharField(
        max_length=LONGEST_LABEL,
        blank=True,
        db_default="",
        default="",
        help_text="What the key is for.",
    )
    digest = models.BinaryField(unique=True, editable=False)
    scopes = ArrayField(models.CharField(max_length=50, choices=Scope.choices))
    staff = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        help_text="The staff member who acts with the key. Required for reviews and policies.",
    )
    rotated_from = models.ForeignKey(
        "self",
        null=True,
        blank=True,
        editable=False,
        on_delete=models.PROTECT,
        related_name="successors",
    )
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)

    # Staff type labels, so an erasure searches labels for the customer. See
    # payments.customers.free_texts.
    free_texts: ClassVar[Mapping[str, str]] = {"label": "labels of API keys"}

    class Meta:
        default_permissions = ("view",)
        permissions = (("manage_apikey", "Can make, rotate and revoke API keys"),)
        verbose_name = "API key"
        constraints: ClassVar[tuple[models.BaseConstraint, ...]] = (
            models.CheckConstraint(
                condition=~models.Q(scopes__overlap=sorted(OF_STAFF))
                | models.Q(staff__isnull=False),
                name="clients_apikey_scopes_need_staff",
            ),
        )

    def __str__(self) -> str:
        return self.prefix

    def is_live(self, at: datetime) -> bool:
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > at)
