"""The event log as it is stored, for whoever wants to see the evidence itself."""

from collections.abc import Sequence
from typing import Any, ClassVar

import msgspec
from django.contrib import admin
from django.db.models import QuerySet
from django.utils.html import format_html
from unfold.decorators import display

from payments.events.models import Event
from readmodels.admin import words
from readmodels.admin.browsing import BrowsingAdmin, as_uuid

_DIGITS_OF_A_POSITION = 18


@admin.register(Event)
class EventAdmin(BrowsingAdmin):
    keyset: ClassVar = ("position",)
    list_display = ("position", "recorded", "event_type", "version", "aggregate_id", "actor")
    search_fields = ("position",)  # see find
    search_help_text = "Payment id or position"
    fields = (
        "position",
        "aggregate_id",
        "version",
        "event_type",
        "schema_version",
        "occurred_at",
        "recorded_at",
        "stored_data",
        "stored_metadata",
    )
    readonly_fields = ("stored_data", "stored_metadata")

    @display(description="Recorded (UTC)")
    def recorded(self, row: Event) -> str:
        return f"{row.recorded_at:%Y-%m-%d %H:%M:%S}"

    @display(description="By")
    def actor(self, row: Any) -> str:
        return str(row.actor)

    @display(description="Data")
    def stored_data(self, row: Event) -> str:
        return _json(row.data)

    @display(description="Metadata")
    def stored_metadata(self, row: Event) -> str:
        return _json(row.metadata)

    def prepare(self, rows: Sequence[Any]) -> None:
        names = words.people(row.metadata["actor"] for row in rows)
        for row in rows:
            row.actor = names.get(row.metadata["actor"], row.metadata["actor"])

    def find(self, rows: QuerySet[Any], term: str) -> QuerySet[Any]:
        """By what the log's two indexes begin with."""
        if payment_id := as_uuid(term):
            return rows.filter(aggregate_id=payment_id)
        if term.isascii() and term.isdigit() and len(term) <= _DIGITS_OF_A_POSITION:
            return rows.filter(pk=int(term))
        return rows.none()


def _json(stored: object) -> str:
    pretty = msgspec.json.format(msgspec.json.encode(stored), indent=2).decode()
    return format_html(
        '<pre class="font-mono text-xs whitespace-pre-wrap break-all">{}</pre>', pretty
    )
