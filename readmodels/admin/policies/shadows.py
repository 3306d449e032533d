"""The latest shadow on a policy's page."""

from typing import Any, Final

from django.http import HttpRequest

from payments import permissions
from payments.domain.risk.policy import PolicyStatus
from payments.domain.risk.register import RegisteredPolicy
from readmodels import labels
from readmodels.backtests import requests, shadows
from readmodels.backtests.models import SLOTS, ShadowState

COLORS: Final = {
    ShadowState.RUNNING: "info",
    ShadowState.STOPPED: "warning",
    ShadowState.APPROVED: "success",
    ShadowState.WITHDRAWN: "warning",
    ShadowState.EXPIRED: "success",
}


def of_policy(request: HttpRequest, found: RegisteredPolicy | None) -> dict[str, Any]:
    """Return the latest shadow of a policy for its page, and whether the person may start one."""
    latest = None if found is None else shadows.of_policy(found.policy.policy_id)
    is_running = latest is not None and latest.is_running
    return {
        "shadow": latest,
        "shadow_state": latest and labels.label(latest.state),
        "shadow_color": latest and COLORS[ShadowState(latest.state)],
        "most_shadows": len(SLOTS),
        "may_observe": found is not None
        and found.status is PolicyStatus.PROPOSED
        and not is_running
        and permissions.holds(request.user, requests.RUN),
    }
