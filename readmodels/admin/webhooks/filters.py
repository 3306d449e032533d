"""Filters for the lists of webhooks."""

from typing import Any, Final

from django.db.models import Q
from django.http import HttpRequest

from readmodels.admin.base.browsing import as_uuid
from readmodels.admin.base.dates import quoted
from readmodels.admin.base.filters import OneOf, TypedFilter
from readmodels.feed.events import EVENT_TYPES, TEST_TYPE
from readmodels.webhooks.models import Endpoint

_MOST_ENDPOINTS: Final = 200


class FailingFilter(OneOf):
    """Filter by whether the latest delivery failed. There are few rows, so no index is needed."""

    title = "failing"
    parameter_name = "failing"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Yes"), ("no", "No")]

    def condition(self) -> Q:
        match self.value():
            case "yes":
                return Q(failures__gt=0)
            case "no":
                return Q(failures=0)
        return Q()


class EndpointFilter(OneOf):
    """Filter by endpoint, which is chosen by its URL. Links may name any endpoint by id."""

    title = "endpoint"
    parameter_name = "endpoint"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        columns = ("pk", "client__name", "url")
        rows = Endpoint.objects.order_by("client__name", "number").values_list(*columns)
        found = {str(pk): f"{name}: {url}" for pk, name, url in rows[:_MOST_ENDPOINTS]}
        asked = as_uuid(request.GET.get(self.parameter_name, ""))
        if asked and str(asked) not in found:
            found |= {str(pk): f"{name}: {url}" for pk, name, url in rows.filter(pk=asked)}
        return list(found.items())

    def condition(self) -> Q:
        return Q(endpoint_id=self.value()) if self.value() else Q()


class SentTypeFilter(OneOf):
    title = "event type"
    parameter_name = "event_type"
    values = (*EVENT_TYPES, TEST_TYPE)


class PaymentFilter(TypedFilter):
    title = "payment id"
    parameter_name = "payment"

    def problem(self, typed: str) -> str | None:
        if as_uuid(typed):
            return None
        return f"{quoted(typed)} is not a payment id. Copy the id from the payment's page."

    def matching(self, typed: str) -> Q:
        return Q(payment_id=as_uuid(typed))
