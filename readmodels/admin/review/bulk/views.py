"""The pages of bulk actions: a preview that changes nothing, its confirmation, and the outcome."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, ClassVar, Final
from urllib.parse import urlencode
from uuid import uuid4, uuid5

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.core.signing import BadSignature, SignatureExpired
from django.db import DatabaseError, InterfaceError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.views import View
from msgspec.structs import replace

from payments import outages
from payments.api.http.base import command_context
from payments.application.idempotency import KeyReused
from payments.domain.payment.refusals import NoteNeeded, PaymentError
from payments.events.store import StaleVersion
from readmodels.admin.base import kept_text, refusals, way_back
from readmodels.admin.review import actions, meanwhile, seen_position
from readmodels.admin.review.actions import MOST_IN_BULK, Action, Person
from readmodels.admin.review.bulk import choosing, items, outcomes, selection
from readmodels.admin.review.bulk.choosing import Choice, NotChosen
from readmodels.admin.review.bulk.forms import BulkForm
from readmodels.admin.review.bulk.items import PARTICIPLES, Item
from readmodels.admin.review.bulk.selection import MINUTES, Selection
from readmodels.admin.review.queue import QueueAdmin
from readmodels.models import PaymentSummary
from readmodels.queries.bounded import TooBroad

_EXPIRED: Final = f"This preview was older than {MINUTES} minutes. Check it and send it again."
_INVALID: Final = "This selection is damaged, or another person made it. Select the payments again."


class BulkView(View):
    """A page for reviewers. Its URL names the view of the queue to return to."""

    person: Person

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        self.person = Person.of(request.user)
        if not self.person.reviews:
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)

    def get(self, request: HttpRequest) -> HttpResponse:
        return _to_queue(request)

    def preview(
        self,
        request: HttpRequest,
        action: Action,
        choice: Choice,
        form: BulkForm | None = None,
        *,
        refusal: str = "",
    ) -> HttpResponse:
        """Show what the action would do now, with a form that confirms exactly that."""
        seen = seen_position.position()
        payments = items.load(choice.payment_ids)
        found = items.examine(action, payments, self.person, timezone.now())
        taken = [each for each in found if not each.obstacle]
        token = selection.signed(
            Selection(
                bulk_id=uuid4(),
                action_name=action.name,
                actor=self.person.actor,
                seen=seen,
                versions={each.payment.payment_id: each.payment.version for each in taken},
            ),
            salt=selection.FORM,
        )
        form = form or BulkForm(action, self.person)
        if not refusal:
            form.focus()
        return self.page(
            request,
            "backoffice/bulk/preview.html",
            title=f"{action.label} {_number(taken)}",
            status=409 if refusal else 200,
            action=action,
            participle=PARTICIPLES[action.name],
            taken=taken,
            left=[each for each in found if each.obstacle],
            totals=items.totals(taken),
            form=form,
            note_needed=any(each.needs_note for each in taken),
            token=token,
            refusal=refusal,
            is_cut=choice.is_cut,
            most=MOST_IN_BULK,
            submit_variant="danger" if action is actions.REJECT else "primary",
            submit_attributes="" if form.fields else "data-focus",
        )

    def page(
        self, request: HttpRequest, template: str, *, status: int = 200, **context: Any
    ) -> HttpResponse:
        view = _view(request)
        context |= {
            "view_query": view,
            "queue_url": _queue_url(request),
            "way_back_query": way_back.from_list(way_back.QUEUE, f"?{view}" if view else ""),
        }
        context |= admin.site.each_context(request)
        return TemplateResponse(request, template, context, status=status)


class PreviewView(BulkView):
    """Preview an action for the payments that were chosen in the queue."""

    def post(self, request: HttpRequest) -> HttpResponse:
        action = selection.ACTIONS.get(request.POST.get("action", ""))
        if action is None:
            messages.error(request, "This button is out of date. Use the one on this page.")
            return _to_queue(request)
        try:
            choice = choosing.chosen(request)
        except (NotChosen, TooBroad) as error:
            messages.error(request, str(error))
            return _to_queue(request)
        return self.preview(request, action, choice)


class ConfirmView(BulkView):
    """Carry out the action of a preview with one command for each payment, then show the outcome.

    Sending the form again repeats the commands with the same keys. It decides nothing twice, and
    finishes what was interrupted.
    """

    keeps: ClassVar = ("token", "reason", "to", "note")

    def post(self, request: HttpRequest) -> HttpResponse:
        try:
            chosen, refusal = self._read(request)
        except BadSignature:
            messages.error(request, _INVALID)
            return _to_queue(request)
        choice = Choice(list(chosen.versions))
        if refusal:
            typed = {name: request.POST.get(name, "") for name in self.keeps}
            form = BulkForm(chosen.action, self.person, initial=typed)
            return self.preview(request, chosen.action, choice, form, refusal=refusal)
        form = BulkForm(chosen.action, self.person, request.POST)
        payments = items.load(choice.payment_ids)
        found = items.examine(chosen.action, payments, self.person, timezone.now())
        needing = [each for each in found if each.needs_note]
        if form.is_valid() and needing and form.cleaned_data["note"] is None:
            needed = NoteNeeded(payment_id=needing[0].payment.payment_id)
            form.add_error("note", refusals.describe(needed))
        if form.errors:
            return self.preview(request, chosen.action, choice, form)
        self._carry_out(request, chosen, form, found)
        chosen = replace(chosen, to=form.chosen_assignee)
        shown = urlencode({"of": selection.signed(chosen, salt=selection.OUTCOME)})
        view = _view(request)
        return HttpResponseRedirect(
            f"{reverse('bulk_outcome')}?{shown}{f'&{view}' if view else ''}"
        )

    def _read(self, request: HttpRequest) -> tuple[Selection, str]:
        """Return the selection, and why it must be confirmed again, or "". Raises BadSignature."""
        token, by = request.POST.get("token", ""), self.person.actor
        refusal = kept_text.NOT_SENT if kept_text.is_restored(request) else ""
        try:
            max_age = timedelta(minutes=MINUTES)
            return selection.read(token, by, salt=selection.FORM, max_age=max_age), refusal
        except SignatureExpired:
            return selection.read(token, by, salt=selection.FORM), refusal or _EXPIRED

    def _carry_out(
        self, request: HttpRequest, chosen: Selection, form: BulkForm, found: Sequence[Item]
    ) -> None:
        """Carry out one command for each payment. The outcome page explains each refusal."""
        context = replace(
            command_context(request, actor=self.person.actor, key=""),
            correlation_id=chosen.correlation_id,
            seen_position=chosen.seen,
        )
        reused = 0
        for item in found:
            if item.left_out:
                continue
            payment_id = item.payment.payment_id
            key = uuid5(payment_id, str(chosen.bulk_id))
            command = chosen.action.command(
                payment_id, self.person, timezone.now(), key=key, **form.given()
            )
            try:
                meanwhile.handle(
                    command,
                    replace(context, key=str(key)),
                    note=form.cleaned_data.get("note"),
                    version=chosen.versions[payment_id],
                )
            except KeyReused:
                reused += 1
            except (PaymentError, StaleVersion):
                continue
            except (DatabaseError, InterfaceError) as error:
                outage = outages.of(error)
                if outage is None:
                    raise
                outages.report(error, outage)
                messages.error(request, f"{outage.sentence} Not all payments are done.")
                break
        if reused:
            messages.warning(
                request,
                "You already sent this form with other values."
                f" For {reused} of the payments, the earlier values apply.",
            )


class OutcomeView(BulkView):
    """Show the outcome for each payment, as the log records it now."""

    def get(self, request: HttpRequest) -> HttpResponse:
        try:
            chosen = selection.read(
                request.GET.get("of", ""), self.person.actor, salt=selection.OUTCOME
            )
        except BadSignature:
            raise Http404("There is no such bulk action of yours.") from None
        found = outcomes.outcomes(chosen, self.person, timezone.now())
        events = reverse("admin:readmodels_eventindex_changelist")
        query = urlencode({"correlation_id": chosen.correlation_id})
        return self.page(
            request,
            "backoffice/bulk/outcome.html",
            title=f"{chosen.action.label}: outcome",
            action=chosen.action,
            participle=PARTICIPLES[chosen.action.name],
            done=[each for each in found if each.is_done],
            missing=[each for each in found if not each.is_done],
            rest=[each.payment_id for each in found if each.can_repeat],
            total=len(found),
            events_url=f"{events}?{query}"
            if request.user.has_perm("readmodels.view_eventindex")
            else "",
        )


def _number(found: Sequence[object]) -> str:
    return f"{len(found)} payment{'' if len(found) == 1 else 's'}"


def _view(request: HttpRequest) -> str:
    """Return the query for the view of the queue that the URL names."""
    return urlencode(QueueAdmin(PaymentSummary, admin.site).view_of(request.GET))


def _queue_url(request: HttpRequest) -> str:
    view = _view(request)
    return f"{reverse('review_queue')}?{view}" if view else reverse("review_queue")


def _to_queue(request: HttpRequest) -> HttpResponseRedirect:
    return HttpResponseRedirect(_queue_url(request))
