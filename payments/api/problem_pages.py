"""What each problem code means, at the address that a problem's `type` names."""

from typing import Any, Final

from django.http import HttpResponse
from rest_framework.request import Request

from payments.api.base import PublicView
from payments.api.problems import FIELD_CODES, KINDS, PATH, Problem
from payments.api.representation import json_response


class Problems(PublicView):
    """All of them, and the codes of what can be wrong with a field."""

    def get(self, request: Request) -> HttpResponse:
        fields = [{"code": code, "title": title} for code, title in FIELD_CODES.items()]
        return json_response({"problems": list(_PAGES.values()), "fields": fields})


class OneProblem(PublicView):
    """One of them."""

    def get(self, request: Request, code: str) -> HttpResponse:
        if code not in _PAGES:
            raise Problem("not_found", f"There is no problem code {code}.")
        return json_response(_PAGES[code])


_PAGES: Final[dict[str, dict[str, Any]]] = {
    code: {
        "type": f"{PATH}/{code}",
        "code": code,
        "status": kind.status.value,
        "title": kind.title,
    }
    for code, kind in KINDS.items()
}
