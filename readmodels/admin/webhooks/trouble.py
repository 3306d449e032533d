"""The endpoints that need attention, because they fail or are disabled."""

from typing import Any, Final

from django.db.models import F, Q

from readmodels import labels
from readmodels.admin.webhooks import parts
from readmodels.webhooks.models import Endpoint, State

_SHOWN: Final = 5


def in_trouble() -> tuple[list[dict[str, Any]], bool]:
    """Return the endpoints for the dashboard, failing ones first, and whether there are more."""
    rows = (
        Endpoint.objects.filter(
            Q(state=State.DISABLED.value) | Q(state=State.ACTIVE.value, failures__gt=0)
        )
        .select_related("client")
        .defer("secret", "old_secret")
        .order_by("state", F("failing_since").asc(nulls_last=True), "id")
    )
    found = list(rows[: _SHOWN + 1])
    return [_describe(each) for each in found[:_SHOWN]], len(found) > _SHOWN


def _describe(endpoint: Endpoint) -> dict[str, Any]:
    if endpoint.state == State.DISABLED:
        why = endpoint.disabled_reason
    else:
        since = endpoint.failing_since
        why = f"since {labels.minute(since)}" if since else ""
    return {
        "endpoint": endpoint,
        "badge": parts.state_badge(endpoint),
        "why": why,
    }
