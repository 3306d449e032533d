"""The list of the client's disputes, by time of opening or by due time."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Final
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from msgspec import UNSET, Meta, Struct, UnsetType, structs
from rest_framework.request import Request

from payments.api.dispute_view import DisputeView
from payments.api.disputes.operations import DISPUTE
from payments.api.http.authentication import key_of
from payments.api.http.base import KeyView
from payments.api.http.preconditions import not_modified
from payments.api.openapi import schemas
from payments.api.openapi.operations import PENDING
from payments.api.problems.problem import FieldError, Problem
from payments.api.representation import json_response
from payments.clients.models import Scope
from payments.domain.payment.codes import DisputeKind
from payments.domain.payment.disputes import DisputeStatus
from readmodels.api import cursors, parameters, representation, validators
from readmodels.api.freshness import await_position
from readmodels.api.schema import FRESH, LIST_HEADERS, STALE, query, read
from readmodels.models import DisputeSummary
from readmodels.projections import dispute_summary
from readmodels.queries import keyset, times
from readmodels.queries.bounded import TooBroad, bounded

_NEWEST: Final = "-opened_at"
_OLDEST: Final = "opened_at"
_DUE: Final = "respond_by"
_BY_TIME: Final = ("opened_at", "id")
_BY_DUE: Final = ("due_at", "id")
_LOOKUPS: Final = {
    "status": "status",
    "kind": "kind",
    "payment_id": "payment_id",
    "due_before": "due_at__lt",
}


class ListedDispute(DisputeView, frozen=True, kw_only=True):
    """A dispute of one of your payments."""

    payment_id: Annotated[UUID, Meta(description="The id of the payment.")]
    status: Annotated[
        DisputeStatus,
        Meta(
            description="`needs_response` until it is contested, and again after a later change of it."
        ),
    ]


class DisputePage(Struct):
    """A page of disputes."""

    disputes: Annotated[list[ListedDispute], Meta(description="The disputes, in the given order.")]
    next: Annotated[
        str | None, Meta(description="The `cursor` of the next page; null: this is the last one.")
    ]


class _StatusFilter(Struct):
    status: Annotated[DisputeStatus | UnsetType, Meta(description="The status.")] = UNSET


class _KindFilter(Struct):
    kind: Annotated[DisputeKind | UnsetType, Meta(description="The stage of the dispute.")] = UNSET


_SHOWN: Final = {
    "disputes": [DISPUTE | {"payment_id": PENDING["id"], "status": "needs_response"}],
    "next": None,
}
LIST: Final = read(
    DisputePage,
    "List disputes",
    "invalid_request",
    "filter_too_broad",
    *STALE,
    operation_id="list_disputes",
    description="The disputes of your payments, a page at a time. A dispute has to match all filters.",
    shown=_SHOWN,
    of=LIST_HEADERS,
    tags=["disputes"],
    parameters=[
        *FRESH,
        _StatusFilter,
        _KindFilter,
        query("payment_id", "The id of a payment.", OpenApiTypes.UUID),
        query(
            "due_before",
            "Disputes that need a response before this time or date (UTC), overdue ones included. The default"
            " order is then by `respond_by`.",
            OpenApiTypes.DATETIME,
        ),
        query(
            "ordering",
            "The newest first, the oldest first, or open disputes by `respond_by`. Those that need no"
            " response, or have no known time for it, come last.",
            enum=[_NEWEST, _OLDEST, _DUE],
        ),
        query("cursor", "`next` of an earlier answer, with the same filters."),
        query(
            "limit",
            f"The disputes on a page; default {parameters.PAGE}.",
            schemas.integer(1, parameters.LONGEST_PAGE),
        ),
    ],
)


class ListDisputes(KeyView):
    """List the disputes of the client's payments, a page at a time."""

    scopes: ClassVar = {"GET": Scope.PAYMENTS_READ}

    @extend_schema(**LIST)
    def get(self, request: Request) -> HttpResponse:
        await_position(request, dispute_summary.PROJECTION)
        given = parameters.read(
            request,
            {
                "status": parameters.choice(*DisputeStatus),
                "kind": parameters.choice(*DisputeKind),
                "payment_id": _uuid,
                "due_before": times.moment,
                "ordering": parameters.choice(_NEWEST, _OLDEST, _DUE),
                "cursor": cursors.decode,
                "limit": parameters.whole(1, parameters.LONGEST_PAGE),
            },
            together=_unfit,
        )
        headers = validators.headers(dispute_summary.PROJECTION, request)
        if unchanged := not_modified(request, headers):
            return unchanged
        return json_response(_page(given, request), headers)


def _page(given: Mapping[str, Any], request: Request) -> DisputePage:
    """Return the page. Raises Problem."""
    rows = DisputeSummary.objects.filter(client_id=key_of(request).client_id)
    rows = rows.filter(**{_LOOKUPS[name]: given[name] for name in given.keys() & _LOOKUPS})
    ordering = given.get("ordering", _DUE if "due_before" in given else _NEWEST)
    fields, ascending = (_BY_DUE if ordering == _DUE else _BY_TIME), ordering != _NEWEST
    if ordering == _DUE:
        rows = rows.filter(closed_at__isnull=True)  # the condition of the partial index
    question = cursors.question(request.path, given)
    if "cursor" in given:
        cursor: cursors.Cursor = given["cursor"]
        if cursor.question != question or not isinstance(cursor.after, tuple):
            raise Problem.of_field("cursor", "wrong_format", cursors.OF_ANOTHER_LIST)
        rows = rows.filter(keyset.beyond(fields, cursor.after, ascending=ascending))
    try:
        with bounded():
            found, more = keyset.page(
                rows.order_by(*keyset.order(fields, ascending=ascending)),
                given.get("limit", parameters.PAGE),
            )
    except TooBroad as error:
        raise Problem("filter_too_broad", str(error)) from error
    next_cursor = None
    if more:
        last = (getattr(found[-1], fields[0]), found[-1].pk)
        next_cursor = cursors.encode(cursors.Cursor(last, question))
    return DisputePage([_view(row) for row in found], next_cursor)


def _view(row: DisputeSummary) -> ListedDispute:
    view = structs.asdict(representation.dispute(row))
    return ListedDispute(**view, payment_id=row.payment_id, status=DisputeStatus(row.status))


def _unfit(given: Mapping[str, Any]) -> Iterator[FieldError]:
    ordering = given.get("ordering")
    if "due_before" in given and ordering not in {None, _DUE}:
        yield FieldError("ordering", "out_of_range", f"With due_before it must be {_DUE}.")
    if ordering == _DUE and given.get("status") == DisputeStatus.CLOSED:
        yield FieldError("status", "out_of_range", f"{_DUE} orders open disputes only.")


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise parameters.WrongValue("wrong_format", "It must be the id of a payment.") from None
