"""The lists that can be exported. A person and the filters in a URL select the rows."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, time, timedelta
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

from django.contrib import admin
from django.contrib.auth.models import AbstractBaseUser
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from msgspec import Struct

from payments import actors
from payments.customers.models import Customer
from payments.domain.payment.events import PaymentApproved, PaymentFirstApproved, PaymentRejected
from readmodels.admin.analytics import page as analytics, question
from readmodels.admin.base.browsing import BrowsingAdmin, parameters
from readmodels.admin.base.filters import Checked
from readmodels.admin.exports import columns
from readmodels.admin.exports.columns import Columns
from readmodels.admin.review.queue import QueueAdmin
from readmodels.admin.statistics import FiguresFilter
from readmodels.exports.models import LONGEST_QUERY, Kind
from readmodels.models import DailyStatistics, EventIndex, PaymentSummary

_DECISIONS: Final = tuple(
    each.event_type for each in (PaymentApproved, PaymentFirstApproved, PaymentRejected)
)
_COUNTERS: Final = tuple(
    field.name
    for field in DailyStatistics._meta.fields
    if field.name.endswith(("_count", "_volume"))
)


class WrongFilter(Exception):
    """A filter has an invalid value."""


class Selected(Struct, frozen=True):
    """The rows in the order of the list, and the filters as displayed: title and value."""

    rows: "QuerySet[Any, Any]"
    filters: tuple[tuple[str, str], ...]


class ExportedList(Struct, frozen=True, kw_only=True):
    """A list that can be exported. `permission` is the one for viewing it."""

    kind: Kind
    columns: Columns
    permission: str
    select: Callable[[AbstractBaseUser, Mapping[str, str]], Selected]
    known: Callable[[], frozenset[str]]
    url: Callable[[], str]

    def query(self, given: Mapping[str, str]) -> str:
        """Return the filters among the parameters of a URL, encoded."""
        names = self.known()
        return urlencode(
            sorted((name, value) for name, value in given.items() if name in names and value)
        )

    def selected(self, user: AbstractBaseUser, query: str) -> Selected:
        """Return the rows that the person sees with these filters. Raises WrongFilter."""
        if len(query) > LONGEST_QUERY:
            raise WrongFilter(
                f"The filters have {len(query):,} characters in the address. The limit is"
                f" {LONGEST_QUERY:,}. Use shorter filters."
            )
        found = self.select(user, dict(parse_qsl(query)))
        return Selected(found.rows.values_list(*self.columns.fields), found.filters)


def find(kind: str) -> ExportedList | None:
    return _BY_KIND.get(kind)


def _of_admin(
    kind: Kind, columns_: Columns, permission: str, name: str, listing: Callable[[], BrowsingAdmin]
) -> ExportedList:
    def select(user: AbstractBaseUser, given: Mapping[str, str]) -> Selected:
        request = HttpRequest()
        request.method, request.user = "GET", user  # type: ignore[assignment]
        selection = listing().selection(request, given)
        specs = [each for each in selection.filter_specs if isinstance(each, Checked)]
        if problems := [text for each in specs for text in each.problems().values()]:
            raise WrongFilter(" ".join(problems))
        order = selection.order
        filters = tuple((str(each.title), text) for each in specs if (text := each.described()))
        return Selected(selection.queryset.order_by(*order.by()), filters)

    def known() -> frozenset[str]:
        own = listing()
        sorts = {"sort"} if getattr(own, "sorts", None) else set()
        left_out = {FiguresFilter.parameter_name}
        return frozenset(set().union(*map(parameters, own.list_filter)) | sorts) - left_out

    return ExportedList(
        kind=kind,
        columns=columns_,
        permission=permission,
        select=select,
        known=known,
        url=lambda: reverse(name),
    )


def _registered(model: Any) -> Callable[[], BrowsingAdmin]:
    return lambda: admin.site.get_model_admin(model)  # type: ignore[return-value]


def _decisions(user: AbstractBaseUser, given: Mapping[str, str]) -> Selected:
    """Return the decisions in a period. Others' decisions need the permission of the analytics."""
    asked = question.read(given, today=timezone.now().date())
    if asked.period is None:
        raise WrongFilter(" ".join(asked.errors.values()))
    first, last = asked.period.first, asked.period.last
    rows = EventIndex.objects.filter(
        event_type__in=_DECISIONS,
        recorded_at__gte=datetime.combine(first, time(), UTC),
        recorded_at__lt=datetime.combine(last + timedelta(days=1), time(), UTC),
    )
    filters = [("period", f"{first} to {last}")]
    if not user.has_perm(analytics.SEE_REVIEWERS):  # type: ignore[attr-defined]
        rows = rows.filter(actor=actors.staff(user.pk))
        filters.append(("reviewer", "you"))
    return Selected(rows.order_by("-recorded_at", "-position"), tuple(filters))


_BY_KIND: Final[Mapping[str, ExportedList]] = {
    each.kind: each
    for each in (
        _of_admin(
            Kind.PAYMENTS,
            columns.PAYMENTS,
            "readmodels.view_paymentsummary",
            "admin:readmodels_paymentsummary_changelist",
            _registered(PaymentSummary),
        ),
        _of_admin(
            Kind.QUEUE,
            columns.QUEUE,
            "readmodels.view_paymentsummary",
            "review_queue",
            lambda: QueueAdmin(PaymentSummary, admin.site),
        ),
        _of_admin(
            Kind.EVENTS,
            columns.EVENTS,
            "readmodels.view_eventindex",
            "admin:readmodels_eventindex_changelist",
            _registered(EventIndex),
        ),
        _of_admin(
            Kind.CUSTOMERS,
            columns.CUSTOMERS,
            "customers.view_customer",
            "admin:customers_customer_changelist",
            _registered(Customer),
        ),
        _of_admin(
            Kind.STATISTICS,
            columns.statistics((*_COUNTERS, "open_reviews")),
            "readmodels.view_dailystatistics",
            "admin:readmodels_dailystatistics_changelist",
            _registered(DailyStatistics),
        ),
        ExportedList(
            kind=Kind.DECISIONS,
            columns=columns.DECISIONS,
            permission=analytics.SEE,
            select=_decisions,
            known=lambda: frozenset({"from", "to", "days"}),
            url=lambda: reverse("analytics"),
        ),
    )
}
