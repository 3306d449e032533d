"""What the views of the API have in common."""

from collections.abc import Iterable
from typing import Any, ClassVar

from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from payments.clients.models import Scope


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


class KeyView(APIView):
    """An address that needs a key. `scopes` names, by HTTP method, what the key must be good for."""

    scopes: ClassVar[dict[str, Scope]]
    # Without "options", which the framework would announce and we do not answer.
    http_method_names = ["get", "head", "post"]
    content_negotiation_class = _Negotiation

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        # Before all that can refuse: what is refused is counted too, and its answer tells what is left.
        super().check_throttles(request)
        super().initial(request, *args, **kwargs)

    def check_throttles(self, request: Request) -> None:
        """Was done first."""


class PublicView(APIView):
    """An address for everybody, which the OpenAPI document leaves out."""

    authentication_classes = ()
    permission_classes = ()
    throttle_classes = ()
    http_method_names = ["get", "head"]
    schema = None
