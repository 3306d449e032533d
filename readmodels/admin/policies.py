"""The screens of risk policies: the list, one policy with its changes, the proposal and its approval.

They read the log itself, because the evidence of an approval must not lag. The log holds few policies.
"""

from collections.abc import Iterable
from difflib import unified_diff
from typing import Any, ClassVar, Final

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.views import View
from django.views.decorators.http import require_GET, require_POST

from payments import permissions
from payments.application import policies
from payments.domain.risk import parsing
from payments.domain.risk.conditions import Limits
from payments.domain.risk.parsing import InvalidPolicy
from payments.domain.risk.policy import DEFAULT_POLICY, PolicyDocument, PolicyStatus, RiskPolicy
from payments.domain.risk.refusals import PolicyRefused
from payments.domain.risk.register import (
    AnyPolicyCommand,
    ApprovePolicy,
    ProposePolicy,
    Register,
    RegisteredPolicy,
    RetirePolicy,
)
from payments.events.store import StaleVersion
from readmodels import labels
from readmodels.admin.base import kept_text, refusals, requests

_HOURS_OF_A_DAY: Final = 24
_SEE: Final = "events.view_event"
_COLORS: Final = {
    PolicyStatus.PROPOSED: "warning",
    PolicyStatus.ACTIVE: "success",
    PolicyStatus.RETIRED: "info",
}


@require_GET
def policy_list(request: HttpRequest) -> HttpResponse:
    """Show all policies, the newest proposal first."""
    _check_access(request)
    register = policies.register()
    found = sorted(register.policies.values(), key=lambda each: each.proposed_at, reverse=True)
    names = _names(found)
    return _page(
        request,
        "backoffice/policies.html",
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
    policy = _policy(register, policy_id)
    found = register.policies.get(policy_id)
    manages = permissions.holds(request.user, permissions.MANAGE_POLICIES)
    status = None if found is None else found.status
    return _page(
        request,
        "backoffice/policy.html",
        title=f"Risk policy {policy_id[:12]}",
        policy=policy,
        described=None if found is None else _describe(found, _names([found])),
        document=parsing.write(policy),
        consequences=_consequences(policy.document),
        changes=_changes(_active(register), policy),
        may_approve=manages
        and status is PolicyStatus.PROPOSED
        and found is not None
        and found.proposed_by != requests.actor(request),
        may_withdraw=manages and status is PolicyStatus.PROPOSED,
        may_propose=manages
        and status in {None, PolicyStatus.RETIRED}
        and policy != _active(register),
    )


class ProposeView(View):
    """Edit, preview and propose a policy.

    The text starts as the policy `?policy=ID`, or as the active one.
    """

    keeps: ClassVar = ("document",)

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if not permissions.holds(request.user, permissions.MANAGE_POLICIES):
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)

    def get(self, request: HttpRequest) -> HttpResponse:
        register = policies.register()
        wanted = request.GET.get("policy")
        policy = _active(register) if wanted is None else _policy(register, wanted)
        return self._page(request, parsing.write(policy))

    def post(self, request: HttpRequest) -> HttpResponse:
        text = request.POST.get("document", "")
        if kept_text.is_restored(request):
            messages.warning(request, kept_text.NOT_SENT)
            return self._page(request, text)
        try:
            policy = parsing.read(text)
        except InvalidPolicy as error:
            return self._page(request, text, problems=error.problems)
        if "propose" not in request.POST:
            active = _active(policies.register())
            return self._page(request, text, checked=True, changes=_changes(active, policy))
        try:
            _dispatch(
                request, ProposePolicy(policy=policy, at=timezone.now(), by=requests.actor(request))
            )
        except (PolicyRefused, StaleVersion) as error:
            return self._page(request, text, problems=(refusals.describe_policy(error),))
        messages.success(request, "Proposed. A second risk manager must approve it.")
        return HttpResponseRedirect(reverse("policy", args=[policy.policy_id]))

    def _page(self, request: HttpRequest, text: str, **found: Any) -> HttpResponse:
        title = "Propose a risk policy"
        return _page(
            request, "backoffice/policy_proposal.html", title=title, document=text, **found
        )


