"""The reads: payments, their events and states, daily statistics, projections."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from payments import pseudonyms
from payments.aggregates import PAYMENT_AGGREGATE
from payments.api.bodies import stored_text
from payments.api.http.authentication import key_of
from payments.api.http.base import KeyView
from payments.api.http.preconditions import not_modified
from payments.api.problems.problem import FieldError, Problem
from payments.api.representation import RefundView, etag, json_response, payment_headers
from payments.clients.models import Scope
from payments.domain.methods import Method
from payments.domain.money import MAX_MINOR
from payments.domain.payment.events import PaymentRefunded
from payments.domain.payment.state import Status
from payments.domain.text import rfc3339
from payments.events import replay
from payments.events.reading import timetravel
from payments.events.reading.horizon import HorizonHeld
from readmodels.api import (
    cursors,
    event_views,
    following,
    logged,
    parameters,
    representation,
    schema,
    validators,
)
from readmodels.api.freshness import await_position
from readmodels.engine import lag
from readmodels.models import DailyStatistics, PaymentSummary
from readmodels.projections import daily_statistics, payment_summary
from readmodels.queries import keyset, times
from readmodels.queries.bounded import TooBroad, bounded

NEWEST_FIRST: Final = "-created_at"
OLDEST_FIRST: Final = "created_at"
_LONGEST_WAIT: Final = 0.3  # seconds to wait for open appends

_KEYSET: Final = ("initiated_at", "payment_id")
# The parameters of every list of payments.
_LIST: Final = {
    "status": parameters.choice(*Status),
    "from": times.moment,
    "to": times.moment,
    "ordering": parameters.choice(NEWEST_FIRST, OLDEST_FIRST, following.ORDERING),
    "cursor": cursors.decode,
    "limit": parameters.whole(1, parameters.LONGEST_PAGE),
}
_LOOKUPS: Final = {
    "status": "status__in",
    "method": "method",
    "currency": "currency",
    "reference": "reference",
    "requires_review": "requires_review",
    "amount_min": "amount__gte",
    "amount_max": "amount__lte",
    "from": "initiated_at__gte",
    "to": "initiated_at__lt",
}


class ListPayments(KeyView):
    """List the client's payments, a page at a time."""

    scopes: ClassVar = {"GET": Scope.PAYMENTS_READ}

    @extend_schema(**schema.LIST)
    def get(self, request: Request) -> HttpResponse:
        await_position(request, payment_summary.PROJECTION)
        given = parameters.read(
            request,
            {
                "method": parameters.choice(*Method),
                "currency": parameters.currency,
                "customer_id": parameters.text,
                "reference": parameters.text,
                "requires_review": parameters.flag,
                "amount_min": parameters.whole(0, MAX_MINOR),
                "amount_max": parameters.whole(0, MAX_MINOR),
                **_LIST,
            },
            several={"status"},
            together=_wrong_filters,
        )
        customer_id = None
        if "customer_id" in given:
            customer_id = pseudonyms.customer_id(key_of(request).client_id, given["customer_id"])
        return _page(customer_id, given, request)


class CustomerPayments(KeyView):
    """List one customer's payments; none for an unknown customer."""

    scopes: ClassVar = {"GET": Scope.PAYMENTS_READ}

    @extend_schema(**schema.CUSTOMER)
    def get(self, request: Request, customer_id: str) -> HttpResponse:
        await_position(request, payment_summary.PROJECTION)
        in_path = parameters.in_path("customer_id", customer_id)
        given = parameters.read(
            request,
            _LIST,
            several={"status"},
            together=lambda values: [*in_path, *_wrong_filters(values)],
        )
        reference = stored_text("customer_id", customer_id)
        pseudonym = pseudonyms.customer_id(key_of(request).client_id, reference)
        return _page(pseudonym, given, request)


class OnePayment(KeyView):
    """Read a payment, from the log if the projection has not reached it.

    A client that has just submitted the payment knows that it exists.
    """

    scopes: ClassVar = {"GET": Scope.PAYMENTS_READ}

    @extend_schema(**schema.RETRIEVE)
    def get(self, request: Request, payment_id: UUID) -> HttpResponse:
        await_position(request, payment_summary.PROJECTION, payment_id=payment_id)
        parameters.read(request, {})
        client_id = key_of(request).client_id
        row = PaymentSummary.objects.filter(pk=payment_id, client_id=client_id).first()
        # Read a disputed payment from the log: the two read models may be at different positions.
        found = row if row and not row.dispute_count else logged.from_log(payment_id, client_id)
        if found is None:
            raise logged.not_found(payment_id)
        headers = payment_headers(found.version, found.position)
        if unchanged := not_modified(request, headers):
            return unchanged
        if isinstance(found, PaymentSummary):
            (found,) = representation.payments([found])
        return json_response(found, headers)


