"""Every answer says the id of its request, under which the logs and the event log know it too."""

import re
from collections.abc import Callable
from typing import Final
from uuid import uuid4

from django.http import HttpRequest, HttpResponse

from payments.domain.text import holds_card_number

# What is written to logs unquoted.
_SANE: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")


def _is_sane(given: str) -> bool:
    # It is stored with the events, for ever.
    return _SANE.fullmatch(given) is not None and not holds_card_number(given)


class RequestIdMiddleware:
    """Takes the caller's X-Request-ID if it is sane, for django-structlog to bind; else makes one."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.META.get("HTTP_X_REQUEST_ID", "")
        request_id = given if _is_sane(given) else str(uuid4())
        request.META["HTTP_X_REQUEST_ID"] = request_id
        response = self._get_response(request)
        response["X-Request-ID"] = request_id
        return response
