"""The list of risk policies, and the page of one policy."""

from collections.abc import Iterable
from typing import Any, Final

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_GET

from payments import permissions
from payments.application import policies
from payments.domain.risk import parsing
from payments.domain.risk.policy import DEFAULT_POLICY, PolicyStatus
from payments.domain.risk.register import RegisteredPolicy
from readmodels import labels
from readmodels.admin.base import requests
from readmodels.admin.policies import backtests, shadows
from readmodels.admin.policies.register import find_policy, page
from readmodels.policies import texts
from readmodels.policies.differences import differences

_COLORS: Final = {
    PolicyStatus.PROPOSED: "warning",
    PolicyStatus.ACTIVE: "success",
    PolicyStatus.WITHDRAWN: "info",
    PolicyStatus.REPLACED: "info",
}


@require_GET
def policy_list(request: HttpRequest) -> HttpResponse:
    """Show all policies, the newest proposal first."""
    _check_access(request)
    register = policies.register()
    found = sorted(register.policies.values(), key=lambda each: each.proposed_at, reverse=True)
    names = _names(found)
    return page(
        request,
        "backoffice/policies/list.html",
        title="Risk policies",
        policies=[_describe(each, names) for each in found],
        built_in=None if DEFAULT_POLICY.policy_id in register.policies else DEFAULT_POLICY,
        built_in_active=register.active is None,
        may_propose=permissions.holds(request.user, permissions.MANAGE_POLICIES),
    )


@require_GET
def policy_page(request: HttpRequest, policy_id: str) -> HttpResponse:
    _check_access(request)
    register = policies.register()
    policy = find_policy(register, policy_id)
    found = register.policies.get(policy_id)
    manages = permissions.holds(request.user, permissions.MANAGE_POLICIES)
    status = None if found is None else found.status
    name = labels.isolated(found.name) if found is not None else ""
    return page(
        request,
        "backoffice/policies/policy.html",
        title=name or f"Risk policy {policy_id[:12]}",
        policy=policy,
        described=None if found is None else _describe(found, _names([found])),
        document=parsing.write(policy),
        consequences=texts.consequences(policy.document),
        rules=[
            (rule.reason, labels.label(rule.reason), texts.rule(rule))
            for rule in policy.document.rules
        ],
        differences=differences(policies.active_of(register).document, policy.document),
        may_approve=manages
        and status is PolicyStatus.PROPOSED
        and found is not None
        and found.proposed_by != requests.actor(request),
        may_withdraw=manages and status is PolicyStatus.PROPOSED,
        may_propose=manages
        and (status is None or status.is_over)
        and policy != policies.active_of(register),
        **backtests.of_policy(request, policy_id),
        **shadows.of_policy(request, found),
        **({"attached": None} if found is None else backtests.attached(found)),
    )


def _check_access(request: HttpRequest) -> None:
    if not permissions.holds(request.user, permissions.SEE_POLICIES):
        raise PermissionDenied


def _names(found: Iterable[RegisteredPolicy]) -> dict[str, str]:
    return labels.people(
        actor for each in found for actor in (each.proposed_by, each.approved_by, each.retired_by)
    )


def _describe(each: RegisteredPolicy, names: dict[str, str]) -> dict[str, Any]:
    history = (
        ("Proposed", each.proposed_at, each.proposed_by),
        ("Approved", each.approved_at, each.approved_by),
        (labels.label(each.status), each.retired_at, each.retired_by),
    )
    return {
        "policy": each.policy,
        "short_id": each.policy.policy_id[:12],
        "name": each.name,
        "comment": each.comment,
        "replaced_by": each.replaced_by,
        "status": labels.label(each.status),
        "color": _COLORS[each.status],
        "history": [(what, at, names.get(by, by)) for what, at, by in history if at and by],
    }
