"""Payments whose events wait because an endpoint rejected one of them."""

from collections.abc import Iterator
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.decorators import display

from readmodels.admin.base import fragments, times
from readmodels.admin.base.browsing import BrowsingAdmin, as_uuid
from readmodels.admin.base.date_filters import MomentsFilter
from readmodels.admin.base.filters import titled
from readmodels.admin.webhooks import parts
from readmodels.admin.webhooks.filters import EndpointFilter, PaymentFilter
from readmodels.queries.search.places import Place, exact
from readmodels.webhooks.models import HeldPayment


@admin.register(HeldPayment)
class HeldAdmin(BrowsingAdmin):
    keyset: ClassVar = ("since", "id")
    change_list_template = "backoffice/webhooks/held.html"
    list_display = ("payment", "to", "event", "error_text", "tries", "first", "next_try")
    list_select_related = ("endpoint__client",)
    list_filter = (EndpointFilter, PaymentFilter, ("since", titled(MomentsFilter, "held since")))
    search_fields = ("payment_id",)  # shows the search box; `places` searches
    search_help_text = "Payment id"
    has_pages = False

    @display(description="Payment")
    def payment(self, row: HeldPayment) -> str:
        return fragments.link("readmodels_paymentsummary", row.payment_id, str(row.payment_id))

    @display(description="Endpoint")
    def to(self, row: HeldPayment) -> str:
        return parts.endpoint_link(row.endpoint)

    @display(description="First event")
    def event(self, row: HeldPayment) -> str:
        return fragments.link("readmodels_eventindex", row.position, str(row.position))

    @display(description="Error")
    def error_text(self, row: HeldPayment) -> str:
        return fragments.foreign_text(parts.visible(row.error))

    @display(description="Held since (UTC)")
    def first(self, row: HeldPayment) -> str:
        return times.moment(row.since)

    @display(description="Next try (UTC)")
    def next_try(self, row: HeldPayment) -> str:
        return times.moment(row.next_attempt_at)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request)
        return rows.defer("endpoint__secret", "endpoint__old_secret")

    def places(self, text: str) -> Iterator[Place]:
        if payment_id := as_uuid(text):
            yield exact("payment id", payment_id=payment_id)
