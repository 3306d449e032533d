"""The review queue with its filters and orders, and its button "Claim next"."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST
from unfold.decorators import display
from unfold.widgets import CHECKBOX_CLASSES

from payments.api.http.base import command_context
from payments.application import review
from payments.application.review import QueueLags
from payments.domain.payment.refusals import PaymentError
from payments.events.store import StaleVersion
from readmodels import labels
from readmodels.admin.base import fragments, way_back
from readmodels.admin.base.browsing import SORT, as_uuid
from readmodels.admin.base.filters import (
    AmountFilter,
    Checked,
    ChoiceFilter,
    ClientFilter,
    CurrencyFilter,
    YesNoFilter,
    titled,
)
from readmodels.admin.review import queue_filters, seen_position
from readmodels.admin.review.actions import IN_BULK, MOST_IN_BULK, Person, next_key
from readmodels.admin.review.parties import Parties
from readmodels.admin.review.payments import POLL_SECONDS, PaymentAdmin
from readmodels.admin.review.queue_filters import (
    AMOUNT,
    SORTS,
    STANDINGS,
    AgeFilter,
    DeadlineFilter,
    DecidableFilter,
    StandingFilter,
)
from readmodels.admin.saved_views.lists import Filters
from readmodels.models import PaymentSummary, SavedView
from readmodels.queries import review_queue
from readmodels.queries.bounded import TooBroad, bounded
from readmodels.queries.keyset import Order

# Counting further would cost more and change no decision.
COUNTED_TO: Final = 1_000
_BOX: Final = " ".join(CHECKBOX_CLASSES)


class QueueDetails(Parties, kw_only=True):
    """The names in a row. `now` is the same for all rows of a page."""

    claimed_by: str
    assigned_to: str
    snoozed_by: str
    first_approver: str
    now: datetime


class QueueAdmin(PaymentAdmin):
    """The list of payments that wait for review.

    It is not registered: each request creates one. PaymentAdmin has the pages of a payment.
    """

    screen = "queue"
    exported_as = "queue"
    sorts = SORTS
    list_title = "Review queue"
    change_list_template = "backoffice/queue.html"
    list_display = ("money", "deadline", "age", "risk", "why", "customer", "claim", "unusual")
    list_display_links = ("money",)
    returns_to = way_back.QUEUE
    list_filter = (
        DecidableFilter,
        StandingFilter,
        ("risk_band", ChoiceFilter),
        ClientFilter,
        CurrencyFilter,
        AmountFilter,
        DeadlineFilter,
        AgeFilter,
        ("four_eyes", titled(YesNoFilter, "two approvals required")),
        ("reject_advised", titled(YesNoFilter, "rejection advised")),
    )

    def get_list_display(self, request: HttpRequest) -> Sequence[Any]:
        boxes = ("chosen",) if Person.of(request.user).reviews else ()
        return [*boxes, *super().get_list_display(request)]

    @display(description="Select")
    def chosen(self, row: Any) -> str:
        """Show the checkbox that selects the payment for the buttons of parts/bulk.html."""
        return format_html(
            '<label class="choose"><input type="checkbox" name="payment" value="{}" form="bulk"'
            ' class="{}" aria-label="Select {} of {}"></label>',
            row.pk,
            _BOX,
            super().money(row),
            row.details.customer,
        )

    @display(description="Amount")
    def money(self, row: PaymentSummary) -> str:
        return format_html('<span id="{}">{}</span>', way_back.row_id(row.pk), super().money(row))

    @display(description="Time left")
    def deadline(self, row: Any) -> str:
        return fragments.countdown(row.review_deadline, row.details.now)

    @display(description="Waiting")
    def age(self, row: Any) -> str:
        return format_html(
            '<time datetime="{}" title="since {} UTC">{}</time>',
            row.flagged_at.isoformat(),
            f"{row.flagged_at:%Y-%m-%d %H:%M}",
            fragments.duration((row.details.now - row.flagged_at).total_seconds()),
        )

    @display(description="Why")
    def why(self, row: PaymentSummary) -> str:
        """Show the first reason. All others are in its title and on the payment's page."""
        if not row.risk_reasons:
            return "–"
        first, *others = row.risk_reasons
        return format_html(
            '<span class="why" title="{}">{}{}</span>',
            "; ".join(map(labels.label, row.risk_reasons)),
            labels.short_label(first),
            f" +{len(others)}" if others else "",
        )

    @display(description="Customer")
    def customer(self, row: Any) -> str:
        return format_html(
            '{}<span class="beneath">{}</span>',
            super().customer(row),
            super().client(row),
        )

    @display(description="With")
    def claim(self, row: Any) -> str:
        """Show who has claimed or snoozed the payment, or to whom it is assigned."""
        now = row.details.now
        if row.claimed_until is not None and row.claimed_until > now:
            holder, until = row.details.claimed_by, f"claimed until {row.claimed_until:%H:%M} UTC"
        elif row.snoozed_until is not None and row.snoozed_until > now:
            holder, until = row.details.snoozed_by, f"until {labels.minute(row.snoozed_until)}"
        elif row.assigned_to:
            holder, until = row.details.assigned_to, "assigned"
        else:
            return format_html('<span class="beneath">{}</span>', "unclaimed")
        return format_html(
            '{}<span class="beneath">{}</span>', fragments.foreign_text(holder), until
        )

    @display(description="Attention")
    def unusual(self, row: Any) -> SafeString:
        now = row.details.now
        badges = fragments.deadline_badges(row.flagged_at, row.review_deadline, now)
        badges += fragments.snooze_badges(row.snoozed_until, row.snooze_reason, now)
        badges += fragments.review_badges(
            escalated=row.escalated,
            four_eyes=row.four_eyes,
            first_approver=row.first_approver,
            reject_advised=row.reject_advised,
        )
        shown = fragments.badges_html(*badges)
        if not row.first_approver:
            return shown
        return format_html(
            '{}<span class="beneath">first approval by {}</span>',
            shown,
            fragments.foreign_text(row.details.first_approver),
        )

    def get_queryset(self, request: HttpRequest) -> QuerySet[PaymentSummary]:
        return review_queue.pending()

    def order(self, params: Mapping[str, str]) -> Order:
        return SORTS[queue_filters.chosen_sort(params, params.get(SORT, ""))].order

    def builtin_views(self) -> Sequence[tuple[str, Filters]]:
        own = {DecidableFilter.parameter_name: "me"}
        standings = ((label, {StandingFilter.parameter_name: value}) for value, label in STANDINGS)
        return (("All", {}), ("I may decide", own), *standings)

    def list_url(self) -> str:
        return reverse("review_queue")

    def counts(self, request: HttpRequest, views: Sequence[SavedView]) -> dict[str, str]:
        """Count only the most urgent payments: "12+" if there are more. Takes one query."""
        filters = {urlencode(own): own for _, own in self.builtin_views()}
        filters |= {f"view-{view.pk}": self.kept(view)[0] for view in views}
        conditions = {key: self.condition(request, own) for key, own in filters.items()}
        valid = {key: each for key, each in conditions.items() if each is not None}
        # The last condition counts all payments, including snoozed ones.
        *found, counted = review_queue.counts(
            [*valid.values(), Q(pk__isnull=False)], most=COUNTED_TO + 1
        )
        more = "+" if counted > COUNTED_TO else ""
        return {
            key: f"{min(number, COUNTED_TO)}{more}"
            for key, number in zip(valid, found, strict=True)
        }

    def details(self, rows: Sequence[Any]) -> Mapping[Any, QueueDetails]:
        now = timezone.now()
        parties = super().details(rows)
        names = labels.people(
            actor
            for row in rows
            for actor in (row.claimed_by, row.assigned_to, row.snoozed_by, row.first_approver)
        )
        return {
            row.pk: QueueDetails(
                customer=parties[row.pk].customer,
                client=parties[row.pk].client,
                claimed_by=names.get(row.claimed_by, row.claimed_by),
                assigned_to=names.get(row.assigned_to, row.assigned_to),
                snoozed_by=names.get(row.snoozed_by, row.snoozed_by),
                first_approver=names.get(row.first_approver, row.first_approver),
                now=now,
            )
            for row in rows
        }

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        view = self.view_of(request.GET)
        sort = queue_filters.chosen_sort(view, view.get(SORT, ""))
        person = Person.of(request.user)
        since = seen_position.position()
        context = {
            "next_key": next_key(person),
            "may_hand_over": person.senior,
            "bulk_actions": IN_BULK if person.reviews else (),
            "bulk_most": MOST_IN_BULK,
            "checkbox_classes": _BOX,
            "page_labels": SORTS[sort].page_labels,
            "sorts": list(_sorts(view, sort)),
            "lacks_currency": view.get(SORT) == AMOUNT and sort != AMOUNT,
        }
        answer = super().changelist_view(request, {**(extra_context or {}), **context})
        page = getattr(answer, "context_data", {})
        if "cl" in page:
            page["poll_url"] = _poll_url(view, page["cl"].result_list, since)
            page["poll_seconds"] = POLL_SECONDS
        return answer


