"""Saved views of staff. No event records them, so no rebuild can restore them."""

from collections.abc import Mapping
from typing import ClassVar, Final

from django.conf import settings
from django.db import models

LONGEST_NAME: Final = 40
LONGEST_QUERY: Final = 1_000


class SavedView(models.Model):
    """The filters and the order of a list, as the query of its address without a search text."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    screen = models.CharField(max_length=30)
    name = models.CharField(max_length=LONGEST_NAME)
    query = models.CharField(max_length=LONGEST_QUERY)
    shared = models.BooleanField(default=False)
    position = models.IntegerField(help_text="Orders the views of one person.")

    is_start: bool  # annotated by queries: marks the person's default view of the list

    # Typed by staff: an erasure searches them for the customer, see payments.customers.free_texts.
    free_texts: ClassVar[Mapping[str, str]] = {
        "name": "names of saved views",
        "query": "filters of saved views",
    }

    class Meta:
        default_permissions = ()
        ordering = ("position", "id")
        indexes = (
            models.Index(fields=("owner", "screen", "position"), name="saved_view_by_owner"),
            models.Index(
                fields=("screen", "name"),
                name="saved_view_shared",
                condition=models.Q(shared=True),
            ),
        )

    def __str__(self) -> str:
        return self.name or "View without a name"  # the name was erased


class StartView(models.Model):
    """The view with which a list opens for a person."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    screen = models.CharField(max_length=30)
    view = models.ForeignKey(SavedView, on_delete=models.CASCADE, related_name="+")

    class Meta:
        default_permissions = ()
        constraints = (models.UniqueConstraint(fields=("owner", "screen"), name="start_view_once"),)

    def __str__(self) -> str:
        return f"{self.screen}: {self.view_id}"
