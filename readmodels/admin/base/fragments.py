"""How the back office says things: badges and links, beside the words of all the read side."""

from datetime import datetime, timedelta
from math import ceil
from typing import Final

from django.urls import reverse
from django.utils.html import format_html
from msgspec import Struct

from payments.domain.payment.state import Status
from payments.domain.risk.policy import Band
from readmodels.labels import (
    amount,
    describe as happened,
    isolated,
    label as plain,
    paid_with,
    people,
)

__all__ = [
    "BAND_COLOURS",
    "STATE_COLOURS",
    "STATUS_COLOURS",
    "Badge",
    "amount",
    "happened",
    "isolated",
    "link",
    "paid_with",
    "people",
    "plain",
    "review_badges",
    "said",
    "time_left",
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
    "ahead_of_log": "danger",
}
BAND_COLOURS: Final = {Band.LOW: "success", Band.MEDIUM: "warning", Band.HIGH: "danger"}

_HURRY: Final = timedelta(days=1)


class Badge(Struct, frozen=True):
    text: str
    colour: str


def review_badges(
    *, escalated: bool, four_eyes: bool, first_approver: str, reject_advised: bool
) -> tuple[Badge, ...]:
    """What is out of the ordinary about a review."""
    found = []
    if escalated:
        found.append(Badge("Escalated", "warning"))
    if first_approver:
        found.append(Badge("Second approval", "primary"))
    elif four_eyes:
        found.append(Badge("Two approvals", "info"))
    if reject_advised:
        found.append(Badge("Reject advised", "danger"))
    return tuple(found)


def time_left(until: datetime, at: datetime) -> tuple[str, str]:
    """How long it is until then in words, and how urgent: "overdue", "soon" or ""."""
    left = until - at
    if left <= timedelta():
        return "overdue", "overdue"
    hurry = "soon" if left < _HURRY else ""
    minutes = ceil(left / timedelta(minutes=1))
    if minutes <= 1:
        return "less than a minute left", hurry
    if left < timedelta(hours=1):
        return f"{minutes} min left", hurry
    days, hours = left.days, left // timedelta(hours=1)
    return (f"{days} days left" if days > 1 else f"{hours} h left"), hurry


def said(text: object) -> str:
    """Return foreign text for a list: wrapped, cut, in its own direction."""
    return format_html('<bdi class="said" title="{}">{}</bdi>', text, text)


def link(page: str, key: object, text: str) -> str:
    """A link to the page of one row, `page` being the admin's name for its model."""
    return format_html(
        '<a class="text-primary-600 dark:text-primary-400 underline" href="{}">{}</a>',
        reverse(f"admin:{page}_change", args=[key]),
        text,
    )
