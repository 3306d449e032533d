"""Badges, links and other small parts that several screens show."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from math import ceil
from typing import Final

from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from msgspec import Struct

from payments.domain.payment.codes import DisputeOutcome, SnoozeReason
from payments.domain.payment.disputes import DisputeStatus
from payments.domain.payment.state import Status
from payments.domain.risk.policy import Band
from readmodels.labels import label
from readmodels.queries import deadlines

# The values are names of unfold's label colors.
STATUS_COLORS: Final = {
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
STATE_COLORS: Final = {  # the states of projections
    "current": "success",
    "behind": "info",
    "parked": "warning",
    "stopped": "danger",
    "needs_rebuild": "danger",
    "ahead_of_log": "danger",
}
BAND_COLORS: Final = {Band.LOW: "success", Band.MEDIUM: "warning", Band.HIGH: "danger"}

DISPUTE_COLORS: Final[Mapping[str, str]] = {  # by outcome, or by status while the dispute is open
    DisputeStatus.NEEDS_RESPONSE: "warning",
    DisputeStatus.UNDER_REVIEW: "info",
    DisputeOutcome.WON: "success",
    DisputeOutcome.WITHDRAWN: "success",
    DisputeOutcome.PREVENTED: "info",
    DisputeOutcome.LOST: "danger",
    DisputeOutcome.ACCEPTED: "danger",
}

_SOON: Final = timedelta(days=1)
# Providers give one to three weeks to respond to a dispute.
RESPOND_SOON: Final = timedelta(days=7)


class Badge(Struct, frozen=True):
    text: str
    color: str


# Cached, because lists show the same few badges in many rows.
@lru_cache(maxsize=1_000)
def badges_html(*badges: Badge) -> SafeString:
    """Return the badges as the theme shows them."""
    return render_to_string("backoffice/parts/badges.html", {"badges": badges})


def review_badges(
    *, escalated: bool, four_eyes: bool, first_approver: str, reject_advised: bool
) -> tuple[Badge, ...]:
    """Return a badge for each unusual property of a review."""
    badges = []
    if escalated:
        badges.append(Badge("Escalated", "warning"))
    if first_approver:
        badges.append(Badge("Second approval", "primary"))
    elif four_eyes:
        badges.append(Badge("Two approvals", "info"))
    if reject_advised:
        badges.append(Badge("Reject advised", "danger"))
    return tuple(badges)


def snooze_badges(until: datetime | None, reason: str, at: datetime) -> tuple[Badge, ...]:
    """Return a badge for a snooze that ends or ended at `until`."""
    if until is None:
        return ()
    if at >= until:
        return (Badge("Returned", "primary"),)
    return (Badge("Snoozed" if reason == SnoozeReason.OTHER else label(reason), "info"),)


# The keys are levels: the percentage of the time for the review that has passed.
LEVEL_BADGES: Final[Mapping[int, Badge]] = {
    50: Badge("50 % of time used", "info"),
    80: Badge("80 % of time used", "warning"),
    100: Badge("Overdue", "danger"),
}


def deadline_badges(
    since: datetime | None, deadline: datetime | None, at: datetime
) -> tuple[Badge, ...]:
    """Return a badge for the level of a deadline that has been reached, if any."""
    if since is None or deadline is None:
        return ()
    reached = deadlines.level(since, deadline, at)
    return (LEVEL_BADGES[reached],) if reached else ()


def dispute_badge(state: str) -> Badge:
    """Return the badge of a dispute by its outcome, or by its status while it is open."""
    return Badge(label(state), DISPUTE_COLORS[state])


def dispute_badges(*, open_disputes: int, lost_amount: int) -> tuple[Badge, ...]:
    badges = []
    if open_disputes:
        badges.append(Badge("Disputed", "warning"))
    if lost_amount:
        badges.append(Badge("Dispute lost", "danger"))
    return tuple(badges)


def time_left(until: datetime, at: datetime, *, soon: timedelta = _SOON) -> tuple[str, str]:
    """Return the time from `at` to `until` as text, and its urgency: "overdue", "soon" or ""."""
    left = until - at
    if left <= timedelta():
        return "overdue", "overdue"
    urgency = "soon" if left < soon else ""
    minutes = ceil(left / timedelta(minutes=1))
    if minutes <= 1:
        return "less than a minute left", urgency
    if left < timedelta(hours=1):
        return f"{minutes} min left", urgency
    days, hours = left.days, left // timedelta(hours=1)
    return (f"{days} days left" if days > 1 else f"{hours} h left"), urgency


def countdown(until: datetime, at: datetime) -> str:
    """Return markup for the time from `at` to `until`. polling.js keeps it current."""
    left, urgency = time_left(until, at)
    return format_html(
        '<time class="left {}" datetime="{}" title="by {} UTC" data-countdown>{}</time>',
        urgency,
        until.isoformat(),
        f"{until:%Y-%m-%d %H:%M}",
        left,
    )


def duration(seconds: float) -> str:
    """Return a duration in its largest whole unit, such as "3 h"."""
    for unit, length in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= (2 * length if unit == "days" else length):
            return f"{seconds // length:.0f} {unit}"
    return f"{seconds:.0f} s"


def foreign_text(text: object, *, url: str = "") -> str:
    """Return markup for text that others wrote. Its direction is isolated, and long text is cut.

    With `url`, it is a link.
    """
    shown = format_html('<bdi class="foreign" title="{}">{}</bdi>', text, text)
    return format_html('<a class="link" href="{}">{}</a>', url, shown) if url else shown


def link(page: str, key: object, text: str) -> str:
    """Return a link to the admin page of a row. An example for `page` is "customers_customer"."""
    url = reverse(f"admin:{page}_change", args=[key])
    return format_html('<a class="link" href="{}">{}</a>', url, text)
