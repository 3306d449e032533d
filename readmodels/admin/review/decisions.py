"""The actions on a payment. Each has a page with evidence and a form, or only a button.

The view is separate, because Django's change form would hold a transaction open during the command.
"""

from typing import Any, ClassVar
from uuid import UUID, uuid4

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.views import View
from msgspec.structs import replace

from payments.aggregates import HistoricPaymentEvent
from payments.api.http.base import command_context
from payments.application.dispatch import NotAtVersion, Outcome
from payments.application.idempotency import KeyReused
from payments.domain.payment.refusals import (
    AnotherPersonNeeded,
    NoteNeeded,
    PaymentError,
    RefundCurrencyDiffers,
    RefundTooLarge,
    ReviewTaken,
    SeniorReviewerNeeded,
)
from payments.domain.payment.routing_refusals import AssigneeNotReviewer, SnoozeTimeInvalid
from payments.domain.payment.state import Payment
from payments.events.store import StaleVersion
from readmodels import labels
from readmodels.admin.base import contacts, kept_text, refusals, way_back
from readmodels.admin.review import (
    actions,
    claiming,
    evidence,
    meanwhile,
    notes as notes_of_payment,
    refunds,
    seen_position,
    timeline,
)
from readmodels.admin.review.action_form import ActionForm
from readmodels.admin.review.action_texts import consequences_of, done
from readmodels.admin.review.actions import Action, Person
from readmodels.admin.review.desk import earlier_opinions, why_not
from readmodels.models import PaymentSummary

# Irreversible actions have a red button.
_FINAL = (actions.REJECT, actions.CANCEL)


