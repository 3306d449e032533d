"""Serve the OpenAPI document, rendered once per process."""

import gzip
import re
from functools import cache
from hashlib import sha256
from typing import Any, Final, cast

from django.http import HttpResponse
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer, OpenApiYamlRenderer
from drf_spectacular.views import SpectacularAPIView
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from payments.api.http.preconditions import not_modified

_RENDERERS: Final[dict[str, BaseRenderer]] = {
    renderer.format: renderer for renderer in (OpenApiYamlRenderer(), OpenApiJsonRenderer())
}
_GZIP: Final = re.compile(r"\bgzip\b(?!\s*;\s*q=0(\.0*)?\s*(,|$))")


class _ByFormat(DefaultContentNegotiation):
    """Honor `?format=`, which the rest of the API refuses as an unknown parameter."""

    def select_renderer(
        self, request: Request, renderers: Any, format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        named = format_suffix or request.query_params.get("format")
        found: tuple[BaseRenderer, str] = super().select_renderer(request, renderers, named)
        return found


class Document(SpectacularAPIView):
    """Answer with the document in the accepted media type, compressed if that is accepted."""

    content_negotiation_class = _ByFormat
    schema = None

    def get(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        renderer = request.accepted_renderer
        compressed = _GZIP.search(request.headers.get("Accept-Encoding", "")) is not None
        content, tag = rendered(renderer.format, compressed=compressed)
        headers = {
            "ETag": tag,
            "Cache-Control": "public, max-age=300",
            "Vary": "Accept, Accept-Encoding",
        }
        if unchanged := not_modified(request, headers):
            return unchanged
        headers["Content-Disposition"] = f'inline; filename="payments.{renderer.format}"'
        if compressed:
            headers["Content-Encoding"] = "gzip"
        return HttpResponse(content, content_type=renderer.media_type, headers=headers)


@cache
def rendered(named: str, *, compressed: bool) -> tuple[bytes, str]:
    """Return the document in the format `named`, and its ETag."""
    if compressed:
        content = gzip.compress(rendered(named, compressed=False)[0], mtime=0)
    else:
        found = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
        renderer = _RENDERERS[named]
        content = cast("bytes", renderer.render(found, renderer.media_type, {}))
    return content, f'"{sha256(content).hexdigest()[:32]}"'
