"""The ids of a request in all that is logged meanwhile, and a line at its beginning and end."""

import logging
from typing import Final

import structlog
from django.http import HttpRequest, HttpResponse
from django_structlog import middlewares

_BAD_REQUEST: Final = 400


class RequestMiddleware(middlewares.RequestMiddleware):
    """django-structlog's. Where lines that nothing went wrong are not written, it does not prepare them."""

    def prepare(self, request: HttpRequest) -> None:
        if _writes_all():
            super().prepare(request)
            return
        structlog.contextvars.bind_contextvars(
            request_id=request.META["HTTP_X_REQUEST_ID"],
            correlation_id=request.META["HTTP_X_CORRELATION_ID"],
        )
        self.bind_user_id(request)

    def handle_response(self, request: HttpRequest, response: HttpResponse) -> None:
        if response.status_code >= _BAD_REQUEST or response.streaming or _writes_all():
            super().handle_response(request, response)
        else:
            structlog.contextvars.clear_contextvars()


_logger: Final = logging.getLogger("django_structlog")


def _writes_all() -> bool:
    return _logger.isEnabledFor(logging.INFO)
