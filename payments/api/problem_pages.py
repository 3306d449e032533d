"""Public pages below /api/: one for each problem code, and one for all unknown addresses.

The `type` of a problem is the address of its page. Programs get JSON, people HTML.
"""

from collections.abc import Iterable
from typing import Any, Final

from django.http import HttpResponse
from django.template.loader import render_to_string
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from payments.api.http.base import PublicView
from payments.api.problems.catalogue import KINDS
from payments.api.problems.problem import FIELD_CODES, PATH, Problem
from payments.api.representation import json_response

_JSON: Final = "application/json"
_HTML: Final = "text/html"


class _AnyType(BaseContentNegotiation):
    """Accept every media type."""

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        return next(iter(renderers)), _JSON


class _Page(PublicView):
    """Answer with JSON, unless HTML is preferred."""

    content_negotiation_class = _AnyType

    def answer(self, request: Request, title: str, found: dict[str, Any]) -> HttpResponse:
        headers = {"Vary": "Accept"}
        if request.get_preferred_type([_JSON, _HTML]) != _HTML:
            return json_response(found, headers)
        shown = {"problems": [found], **found, "title": title, "path": PATH}
        return HttpResponse(render_to_string("api/problems.html", shown), headers=headers)


class Problems(_Page):
    """All problem codes, and the codes for wrong fields."""

    def get(self, request: Request) -> HttpResponse:
        fields = [{"code": code, "title": title} for code, title in FIELD_CODES.items()]
        found = {"problems": list(_PAGES.values()), "fields": fields}
        return self.answer(request, "Problems of the payments API", found)


class OneProblem(_Page):
    """One problem code."""

    def get(self, request: Request, code: str) -> HttpResponse:
        if code not in _PAGES:
            raise Problem("not_found", f"There is no problem code {code}.")
        return self.answer(request, code, _PAGES[code])


class UnknownAddress(PublicView):
    """Every other address below /api/: the answer is a problem like any other."""

    def initial(self, request: Request, *_: Any, **__: Any) -> None:
        raise Problem("not_found", f"There is nothing at this address.{_hint(request.path)}")


def _hint(path: str) -> str:
    """Return a hint about the likely mistake in an unknown address."""
    if "//" in path:
        return " It has two slashes in a row. Does the base URL end in one?"
    if {".", ".."} & set(path.split("/")):
        return " It has a segment of dots, which is not resolved here."
    return " Leave out the slash at its end." if path.endswith("/") else ""


_PAGES: Final[dict[str, dict[str, Any]]] = {
    code: {
        "type": f"{PATH}/{code}",
        "code": code,
        "status": kind.status.value,
        "title": kind.title,
        "cause": kind.cause,
        "remedy": kind.remedy,
        "repeat": kind.repeat.value,
        "repetition": kind.repeat.sentence,
    }
    for code, kind in KINDS.items()
}
