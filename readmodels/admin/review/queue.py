"""The review queue, most urgent payment first, and its button "Claim next"."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar, Final

from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST
from unfold.decorators import display

from payments.api.http.base import command_context
from payments.application import review
from payments.application.review import QueueLags
from payments.domain.payment.refusals import PaymentError
from payments.domain.payment.state import Status
from payments.events.store import StaleVersion
from readmodels import labels
from readmodels.admin.base import fragments
from readmodels.admin.base.browsing import as_uuid
from readmodels.admin.base.filters import ChoiceFilter, CurrencyFilter, OneOf, YesNoFilter, titled
from readmodels.admin.review.actions import Person, next_key
from readmodels.admin.review.parties import Parties
from readmodels.admin.review.payments import PaymentAdmin
from readmodels.models import PaymentSummary

STANDINGS: Final = (
    ("free", "Unclaimed"),
    ("mine", "Mine"),
    ("escalated", "Escalated"),
    ("second", "Second approval"),
)


class StandingFilter(OneOf):
    """Filter the queue by claim or approval. The list also shows the choices as links."""

    title = "claim or approval"
    parameter_name = "standing"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return list(STANDINGS)

    def filtered(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        now = timezone.now()
        match self.value():
            case "free":
                return queryset.filter(Q(claimed_until=None) | Q(claimed_until__lte=now))
            case "mine":
                mine = Person.of(request.user).actor
                return queryset.filter(claimed_by=mine, claimed_until__gt=now)
            case "escalated":
                return queryset.filter(escalated=True)
            case "second":
                return queryset.exclude(first_approver="")
        return queryset


class QueueDetails(Parties, kw_only=True):
    """The names in a row, with the holder of the claim and the first approver. Rows of a page share `now`."""

    claimed_by: str
    first_approver: str
    now: datetime


class QueueAdmin(PaymentAdmin):
    """The list of payments that wait for review.

    It is not registered: each request creates one. The pages of a payment are those of PaymentAdmin.
    """

    keyset = ("review_deadline", "payment_id")
    ascending = True
    page_labels: ClassVar = ("More urgent", "Less urgent")
    change_list_template = "backoffice/queue.html"
    list_display = ("money", "deadline", "risk", "why", "customer", "claim", "unusual")
    list_display_links = ("money",)
    list_filter = (
        StandingFilter,
        ("risk_band", ChoiceFilter),
        CurrencyFilter,
        ("four_eyes", titled(YesNoFilter, "two approvals required")),
        ("reject_advised", titled(YesNoFilter, "rejection advised")),
    )

    @display(description="Time left")
    def deadline(self, row: Any) -> str:
        left, urgency = fragments.time_left(row.review_deadline, row.details.now)
        return format_html(
            '<time class="left {}" datetime="{}" title="by {} UTC">{}</time>',
            urgency,
            row.review_deadline.isoformat(),
            f"{row.review_deadline:%Y-%m-%d %H:%M}",
            left,
        )

    @display(description="Why")
    def why(self, row: PaymentSummary) -> SafeString:
        reasons = ((labels.label(reason),) for reason in row.risk_reasons)
        return format_html('<span class="why">{}</span>', format_html_join("; ", "{}", reasons))

    @display(description="Customer")
    def customer(self, row: Any) -> str:
        return format_html(
            '{}<span class="beneath">{}</span>',
            super().customer(row),
            super().client(row),
        )

    @display(description="Claimed")
    def claim(self, row: Any) -> str:
        if row.claimed_until is None or row.claimed_until <= row.details.now:
            return format_html('<span class="beneath">{}</span>', "unclaimed")
        return format_html(
            '{}<span class="beneath">until {} UTC</span>',
            fragments.foreign_text(row.details.claimed_by),
            f"{row.claimed_until:%H:%M}",
        )

    @display(description="Attention")
    def unusual(self, row: Any) -> SafeString:
        badges = fragments.review_badges(
            escalated=row.escalated,
            four_eyes=row.four_eyes,
            first_approver=row.first_approver,
            reject_advised=row.reject_advised,
        )
        shown = render_to_string("backoffice/parts/badges.html", {"badges": badges})
        if not row.first_approver:
            return shown
        return format_html(
            '{}<span class="beneath">first approval by {}</span>',
            shown,
            fragments.foreign_text(row.details.first_approver),
        )

    def get_queryset(self, request: HttpRequest) -> QuerySet[PaymentSummary]:
        # The status is part of the query, so that the partial index applies.
        return PaymentSummary.objects.filter(status=Status.PENDING_REVIEW)

    def details(self, rows: Sequence[Any]) -> Mapping[Any, QueueDetails]:
        now = timezone.now()
        parties = super().details(rows)
        names = labels.people(
            actor for row in rows for actor in (row.claimed_by, row.first_approver)
        )
        return {
            row.pk: QueueDetails(
                customer=parties[row.pk].customer,
                client=parties[row.pk].client,
                claimed_by=names.get(row.claimed_by, row.claimed_by),
                first_approver=names.get(row.first_approver, row.first_approver),
                now=now,
            )
            for row in rows
        }

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = {
            "title": "Review queue",
            "next_key": next_key(Person.of(request.user)),
            "standings": STANDINGS,
            "standing": request.GET.get(StandingFilter.parameter_name, ""),
        }
        return super().changelist_view(request, {**(extra_context or {}), **context})


@require_POST
def claim_next(request: HttpRequest) -> HttpResponse:
    """Claim the most urgent payment that the person may decide, and show it."""
    person = Person.of(request.user)
    if not person.reviews:
        raise PermissionDenied
    to_queue = HttpResponseRedirect(reverse("review_queue"))
    key = as_uuid(request.POST.get("key", ""))
    if key is None:
        messages.error(request, "This button is out of date. Use the one on this page.")
        return to_queue
    now = timezone.now()
    try:
        outcome = review.claim_next(
            client_id=None,
            at=now,
            context=command_context(request, actor=person.actor, key=str(key)),
            most_held=settings.REVIEWS_HELD,
        )
    except (QueueLags, PaymentError, StaleVersion):
        messages.warning(request, "The queue is busy. Try again in a moment.")
        return to_queue
    if outcome is None:
        messages.info(request, "There is nothing left that you can decide.")
        return to_queue
    lease = outcome.payment.lease
    if lease is not None and outcome.payment.updated_at < now:
        messages.info(
            request,
            f"You still hold this payment until {lease.until:%H:%M} UTC. Decide it or release it first.",
        )
    elif lease is not None:
        messages.success(request, f"Yours until {lease.until:%H:%M} UTC.")
    return HttpResponseRedirect(
        reverse("admin:readmodels_paymentsummary_change", args=[outcome.payment.payment_id])
    )


def queue(request: HttpRequest) -> HttpResponse:
    return QueueAdmin(PaymentSummary, admin.site).changelist_view(request)
