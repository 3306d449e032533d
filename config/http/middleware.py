"""The middleware of the service: a WSGI wrapper, then the classes of settings.MIDDLEWARE in order.

API clients send a key with each request. Their requests skip what only browsers need: sessions, users, CSRF
tokens and messages.
"""

import logging
import re
from collections.abc import Awaitable, Callable, Iterable
from time import perf_counter
from typing import Any, Final
from uuid import uuid4

import structlog
from django.contrib.auth import middleware as auth
from django.contrib.messages import middleware as messages
from django.contrib.sessions import middleware as sessions
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware import csrf
from django.utils.cache import add_never_cache_headers
from django.utils.deprecation import MiddlewareMixin
from django.utils.http import parse_header_parameters
from django_structlog import middlewares as structlog_middlewares

from config.http import content_policy, outage_pages
from config.operations import health
from config.operations.http_requests import ROUTE
from payments.api.http.environ import SENT_CONTENT_TYPE
from payments.api.problems.problem import Problem, ProblemResponse, problem_response
from payments.clients.keyring import LiveKey
from payments.domain.card_numbers import is_card_number

Environment = dict[str, Any]
Application = Callable[[Environment, Any], Iterable[bytes]]

_BAD_REQUEST: Final = 400
_SERVER_ERROR: Final = 500
# Characters that logs need not quote.
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
# The key in the WSGI environment for the time at which the view begins.
_BEGAN: Final = "payments.began"
_request_logger: Final = logging.getLogger("django_structlog")


def utf_8(application: Application) -> Application:
    """Return the WSGI application, wrapped so that it decodes forms and addresses as UTF-8.

    With another charset (unicode_escape, utf-7) a client could send text that the database refuses,
    and recording the request would fail. With some charsets (hex) Django cannot even create the
    request.
    """

    def serve(environ: Environment, start_response: Any) -> Iterable[bytes]:
        if not environ["PATH_INFO"].isascii():
            environ["PATH_INFO"] = _with_replacements(environ["PATH_INFO"])
        given = environ.get("CONTENT_TYPE", "")
        # A parameter with a star declares its own charset, for which Django raises an exception.
        if "charset" in given.lower() or "*" in given:
            environ[SENT_CONTENT_TYPE] = given
            environ["CONTENT_TYPE"] = _without_charset(given)
        return application(environ, start_response)

    return serve


def _with_replacements(path: str) -> str:
    """Replace bytes that are not UTF-8 with U+FFFD, as granian does.

    Django would decode them as Latin-1.
    """
    return path.encode("latin-1").decode(errors="replace").encode().decode("latin-1")


def _without_charset(given: str) -> str:
    try:
        kind, parameters = parse_header_parameters(given)
    except ValueError:
        return given.partition(";")[0].strip()
    boundary = parameters.get("boundary")
    return f'{kind}; boundary="{boundary}"' if boundary else kind


class RequestIdMiddleware:
    """Give each request an id and a correlation id.

    Valid ids from the caller are used. The default is a new request id, which is also the default
    correlation id. The response, the logs and the events carry the request id. A caller can send
    the same X-Correlation-ID with several requests for one purpose.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request_id = valid_or_new_id(request.META.get("HTTP_X_REQUEST_ID"))
        request.META["HTTP_X_REQUEST_ID"] = request_id
        correlation_id = _valid_id(request.META.get("HTTP_X_CORRELATION_ID")) or request_id
        request.META["HTTP_X_CORRELATION_ID"] = correlation_id
        response = self._get_response(request)
        response["X-Request-ID"] = request_id
        if request.resolver_match is not None:
            request.META[ROUTE] = request.resolver_match.view_name
        return response


def valid_or_new_id(given: str | None) -> str:
    """Return the caller's id if it can be logged and stored, otherwise a new one."""
    return _valid_id(given) or str(uuid4())


def _valid_id(given: str | None) -> str | None:
    # Events store the id permanently, so it must not be a card number.
    if given and _REQUEST_ID.fullmatch(given) and not is_card_number(given):
        return given
    return None


