"""The lists of open second reviews, which wait for a senior reviewer, and of concluded ones."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from unfold.decorators import display

from payments import permissions
from payments.api.http.paths import uuid
from readmodels import labels
from readmodels.admin.base import fragments, requests, times
from readmodels.admin.base.browsing import BrowsingAdmin, as_uuid
from readmodels.admin.second_reviews import access, page
from readmodels.admin.second_reviews.concluding import ConcludeView
from readmodels.models import SecondReview


def _verdict(*, approved: bool) -> tuple[str, str]:
    """Return the color of a verdict, and its label."""
    return ("success", "Approve") if approved else ("danger", "Reject")


_COLORS = {"success": "success", "danger": "danger"}


@admin.register(SecondReview)
class SecondReviewAdmin(BrowsingAdmin):
    """The concluded second reviews, newest first, and the page of each second review."""

    list_title = "Second reviews"
    keyset: ClassVar = ("concluded_at", "id")
    change_list_template = "backoffice/second_reviews/list.html"
    list_display: tuple[str, ...] = (
        "concluded",
        "money",
        "decision",
        "second",
        "agreement",
        "how_severe",
        "decided_by",
        "second_reviewer",
    )
    list_display_links = ("concluded",)

    @display(description="Concluded (UTC)")
    def concluded(self, row: SecondReview) -> str:
        return times.moment(row.concluded_at, times.MINUTE) if row.concluded_at else "–"

    @display(description="Amount")
    def money(self, row: SecondReview) -> str:
        return labels.amount(row.amount, row.currency)

    @display(description="Decision", label=_COLORS)
    def decision(self, row: SecondReview) -> tuple[str, str]:
        return _verdict(approved=row.approved)

    @display(description="Second verdict", label=_COLORS)
    def second(self, row: SecondReview) -> tuple[str, str]:
        return _verdict(approved=bool(row.second_approved))

    @display(description="Same verdict")
    def agreement(self, row: SecondReview) -> str:
        return "Yes" if row.approved == row.second_approved else "No"

    @display(description="Severity")
    def how_severe(self, row: SecondReview) -> str:
        return labels.label(row.severity)

    @display(description="Decided by")
    def decided_by(self, row: Any) -> str:
        return fragments.foreign_text(row.details.get(row.reviewer, row.reviewer))

    @display(description="Second reviewer")
    def second_reviewer(self, row: Any) -> str:
        return fragments.foreign_text(row.details.get(row.concluded_by, row.concluded_by))

    def details(self, rows: Sequence[Any]) -> Mapping[Any, Any]:
        names = labels.people(actor for row in rows for actor in (row.reviewer, row.concluded_by))
        return {row.pk: names for row in rows}

    def get_queryset(self, request: HttpRequest) -> QuerySet[SecondReview]:
        return access.visible(requests.actor(request)).filter(concluded_at__isnull=False)

    def get_urls(self) -> list[URLPattern]:
        conclude = self.form_view(ConcludeView)
        return [
            path(f"{uuid('review')}/conclude/", conclude, name="second_review_conclude"),
            *super().get_urls(),
        ]

    def row_page(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show the second review. Verdicts are shown only if it is concluded."""
        review_id = as_uuid(object_id)
        if review_id is None:
            raise Http404(f"There is no second review {object_id}.")
        review = access.load(review_id, requests.actor(request))
        concludes = permissions.holds(request.user, permissions.CONCLUDE_SECOND_REVIEW)
        if review.conclusion is None and concludes:
            return HttpResponseRedirect(
                reverse("admin:second_review_conclude", args=[review.review_id])
            )
        return self.page(
            request,
            "backoffice/second_reviews/review.html",
            title=f"Second review of {review.request.amount.formatted()}",
            original=SecondReview(pk=review.review_id),
            verdicts=page.verdicts(review),
            **page.gather(review, request),
        )


class OpenAdmin(SecondReviewAdmin):
    """The open second reviews, the longest waiting first. They show no verdict.

    It is not registered: each request creates one.
    """

    keyset = ("requested_at", "id")
    ascending = True
    page_labels: ClassVar = ("Earlier", "Later")
    list_display = ("money", "age", "requested")
    list_display_links = ("money",)

    @display(description="Waiting")
    def age(self, row: Any) -> str:
        return fragments.duration((row.details - row.requested_at).total_seconds())

    @display(description="Requested (UTC)")
    def requested(self, row: SecondReview) -> str:
        return format_html(
            '<time datetime="{}">{}</time>',
            row.requested_at.isoformat(),
            f"{row.requested_at:%Y-%m-%d %H:%M}",
        )

    def details(self, rows: Sequence[Any]) -> Mapping[Any, Any]:
        now = timezone.now()
        return {row.pk: now for row in rows}

    def get_queryset(self, request: HttpRequest) -> QuerySet[SecondReview]:
        return access.visible(requests.actor(request)).filter(concluded_at__isnull=True)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return super().changelist_view(request, {"is_open": True, **(extra_context or {})})


def queue(request: HttpRequest) -> HttpResponse:
    return OpenAdmin(SecondReview, admin.site).changelist_view(request)
