"""The HTTP table of contents."""

from typing import Final

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, URLResolver, include, path, re_path
from django.views import defaults
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView

from config import health, metrics
from payments.api import problem_pages, problems
from payments.api.base import PublicView
from readmodels.api.views import Nowhere

_PUBLIC: Final = {
    "authentication_classes": (),
    "permission_classes": (),
    "throttle_classes": (),
    "http_method_names": PublicView.http_method_names,
}

urlpatterns: Final[list[URLPattern | URLResolver]] = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/policies/", include("readmodels.admin.policies")),
    path("admin/reviews/", include("readmodels.admin.queue")),
    path("admin/", admin.site.urls),
    path("api/v1/", include("readmodels.api.urls")),
    path("api/problems", problem_pages.Problems.as_view()),
    path("api/problems/<slug:code>", problem_pages.OneProblem.as_view()),
    path("api/schema/", SpectacularAPIView.as_view(**_PUBLIC), name="schema"),
    path("api/docs/", SpectacularSwaggerView.as_view(url_name="schema", **_PUBLIC), name="docs"),
    re_path(r"^api(/|$)", Nowhere.as_view()),
    path("healthz", health.healthz),
    path("readyz", health.readyz),
    path("metrics", metrics.metrics),
]


def handler500(request: HttpRequest) -> HttpResponse:
    """What failed outside the API's views, in a middleware for example."""
    if not request.path.startswith("/api/"):
        return defaults.server_error(request)
    failure = problems.Problem("internal_error", "The failure was recorded under the request id.")
    return problems.response(failure, request)


def handler400(request: HttpRequest, exception: Exception) -> HttpResponse:
    """What Django refuses before any view is asked, such as a Host that is not ours."""
    if not request.path.startswith("/api/"):
        return defaults.bad_request(request, exception)
    refusal = problems.Problem("invalid_request", "The request cannot be served.")
    return problems.response(refusal, request)
