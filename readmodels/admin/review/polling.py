"""Report what has changed on an open page: counts in menu and tabs, rows of the queue, a payment.

The response is JSON with an ETag. If the browser already has it, names and markup are not made.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.utils.cache import get_conditional_response
from django.views.decorators.http import require_GET

from readmodels import labels
from readmodels.admin.base import figures, fragments
from readmodels.admin.base.browsing import PAGE, as_uuid
from readmodels.admin.review.queue import QueueAdmin
from readmodels.admin.saved_views import storing
from readmodels.models import PaymentSummary
from readmodels.queries import review_queue
from readmodels.queries.bounded import TooBroad, bounded

_DIGITS_OF_A_POSITION: Final = 18
# The exact number above this limit does not matter.
_MOST_NEW: Final = 100


@require_GET
def poll(request: HttpRequest) -> HttpResponse:
    """Return the changes since the page was made.

    The queue sends its view, the position `since` and the payments `shown`. A payment's page sends
    `shown` and the position of its last event, `seen`. Other pages send none of these and get only
    counts.
    """
    if not request.user.has_perm("readmodels.view_paymentsummary"):
        raise PermissionDenied
    now = timezone.now()
    listing = QueueAdmin(PaymentSummary, admin.site)
    try:
        with bounded():
            counts = listing.counts(request, storing.visible(request.user, listing.screen))
            condition = listing.condition(request, listing.view_of(request.GET))
            rows = _shown(request.GET.get("shown", ""), condition)
            since, seen = (_position(request.GET.get(name, "")) for name in ("since", "seen"))
            new = _new(since, condition)
    except TooBroad:
        return HttpResponse(status=503, headers={"Retry-After": "60"})
    facts = (request.user.pk, counts, new, [_version(row, now) for row in rows])
    etag = f'"{sha256(repr(facts).encode()).hexdigest()[:20]}"'
    unchanged = get_conditional_response(request, etag=etag)
    if unchanged is not None:
        return unchanged
    if seen is None:
        cells, news = _cells(listing, rows), _news(rows, new)
    else:
        cells, news = {}, _changed(rows, seen)
    return JsonResponse({"counts": counts, "rows": cells, "news": news}, headers={"ETag": etag})


def _shown(text: str, condition: Q | None) -> list[Any]:
    """Return the payments on the page. `inside` is whether each still belongs to the view."""
    ids = [each for each in map(as_uuid, text.split(",")[:PAGE]) if each]
    return review_queue.standing(ids, Q(pk__in=[]) if condition is None else condition)


def _position(text: str) -> int | None:
    valid = text.isascii() and text.isdigit() and len(text) <= _DIGITS_OF_A_POSITION
    return int(text) if valid else None


def _new(since: int | None, condition: Q | None) -> int:
    if condition is None or since is None:
        return 0
    return review_queue.new(since, condition, most=_MOST_NEW + 1)


def _version(row: Any, now: datetime) -> tuple[object, ...]:
    """Return what the row's cells depend on: its events, and periods that end without an event."""
    ends = (row.claimed_until, row.snoozed_until)
    due = fragments.deadline_badges(row.flagged_at, row.review_deadline, now)
    return row.pk, row.position, row.inside, due, *(bool(end and end > now) for end in ends)


def _cells(listing: QueueAdmin, rows: Sequence[Any]) -> dict[str, dict[str, str]]:
    """Return, by payment, the markup of the cells that change, or why the row is out of date."""
    details = listing.details(rows)
    cells = {}
    for row in rows:
        row.details = details[row.pk]
        gone = {"gone": "No longer in this view" if row.waits else labels.label(row.status)}
        kept = {"claim": str(listing.claim(row)), "unusual": str(listing.unusual(row))}
        cells[row.pk.hex] = kept if row.inside else gone
    return cells


def _changed(rows: Iterable[Any], seen: int) -> str:
    changed = any(row.position > seen for row in rows)
    return "This payment has changed since you opened it." if changed else ""


def _news(rows: Iterable[Any], new: int) -> str:
    """Return a sentence about new and removed payments, or "" if there are none."""
    left = [row for row in rows if not row.inside]
    decided = sum(not row.waits for row in left)
    number = figures.up_to(_MOST_NEW, new)
    parts = (
        f"{number} new payment{'s'[: new > 1]}" if new else "",
        f"{decided} decided" if decided else "",
        f"{len(left) - decided} no longer in this view" if len(left) > decided else "",
    )
    text = ", ".join(filter(None, parts))
    return f"{text}." if text else ""
