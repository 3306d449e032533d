"""The operations on webhook endpoints."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from ipaddress import ip_address
from typing import Any, ClassVar, Final, TypeVar
from uuid import UUID

from django.conf import settings as configured
from django.db.models import QuerySet
from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from msgspec import UNSET
from rest_framework.request import Request
from rest_framework.response import Response

from payments.api.bodies import NoBody
from payments.api.http.authentication import key_of
from payments.api.http.base import KeyView, without_body
from payments.api.http.reading import read_body
from payments.api.problems.problem import Problem
from payments.api.representation import json_response
from payments.clients.models import Scope
from readmodels.api import cursors, parameters
from readmodels.api.webhooks import bodies, operations, representation
from readmodels.feed.reading import PositionAhead
from readmodels.queries import keyset
from readmodels.queries.bounded import TooBroad, bounded
from readmodels.webhooks import addresses, endpoints, keys
from readmodels.webhooks.models import Attempt, Endpoint, HeldPayment, Outcome

_READ: Final = {"GET": Scope.WEBHOOKS_WRITE}
_COMMAND: Final = {"POST": Scope.WEBHOOKS_WRITE}
_REPAIR_SECONDS: Final = 60  # Retry-After while an operator has to configure the service
_PAGE: Final = {
    "cursor": cursors.decode,
    "limit": parameters.whole(1, parameters.LONGEST_PAGE),
}
# For answers that contain a secret: caches must not store them.
_SECRET_HEADERS: Final = {"Cache-Control": "no-store"}

_lookups: Final = threading.BoundedSemaphore(max(1, configured.WEB_THREADS // 4))

_Row = TypeVar("_Row", Attempt, HeldPayment)


class WebhookView(KeyView):
    def handle_exception(self, exc: Exception) -> Response:
        """Turn refusals by the use cases into problems."""
        return super().handle_exception(_problem(exc, self.kwargs.get("endpoint_id")) or exc)


class Endpoints(WebhookView):
    """List the client's endpoints, and create one."""

    scopes: ClassVar = _READ | _COMMAND

    @extend_schema(**operations.LIST)
    def get(self, request: Request) -> HttpResponse:
        parameters.read(request, {})
        found = Endpoint.objects.filter(client_id=key_of(request).client_id).order_by("created_at")
        return json_response(representation.WebhookEndpointList(representation.endpoints(found)))

    @extend_schema(**operations.CREATE)
    def post(self, request: Request) -> HttpResponse:
        settings = read_body(request, bodies.CreateWebhookEndpointBody).settings()
        key, now = key_of(request), timezone.now()
        with _lookup(settings):
            endpoint, secret = endpoints.create(
                key.client_id, settings, at=now, by=key.client_actor
            )
        headers = {"Location": f"{request.path}/{endpoint.pk}"}
        return _with_secret(self, endpoint, secret, headers, status=201)


class OneEndpoint(WebhookView):
    """Read, change and delete an endpoint."""

    scopes: ClassVar = dict.fromkeys(("GET", "PATCH", "DELETE"), Scope.WEBHOOKS_WRITE)

    @extend_schema(**operations.READ)
    def get(self, request: Request, endpoint_id: UUID) -> HttpResponse:
        parameters.read(request, {})
        return _shown(_find(request, endpoint_id))

    @extend_schema(**operations.CHANGE)
    def patch(self, request: Request, endpoint_id: UUID) -> HttpResponse:
        settings = read_body(request, bodies.ChangeWebhookEndpointBody).settings()
        endpoint, now = _find(request, endpoint_id), timezone.now()
        with _lookup(settings):
            endpoints.change(endpoint, settings, at=now, by=key_of(request).client_actor)
        return _shown(endpoint)

    @extend_schema(**operations.DELETE)
    def delete(self, request: Request, endpoint_id: UUID) -> HttpResponse:
        endpoint = _find(request, endpoint_id)
        endpoints.delete(endpoint, at=timezone.now(), by=key_of(request).client_actor)
        return without_body(204)


