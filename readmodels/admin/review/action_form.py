"""The form of an action on a payment."""

from typing import Any, Final

from django import forms
from django.core.signing import BadSignature
from django.utils import timezone
from unfold.widgets import UnfoldAdminTextInputWidget

from payments.customers import notes
from payments.domain.money import Money, MoneyError
from payments.domain.payment.state import Payment
from readmodels import labels
from readmodels.admin.base import amounts
from readmodels.admin.base.text_field import StoredTextField
from readmodels.admin.review import seen_position
from readmodels.admin.review.actions import Action, Person
from readmodels.admin.review.routing_fields import Radios, RoutingFields

_AMOUNT_LENGTH: Final = 30
_OTHER: Final = "other"


class ActionForm(RoutingFields):
    """The fields that the action's command needs.

    The page sets `key`, `version` and `seen`: a double click is one command, based on what was shown.
    """

    field_order = ("amount", "reason", "wait", "until", "to", "note")

    # No inputmode=decimal: in some countries, phones would then offer a comma only.
    amount = forms.CharField(
        max_length=_AMOUNT_LENGTH,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
    )
    reason = forms.ChoiceField(widget=Radios)
    note = StoredTextField(
        required=False,
        empty_value=None,
        max_length=notes.LONGEST,
        rows=4,
        help_text="No card numbers. Notes can be erased on request.",
    )
    key = forms.UUIDField(widget=forms.HiddenInput)
    version = forms.IntegerField(widget=forms.HiddenInput, min_value=1)
    holder = forms.CharField(widget=forms.HiddenInput, max_length=100)
    seen = forms.CharField(widget=forms.HiddenInput, max_length=300)

    def __init__(
        self, action: Action, payment: Payment, person: Person, *args: Any, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self._action, self._currency = action, payment.amount.currency
        self._payment_id, self._person = payment.payment_id, person
        reason = self.fields["reason"]
        assert isinstance(reason, forms.ChoiceField)  # noqa: S101 - as declared above
        reason.choices = [(each.value, labels.label(each)) for each in action.reasons or ()]
        if action.reasons is not None:
            about = self.fields["note"].help_text
            self.fields["note"].help_text = f"Required for the reason “Other”. {about}"
        self.fields["amount"].label = f"Amount in {self._currency}"
        limit, accepted = payment.refundable.formatted(), amounts.accepted(self._currency)
        self.fields["amount"].help_text = f"Up to {limit}. Write it like {accepted}."
        self.offer(action, payment, person, timezone.now())
        for name, taken in (
            ("amount", action.takes_amount),
            ("reason", action.reasons is not None),
            ("note", action.takes_note),
            ("holder", action.takes_holder),
            ("seen", action.has_page),
        ):
            if not taken:
                del self.fields[name]

    def clean_amount(self) -> Money:
        try:
            return amounts.parse(self.cleaned_data["amount"], self._currency)
        except MoneyError as error:
            raise forms.ValidationError(str(error)) from error

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        # A rule of this form only: clients send "other" without a note through the API.
        explains = cleaned is None or "note" not in cleaned or cleaned["note"] is not None
        if cleaned is not None and not explains and cleaned.get("reason") == _OTHER:
            self.add_error("note", "Describe the reason in the note, or choose another reason.")
        return cleaned

    def clean_seen(self) -> int:
        try:
            return seen_position.read(
                self.cleaned_data["seen"], self._payment_id, self._person.actor
            )
        except BadSignature as error:
            raise forms.ValidationError("Open the page again.") from error

    def focus(self) -> None:
        """Set the focus to the first field with an error, or to the first field."""
        first = next(iter(self.errors), None) or self.visible_fields()[0].name
        # A fresh page must not scroll past the evidence: shortcuts.js handles data-focus.
        attribute = "autofocus" if self.errors else "data-focus"
        self.fields[first].widget.attrs[attribute] = True

    def freeze(self) -> None:
        """Make the fields read-only, so that their text can be copied."""
        for field in self.visible_fields():
            name = "disabled" if field.name in {"reason", "wait", "to"} else "readonly"
            field.field.widget.attrs[name] = True

    def given(self) -> dict[str, Any]:
        """Return the fields of the command, without the note."""
        given: dict[str, Any] = {}
        if self._action.takes_amount:
            given["amount"] = self.cleaned_data["amount"]
        if self._action.reasons is not None:
            given["reason"] = self._action.reasons(self.cleaned_data["reason"])
        if self._action.takes_time:
            given["until"] = self.cleaned_data["until"]
        if self._action.takes_assignee:
            given["to"] = self.cleaned_data["to"]
        if self._action.takes_holder:
            given["holder"] = self.cleaned_data["holder"]
        return given
