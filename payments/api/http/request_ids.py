"""Every answer says the id of its request, under which the logs and the event log know it too.

A caller that makes several requests for one purpose can give all of them one X-Correlation-ID. The
request is then what caused an event, and the correlation what it belongs to; else both are one.
"""

import re
from collections.abc import Callable
from typing import Final
from uuid import uuid4

from django.http import HttpRequest, HttpResponse

from payments.application.dispatch import CommandContext
from payments.domain.card_numbers import is_card_number

# What is written to logs unquoted.
_SANE: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")


class RequestIdMiddleware:
    """Takes the caller's ids if they are sane, for django-structlog to bind; else makes one."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request_id = sane_or_new(request.META.get("HTTP_X_REQUEST_ID"))
        request.META["HTTP_X_REQUEST_ID"] = request_id
        correlation_id = _sane(request.META.get("HTTP_X_CORRELATION_ID")) or request_id
        request.META["HTTP_X_CORRELATION_ID"] = correlation_id
        response = self._get_response(request)
        response["X-Request-ID"] = request_id
        return response


def command_context(request: HttpRequest, *, actor: str, key: str) -> CommandContext:
    """What the log is to know of a command that came with `request`."""
    return CommandContext(
        actor=actor,
        key=key,
        correlation_id=request.META["HTTP_X_CORRELATION_ID"],
        causation_id=request.META["HTTP_X_REQUEST_ID"],
    )


def sane_or_new(given: str | None) -> str:
    """Return the id that the caller gave if it can be logged and stored, otherwise a new one."""
    return _sane(given) or str(uuid4())


def _sane(given: str | None) -> str | None:
    # It is stored with the events, for ever.
    if given and _SANE.fullmatch(given) and not is_card_number(given):
        return given
    return None
