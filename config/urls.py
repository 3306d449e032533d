"""The HTTP table of contents."""

from typing import Final

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path, re_path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularSwaggerView

from config import health, metrics
from payments.api import problem_pages
from payments.api.base import PublicView
from payments.api.document import Document
from readmodels.admin import kept
from readmodels.api.views import Nowhere

_PUBLIC: Final = {
    "authentication_classes": (),
    "permission_classes": (),
    "throttle_classes": (),
    "http_method_names": PublicView.http_method_names,
}

urlpatterns: Final[list[URLPattern | URLResolver]] = [
    path("api/v1/", include("readmodels.api.urls")),
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/policies/", include("readmodels.admin.policies")),
    path("admin/reviews/", include("readmodels.admin.queue")),
    path("admin/login/", kept.sign_in),
    path("admin/", admin.site.urls),
    path("api/problems", problem_pages.Problems.as_view()),
    path("api/problems/<slug:code>", problem_pages.OneProblem.as_view()),
    path("api/schema/", Document.as_view(**_PUBLIC), name="schema"),
    path("api/docs/", SpectacularSwaggerView.as_view(url_name="schema", **_PUBLIC), name="docs"),
    re_path(r"^api(/|$)", Nowhere.as_view()),
    path("healthz", health.healthz),
    path("readyz", health.readyz),
    path("metrics", metrics.metrics),
]
