"""The HTTP table of contents."""

from typing import Final

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, URLResolver, include, path
from django.views import defaults
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView

from config import health
from payments.api import problems
from readmodels.api.views import Nowhere

_PUBLIC: Final = {"authentication_classes": (), "permission_classes": (), "throttle_classes": ()}

urlpatterns: Final[list[URLPattern | URLResolver]] = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/", admin.site.urls),
    path("api/v1/", include("readmodels.api.urls")),
    path("api/schema/", SpectacularAPIView.as_view(**_PUBLIC), name="schema"),
    path("api/docs/", SpectacularSwaggerView.as_view(url_name="schema", **_PUBLIC), name="docs"),
    path("api/<path:rest>", Nowhere.as_view()),
    path("healthz", health.healthz),
    path("readyz", health.readyz),
]


def handler500(request: HttpRequest) -> HttpResponse:
    """What failed outside the API's views, in a middleware for example."""
    if not request.path.startswith("/api/"):
        return defaults.server_error(request)
    failure = problems.Problem("internal_error", "The failure was recorded under the request id.")
    return problems.response(failure, instance=request.path)


def handler400(request: HttpRequest, exception: Exception) -> HttpResponse:
    """What Django refuses before any view is asked, such as a Host that is not ours."""
    if not request.path.startswith("/api/"):
        return defaults.bad_request(request, exception)
    return problems.response(
        problems.Problem("invalid_request", "The request cannot be served."), instance=request.path
    )
