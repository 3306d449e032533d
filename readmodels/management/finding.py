"""Find rows by the first digits of their ids."""

from typing import TypeVar

from django.core.management.base import CommandError
from django.db.models import CharField, Model, QuerySet
from django.db.models.functions import Cast

from payments.domain.card_numbers import holds_card_number

M = TypeVar("M", bound=Model)


def find(among: QuerySet[M], wanted: str, *, what: str, listed_by: str) -> M:
    """Return the row whose id begins with `wanted`. Raises CommandError, which names `listed_by`."""
    begin = wanted.lower() if wanted.isascii() else ""
    found = list(among.annotate(text=Cast("id", CharField())).filter(text__startswith=begin)[:2])
    if len(found) != 1 or not begin:
        raise CommandError(
            f"{f'More than one {what}' if len(found) > 1 else f'No {what}'} begins with{quoted(wanted)}."
            f" `./manage.py {listed_by}` shows the last ones."
        )
    return found[0]


def quoted(text: str) -> str:
    """Return the text in quotes, unless it may be a card number."""
    return " this" if holds_card_number(text) else f" {text!r}"
