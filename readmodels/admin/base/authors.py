"""The signed author of a form, to whom alone the typed text returns: see kept_text.py.

settings.TEMPLATES makes the tag known to all templates.
"""

from typing import Any, Final

from django import template
from django.core import signing
from django.utils.html import format_html

register: Final = template.Library()

FIELD: Final = "author"
_SIGNER: Final = signing.Signer(salt="author")


@register.simple_tag(takes_context=True)
def author(context: Any) -> str:
    """Return the field that names the person to whom the form is shown."""
    signed = _SIGNER.sign(str(context["request"].user.pk))
    return format_html('<input type="hidden" name="{}" value="{}">', FIELD, signed)


def author_of(signed: str) -> str | None:
    """Return the id of the author, None if we did not sign it."""
    try:
        return _SIGNER.unsign(signed)
    except signing.BadSignature:
        return None
