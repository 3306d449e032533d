"""Helpers for the screens of risk policies: the register's policies, commands and pages."""

from typing import Any

from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from payments.application import policies
from payments.domain.risk.policy import RiskPolicy
from payments.domain.risk.register import AnyPolicyCommand, Register


def find_policy(register: Register, policy_id: str) -> RiskPolicy:
    found = policies.all_of(register).get(policy_id)
    if found is None:
        raise Http404("There is no such policy.")
    return found


def dispatch(request: HttpRequest, command: AnyPolicyCommand) -> None:
    policies.handle(
        command,
        causation_id=request.META["HTTP_X_REQUEST_ID"],
        correlation_id=request.META["HTTP_X_CORRELATION_ID"],
    )


def page(request: HttpRequest, template: str, **context: Any) -> HttpResponse:
    return TemplateResponse(request, template, {**admin.site.each_context(request), **context})
