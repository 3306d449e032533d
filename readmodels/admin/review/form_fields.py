"""Fields that several forms of the review desk share: note, reason with note, assignee."""

from typing import Any, Final

from django import forms
from unfold.widgets import UnfoldAdminRadioSelectWidget, UnfoldAdminSelectWidget

from payments.customers import notes
from readmodels import labels
from readmodels.admin.base.text_field import StoredTextField
from readmodels.admin.review.actions import Action

NOBODY: Final = "nobody"
_OTHER: Final = "other"


class Radios(UnfoldAdminRadioSelectWidget):
    # Django copies the attributes to every choice, but only one element may take the focus.
    def create_option(self, *args: Any, **kwargs: Any) -> Any:
        option = super().create_option(*args, **kwargs)
        if option["index"] != "0":
            option["attrs"].pop("autofocus", None)
            option["attrs"].pop("data-focus", None)
        return option


class NoteField(forms.Form):
    note = StoredTextField(
        required=False,
        empty_value=None,
        max_length=notes.LONGEST,
        rows=4,
        help_text="No card numbers. Notes can be erased on request.",
    )


class ReasonFields(NoteField):
    """The reason for a decision, and a note, which the reason "Other" requires."""

    reason = forms.ChoiceField(widget=Radios)

    def offer_reasons(self, action: Action) -> None:
        """Set the choices, and remove the fields that the action does not take."""
        if action.reasons is None:
            del self.fields["reason"]
        else:
            reason, note = self.fields["reason"], self.fields["note"]
            assert isinstance(reason, forms.ChoiceField)  # noqa: S101 - as declared above
            reason.choices = [(each.value, labels.label(each)) for each in action.reasons]
            note.help_text = f"Required for the reason “Other”. {note.help_text}"
        if not action.takes_note:
            del self.fields["note"]

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        # Only this form has the rule: through the API, clients send "other" without a note.
        explains = cleaned is None or "note" not in cleaned or cleaned["note"] is not None
        if cleaned is not None and not explains and cleaned.get("reason") == _OTHER:
            self.add_error("note", "Describe the reason in the note, or choose another reason.")
        return cleaned

    def focus(self) -> None:
        """Set the focus to the first field with an error, or else to the first field."""
        names = [*self.errors, *(field.name for field in self.visible_fields())]
        first = next(iter(names), None)
        if first is None:
            return
        # A fresh page must not scroll past the evidence, so shortcuts.js sets the focus.
        attribute = "autofocus" if self.errors else "data-focus"
        self.fields[first].widget.attrs[attribute] = True


class AssigneeField(forms.Form):
    """The assignee: an actor id, or None for nobody."""

    to = forms.ChoiceField(
        label="Assign to",
        widget=UnfoldAdminSelectWidget,
        error_messages={
            "required": "Choose a reviewer.",
            "invalid_choice": "This person may not decide the payment. Choose someone else.",
        },
    )

    def offer_assignees(self, choices: list[tuple[str, str]]) -> None:
        self.fields["to"].choices = [("", "Choose…"), *choices]  # type: ignore[attr-defined]

    def clean_to(self) -> str | None:
        to: str = self.cleaned_data["to"]
        return None if to == NOBODY else to
