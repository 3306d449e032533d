"""The fields of the forms that snooze or assign a payment."""

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from typing import Any, Final

from django import forms
from unfold.widgets import UnfoldAdminTextInputWidget

from payments.domain.payment.state import Payment
from readmodels.admin.review import assignees
from readmodels.admin.review.actions import Action, Person
from readmodels.admin.review.form_fields import NOBODY, AssigneeField, Radios

_HOURS: Final = (1, 2, 4)
_MORNING: Final = time(9)
_OTHER: Final = "other"
_INVALID_TIME: Final = "Write the time like 2026-12-31 09:00."


class RoutingFields(AssigneeField):
    """The fields. `wait` is an offered time or "other". With "other", `until` has the time."""

    wait = forms.CharField(
        label="Wait until",
        widget=Radios,
        error_messages={"required": "Choose when the payment returns to the queue."},
    )
    until = forms.DateTimeField(
        required=False,
        label="Another time (UTC)",
        widget=UnfoldAdminTextInputWidget(attrs={"type": "datetime-local", "step": 60}),
        error_messages={"invalid": _INVALID_TIME},
    )

    def offer(self, action: Action, payment: Payment, person: Person, at: datetime) -> None:
        """Set the choices, and remove the fields that the action does not take."""
        if action.takes_time:
            given = self.data.get("wait") or self.initial.get("wait")
            self.fields["wait"].widget.choices = _times(payment, at, given)
        else:
            del self.fields["wait"], self.fields["until"]
        if action.takes_assignee:
            self.offer_assignees(_assignees(payment, person))
        else:
            del self.fields["to"]

    def clean_until(self) -> datetime | None:
        until: datetime | None = self.cleaned_data["until"]
        try:
            # The person may type a time with an offset. PostgreSQL refuses some offsets.
            return until and until.astimezone(UTC)
        except OverflowError:
            raise forms.ValidationError(_INVALID_TIME) from None

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        if cleaned is None or "wait" not in cleaned or "until" not in cleaned:
            return cleaned
        until, wait = cleaned["until"], cleaned["wait"]
        if wait == _OTHER and until is None:
            self.add_error("until", "Enter a date and a time.")
        elif wait != _OTHER and until is not None:
            self.add_error("until", "Choose “Another time” above, or clear this field.")
        elif wait != _OTHER:
            cleaned["until"] = _time(wait)
            if cleaned["until"] is None:
                self.add_error("wait", "Choose one of these times.")
        return cleaned


def presets(at: datetime, deadline: datetime) -> Iterator[tuple[datetime, str]]:
    """Yield offered times before the deadline with their labels, in order."""
    minute = at.astimezone(UTC).replace(second=0, microsecond=0)
    soon = ((hours, minute + timedelta(hours=hours)) for hours in _HOURS)
    morning = datetime.combine(minute.date() + timedelta(days=1), _MORNING, UTC)
    monday = morning + timedelta(days=(7 - morning.weekday()) % 7)
    offered = [
        *((f"In {hours} hour{'s'[: hours > 1]}", until) for hours, until in soon),
        (f"Tomorrow, {morning:%A}", morning),
        *([(f"{monday:%A}", monday)] if monday != morning else []),
    ]
    for label, until in offered:
        if until < deadline:
            yield until, f"{label}, {until:%H:%M} UTC"


def _times(payment: Payment, at: datetime, given: str | None) -> list[tuple[str, str]]:
    deadline = payment.review_deadline or at
    found = {_value(until): label for until, label in presets(at, deadline)}
    kept = _time(given or "")
    if kept is not None:
        # The offered times move on while the form is open. Keep the chosen one.
        found.setdefault(_value(kept), f"{kept:%A %d %B, %H:%M} UTC")
    return [*found.items(), (_OTHER, "Another time")]


def _assignees(payment: Payment, person: Person) -> list[tuple[str, str]]:
    nobody = [(NOBODY, "Nobody: all reviewers can claim it")] if payment.assigned_to else []
    return [*nobody, *assignees.choices(payment, person)]


def _value(until: datetime) -> str:
    return f"{until:%Y-%m-%dT%H:%MZ}"


def _time(text: str) -> datetime | None:
    """Return the time of an offered choice, or None for any other text."""
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H:%MZ").replace(tzinfo=UTC)
    except ValueError:
        return None
