"""The form of an action on a payment."""

from typing import Any, Final

from django import forms
from django.core.signing import BadSignature
from django.utils import timezone
from unfold.widgets import UnfoldAdminTextInputWidget

from payments.domain.money import Money, MoneyError
from payments.domain.payment.state import Payment
from readmodels.admin.base import amounts
from readmodels.admin.review import seen_position
from readmodels.admin.review.actions import Action, Person
from readmodels.admin.review.form_fields import ReasonFields
from readmodels.admin.review.routing_fields import RoutingFields

_AMOUNT_LENGTH: Final = 30


class ActionForm(ReasonFields, RoutingFields):
    """The fields that the action's command needs.

    The page sets `key`, `version` and `seen`. A double click therefore sends one command, based on
    what was shown.
    """

    field_order = ("amount", "reason", "wait", "until", "to", "note")

    # No inputmode=decimal: in some countries, phones would then offer only a comma.
    amount = forms.CharField(
        max_length=_AMOUNT_LENGTH,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
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
        self.offer_reasons(action)
        self.fields["amount"].label = f"Amount in {self._currency}"
        limit, accepted = payment.refundable.formatted(), amounts.accepted(self._currency)
        self.fields["amount"].help_text = f"Up to {limit}. Write it like {accepted}."
        self.offer(action, payment, person, timezone.now())
        for name, taken in (
            ("amount", action.takes_amount),
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

    def clean_seen(self) -> int:
        try:
            return seen_position.read(
                self.cleaned_data["seen"], self._payment_id, self._person.actor
            )
        except BadSignature as error:
            raise forms.ValidationError("Open the page again.") from error

    def freeze(self) -> None:
        """Make the fields read-only, so that their text can be copied."""
        for field in self.visible_fields():
            name = "disabled" if field.name in {"reason", "wait", "to"} else "readonly"
            field.field.widget.attrs[name] = True

    def given(self) -> dict[str, Any]:
        """Return the values for the command's fields, without the note."""
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
