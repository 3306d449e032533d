"""Find rows by the first digits of their ids."""

from collections.abc import Iterable
from typing import TypeVar

from django.core.management.base import CommandError
from django.db.models import CharField, Model, QuerySet
from django.db.models.functions import Cast

from payments.domain.card_numbers import holds_card_number

M = TypeVar("M", bound=Model)


def find(among: QuerySet[M], wanted: str, *, what: str, listed_by: str) -> M:
    """Return the row whose id begins with `wanted`.

    Raises CommandError, which names the command `listed_by`.
    """
    begin = wanted.lower() if wanted.isascii() else ""
    found = list(among.annotate(text=Cast("id", CharField())).filter(text__startswith=begin)[:2])
    if len(found) != 1 or not begin:
        raise CommandError(
            f"{f'More than one {what}' if len(found) > 1 else f'No {what}'} begins with{quoted(wanted)}."
            f" `./manage.py {listed_by}` shows the last ones."
        )
    return found[0]


def find_policy(ids: Iterable[str], wanted: str, *, nor: str = "") -> str:
    """Return the id that begins with `wanted`. Raises CommandError, with `nor` in its message."""
    # Every id begins with an empty text, which an unset shell variable would pass.
    found = [policy_id for policy_id in ids if wanted and policy_id.startswith(wanted)]
    if len(found) != 1:
        raise CommandError(
            f"{'More than one' if found else 'No'} policy begins with{quoted(wanted)}{nor}."
            " `./manage.py policy list` shows all policies."
        )
    return found[0]


def quoted(text: str) -> str:
    """Return the text in quotes, unless it may be a card number."""
    return " this" if holds_card_number(text) else f" {text!r}"
