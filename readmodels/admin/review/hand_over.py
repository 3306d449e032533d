"""Hand over all payments of a reviewer who is away or has left. This needs a senior reviewer."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar, Final
from uuid import UUID, uuid4, uuid5

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.views import View
from msgspec import Struct
from msgspec.structs import replace
from unfold.widgets import UnfoldAdminSelectWidget

from payments import actors
from payments.api.http.base import command_context
from payments.application import review
from payments.application.dispatch import NotAtVersion
from payments.application.idempotency import KeyReused
from payments.domain.payment.commands import AssignReview
from payments.domain.payment.deciding import decide
from payments.domain.payment.refusals import PaymentError
from payments.domain.payment.routing_refusals import AssigneeNotReviewer
from payments.events.store import StaleVersion
from readmodels import labels
from readmodels.admin.base import kept_text, refusals
from readmodels.admin.review import assignees
from readmodels.admin.review.actions import Person
from readmodels.admin.review.form_fields import AssigneeField, NoteField
from readmodels.models import PaymentSummary
from readmodels.queries import review_queue, routing

MOST: Final = 50


class Item(Struct, frozen=True, kw_only=True):
    """A payment of the reviewer. `outcome` is the result of the command, or empty before it."""

    payment_id: UUID
    version: int
    amount: str
    deadline: datetime
    standing: str
    outcome: str = ""
    is_done: bool = False

    @property
    def value(self) -> str:
        """Return the form value: the payment's id and the version that the page showed."""
        return f"{self.payment_id}:{self.version}"


