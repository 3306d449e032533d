"""Approve a proposed policy after a confirmation, or withdraw it."""

from typing import Final

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST
from msgspec.structs import replace

from payments import permissions
from payments.application import policies
from payments.domain.risk.refusals import (
    ActivePolicyChanged,
    AttachedBacktestChanged,
    PolicyRefused,
)
from payments.domain.risk.register import ApprovePolicy, Register, RetirePolicy
from payments.events.store import StaleVersion
from readmodels import labels
from readmodels.admin.base import refusals, requests
from readmodels.admin.policies import backtests
from readmodels.admin.policies.register import dispatch, find_policy, page
from readmodels.policies.differences import differences

# Fields of the form and of the command, which record what the approver saw.
_SEEN: Final = ("compared_with", "backtest_seen")


@require_http_methods(["GET", "POST"])
def approve(request: HttpRequest, policy_id: str) -> HttpResponse:
    """Show what the approval would change, and approve exactly that."""
    if not permissions.holds(request.user, permissions.MANAGE_POLICIES):
        raise PermissionDenied
    register = policies.register()
    find_policy(register, policy_id)
    command = ApprovePolicy(policy_id=policy_id, at=timezone.now(), by=requests.actor(request))
    try:
        if request.method == "POST":
            given = {name: request.POST.get(name, "") for name in _SEEN}
            dispatch(request, replace(command, **given))
            messages.success(request, "Policy activated. It scores all new payments.")
            return _to_page(policy_id)
        policies.decided(register, command)
    except (ActivePolicyChanged, AttachedBacktestChanged) as error:
        messages.warning(request, str(error))
    except (PolicyRefused, StaleVersion) as error:
        messages.error(request, refusals.describe_policy(error))
        return _to_page(policy_id)
    return _confirmation(request, policies.register(), policy_id)


@require_POST
def retire(request: HttpRequest, policy_id: str) -> HttpResponse:
    command = RetirePolicy(policy_id=policy_id, at=timezone.now(), by=requests.actor(request))
    try:
        dispatch(request, command)
    except (PolicyRefused, StaleVersion) as error:
        messages.error(request, refusals.describe_policy(error))
    else:
        messages.success(request, "Proposal withdrawn.")
    return _to_page(policy_id)


def _confirmation(request: HttpRequest, register: Register, policy_id: str) -> HttpResponse:
    found = register.policies[policy_id]
    active = policies.active_of(register)
    return page(
        request,
        "backoffice/policies/approval.html",
        title="Approve and activate a risk policy",
        policy_id=policy_id,
        found=found,
        proposed_by=labels.person(found.proposed_by),
        active=active,
        active_name=register.policies[active.policy_id].name
        if register.active
        else "The built-in policy",
        differences=differences(active.document, found.policy.document),
        **backtests.attached(found),
    )


def _to_page(policy_id: str) -> HttpResponse:
    return HttpResponseRedirect(reverse("policy", args=[policy_id]))
