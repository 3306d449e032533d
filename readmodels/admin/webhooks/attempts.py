"""The attempts to deliver events to endpoints, with the endpoints' responses."""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from unfold.decorators import display

from readmodels import labels
from readmodels.admin.base import fragments, times
from readmodels.admin.base.browsing import BrowsingAdmin, as_uuid
from readmodels.admin.base.date_filters import MomentsFilter
from readmodels.admin.base.filters import ChoiceFilter, titled
from readmodels.admin.webhooks import parts
from readmodels.admin.webhooks.filters import EndpointFilter, PaymentFilter, SentTypeFilter
from readmodels.queries.search.places import Place, exact
from readmodels.webhooks.models import Attempt

_DIGITS_OF_AN_ID = 18


@admin.register(Attempt)
class AttemptAdmin(BrowsingAdmin):
    keyset: ClassVar = ("at", "id")
    change_list_template = "backoffice/webhooks/attempts.html"
    list_display = ("when", "outcome_badge", "answer", "to", "event_type", "payment", "took")
    list_select_related = ("endpoint__client",)
    list_filter = (
        EndpointFilter,
        ("outcome", ChoiceFilter),
        SentTypeFilter,
        PaymentFilter,
        ("at", titled(MomentsFilter, "time")),
    )
    search_fields = ("payment_id",)  # shows the search box; `places` searches
    search_help_text = "Payment id"

    @display(description="When (UTC)")
    def when(self, row: Attempt) -> str:
        return times.moment(row.at)

    @display(description="Outcome", label=parts.OUTCOME_COLORS)
    def outcome_badge(self, row: Attempt) -> tuple[str, str]:
        return row.outcome, labels.label(row.outcome)

    @display(description="Answer")
    def answer(self, row: Attempt) -> str:
        return fragments.foreign_text(answer(row))

    @display(description="Endpoint")
    def to(self, row: Attempt) -> str:
        return parts.endpoint_link(row.endpoint)

    @display(description="Payment")
    def payment(self, row: Attempt) -> str:
        if row.payment_id is None:
            return "–"
        return fragments.link("readmodels_paymentsummary", row.payment_id, str(row.payment_id))

    @display(description="Duration")
    def took(self, row: Attempt) -> str:
        return f"{row.milliseconds:,} ms"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request)
        return rows.defer("response", "endpoint__secret", "endpoint__old_secret")

    def places(self, text: str) -> Iterator[Place]:
        if payment_id := as_uuid(text):
            yield exact("payment id", payment_id=payment_id)

    def row_page(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show one attempt with the beginning of the response's body as text."""
        number = object_id.isascii() and object_id.isdigit() and len(object_id) <= _DIGITS_OF_AN_ID
        rows = Attempt.objects.select_related("endpoint__client")
        row = rows.filter(pk=int(object_id)).first() if number else None
        if row is None:
            raise Http404(f"There is no attempt {object_id}. Attempts are kept for 30 days.")
        return self.page(
            request,
            "backoffice/webhooks/attempt.html",
            title=f"Attempt of {row.at:%Y-%m-%d %H:%M:%S} UTC",
            original=row,
            attempt=row,
            badge=parts.outcome_badge(row.outcome),
            answer=answer(row),
            error=parts.visible(row.error),
            response=parts.visible(row.response),
        )


def answer(row: Attempt) -> str:
    """Return the status with its phrase, or the error if there was no response."""
    if row.status is None:
        return parts.visible(row.error) or "none"
    try:
        return f"{row.status} {HTTPStatus(row.status).phrase}"
    except ValueError:
        return str(row.status)
