"""Times as pages show them: in UTC. times.js adds the viewer's local time.

settings.TEMPLATES makes the filters available in all templates.
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
    """Return markup for a time without its zone. The column or sentence must say that it is UTC."""
    return _marked(at, f"{at.astimezone(UTC):{_FORMATS[precision]}}")


@register.filter
def utc(at: datetime, precision: str = "second") -> str:
    """Return markup for a time with its time zone, such as "2026-11-29 10:15:00 UTC"."""
    return _marked(at, f"{at.astimezone(UTC):{_FORMATS[precision]}} UTC")


def _marked(at: datetime, text: str) -> str:
    return format_html('<time datetime="{}" data-local>{}</time>', at.isoformat(), text)
