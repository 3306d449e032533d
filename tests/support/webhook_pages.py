"""The URLs of the back office's webhook pages, and the fields that their forms send."""

from typing import Any, Final

from django.contrib.admin.models import LogEntry
from django.urls import reverse

from readmodels.webhooks.models import Endpoint

LISTS: Final = ("endpoint", "attempt", "heldpayment")
OTHER_URL: Final = "https://93.184.215.14/other"
SETTINGS: Final[dict[str, Any]] = {
    "url": OTHER_URL,
    "description": "Till 7",
    "event_types": ["payment.failed", "payment.processed"],
    "payload": "thin",
}


def address(name: str) -> str:
    """Return the URL of a list."""
    return reverse(f"admin:webhooks_{name}_changelist")


def page(made: Endpoint) -> str:
    return reverse("admin:webhooks_endpoint_change", args=[made.pk])


def button(made: Endpoint, command: str) -> str:
    return reverse(f"admin:webhooks_{command}", args=[made.pk])


def rows(answer: Any) -> list[Any]:
    """Return the rows of a list's page."""
    return list(answer.context["cl"].result_list)


def log() -> list[tuple[str, str, str]]:
    """Return Django's admin log: the user, the id of the endpoint and the change."""
    columns = ("user__username", "object_id", "change_message")
    return list(LogEntry.objects.order_by("pk").values_list(*columns))


def edit_form(made: Endpoint, **changes: Any) -> dict[str, Any]:
    """Return the fields that the endpoint's settings form would send."""
    shown: dict[str, Any] = {
        "url": made.url,
        "description": made.description,
        "event_types": made.event_types,
        "payload": "thin" if made.thin else "full",
    }
    return {f"initial-{name}": value for name, value in shown.items()} | shown | changes
