"""Serve metrics to Prometheus.

If METRICS_TOKEN is set, requests must send it. Otherwise only requests from this machine are
accepted.
"""

from http import HTTPStatus
from ipaddress import ip_address
from typing import Final

from django.conf import settings
from django.db import InterfaceError, OperationalError, ProgrammingError
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from config.operations.http_requests import HttpRequests, requests
from readmodels.backtests.metrics import Shadows
from readmodels.engine.metrics import LogAndProjections
from readmodels.queries import metrics as review_metrics
from readmodels.queries.bounded import TooBroad, bounded
from readmodels.webhooks.metrics import Webhooks

_registry: Final = CollectorRegistry(auto_describe=False)
_registry.register(LogAndProjections())
_registry.register(Webhooks())
_registry.register(Shadows())
_registry.register(review_metrics.Reviews())
_registry.register(review_metrics.PersonalData())
_registry.register(HttpRequests(requests))

# Proxies on this machine add one of these headers to forwarded requests.
_FORWARDED: Final = (
    *("Forwarded", "Via", "X-Real-IP", "X-Client-IP", "X-Cluster-Client-IP", "True-Client-IP"),
    *("CF-Connecting-IP", "CF-Ray", "Fastly-Client-IP", "Fly-Client-IP", "X-Azure-ClientIP"),
    *("X-Original-Forwarded-For", "X-Envoy-External-Address", "X-Amzn-Trace-Id", "X-Scheme"),
)
_FORWARDED_PREFIX: Final = "X-Forwarded-"
_NO_STORE: Final = {"Cache-Control": "no-store"}


def metrics(request: HttpRequest) -> HttpResponse:
    """Return the metrics, or 503 if the database does not answer within three seconds."""
    if settings.METRICS_TOKEN:
        if not _has_token(request):
            return _refused(HTTPStatus.UNAUTHORIZED, "Send METRICS_TOKEN as the bearer token.\n")
    elif not _is_local(request):
        return _refused(
            HTTPStatus.FORBIDDEN, "Set METRICS_TOKEN to read the metrics from elsewhere.\n"
        )
    try:
        with bounded():
            content = generate_latest(_registry)
    except (OperationalError, InterfaceError, ProgrammingError, TooBroad):
        return _refused(HTTPStatus.SERVICE_UNAVAILABLE, "The database does not answer.\n")
    return HttpResponse(content, content_type=CONTENT_TYPE_LATEST, headers=_NO_STORE)


def _has_token(request: HttpRequest) -> bool:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return scheme.lower() == "bearer" and constant_time_compare(token, settings.METRICS_TOKEN)


def _is_local(request: HttpRequest) -> bool:
    headers = request.headers
    if any(name in headers for name in _FORWARDED):
        return False
    if any(name.title().startswith(_FORWARDED_PREFIX) for name in headers):
        return False
    try:
        return ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False  # REMOTE_ADDR is empty if a proxy connects over a unix socket


def _refused(status: HTTPStatus, why: str) -> HttpResponse:
    challenge = {"WWW-Authenticate": "Bearer"} if status is HTTPStatus.UNAUTHORIZED else {}
    return HttpResponse(
        why, status=status, content_type="text/plain", headers=_NO_STORE | challenge
    )