def _poll_url(view: Mapping[str, str], rows: Sequence[Any], since: int) -> str:
    """Return the URL that the page polls: see review/polling.py."""
    shown = ",".join(row.pk.hex for row in rows)
    query = urlencode({**view, "since": str(since), "shown": shown})
    return f"{reverse('queue_poll')}?{query}"


def _sorts(view: Mapping[str, str], sort: str) -> Iterator[tuple[str, str, bool]]:
    """Yield the label and the query of each order, and whether it is the current order.

    Without a chosen currency, there is an order by amount for each currency in the queue.
    """
    for name, each in SORTS.items():
        if name != AMOUNT or queue_filters.currency_of(view):
            yield each.label, urlencode({**view, SORT: name}), name == sort
            continue
        for code in review_queue.currencies():
            chosen = {CurrencyFilter.parameter_name: code, SORT: name}
            yield f"{each.label} in {code}", urlencode({**view, **chosen}), False


@require_POST
def claim_next(request: HttpRequest) -> HttpResponse:
    """Claim the first payment of the view that the person may decide, and show it.

    The URL has the filters and the order of the view.
    """
    person = Person.of(request.user)
    if not person.reviews:
        raise PermissionDenied
    listing = QueueAdmin(PaymentSummary, admin.site)
    view = listing.view_of(request.GET)
    to_queue = HttpResponseRedirect(f"{reverse('review_queue')}{_query(view)}")
    key = as_uuid(request.POST.get("key", ""))
    if key is None:
        messages.error(request, "This button is out of date. Use the one on this page.")
        return to_queue
    selection = listing.selection(request, view)
    if any(spec.problems() for spec in selection.filter_specs if isinstance(spec, Checked)):
        return to_queue  # the queue explains the problems
    now = timezone.now()
    try:
        with bounded():
            outcome = review.claim_next(
                client_id=None,
                at=now,
                context=command_context(request, actor=person.actor, key=str(key)),
                most_held=settings.REVIEWS_HELD,
                queue=partial(
                    review_queue.claimable, rows=selection.queryset, order=selection.order
                ),
            )
    except TooBroad as error:
        messages.warning(request, str(error))
        return to_queue
    except (QueueLags, PaymentError, StaleVersion):
        messages.warning(request, "The queue is busy. Try again in a moment.")
        return to_queue
    if outcome is None:
        where = " in this view" if view else ""
        messages.info(request, f"There is nothing left{where} that you can decide.")
        return to_queue
    lease = outcome.payment.lease
    if lease is not None and outcome.payment.updated_at < now:
        messages.info(
            request,
            f"You still hold this payment until {lease.until:%H:%M} UTC. Decide it or release it first.",
        )
    elif lease is not None:
        messages.success(request, f"Yours until {lease.until:%H:%M} UTC.")
    page = reverse("admin:readmodels_paymentsummary_change", args=[outcome.payment.payment_id])
    return HttpResponseRedirect(page + way_back.from_list(way_back.QUEUE, _query(view)))


def _query(view: Mapping[str, str]) -> str:
    return f"?{urlencode(view)}" if view else ""


def queue(request: HttpRequest) -> HttpResponse:
    return QueueAdmin(PaymentSummary, admin.site).changelist_view(request)
