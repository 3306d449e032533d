"""The risk policies: all of them, one with what it would change, and what proposes or decides on one.

They are read from the log itself, which holds few: who approves must not look at something that lags.
"""

from collections.abc import Iterable
from difflib import unified_diff
from typing import Any, ClassVar, Final

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.views import View
from django.views.decorators.http import require_GET, require_POST

from payments import actors, permissions
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
from readmodels.admin.base import fragments, kept_text, refusals
from readmodels.admin.base.kept_text import keep_typed_text

_HOURS_OF_A_DAY: Final = 24
SEE: Final = "events.view_event"
_COLOURS: Final = {
    PolicyStatus.PROPOSED: "warning",
    PolicyStatus.ACTIVE: "success",
    PolicyStatus.RETIRED: "info",
}


@require_GET
def every(request: HttpRequest) -> HttpResponse:
    """The newest proposal first."""
    _may_see(request)
    register = policies.register()
    found = sorted(register.policies.values(), key=lambda each: each.proposed_at, reverse=True)
    names = _names(found)
    return _page(
        request,
        "backoffice/policies.html",
        title="Risk policies",
        policies=[_told(each, names) for each in found],
        built_in=None if DEFAULT_POLICY.policy_id in register.policies else DEFAULT_POLICY,
        built_in_active=register.active is None,
        may_propose=permissions.holds(request.user, permissions.MANAGE_POLICIES),
    )


@require_GET
def one(request: HttpRequest, policy_id: str) -> HttpResponse:
    _may_see(request)
    register = policies.register()
    policy = _known(register, policy_id)
    found = register.policies.get(policy_id)
    manages = permissions.holds(request.user, permissions.MANAGE_POLICIES)
    status = None if found is None else found.status
    return _page(
        request,
        "backoffice/policy.html",
        title=f"Risk policy {policy_id[:12]}",
        policy=policy,
        told=None if found is None else _told(found, _names([found])),
        document=parsing.write(policy),
        asks=_asks(policy.document),
        changes=_changes(_active(register), policy),
        may_approve=manages
        and status is PolicyStatus.PROPOSED
        and found is not None
        and found.proposed_by != _actor(request),
        may_withdraw=manages and status is PolicyStatus.PROPOSED,
        may_propose=manages
        and status in {None, PolicyStatus.RETIRED}
        and policy != _active(register),
    )


class ProposeView(View):
    """Begins with a policy's text, the active one's unless the address names another.

    It shows what would change before anything is proposed.
    """

    keeps: ClassVar = ("document",)

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if not permissions.holds(request.user, permissions.MANAGE_POLICIES):
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)

    def get(self, request: HttpRequest) -> HttpResponse:
        register = policies.register()
        wanted = request.GET.get("policy")
        policy = _active(register) if wanted is None else _known(register, wanted)
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
            _dispatch(request, ProposePolicy(policy=policy, at=timezone.now(), by=_actor(request)))
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
    command = ApprovePolicy(policy_id=policy_id, at=timezone.now(), by=_actor(request))
    return _carry_out(request, command, "Policy activated. It scores all new payments.")


@require_POST
def retire(request: HttpRequest, policy_id: str) -> HttpResponse:
    command = RetirePolicy(policy_id=policy_id, at=timezone.now(), by=_actor(request))
    return _carry_out(request, command, "Proposal withdrawn.")


urlpatterns = [
    path("", admin.site.admin_view(every), name="policies"),
    path(
        "propose/",
        keep_typed_text(admin.site.admin_view(ProposeView.as_view())),
        name="policy_propose",
    ),
    path("<str:policy_id>/", admin.site.admin_view(one), name="policy"),
    path("<str:policy_id>/approve/", admin.site.admin_view(approve), name="policy_approve"),
    path("<str:policy_id>/retire/", admin.site.admin_view(retire), name="policy_retire"),
]


def _carry_out(
    request: HttpRequest, command: ApprovePolicy | RetirePolicy, done: str
) -> HttpResponse:
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


def _may_see(request: HttpRequest) -> None:
    if not permissions.holds(request.user, SEE):
        raise PermissionDenied


def _actor(request: HttpRequest) -> str:
    return actors.staff(int(request.user.pk or 0))


def _active(register: Register) -> RiskPolicy:
    if register.active is None:
        return DEFAULT_POLICY
    return register.policies[register.active].policy


def _known(register: Register, policy_id: str) -> RiskPolicy:
    if policy_id in register.policies:
        return register.policies[policy_id].policy
    if policy_id == DEFAULT_POLICY.policy_id:
        return DEFAULT_POLICY
    raise Http404("There is no such policy.")


def _names(found: Iterable[RegisteredPolicy]) -> dict[str, str]:
    return fragments.people(
        actor
        for each in found
        for actor in (each.proposed_by, each.approved_by, each.retired_by)
        if actor
    )


def _told(each: RegisteredPolicy, names: dict[str, str]) -> dict[str, Any]:
    history = (
        ("Proposed", each.proposed_at, each.proposed_by),
        ("Approved", each.approved_at, each.approved_by),
        ("Retired", each.retired_at, each.retired_by),
    )
    return {
        "policy": each.policy,
        "status": fragments.plain(each.status),
        "colour": _COLOURS[each.status],
        "history": [(what, at, names.get(by, by)) for what, at, by in history if at and by],
    }


def _asks(document: PolicyDocument) -> list[tuple[str, str]]:
    """What comes of a score and an amount, in words."""
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
    """`others` is whether the same holds for any amount in a currency that has no limit."""
    if not over:
        return otherwise
    limits = ", ".join(fragments.amount(minor, currency) for currency, minor in over.items())
    return f"over {limits}" + (", and always in other currencies" if others else "")


def _changes(active: RiskPolicy, policy: RiskPolicy) -> list[tuple[str, str]]:
    """What the policy would change of the active one: (kind, line)."""
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
