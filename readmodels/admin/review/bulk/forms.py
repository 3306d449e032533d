"""The form of a preview: one reason, note and assignee for all payments."""

from typing import Any

from payments import permissions
from readmodels.admin.review import assignees
from readmodels.admin.review.actions import Action, Assignee, Person
from readmodels.admin.review.form_fields import NOBODY, AssigneeField, ReasonFields


class BulkForm(ReasonFields, AssigneeField):
    """The fields that the action's command needs, for all payments alike."""

    field_order = ("reason", "to", "note")

    def __init__(self, action: Action, person: Person, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._action = action
        self.offer_reasons(action)
        if action.takes_assignee:
            people = [
                each for each in assignees.people() if person.senior or each[0] != person.actor
            ]
            self.offer_assignees([(NOBODY, "Nobody: all reviewers can claim them"), *people])
        else:
            del self.fields["to"]
        if action.takes_note:
            note = self.fields["note"]
            note.help_text = f"It is stored with each payment. {note.help_text}"

    @property
    def chosen_assignee(self) -> str | None:
        """Return the assignee's value in the form, None if the action takes no assignee."""
        return self.data["to"] if self._action.takes_assignee else None

    def given(self) -> dict[str, Any]:
        """Return the values for the command's fields, without the note."""
        given: dict[str, Any] = {}
        if self._action.reasons is not None:
            given["reason"] = self._action.reasons(self.cleaned_data["reason"])
        if self._action.takes_assignee:
            given["to"] = self.cleaned_data["to"]
        return given


def assignee_of(chosen: str) -> Assignee:
    """Return the assignee chosen in a form, with the person's current permissions."""
    if chosen == NOBODY:
        return Assignee(None)
    user = permissions.staff(chosen)
    return Assignee(
        chosen,
        reviews=user is not None and permissions.holds(user, permissions.REVIEW),
        senior=user is not None and permissions.holds(user, permissions.REVIEW_AS_SENIOR),
    )
