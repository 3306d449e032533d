"""Times as pages show them: in UTC, with the time of the viewer's computer added by times.js.

settings.TEMPLATES makes the filters known to all templates.
"""

from datetime import UTC, datetime
from typing import Final

from django import template
from django.utils.html import format_html

register: Final = template.Library()

MINUTE: Final = "minute"
_FORMATS: Final = {
    MINUTE: "%Y-%m-%d %H:%M",
    "second": "%Y-%m-%d %H:%M:%S",
    "microsecond": "%Y-%m-%d %H:%M:%S.%f",
}


@register.filter
def moment(at: datetime, precision: str = "second") -> str:
    """Return markup for a time where its column or sentence says that it is in UTC."""
    return _marked(at, f"{at.astimezone(UTC):{_FORMATS[precision]}}")


@register.filter
def utc(at: datetime, precision: str = "second") -> str:
    """Return markup for a time with its time zone, such as "2026-11-29 10:15:00 UTC"."""
    return _marked(at, f"{at.astimezone(UTC):{_FORMATS[precision]}} UTC")


def _marked(at: datetime, text: str) -> str:
    return format_html('<time datetime="{}" data-local>{}</time>', at.isoformat(), text)
