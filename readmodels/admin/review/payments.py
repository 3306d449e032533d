"""The list of payments and the page of one payment."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlencode
from uuid import uuid4

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from unfold.decorators import display

from payments import permissions
from payments.aggregates import HistoricPaymentEvent
from payments.api.http.paths import uuid
from payments.domain.payment.state import Payment, Status
from payments.domain.risk.policy import Band
from readmodels import labels, masking
from readmodels.admin.base import fragments, times, way_back
from readmodels.admin.base.date_filters import DaysOfTimesFilter
from readmodels.admin.base.filters import (
    ChoiceFilter,
    ClientFilter,
    CurrencyFilter,
    YesNoFilter,
    titled,
)
from readmodels.admin.base.fragments import Badge
from readmodels.admin.review import attached, disputed, evidence, notes, related, timeline
from readmodels.admin.review.actions import ACTIONS, Person, next_key
from readmodels.admin.review.decisions import ActionView
from readmodels.admin.review.desk import desk, people_of
from readmodels.admin.review.evidence_pack import EvidenceView
from readmodels.admin.review.parties import Parties, parties
from readmodels.admin.saved_views.lists import ViewsAdmin
from readmodels.exports import recording
from readmodels.models import PaymentSummary
from readmodels.queries.search import places
from readmodels.queries.search.places import Place
from readmodels.queries.search.terms import recognize

POLL_SECONDS: Final = 15


@admin.register(PaymentSummary)
class PaymentAdmin(ViewsAdmin):
    screen = "payments"
    exported_as = "payments"
    list_title = "All payments"
    keyset = ("initiated_at", "payment_id")
    list_display: tuple[str, ...] = (
        "when",
        "money",
        "state",
        "disputes",
        "risk",
        "customer",
        "client",
        "method",
        "called",
    )
    list_display_links = ("when",)
    returns_to = way_back.PAYMENTS
    preserve_filters = False  # `way_back` carries them
    list_filter: tuple[Any, ...] = (
        ("status", ChoiceFilter),
        ("method", ChoiceFilter),
        ("risk_band", ChoiceFilter),
        CurrencyFilter,
        ("requires_review", titled(YesNoFilter, "review required")),
        ("initiated_at", titled(DaysOfTimesFilter, "date submitted")),
        ClientFilter,
        related.CustomerFilter,
        related.CardFilter,
    )
    change_list_template = "backoffice/payments.html"
    search_fields = ("payment_id",)  # shows the search box; `places` searches
    search_help_text = "Name, reference, id, amount, card…"
    empty_title = "No payments yet"
    empty_text = (
        "Clients submit payments over the API. ./manage.py import_payments reads them from files."
    )

    @display(description="Submitted (UTC)")
    def when(self, row: PaymentSummary) -> str:
        shown = times.moment(row.initiated_at)
        return format_html('<span id="{}">{}</span>', way_back.row_id(row.pk), shown)

    @display(description="Amount")
    def money(self, row: PaymentSummary) -> str:
        return labels.amount(row.amount, row.currency)

    @display(description="Status")
    def state(self, row: PaymentSummary) -> str:
        color = fragments.STATUS_COLORS[Status(row.status)]
        return fragments.badges_html(Badge(labels.label(row.status), color))

    @display(description="Risk")
    def risk(self, row: PaymentSummary) -> str:
        if not row.risk_band:
            return "–"
        color = fragments.BAND_COLORS[Band(row.risk_band)]
        return fragments.badges_html(Badge(f"{row.risk_band} {row.risk_score}", color))

    @display(description="Customer")
    def customer(self, row: Any) -> str:
        url = related.list_url(customer=row.customer_id)
        return fragments.foreign_text(row.details.customer, url=url)

    @display(description="Client")
    def client(self, row: Any) -> str:
        url = related.list_url(client=row.client_id)
        return fragments.foreign_text(row.details.client, url=url)

    @display(description="Reference")
    def called(self, row: PaymentSummary) -> str:
        return fragments.foreign_text(masking.reference(row.reference)) if row.reference else "–"

    @display(description="Disputes")
    def disputes(self, row: PaymentSummary) -> str:
        badges = fragments.dispute_badges(
            open_disputes=row.open_disputes, lost_amount=row.lost_amount
        )
        return fragments.badges_html(*badges)

    def details(self, rows: Sequence[Any]) -> Mapping[Any, Parties]:
        return parties(rows)

    def places(self, text: str) -> Iterator[Place]:
        for term in recognize(text):
            yield from places.payments(term)

    def get_urls(self) -> list[URLPattern]:
        decisions = [
            path(
                f"{uuid('payment_id')}/{action.name}/",
                self.form_view(ActionView, action=action),
                name=f"payment_{action.name}",
            )
            for action in ACTIONS
        ]
        note = path(
            f"{uuid('payment_id')}/note/", self.form_view(notes.NoteView), name="payment_note"
        )
        pack = path(
            f"{uuid('payment_id')}/evidence/",
            self.form_view(EvidenceView),
            name="payment_evidence",
        )
        file = path(
            f"{uuid('payment_id')}/attachment/{uuid('attachment_id')}/",
            self.admin_site.admin_view(attached.download),
            name="payment_attachment",
        )
        return [*decisions, note, pack, file, *super().get_urls()]

    def row_page(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show one payment from the log itself, because evidence for a decision must not lag.

        `?version=N` shows it as it was after N events.
        """
        payment, history = evidence.load(object_id, version=request.GET.get("version"))
        newest = payment.version == len(history)
        person = Person.of(request.user)
        texts = timeline.notes_of(payment)
        shown = evidence.gather(payment, request)
        entries = timeline.entries(history, texts, revealed=shown["contact"].is_revealed)
        box = desk(
            payment,
            person,
            timezone.now(),
            names=people_of(payment),
            history=entries,
            block=shown["customer_block"],
        )
        return self.page(
            request,
            "backoffice/payment.html",
            title=f"Payment of {payment.amount.formatted()}",
            original=PaymentSummary(pk=payment.payment_id),
            newest=newest,
            poll_url=_poll_url(payment, history) if newest else "",
            poll_seconds=POLL_SECONDS,
            desk=box if newest else None,
            key=uuid4(),
            next_key=next_key(person),
            may_list=permissions.holds(request.user, permissions.EDIT_LISTS),
            may_export=permissions.holds(request.user, recording.EVIDENCE),
            timeline=entries,
            notes=notes.shown(history, entries, texts, version=payment.version),
            note_form=notes.fresh_form() if newest and person.reviews else None,
            disputes=disputed.shown(payment, history, entries),
            **shown,
        )


def _poll_url(payment: Payment, history: Sequence[HistoricPaymentEvent]) -> str:
    """Return the URL that the page polls while the payment waits: see review/polling.py."""
    if payment.status is not Status.PENDING_REVIEW:
        return ""
    facts = {"shown": payment.payment_id.hex, "seen": history[-1].position}
    return f"{reverse('queue_poll')}?{urlencode(facts)}"