class PaymentEvents(KeyView):
    """Read the events of a payment from the log."""

    scopes: ClassVar = {"GET": Scope.PAYMENTS_READ}

    @extend_schema(**schema.EVENTS)
    def get(self, request: Request, payment_id: UUID) -> HttpResponse:
        parameters.read(request, {})
        history = logged.history(payment_id, key_of(request).client_id)
        headers = {"ETag": etag(history[-1].version)}
        if unchanged := not_modified(request, headers):
            return unchanged
        return json_response(event_views.events(history), headers)


class PaymentRefunds(KeyView):
    """Read the refunds of a payment from the log."""

    scopes: ClassVar = {"GET": Scope.PAYMENTS_READ}

    @extend_schema(**schema.REFUNDS)
    def get(self, request: Request, payment_id: UUID) -> HttpResponse:
        parameters.read(request, {})
        history = logged.history(payment_id, key_of(request).client_id)
        headers = {"ETag": etag(history[-1].version)}
        if unchanged := not_modified(request, headers):
            return unchanged
        refunds = [
            RefundView.of(recorded.event, recorded.position)
            for recorded in history
            if isinstance(recorded.event, PaymentRefunded)
        ]
        return json_response(representation.RefundList(refunds), headers)


class PaymentState(KeyView):
    """Read the state of a payment at a version, or as it was recorded at a time."""

    scopes: ClassVar = {"GET": Scope.PAYMENTS_READ}

    @extend_schema(**schema.STATE)
    def get(self, request: Request, payment_id: UUID) -> HttpResponse:
        given = parameters.read(
            request, {"version": parameters.whole(1, schema.MAX_VERSION), "at": times.moment}
        )
        if not given:
            raise Problem.of_field("version", "missing", "Send a version or a time (at).")
        if len(given) > 1:
            raise Problem.of_field("at", "given_twice", "Send a version or a time, not both.")
        until = _await_final(given["at"]) if "at" in given else None
        history = logged.history(payment_id, key_of(request).client_id)
        if until is None:
            try:
                past = timetravel.at_version(history, given["version"])
            except timetravel.NoSuchVersion as error:
                raise Problem.of_field("version", "out_of_range", str(error)) from None
        elif given["at"] > until:
            detail = f"The log is final up to {rfc3339(until)}. Send that time or an earlier one."
            raise Problem.of_field("at", "out_of_range", detail)
        else:
            past = timetravel.recorded_by(history, given["at"])
        payment = replay.fold(PAYMENT_AGGREGATE, payment_id, (recorded.event for recorded in past))
        if payment is None:
            raise Problem(
                "payment_not_found",
                f"There was no payment {payment_id} before {rfc3339(history[0].recorded_at)}.",
            )
        view = logged.view(payment, past[-1].position)
        headers = payment_headers(view.version, view.position)
        return not_modified(request, headers) or json_response(view, headers)


def _await_final(at: datetime) -> datetime:
    """Return the time up to which the log is final. Raises Problem."""
    try:
        return timetravel.await_final(at, patience=_LONGEST_WAIT)
    except HorizonHeld as held:
        raise Problem(
            "temporarily_unavailable",
            "A transaction is open that may still change the state at this time. Try again.",
            retry_after=1,
        ) from held


class Daily(KeyView):
    """Read sums by UTC day and currency, for a day or a range of at most a year."""

    scopes: ClassVar = {"GET": Scope.STATISTICS_READ}

    @extend_schema(**schema.DAILY)
    def get(self, request: Request) -> HttpResponse:
        await_position(request, daily_statistics.PROJECTION)
        days = dict.fromkeys(("date", "from", "to"), times.day)
        given = parameters.read(
            request, {**days, "currency": parameters.currency}, together=_wrong_days
        )
        first = given.get("date") or given["from"]
        last = given.get("date") or given["to"]
        headers = validators.headers(daily_statistics.PROJECTION, request)
        if unchanged := not_modified(request, headers):
            return unchanged
        rows = DailyStatistics.objects.filter(
            client_id=key_of(request).client_id, day__range=(first, last)
        ).order_by("-day", "currency")
        if "currency" in given:
            rows = rows.filter(currency=given["currency"])
        found = representation.DayList([representation.day(row) for row in rows.iterator()])
        return json_response(found, headers)