class RotateSecret(WebhookView):
    scopes: ClassVar = _COMMAND

    @extend_schema(**operations.ROTATE)
    def post(self, request: Request, endpoint_id: UUID) -> HttpResponse:
        endpoint, now = _commanded(request, endpoint_id), timezone.now()
        secret = endpoints.rotate_secret(endpoint, at=now, by=key_of(request).client_actor)
        return _with_secret(self, endpoint, secret)


class Pause(WebhookView):
    scopes: ClassVar = _COMMAND

    @extend_schema(**operations.PAUSE)
    def post(self, request: Request, endpoint_id: UUID) -> HttpResponse:
        endpoint = _commanded(request, endpoint_id)
        endpoints.pause(endpoint, at=timezone.now(), by=key_of(request).client_actor)
        return _shown(endpoint)


class Resume(WebhookView):
    scopes: ClassVar = _COMMAND

    @extend_schema(**operations.RESUME)
    def post(self, request: Request, endpoint_id: UUID) -> HttpResponse:
        endpoint = _commanded(request, endpoint_id)
        endpoints.resume(endpoint, at=timezone.now(), by=key_of(request).client_actor)
        return _shown(endpoint)


class Test(WebhookView):
    scopes: ClassVar = _COMMAND

    @extend_schema(**operations.TEST)
    def post(self, request: Request, endpoint_id: UUID) -> HttpResponse:
        endpoint, now = _commanded(request, endpoint_id), timezone.now()
        message_id = endpoints.request_test(endpoint, at=now, by=key_of(request).client_actor)
        return json_response(representation.WebhookTestView(message_id), status=202)


class Replay(WebhookView):
    scopes: ClassVar = _COMMAND

    @extend_schema(**operations.REPLAY)
    def post(self, request: Request, endpoint_id: UUID) -> HttpResponse:
        beginning = read_body(request, bodies.ReplayBody).beginning()
        endpoint, now = _find(request, endpoint_id), timezone.now()
        by = key_of(request).client_actor
        if isinstance(beginning, int):
            endpoints.replay(endpoint, after=beginning, at=now, by=by)
        else:
            endpoints.replay_since(endpoint, since=beginning, at=now, by=by)
        return _shown(endpoint)


class Attempts(WebhookView):
    """List the attempts to deliver, the newest first."""

    scopes: ClassVar = _READ

    @extend_schema(**operations.ATTEMPTS)
    def get(self, request: Request, endpoint_id: UUID) -> HttpResponse:
        outcomes = {"outcome": parameters.choice(*Outcome.values)}
        given = parameters.read(request, outcomes | _PAGE, several={"outcome"})
        rows = Attempt.objects.filter(endpoint=_find(request, endpoint_id))
        if "outcome" in given:
            rows = rows.filter(outcome__in=given["outcome"])
        found, after = _page(request, given, rows, "at", ascending=False)
        views = [representation.WebhookAttemptView.of(row) for row in found]
        return json_response(representation.WebhookAttemptPage(views, after))


class Held(WebhookView):
    """List the held payments, the oldest first."""

    scopes: ClassVar = _READ

    @extend_schema(**operations.HELD)
    def get(self, request: Request, endpoint_id: UUID) -> HttpResponse:
        given = parameters.read(request, _PAGE)
        rows = HeldPayment.objects.filter(endpoint=_find(request, endpoint_id))
        found, after = _page(request, given, rows, "since", ascending=True)
        views = [representation.HeldPaymentView.of(row) for row in found]
        return json_response(representation.HeldPaymentPage(views, after))


class Keys(WebhookView):
    """Show the public keys, also to a receiver whose key may only read payments."""

    scopes: ClassVar = {"GET": (Scope.PAYMENTS_READ, Scope.WEBHOOKS_WRITE)}

    @extend_schema(**operations.KEYS)
    def get(self, request: Request) -> HttpResponse:
        parameters.read(request, {})
        return json_response(representation.WebhookKeyList(keys.public_keys()))


