"""The signed author of a form. Only the author gets the typed text back: see kept_text.py.

settings.TEMPLATES makes the tag available in all templates.
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
    """Return a hidden field that names the person who sees the form."""
    signed = _SIGNER.sign(str(context["request"].user.pk))
    return format_html('<input type="hidden" name="{}" value="{}">', FIELD, signed)


def author_of(signed: str) -> str | None:
    """Return the id of the author, or None if the signature is not ours."""
    try:
        return _SIGNER.unsign(signed)
    except signing.BadSignature:
        return None