class ChoiceForm(forms.Form):
    """Choose whose payments to hand over."""

    reviewer = forms.ChoiceField(
        label="Payments of", widget=UnfoldAdminSelectWidget, error_messages={"required": "Choose."}
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        people = dict(assignees.people())
        # People who are no longer reviewers may still have payments.
        gone = (each for each in assignees.everyone() if actors.staff(each.pk) not in people)
        people |= {
            actors.staff(user.pk): f"{assignees.name(user)} (not a reviewer)" for user in gone
        }
        self.fields["reviewer"].choices = [("", "Choose…"), *people.items()]  # type: ignore[attr-defined]


class HandOverForm(NoteField, AssigneeField):
    """The new reviewer of the chosen payments."""

    key = forms.UUIDField(widget=forms.HiddenInput)

    def __init__(self, reviewer: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.offer_assignees([each for each in assignees.people() if each[0] != reviewer])
        note = self.fields["note"]
        note.help_text = f"It is stored with each payment. {note.help_text}"


class HandOverView(View):
    """List the reviewer's payments, and assign the chosen ones with one command for each."""

    keeps: ClassVar = ("to", "note")
    person: Person

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        self.person = Person.of(request.user)
        if not self.person.senior:
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)

    def get(self, request: HttpRequest) -> HttpResponse:
        choice = ChoiceForm(request.GET if "reviewer" in request.GET else None)
        if not choice.is_valid():
            return self._page(request, choice)
        reviewer = choice.cleaned_data["reviewer"]
        form = HandOverForm(reviewer, initial={"key": uuid4()})
        return self._page(request, choice, form, items=held_by(reviewer, timezone.now()))

    def post(self, request: HttpRequest) -> HttpResponse:
        choice = ChoiceForm(request.GET)
        if not choice.is_valid():
            return self._page(request, choice)
        reviewer = choice.cleaned_data["reviewer"]
        items = held_by(reviewer, timezone.now())
        if kept_text.is_restored(request):
            typed = {name: request.POST.get(name, "") for name in self.keeps}
            form = HandOverForm(reviewer, initial=typed | {"key": uuid4()})
            return self._page(request, choice, form, items=items, refusal=kept_text.NOT_SENT)
        form = HandOverForm(reviewer, request.POST)
        chosen = _chosen(request.POST.getlist("payment"))
        if not form.is_valid():
            return self._page(request, choice, form, items=items)
        if not chosen:
            return self._page(
                request, choice, form, items=items, refusal="Choose at least one payment."
            )
        rows = PaymentSummary.objects.in_bulk(chosen)
        done = [
            self._assign(request, rows[payment], version, form)
            for payment, version in chosen.items()
            if payment in rows
        ]
        return self._page(request, choice, done=done, to=form.cleaned_data["to"])

    def _assign(
        self, request: HttpRequest, row: PaymentSummary, version: int, form: HandOverForm
    ) -> Item:
        """Assign one payment. Return the payment with the outcome."""
        payment_id = row.payment_id
        key: UUID = form.cleaned_data["key"]
        command = AssignReview(
            payment_id=payment_id,
            client_id=None,
            reviewer=self.person.actor,
            senior=self.person.senior,
            at=timezone.now(),
            to=form.cleaned_data["to"],
        )
        # A double click repeats the commands with the same keys, so each takes effect once.
        context = command_context(
            request, actor=self.person.actor, key=str(uuid5(payment_id, str(key)))
        )
        try:
            review.handle(
                command,
                replace(context, correlation_id=f"hand-over:{key}"),
                note=form.cleaned_data["note"],
                expected_version=version,
            )
        except (PaymentError, StaleVersion, KeyReused) as error:
            return _item(row, outcome=_describe(error, command))
        return _item(row, outcome="Assigned", is_done=True)

    def _page(
        self,
        request: HttpRequest,
        choice: ChoiceForm,
        form: HandOverForm | None = None,
        *,
        items: Sequence[Item] = (),
        done: Sequence[Item] = (),
        to: str = "",
        refusal: str = "",
    ) -> HttpResponse:
        context = {
            "title": "Hand over payments",
            "choice": choice,
            "form": form,
            "items": items[:MOST],
            "has_more": len(items) > MOST,
            "done": done,
            "to": labels.person(to) if to else "",
            "succeeded": sum(each.is_done for each in done),
            "most": MOST,
            "refusal": refusal,
        }
        return TemplateResponse(
            request, "backoffice/hand_over.html", admin.site.each_context(request) | context
        )


def held_by(reviewer: str, at: datetime) -> list[Item]:
    """Return up to MOST + 1 payments that the reviewer has claimed, snoozed or been assigned."""
    theirs = (
        Q(claimed_by=reviewer, claimed_until__gt=at)
        | Q(assigned_to=reviewer)
        | Q(snoozed_by=reviewer) & routing.snoozed(at)
    )
    rows = review_queue.pending().filter(theirs, review_deadline__gt=at)
    return [_item(row, at=at) for row in rows.order_by("review_deadline", "payment_id")[: MOST + 1]]


def _item(row: PaymentSummary, at: datetime | None = None, **outcome: Any) -> Item:
    assert row.review_deadline is not None, "the payment was flagged"  # noqa: S101
    return Item(
        payment_id=row.payment_id,
        version=row.version,
        amount=labels.amount(row.amount, row.currency),
        deadline=row.review_deadline,
        standing="" if at is None else _standing(row, at),
        **outcome,
    )


def _standing(row: PaymentSummary, at: datetime) -> str:
    if row.snoozed_until is not None and row.snoozed_until > at:
        return f"Snoozed until {labels.minute(row.snoozed_until)}"
    if row.claimed_until is not None and row.claimed_until > at:
        return f"Claimed until {labels.minute(row.claimed_until)}"
    return "Assigned"


def _chosen(values: Sequence[str]) -> dict[UUID, int]:
    """Return the chosen payments with the versions that the page showed. Skip malformed values."""
    found = {}
    for value in values[:MOST]:
        payment, _, version = value.partition(":")
        if version.isdecimal() and len(version) <= 9:  # noqa: PLR2004 - fits the column
            try:
                found[UUID(payment)] = int(version)
            except ValueError:
                continue
    return found


def _describe(error: PaymentError | StaleVersion | KeyReused, command: AssignReview) -> str:
    match error:
        case PaymentError():
            return refusals.describe(error)
        case NotAtVersion(payment=now):
            try:
                decide(now, command)
            except AssigneeNotReviewer:
                pass  # the command lacks the assignee's permissions, which the use case adds
            except PaymentError as refusal:
                return refusals.describe(refusal)
            return "Changed in the meantime. Nothing was done."
    return "Nothing was done. Try it again."