class ProbeMiddleware:
    """Answer probes before all other middleware, which would refuse them.

    Probes are unencrypted, and their Host is missing or the address of a pod. `/metrics` is not a
    probe. Without a token, only the Host check of later middleware keeps web pages in a local
    browser from reading it.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        probe = health.PROBES.get(request.path_info)
        return self._get_response(request) if probe is None else probe(request)


class ProblemMiddleware:
    """Replace Django's error pages with problems, for API paths.

    Views raise problems themselves. For errors outside views, such as an invalid Host, Django
    returns a page.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self._get_response(request)
        if response.status_code < _BAD_REQUEST or not request.path_info.lstrip("/").startswith(
            "api/"
        ):
            return response
        if not response.headers.get("Content-Type", "").startswith(("text/html", "text/plain")):
            return response
        if response.status_code >= _SERVER_ERROR:
            problem = Problem("internal_error", "The failure was recorded under the request id.")
        else:
            problem = Problem("invalid_request", "The request cannot be served.")
        return problem_response(problem, request)


class _SkippedByApi(MiddlewareMixin):
    """Skip requests to the API."""

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        if _is_of_api(request):
            return self.get_response(request)
        return super().__call__(request)


def _is_of_api(request: HttpRequest) -> bool:
    return request.path_info.startswith("/api/")


class SessionMiddleware(_SkippedByApi, sessions.SessionMiddleware):
    """Show the page for an outage if the session cannot be stored.

    Pages that read the session are also marked as not cacheable. Views mark theirs, but error
    pages do not.
    """

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        is_page = response.headers.get("Content-Type", "").startswith("text/html")
        if is_page and request.session.accessed and not response.has_header("Cache-Control"):
            add_never_cache_headers(response)
        try:
            return super().process_response(request, response)
        except DatabaseError as error:
            answer = outage_pages.page_of(request, error)
            if answer is None:
                raise
            return answer


class CsrfViewMiddleware(_SkippedByApi, csrf.CsrfViewMiddleware): ...


class AuthenticationMiddleware(_SkippedByApi, auth.AuthenticationMiddleware): ...


class MessageMiddleware(_SkippedByApi, messages.MessageMiddleware): ...


class ContentPolicyMiddleware(content_policy.ContentPolicyMiddleware):
    """Skip API responses, which are not pages. The API's documentation gets a policy."""

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        if request.path_info.startswith("/api/v1/"):
            return self.get_response(request)
        return super().__call__(request)


class SecondFactorMiddleware(_SkippedByApi):
    """Show the page that asks for a second factor or a new password, if the session needs one."""

    def process_view(
        self, request: HttpRequest, _view: Any, _args: Any, _kwargs: Any
    ) -> HttpResponse | None:
        if _is_of_api(request):
            return None
        # Imported here: it has models, and servers import this module before the apps are ready.
        from readmodels.admin.account import access

        try:
            return access.check(request)
        except DatabaseError as error:
            answer = outage_pages.page_of(request, error)
            if answer is None:
                raise
            return answer


class RequestLogMiddleware(structlog_middlewares.RequestMiddleware):
    """Log each request, and bind its ids to everything that is logged during it.

    For a request with an API key, the line names the client and the prefix of the key. For a
    refusal, it names the problem code. If the log level excludes successful requests, no line is
    prepared for them.
    """

    def prepare(self, request: HttpRequest) -> None:
        request.META[_BEGAN] = perf_counter()
        if _logs_success():
            super().prepare(request)
            return
        structlog.contextvars.bind_contextvars(
            request_id=request.META["HTTP_X_REQUEST_ID"],
            correlation_id=request.META["HTTP_X_CORRELATION_ID"],
        )
        self.bind_user_id(request)

    def handle_response(self, request: HttpRequest, response: HttpResponse) -> None:
        if response.status_code >= _BAD_REQUEST or response.streaming or _logs_success():
            milliseconds = round(1_000 * (perf_counter() - request.META[_BEGAN]), 1)
            structlog.contextvars.bind_contextvars(milliseconds=milliseconds, **_caller(request))
            if isinstance(response, ProblemResponse):
                structlog.contextvars.bind_contextvars(problem=response.problem)
            super().handle_response(request, response)
        else:
            structlog.contextvars.clear_contextvars()


def _caller(request: HttpRequest) -> dict[str, str]:
    """Return the client and the key's prefix of a request that was authenticated by a key."""
    match getattr(request, "auth", None):  # set by Django REST framework
        case LiveKey(client_id=client_id, prefix=prefix):
            return {"client_id": str(client_id), "key": prefix}
    return {}


def _logs_success() -> bool:
    return _request_logger.isEnabledFor(logging.INFO)


class OutageMiddleware(MiddlewareMixin):
    """Show a page on screens during an outage. The API's exception handler answers clients."""

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        return outage_pages.page_of(request, error)
