"""All addresses except the probes, which `config.operations.health` answers."""

from typing import Any, Final

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path, re_path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularSwaggerSplitView

from config.operations import metrics
from payments.api import problem_pages
from payments.api.http.base import PublicView
from payments.api.openapi.document import Document
from readmodels.admin.base import failures

_PUBLIC: Final = {
    "authentication_classes": (),
    "permission_classes": (),
    "throttle_classes": (),
    "schema": None,
    "http_method_names": PublicView.http_method_names,
}


def _with_or_without_slash(route: str, view: Any, name: str | None = None) -> list[URLPattern]:
    return [path(f"{route}/", view, name=name), path(route, view)]


urlpatterns: Final[list[URLPattern | URLResolver]] = [
    path("api/v1/", include("config.api_urls")),
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/", include("readmodels.admin.urls")),
    path("admin/", admin.site.urls),
    *_with_or_without_slash("api/problems", problem_pages.Problems.as_view()),
    *_with_or_without_slash("api/problems/<slug:code>", problem_pages.OneProblem.as_view()),
    *_with_or_without_slash("api/schema", Document.as_view(**_PUBLIC), name="schema"),
    *_with_or_without_slash(
        "api/docs", SpectacularSwaggerSplitView.as_view(url_name="schema", **_PUBLIC), name="docs"
    ),
    # Several slashes match too, because base URLs often end in a slash by mistake.
    re_path(r"^/*api(/|$)", problem_pages.UnknownAddress.as_view()),
    path("metrics", metrics.metrics),
]

handler400 = failures.bad_request
handler403 = failures.permission_denied
handler404 = failures.page_not_found
handler500 = failures.server_error