@contextmanager
def _lookup(settings: endpoints.Settings) -> Iterator[None]:
    """Let only a few requests look up a host at a time. Each holds a thread for up to three seconds.

    Raises Problem.
    """
    if settings.url is UNSET or _is_literal(settings.url):
        yield
        return
    if not _lookups.acquire(blocking=False):
        raise Problem("temporarily_unavailable", "Too many URLs are being checked.", retry_after=1)
    try:
        yield
    finally:
        _lookups.release()


def _is_literal(url: str) -> bool:
    with suppress(ValueError):
        ip_address(addresses.parse(url, debug=configured.WEBHOOK_DEBUG).host)
        return True
    return False


def _find(request: Request, endpoint_id: UUID) -> Endpoint:
    """Return the client's endpoint. Raises Problem."""
    own = Endpoint.objects.filter(pk=endpoint_id, client_id=key_of(request).client_id)
    found = own.first()
    if found is None:
        raise _not_found(endpoint_id)
    return found


def _commanded(request: Request, endpoint_id: UUID) -> Endpoint:
    """Check that the command has no fields, and return its endpoint. Raises Problem."""
    read_body(request, NoBody)
    return _find(request, endpoint_id)


def _shown(endpoint: Endpoint) -> HttpResponse:
    return json_response(representation.endpoint(endpoint))


def _with_secret(
    view: WebhookView,
    endpoint: Endpoint,
    secret: str,
    headers: Mapping[str, str] | None = None,
    *,
    status: int = 200,
) -> HttpResponse:
    view.headers |= _SECRET_HEADERS
    return json_response(representation.with_secret(endpoint, secret), headers, status=status)


def _page(
    request: Request,
    given: Mapping[str, Any],
    rows: QuerySet[_Row],
    time: str,
    *,
    ascending: bool,
) -> tuple[list[_Row], str | None]:
    """Return a page of rows by time and id, and the cursor of the next one. Raises Problem."""
    question = cursors.question(request.path, given)
    fields = (time, "id")
    if "cursor" in given:
        cursor: cursors.Cursor = given["cursor"]
        match cursor.after:
            case (_, int()) as after if cursor.question == question:
                rows = rows.filter(keyset.beyond(fields, after, ascending=ascending))
            case _:
                raise Problem.of_field("cursor", "wrong_format", cursors.OF_ANOTHER_LIST)
    rows = rows.order_by(*keyset.order(fields, ascending=ascending))
    try:
        with bounded():
            found, more = keyset.page(rows, given.get("limit", parameters.PAGE))
    except TooBroad as error:
        raise Problem("filter_too_broad", str(error)) from error
    if not more:
        return found, None
    last = found[-1]
    return found, cursors.encode(cursors.Cursor((getattr(last, time), last.pk), question))


def _problem(error: Exception, endpoint_id: UUID | None) -> Problem | None:
    """Return the problem for a use case's refusal, or None for any other exception."""
    match error:
        case endpoints.EndpointGone() if endpoint_id is not None:
            return _not_found(endpoint_id)
        case endpoints.TooManyEndpoints():
            return Problem("too_many_endpoints", str(error))
        case endpoints.UrlTaken():
            taken = {"webhook_endpoint_id": str(error.endpoint_id)}
            return Problem("webhook_url_taken", str(error), members=taken)
        case PositionAhead():
            return Problem.of_field("after", "position_ahead", str(error))
        case addresses.InvalidUrl():
            return Problem.of_field("url", "url_refused", str(error))
        case keys.NotConfigured():
            detail = "This service sends no webhooks. Ask the operator."
            return Problem("webhooks_not_configured", detail, retry_after=_REPAIR_SECONDS)
    return None


def _not_found(endpoint_id: UUID) -> Problem:
    return Problem("webhook_endpoint_not_found", f"There is no webhook endpoint {endpoint_id}.")
