"""The Content Security Policy: pages load only our own files, and other sites cannot embed them.

Scripts and styles are files. The back office needs `unsafe-eval`, because unfold's Alpine evaluates
expressions of its templates.
"""

from typing import Any, Final

from csp.constants import NONE, SELF, UNSAFE_EVAL
from csp.middleware import CSPMiddleware, PolicyParts
from django.http import HttpRequest
from django.http.response import HttpResponseBase

DIRECTIVES: Final[dict[str, Any]] = {
    "default-src": [SELF],
    "base-uri": [NONE],
    "form-action": [SELF],
    "frame-ancestors": [NONE],
    "object-src": [NONE],
}
_BACK_OFFICE: Final = "/admin/"
_DOCS: Final = "/api/docs"


class ContentPolicyMiddleware(CSPMiddleware):
    """Add the policy to each page. The back office and the API's documentation need exceptions."""

    def get_policy_parts(
        self,
        request: HttpRequest,
        response: HttpResponseBase,
        report_only: bool = False,  # noqa: FBT001, FBT002 - part of the library's signature
    ) -> PolicyParts:
        parts = super().get_policy_parts(request, response, report_only)
        if request.path_info.startswith(_BACK_OFFICE):
            parts.update = {"script-src": [SELF, UNSAFE_EVAL]}
        elif request.path_info.startswith(_DOCS):
            # Swagger UI loads its icons from data URLs.
            parts.update = {"img-src": [SELF, "data:"]}
        return parts
