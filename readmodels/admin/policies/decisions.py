"""The buttons that approve and withdraw a proposed policy."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from payments.domain.risk.refusals import PolicyRefused
from payments.domain.risk.register import ApprovePolicy, RetirePolicy
from payments.events.store import StaleVersion
from readmodels.admin.base import refusals, requests
from readmodels.admin.policies.register import dispatch


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
        dispatch(request, command)
    except (PolicyRefused, StaleVersion) as error:
        messages.error(request, refusals.describe_policy(error))
    else:
        messages.success(request, done)
    return HttpResponseRedirect(reverse("policy", args=[command.policy_id]))
