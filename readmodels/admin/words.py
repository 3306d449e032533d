"""How the back office says things: badges and links, beside the words of all the read side."""

from typing import Final

from django.urls import reverse
from django.utils.html import format_html

from payments.domain.payment import Status
from payments.domain.risk import Band
from readmodels.words import amount, happened, paid_with, people, plain

__all__ = [
    "BAND_COLOURS",
    "STATE_COLOURS",
    "STATUS_COLOURS",
    "amount",
    "happened",
    "link",
    "paid_with",
    "people",
    "plain",
]

# Colours of unfold's labels.
STATUS_COLOURS: Final = {
    Status.INITIATED: "info",
    Status.PENDING_REVIEW: "warning",
    Status.COMPLETED: "success",
    Status.FAILED: "danger",
    Status.REJECTED: "danger",
    Status.EXPIRED: "danger",
    Status.CANCELLED: "info",
    Status.PARTIALLY_REFUNDED: "warning",
    Status.REFUNDED: "warning",
}
STATE_COLOURS: Final = {  # of projections
    "current": "success",
    "behind": "info",
    "parked": "warning",
    "stopped": "danger",
    "needs_rebuild": "danger",
}
BAND_COLOURS: Final = {Band.LOW: "success", Band.MEDIUM: "warning", Band.HIGH: "danger"}


def link(page: str, key: object, text: str) -> str:
    """A link to the page of one row, `page` being the admin's name for its model."""
    return format_html(
        '<a class="text-primary-600 dark:text-primary-400 underline" href="{}">{}</a>',
        reverse(f"admin:{page}_change", args=[key]),
        text,
    )