class ActionView(View):
    """Show the form of `action` and carry out its command.

    After a refusal, the form keeps the typed text.
    """

    keeps: ClassVar = ("amount", "reason", "wait", "until", "to", "note")
    admin: Any = None
    action: Action = actions.APPROVE
    person: Person

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        self.person = Person.of(request.user)
        if not self.action.permitted(self.person):
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)

    def get(self, request: HttpRequest, payment_id: UUID) -> HttpResponse:
        shown = seen_position.signed(payment_id, self.person.actor)
        payment, history = evidence.load(payment_id)
        refusal = actions.refusal(self.action, payment, self.person, timezone.now())
        if refusal is not None:
            messages.warning(request, why_not(refusal, payment, self.person))
        if refusal is not None or not self.action.has_page:
            return _to_payment(request, payment_id)
        initial = {
            "amount": refunds.initial_amount(payment),
            "key": uuid4(),
            "version": payment.version,
            "seen": shown,
        }
        form = ActionForm(self.action, payment, self.person, initial=initial)
        return self._page(request, payment, history, form)

    def post(self, request: HttpRequest, payment_id: UUID) -> HttpResponse:
        if kept_text.is_restored(request):
            return self._show_again(request, payment_id, kept_text.NOT_SENT)
        payment, history = evidence.load(payment_id)
        if claiming.is_asked(request):
            refusal = claiming.claim(request, payment, self.person)
            return self._show_again(request, payment_id, refusal)
        form = ActionForm(self.action, payment, self.person, request.POST)
        if form.is_valid():
            try:
                outcome = self._handle(request, payment_id, form)
            except (PaymentError, StaleVersion, KeyReused) as error:
                field = _field_of(error, self.action)
                if isinstance(error, PaymentError) and field is not None:
                    form.add_error(field, refusals.describe(error))
                    return self._page(request, payment, history, form)
                refusal = self._describe(error, payment)
                return self._show_again(
                    request, payment_id, refusal, may_send=not isinstance(error, KeyReused)
                )
            else:
                messages.success(request, done(self.action, outcome))
                authors = meanwhile.note_authors(
                    outcome.payment, since=form.cleaned_data["version"], but=self.person.actor
                )
                if authors:
                    messages.warning(request, f"{authors} added a note in the meantime: see Notes.")
                return _to_payment(request, payment_id)
        if form.errors.keys() & {"key", "version", "holder", "seen"}:
            return self._show_again(
                request, payment_id, "The form was incomplete. Check it and send it again."
            )
        return self._page(request, payment, history, form)

    def _handle(self, request: HttpRequest, payment_id: UUID, form: ActionForm) -> Outcome:
        key = form.cleaned_data["key"]
        command = self.action.command(
            payment_id, self.person, timezone.now(), key=key, **form.given()
        )
        context = command_context(request, actor=self.person.actor, key=str(key))
        return meanwhile.handle(
            command,
            replace(context, seen_position=form.cleaned_data.get("seen")),
            note=form.cleaned_data.get("note"),
            version=form.cleaned_data["version"],
        )

    def _show_again(
        self, request: HttpRequest, payment_id: UUID, refusal: str, *, may_send: bool = True
    ) -> HttpResponse:
        """Show the current payment, the refusal, and the form with the typed text."""
        if not self.action.has_page:
            messages.error(request, refusal)
            return _to_payment(request, payment_id)
        shown = seen_position.signed(payment_id, self.person.actor)
        payment, history = evidence.load(payment_id)
        typed = {name: request.POST.get(name, "") for name in self.keeps}
        fresh = {"key": uuid4(), "version": payment.version, "seen": shown}
        form = ActionForm(self.action, payment, self.person, initial=typed | fresh)
        error = actions.refusal(self.action, payment, self.person, timezone.now())
        # The form can be sent again after another person's claim. Other refusals are permanent.
        may_send = may_send and (error is None or isinstance(error, ReviewTaken))
        answer = self._page(request, payment, history, form, refusal=refusal, may_send=may_send)
        answer.status_code = 409 if refusal else 200
        return answer

    def _describe(self, error: PaymentError | StaleVersion | KeyReused, payment: Payment) -> str:
        match error:
            case PaymentError():
                return why_not(error, payment, self.person)
            case KeyReused(fields=fields):
                return f"You already sent this form with a different {' and '.join(fields)}."
            case NotAtVersion(payment=Payment() as now):
                since = actions.refusal(self.action, now, self.person, timezone.now())
                why = why_not(since, now, self.person) if since else "Check it and decide again."
                return f"This payment changed while you had it open. {why}"
        return "This payment changed while you had it open. Check it and decide again."

    def _page(
        self,
        request: HttpRequest,
        payment: Payment,
        history: list[HistoricPaymentEvent],
        form: ActionForm,
        *,
        refusal: str = "",
        may_send: bool = True,
    ) -> HttpResponse:
        if not refusal:
            form.focus()
        if not may_send:
            form.freeze()
        consequences = consequences_of(self.action, payment)
        if self.action is actions.REFUND:
            consequences = tuple(
                refunds.earlier_refunds(payment, history, self.person.actor, timezone.now())
            )
        texts = timeline.notes_of(payment)
        entries = timeline.entries(history, texts)
        shown = evidence.gather(payment, request)
        customer = shown["customer"]
        note_needed = actions.needs_note(
            self.action,
            payment,
            self.person,
            timezone.now(),
            customer_blocked=customer is not None and customer.blocked,
        )
        amount, preposition = payment.amount.formatted(), "from"
        if self.action is actions.REFUND:
            amount, preposition = f"up to {payment.refundable.formatted()}", "to"
        about = f"{amount} {preposition} {labels.isolated(contacts.called(customer))}"
        page: TemplateResponse = self.admin.page(
            request,
            "backoffice/decision.html",
            title=f"{self.action.name.capitalize()} {amount}",
            original=PaymentSummary(pk=payment.payment_id),
            heading=f"{self.action.name.capitalize()} {about}",
            action=self.action,
            submit_variant="danger" if self.action in _FINAL else "primary",
            opinions=tuple(earlier_opinions(payment, entries)),
            notes=notes_of_payment.shown(history, entries, texts, version=payment.version),
            consequences=consequences,
            note_needed=note_needed,
            claim=claiming.shown(self.action, payment, self.person, timezone.now()),
            form=form,
            refusal=refusal,
            may_send=may_send,
            **shown,
        )
        return page


def _field_of(error: Exception, action: Action) -> str | None:
    """Return the form field that the refusal is about, or None if it is about the payment."""
    match error:
        case NoteNeeded():
            return "note"
        case RefundTooLarge() | RefundCurrencyDiffers():
            return "amount"
        case SnoozeTimeInvalid():
            return "until"
        case AssigneeNotReviewer():
            return "to"
        case SeniorReviewerNeeded() | AnotherPersonNeeded() if action is actions.ASSIGN:
            return "to"
    return None


def _to_payment(request: HttpRequest, payment_id: UUID) -> HttpResponseRedirect:
    page = reverse("admin:readmodels_paymentsummary_change", args=[payment_id])
    return HttpResponseRedirect(page + way_back.of(request).carried)
