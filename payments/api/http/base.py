"""Base classes and helpers of the API's views."""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, NoReturn

from django.http import HttpRequest, HttpResponse
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from payments.api.problems.problem import Problem
from payments.application.dispatch import CommandContext
from payments.clients.models import Scope


def without_body(status: int, headers: Mapping[str, str] | None = None) -> HttpResponse:
    """Return an answer without a body and without a media type."""
    response = HttpResponse(status=status, headers=dict(headers or {}))
    del response["Content-Type"]  # Django sets text/html
    return response


def command_context(request: HttpRequest, *, actor: str, key: str) -> CommandContext:
    """Return the metadata to store with the events of the request's command."""
    return CommandContext(
        actor=actor,
        key=key,
        correlation_id=request.META["HTTP_X_CORRELATION_ID"],
        causation_id=request.META["HTTP_X_REQUEST_ID"],
    )


class _Negotiation(DefaultContentNegotiation):
    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        """Return JSON at once for the values of Accept that nearly all clients send.

        The framework's own negotiation ignores weights (q). It is used only if Accept has other
        parameters.
        """
        renderers = list(renderers)
        json = renderers[0]
        accepted: str = request.META.get("HTTP_ACCEPT", "*/*")
        if accepted in {"*/*", json.media_type}:
            return json, str(json.media_type)
        preferred = request.get_preferred_type([str(each.media_type) for each in renderers])
        for renderer in renderers:
            if renderer.media_type == preferred:
                return renderer, preferred
        found: tuple[BaseRenderer, str] = super().select_renderer(request, renderers, format_suffix)
        return found


class _View(APIView):
    # "options" is missing, because the framework would list it in Allow.
    http_method_names = ["get", "head", "post", "patch", "delete"]

    @property
    def default_response_headers(self) -> dict[str, str]:
        """Return no headers. The framework would send Allow, which belongs to a 405 only."""
        return {}

    def http_method_not_allowed(self, request: HttpRequest, *args: Any, **kwargs: Any) -> NoReturn:
        allowed = ", ".join(self.allowed_methods)
        raise Problem(
            "method_not_allowed", f"This address supports {allowed}.", headers={"Allow": allowed}
        )


class KeyView(_View):
    """An address that needs an API key. `scopes` maps each HTTP method to the scopes that permit it."""

    scopes: ClassVar[Mapping[str, Scope | tuple[Scope, ...]]]
    content_negotiation_class = _Negotiation

    @property
    def default_response_headers(self) -> dict[str, str]:
        """Let only the key's client cache responses, and make it revalidate them with the ETag."""
        return {"Cache-Control": "private, no-cache", "Vary": "Authorization"}

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Run the steps of APIView.initial in another order, without versions.

        The throttle comes right after authentication, so that requests that are refused later count
        too.
        """
        self.perform_authentication(request)
        self.check_throttles(request)
        self.format_kwarg = None
        negotiated = self.perform_content_negotiation(request)
        request.accepted_renderer, request.accepted_media_type = negotiated
        self.check_permissions(request)


class PublicView(_View):
    """An address that needs no key. The OpenAPI document omits it."""

    authentication_classes = ()
    permission_classes = ()
    throttle_classes = ()
    http_method_names = ["get", "head"]
    schema = None
