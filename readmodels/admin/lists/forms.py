"""The forms for lists."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time
from typing import Any, Final

from django import forms
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from payments.application.lists import LONGEST_NOTE
from payments.domain.list_items import InvalidItem, Item, checked
from readmodels.admin.base.dates import read_day
from readmodels.admin.base.text_field import StoredTextField
from readmodels.admin.lists.shown import TYPES

_VALUES: Final = {
    Item.CARD: "Open a payment with the card instead: “Add to a list”.",
    Item.CUSTOMER: "The customer's id, from the address of its page.",
    Item.COUNTRY: "A code of two letters, like DE.",
    Item.REFERENCE_PREFIX: "3 to 20 characters. It matches references that begin with it.",
}


def _text(**attributes: str) -> UnfoldAdminTextInputWidget:
    return UnfoldAdminTextInputWidget(attrs={"autocomplete": "off", **attributes})


class NoteForm(forms.Form):
    """The note that every change needs."""

    note = StoredTextField(
        max_length=LONGEST_NOTE,
        help_text="Visible to staff who see the list. No card numbers. Notes can be erased.",
    )


class CreateForm(NoteForm):
    field_order = ("name", "item", "note")
    name = forms.CharField(
        widget=_text(spellcheck="false"),
        help_text="Lower-case letters, digits, - and _, like stolen-cards. It is permanent.",
    )
    item = forms.ChoiceField(
        label="Entries",
        choices=[("", "Choose a type"), *((each.value, text) for each, text in TYPES.items())],
        widget=UnfoldAdminSelectWidget,
        help_text="The type is permanent.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["note"].label = "Comment"


class ExpiringForm(NoteForm):
    """A note, and the last day on which the entry is valid."""

    expires = forms.CharField(
        required=False,
        label="Valid until the end of",
        widget=_text(),
        help_text="A day in UTC, like 2027-03-31. Empty: until it is removed.",
    )

    def clean_expires(self) -> datetime | None:
        given = self.cleaned_data["expires"].strip()
        if not given:
            return None
        try:
            day = read_day(given)
        except ValueError as error:
            raise forms.ValidationError(str(error)) from error
        return datetime.combine(day, time.max, UTC)


class AddForm(ExpiringForm):
    field_order = ("value", "expires", "note")
    value = forms.CharField(widget=_text(spellcheck="false"))

    def __init__(self, item: Item, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.item = item
        self.fields["value"].help_text = _VALUES[item]

    def clean_value(self) -> str:
        try:
            return checked(self.item, self.cleaned_data["value"].strip())
        except InvalidItem as error:
            raise forms.ValidationError(str(error)) from error


class FromPaymentForm(ExpiringForm):
    """The list to add to. Its type decides which part of the payment is added."""

    field_order = ("to", "reference_prefix", "expires", "note")
    to = forms.ChoiceField(label="List", widget=UnfoldAdminSelectWidget)
    reference_prefix = forms.CharField(
        required=False,
        label="Reference prefix",
        widget=_text(spellcheck="false"),
        help_text="Only for lists of reference prefixes.",
    )

    def __init__(
        self,
        lists: Mapping[str, Sequence[str]],
        prefix_lists: Sequence[str],
        reference: str,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        """Offer `lists`: names of lists, grouped by the label of the item that they contain.

        `prefix_lists` are the lists that contain prefixes of references.
        """
        super().__init__(*args, **kwargs)
        groups = [(label, [(name, name) for name in names]) for label, names in lists.items()]
        to = self.fields["to"]
        assert isinstance(to, forms.ChoiceField)  # noqa: S101
        to.choices = [("", "Choose a list"), *groups]
        self.reference, self.prefix_lists = reference, prefix_lists
        if not prefix_lists:
            del self.fields["reference_prefix"]

    def clean_reference_prefix(self) -> str:
        prefix: str = self.cleaned_data["reference_prefix"].strip()
        if not prefix:
            return ""
        if not self.reference.startswith(prefix):
            raise forms.ValidationError("The payment's reference does not begin with this prefix.")
        try:
            return checked(Item.REFERENCE_PREFIX, prefix)
        except InvalidItem as error:
            raise forms.ValidationError(str(error)) from error

    def clean(self) -> dict[str, Any]:
        given = self.cleaned_data
        if given.get("to") in self.prefix_lists and not given.get("reference_prefix", "-"):
            self.add_error("reference_prefix", "This list needs a prefix of the reference.")
        return given
