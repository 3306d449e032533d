"""The forms behind the buttons of webhook endpoints."""

from datetime import UTC, datetime, time
from typing import Any, Final

from django import forms
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminRadioSelectWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from payments.clients.models import Client
from readmodels.admin.base.dates import quoted, read_day, read_time
from readmodels.admin.base.text_field import StoredTextField
from readmodels.feed.events import EVENT_TYPES
from readmodels.webhooks.endpoints import Settings
from readmodels.webhooks.models import Endpoint

_LONGEST_DESCRIPTION: Final = 200
_LONGEST_REASON: Final = 200
_MOST_POSITION: Final = 2**63 - 1
_PAYLOADS: Final = (("full", "The event with its payment"), ("thin", "Only the id of the payment"))


class SettingsForm(forms.Form):
    """The settings. Hidden fields hold the values shown, so that changes can be detected."""

    url = forms.CharField(
        label="URL",
        show_hidden_initial=True,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off", "inputmode": "url"}),
        help_text="It receives POST requests over https from the Internet.",
    )
    description = StoredTextField(
        required=False,
        show_hidden_initial=True,
        max_length=_LONGEST_DESCRIPTION,
        help_text="Optional. The client sees it too.",
    )
    event_types = forms.MultipleChoiceField(
        label="Events",
        required=False,
        show_hidden_initial=True,
        choices=[(each, each) for each in EVENT_TYPES],
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text="Choose none to send all types, including those added later.",
    )
    payload = forms.ChoiceField(
        choices=_PAYLOADS,
        initial="full",
        show_hidden_initial=True,
        widget=UnfoldAdminRadioSelectWidget,
    )

    def given(self, fields: list[str]) -> Settings:
        """Return the settings that these form fields describe."""
        found: dict[str, Any] = {name: self.cleaned_data[name] for name in fields}
        if "payload" in found:
            found["thin"] = found.pop("payload") == "thin"
        return Settings(**found)

    @staticmethod
    def values(endpoint: Endpoint) -> dict[str, Any]:
        """Return the initial values of the form."""
        return {
            "url": endpoint.url,
            "description": endpoint.description,
            "event_types": endpoint.event_types,
            "payload": "thin" if endpoint.thin else "full",
        }


class NewEndpointForm(SettingsForm):
    field_order = ("client", "url", "description", "event_types", "payload")
    client = forms.ModelChoiceField(
        queryset=Client.objects.order_by("name"),
        empty_label="Choose a client",
        widget=UnfoldAdminSelectWidget,
    )


class ReasonForm(forms.Form):
    reason = StoredTextField(
        max_length=_LONGEST_REASON,
        help_text="The client sees it too. No personal data.",
    )


class ReplayForm(forms.Form):
    """The start of a replay: a position, or a day with or without a time."""

    position = forms.CharField(
        required=False,
        label="After the position",
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off", "inputmode": "numeric"}),
        help_text="The position of the last event that is not sent again. 0 sends all events.",
    )
    day = forms.CharField(
        required=False,
        label="Or since the day",
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
        help_text="In UTC, like 2026-11-29.",
    )
    time = forms.CharField(
        required=False,
        label="At the time",
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
        help_text="In UTC, like 09:30. Empty: the beginning of the day.",
    )

    def clean_position(self) -> int | None:
        given = self.cleaned_data["position"].strip().replace(",", "")
        if not given:
            return None
        digits = given.isascii() and given.isdigit() and len(given) <= len(str(_MOST_POSITION))
        if not digits or int(given) > _MOST_POSITION:
            raise forms.ValidationError(
                f"{quoted(given)} is not a position. Copy it from the event log, like 12345."
            )
        return int(given)

    def clean(self) -> dict[str, Any]:
        found = self.cleaned_data
        try:
            since = self._since(found.get("day", ""), found.get("time", ""))
        except ValueError as error:
            self.add_error("time" if "time" in str(error) else "day", str(error))
            return found
        if not self.errors and (found["position"] is None) == (since is None):
            self.add_error("position", "Enter a position or a day, not both.")
        return found | {"since": since}

    @staticmethod
    def _since(day: str, at: str) -> datetime | None:
        """Return the typed moment, or None without a day. Raises ValueError."""
        if not day.strip():
            if at.strip():
                raise ValueError("A time needs a day.")
            return None
        return datetime.combine(read_day(day), read_time(at) if at.strip() else time(), UTC)
