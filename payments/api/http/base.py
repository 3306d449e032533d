"""What the views of the API have in common."""

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
    response = HttpResponse(status=status, headers=dict(headers or {}))
    del response["Content-Type"]  # Django says text/html of nothing, too
    return response


def command_context(request: HttpRequest, *, actor: str, key: str) -> CommandContext:
    """Return the metadata with which the events of the request's command are stored."""
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
        """What nearly all clients accept needs no weighing."""
        json = next(iter(renderers))
        accepted: str = request.META.get("HTTP_ACCEPT", "*/*")
        if accepted in {"*/*", json.media_type}:
            return json, str(json.media_type)
        weighed: tuple[BaseRenderer, str] = super().select_renderer(
            request, renderers, format_suffix
        )
        return weighed


class _View(APIView):
    # Without "options", which the framework would announce and we do not answer.
    http_method_names = ["get", "head", "post"]

    @property
    def default_response_headers(self) -> dict[str, str]:
        """Without Allow, which is for 405 alone: where nothing is served it would be empty."""
        return {}

    def http_method_not_allowed(self, request: HttpRequest, *args: Any, **kwargs: Any) -> NoReturn:
        allowed = ", ".join(self.allowed_methods)
        raise Problem("method_not_allowed", f"Served here: {allowed}.", headers={"Allow": allowed})


class KeyView(_View):
    """An address that needs a key. `scopes` names, by HTTP method, what the key must be good for."""

    scopes: ClassVar[dict[str, Scope]]
    content_negotiation_class = _Negotiation

    @property
    def default_response_headers(self) -> dict[str, str]:
        """Let only the key's client keep answers, and only to revalidate them with the ETag."""
        return {"Cache-Control": "private, no-cache", "Vary": "Authorization"}

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Run the steps of APIView.initial in another order, without versions.

        The throttle comes right after authentication, because requests that are refused later count too.
        """
        self.perform_authentication(request)
        self.check_throttles(request)
        self.format_kwarg = None
        negotiated = self.perform_content_negotiation(request)
        request.accepted_renderer, request.accepted_media_type = negotiated
        self.check_permissions(request)


class PublicView(_View):
    """An address for everybody, which the OpenAPI document leaves out."""

    authentication_classes = ()
    permission_classes = ()
    throttle_classes = ()
    http_method_names = ["get", "head"]
    schema = None
