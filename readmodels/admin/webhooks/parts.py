"""Badges, links and texts that several webhook screens show."""

import unicodedata
from typing import Final

from django.urls import reverse
from django.utils.html import format_html

from readmodels import labels
from readmodels.admin.base import fragments
from readmodels.admin.base.fragments import Badge
from readmodels.webhooks.models import Endpoint, Outcome, State

STATE_COLORS: Final = {
    State.ACTIVE: "success",
    State.PAUSED: "warning",
    State.DISABLED: "danger",
    "failing": "danger",
}
OUTCOME_COLORS: Final = {
    Outcome.DELIVERED: "success",
    Outcome.REJECTED: "warning",
    Outcome.FAILED: "danger",
    Outcome.DROPPED: "danger",
}
# Characters that a page would not show, or that would reorder the text around them.
_INVISIBLE: Final = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def state_of(endpoint: Endpoint) -> str:
    """Return the state, or "failing" for an active endpoint whose latest delivery failed."""
    return "failing" if endpoint.is_failing else endpoint.state


def state_badge(endpoint: Endpoint) -> Badge:
    state = state_of(endpoint)
    return Badge(labels.label(state), STATE_COLORS[state])


def state(endpoint: Endpoint) -> str:
    """Return the state's badge. Beneath is why the endpoint is disabled, or its next attempt."""
    badge = fragments.badges_html(state_badge(endpoint))
    match state_of(endpoint):
        case State.DISABLED:
            beneath = endpoint.disabled_reason
        case "failing":
            times = "once" if endpoint.failures == 1 else f"{endpoint.failures:,} times"
            beneath = f"{times}, next attempt at {labels.minute(endpoint.next_attempt_at)}"
        case _:
            return badge
    text = fragments.foreign_text(beneath)
    return format_html(
        '<span class="stacked">{}<span class="beneath">{}</span></span>', badge, text
    )


def count(number: int, *, more: bool) -> str:
    return f"{number:,}{'+' if more else ''}"


def outcome_badge(outcome: str) -> Badge:
    return Badge(labels.label(outcome), OUTCOME_COLORS[Outcome(outcome)])


def address(endpoint: Endpoint) -> str:
    """Return the URL with the client's name beneath."""
    return format_html(
        '<span class="stacked">{}<span class="beneath">{}</span></span>',
        fragments.foreign_text(endpoint.url),
        fragments.foreign_text(endpoint.client.name),
    )


def endpoint_link(endpoint: Endpoint) -> str:
    url = reverse("admin:webhooks_endpoint_change", args=[endpoint.pk])
    return format_html('<a class="link" href="{}">{}</a>', url, address(endpoint))


def visible(text: str) -> str:
    """Return the text of a foreign server with invisible characters escaped."""
    return "".join(
        each
        if each in "\n\t" or unicodedata.category(each) not in _INVISIBLE
        else f"\\u{{{ord(each):x}}}"
        for each in text.replace("\r\n", "\n")
    )