class Projections(KeyView):
    """Read the lag of the read models."""

    scopes: ClassVar = {"GET": Scope.PAYMENTS_READ}

    @extend_schema(**schema.PROJECTIONS)
    def get(self, request: Request) -> HttpResponse:
        parameters.read(request, {})
        found = [representation.projection(each) for each in lag.measure()]
        return json_response(representation.ProjectionList(found))


def _wrong_days(given: Mapping[str, Any]) -> Iterator[FieldError]:
    if "date" in given:
        if given.keys() & {"from", "to"}:
            yield FieldError("date", "given_twice", "Send a date or a range, not both.")
    elif not {"from", "to"} <= given.keys():
        yield FieldError("date", "missing", "Send a date, or both from and to.")
    elif None not in {given["from"], given["to"]} and not (
        timedelta() <= given["to"] - given["from"] <= timedelta(parameters.LONGEST_DAYS)
    ):
        yield FieldError(
            "to", "out_of_range", f"It must be from 0 to {parameters.LONGEST_DAYS} days after from."
        )


def _wrong_filters(given: Mapping[str, Any]) -> Iterator[FieldError]:
    if given.keys() & {"amount_min", "amount_max"} and "currency" not in given:
        yield FieldError(
            "currency", "missing", "Amounts can only be compared in one currency. Send a currency."
        )
    yield from parameters.in_order(given, "amount_min", "amount_max")
    yield from parameters.in_order(given, "from", "to")
    yield from following.unfit_filters(given)


def _page(customer_id: UUID | None, given: dict[str, Any], request: Request) -> HttpResponse:
    headers = validators.headers(payment_summary.PROJECTION, request)
    if unchanged := not_modified(request, headers):
        return unchanged
    client_id = key_of(request).client_id
    rows = PaymentSummary.objects.filter(client_id=client_id)
    if customer_id is not None:
        rows = rows.filter(customer_id=customer_id)
    rows = rows.filter(**{_LOOKUPS[name]: given[name] for name in given.keys() & _LOOKUPS})
    question = cursors.question(request.path, given)
    after = _after(given, question)
    limit = given.get("limit", parameters.PAGE)
    if given.get("ordering") == following.ORDERING:
        page = _followed(rows, client_id, customer_id, after, question, limit)
    else:
        ascending = given.get("ordering") == OLDEST_FIRST
        page = _by_time(rows, after, question, limit, ascending=ascending)
    return json_response(page, headers)


def _after(given: Mapping[str, Any], question: str) -> cursors.After | None:
    """Return where the page begins, None for the beginning of the list. Raises Problem."""
    if "cursor" not in given:
        return None
    cursor: cursors.Cursor = given["cursor"]
    by_position = given.get("ordering") == following.ORDERING
    if cursor.question != question or isinstance(cursor.after, int) is not by_position:
        raise Problem.of_field("cursor", "wrong_format", cursors.OF_ANOTHER_LIST)
    return cursor.after


def _by_time(
    rows: QuerySet[PaymentSummary],
    after: cursors.After | None,
    question: str,
    limit: int,
    *,
    ascending: bool,
) -> representation.PaymentPage:
    if isinstance(after, tuple):
        rows = rows.filter(keyset.beyond(_KEYSET, after, ascending=ascending))
    found, more = _read(rows.order_by(*keyset.order(_KEYSET, ascending=ascending)), limit)
    next_cursor = None
    if more:
        last = (found[-1].initiated_at, found[-1].payment_id)
        next_cursor = cursors.encode(cursors.Cursor(last, question))
    return representation.PaymentPage(representation.payments(found), next_cursor)


def _followed(
    rows: QuerySet[PaymentSummary],
    client_id: UUID,
    customer_id: UUID | None,
    after: cursors.After | None,
    question: str,
    limit: int,
) -> representation.PaymentPage:
    last = after if isinstance(after, int) else 0
    list_ = following.Following(client_id, customer_id, after=last)
    found, _ = _read(list_.rows(rows), limit)
    if found:
        last = found[-1].first_position
    else:
        list_.check_not_blocked()
    next_cursor = cursors.encode(cursors.Cursor(last, question))
    return representation.PaymentPage(representation.payments(found), next_cursor)


def _read(rows: QuerySet[PaymentSummary], limit: int) -> tuple[list[PaymentSummary], bool]:
    """Return a page of rows, and whether there are more. Raises Problem."""
    try:
        with bounded():
            return keyset.page(rows, limit)
    except TooBroad as error:
        raise Problem("filter_too_broad", str(error)) from error
