"""Decisions of staff. No event records them, so no rebuild can restore them: back them up."""

from collections.abc import Mapping
from typing import ClassVar

from django.db import models


class DiscardedEvent(models.Model):
    """A decision of staff that one projection never applies one event. Rebuilds honor it."""

    projection = models.CharField(max_length=50)
    position = models.BigIntegerField()
    aggregate_id = models.UUIDField()
    reason = models.TextField()
    discarded_by = models.CharField(max_length=100, help_text="The actor.")
    discarded_at = models.DateTimeField()

    # Typed by staff: an erasure searches it for the customer, see payments.customers.free_texts.
    free_texts: ClassVar[Mapping[str, str]] = {"reason": "reasons of discarded events"}

    class Meta:
        default_permissions = ("view",)
        ordering = ("-position", "projection")
        constraints = (
            models.UniqueConstraint(fields=("projection", "position"), name="discarded_event_once"),
        )

    def __str__(self) -> str:
        return f"{self.projection} {self.position}"