@require_POST
def approve(request: HttpRequest, policy_id: str) -> HttpResponse:
    command = ApprovePolicy(policy_id=policy_id, at=timezone.now(), by=requests.actor(request))
    return _handle(request, command, "Policy activated. It scores all new payments.")


@require_POST
def retire(request: HttpRequest, policy_id: str) -> HttpResponse:
    command = RetirePolicy(policy_id=policy_id, at=timezone.now(), by=requests.actor(request))
    return _handle(request, command, "Proposal withdrawn.")


def _handle(request: HttpRequest, command: ApprovePolicy | RetirePolicy, done: str) -> HttpResponse:
    try:
        _dispatch(request, command)
    except (PolicyRefused, StaleVersion) as error:
        messages.error(request, refusals.describe_policy(error))
    else:
        messages.success(request, done)
    return HttpResponseRedirect(reverse("policy", args=[command.policy_id]))


def _dispatch(request: HttpRequest, command: AnyPolicyCommand) -> None:
    policies.handle(
        command,
        causation_id=request.META["HTTP_X_REQUEST_ID"],
        correlation_id=request.META["HTTP_X_CORRELATION_ID"],
    )


def _check_access(request: HttpRequest) -> None:
    if not permissions.holds(request.user, _SEE):
        raise PermissionDenied


def _active(register: Register) -> RiskPolicy:
    if register.active is None:
        return DEFAULT_POLICY
    return register.policies[register.active].policy


def _policy(register: Register, policy_id: str) -> RiskPolicy:
    if policy_id in register.policies:
        return register.policies[policy_id].policy
    if policy_id == DEFAULT_POLICY.policy_id:
        return DEFAULT_POLICY
    raise Http404("There is no such policy.")


def _names(found: Iterable[RegisteredPolicy]) -> dict[str, str]:
    return labels.people(
        actor for each in found for actor in (each.proposed_by, each.approved_by, each.retired_by)
    )


def _describe(each: RegisteredPolicy, names: dict[str, str]) -> dict[str, Any]:
    history = (
        ("Proposed", each.proposed_at, each.proposed_by),
        ("Approved", each.approved_at, each.approved_by),
        ("Retired", each.retired_at, each.retired_by),
    )
    return {
        "policy": each.policy,
        "status": labels.label(each.status),
        "color": _COLORS[each.status],
        "history": [(what, at, names.get(by, by)) for what, at, by in history if at and by],
    }


def _consequences(document: PolicyDocument) -> list[tuple[str, str]]:
    """Return what a score and an amount lead to, as pairs of label and condition."""
    hours = document.review_hours
    days, rest = divmod(hours, _HOURS_OF_A_DAY)
    period = f"{hours} hours" if rest or days < 1 else f"{days} day{'s' if days > 1 else ''}"
    return [
        ("Medium risk", f"from {document.medium_from} points"),
        ("High risk", f"from {document.high_from} points"),
        ("High risk held for review", _limits(document.review_over, "always", others=True)),
        ("High risk refused", _limits(document.block_over, "never")),
        ("Two approvals", _limits(document.four_eyes_over, "never", others=True)),
        (
            "Rejection advised",
            "never" if document.reject_from is None else f"from {document.reject_from} points",
        ),
        ("Time to decide", period),
    ]


def _limits(over: Limits, otherwise: str, *, others: bool = False) -> str:
    """Return the limits as text. `others` is whether all amounts in other currencies are over the limit."""
    if not over:
        return otherwise
    limits = ", ".join(labels.amount(minor, currency) for currency, minor in over.items())
    return f"over {limits}" + (", and always in other currencies" if others else "")


def _changes(active: RiskPolicy, policy: RiskPolicy) -> list[tuple[str, str]]:
    """Return the differences from the active policy as pairs of kind and line."""
    lines = unified_diff(
        parsing.write(active).splitlines(),
        parsing.write(policy).splitlines(),
        n=4,
        lineterm="",
    )
    kinds = {"+": "added", "-": "removed", "@": "place"}
    return [(kinds.get(line[0], "same"), line) for line in lines][2:]  # without file names


def _page(request: HttpRequest, template: str, **context: Any) -> HttpResponse:
    return TemplateResponse(request, template, {**admin.site.each_context(request), **context})
