"""Whatever fails outside the API's views is a problem too, also where Django would show its debug page."""

from collections.abc import Callable
from typing import Final

from django.http import HttpRequest, HttpResponse

from payments.api.problems import rendering
from payments.api.problems.rendering import Problem

_BAD_REQUEST: Final = 400
_SERVER_ERROR: Final = 500


class ProblemMiddleware:
    """Replaces Django's pages: of a Host that is not ours, of a middleware that fails."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self._get_response(request)
        if (
            not request.path_info.lstrip("/").startswith("api/")
            or response.status_code < _BAD_REQUEST
        ):
            return response
        if not response.headers.get("Content-Type", "").startswith(("text/html", "text/plain")):
            return response
        if response.status_code >= _SERVER_ERROR:
            failure = Problem("internal_error", "The failure was recorded under the request id.")
        else:
            failure = Problem("invalid_request", "The request cannot be served.")
        return rendering.response(failure, request)
