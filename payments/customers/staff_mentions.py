"""Mentions of staff in notes about payments: "@rita" notifies Rita.

Each mention is a row, written in the transaction of its note and deleted with the note. No
projection fills these rows, because the log does not record whether a mention was read.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.contrib.auth import get_user_model
from django.db.models import QuerySet
from msgspec import Struct

from payments import actors, permissions
from payments.customers.models import Note, StaffMention
from payments.domain.at_names import at_names, folded

SEE_NOTES: Final = "customers.view_note"


class Mentioned(Struct, frozen=True):
    """The actor ids of the staff whom a text mentions, and the mentioned names that nobody has."""

    actors: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


def find(text: str, *, author: str) -> Mentioned:
    """Return whom a text mentions by user name, in any case. Only staff who may see notes count.

    The author is not notified.
    """
    names = at_names(text)
    if not names:
        return Mentioned()
    people = _readers({folded(name) for name in names})
    found = {name: _named(name, people) for name in names}
    mentioned = {each for each in found.values() if each and each != author}
    return Mentioned(
        actors=tuple(sorted(mentioned)),
        unknown=tuple(name for name, actor in found.items() if actor is None),
    )


def save(note: Note) -> None:
    """Save a new note about a payment, with a row for each person whom it mentions.

    Notes by clients notify nobody.
    """
    note.save()
    if note.payment_id is None or actors.staff_pk(note.author) is None:
        return
    StaffMention.objects.bulk_create(
        StaffMention(note=note, payment_id=note.payment_id, actor=actor, at=note.written_at)
        for actor in find(note.text, author=note.author).actors
    )


def of(actor: str) -> QuerySet[StaffMention]:
    """Return the mentions of a person, the newest first."""
    return StaffMention.objects.filter(actor=actor).order_by("-at", "-pk")


def read(actor: str, mention: int, *, at: datetime) -> UUID | None:
    """Mark a mention of the person as read. Return its payment, None if there is no such mention."""
    own = of(actor).filter(pk=mention)
    own.filter(read_at=None).update(read_at=at)
    return own.values_list("payment_id", flat=True).first()


def read_all(actor: str, *, at: datetime) -> int:
    """Mark all mentions of the person as read. Return how many were unread."""
    return StaffMention.objects.filter(actor=actor, read_at=None).update(read_at=at)


def _readers(names: set[str]) -> list[Any]:
    """Return the active staff with these folded names who may see notes."""
    users = get_user_model().objects.filter(is_active=True, is_staff=True)
    named = [user for user in users if folded(user.get_username()) in names]
    return [user for user in named if permissions.holds(user, SEE_NOTES)]


def _named(name: str, people: Iterable[Any]) -> str | None:
    """Return the actor with this user name. An exact name precedes names in another case."""
    alike = [each for each in people if folded(each.get_username()) == folded(name)]
    exact = [each for each in alike if each.get_username() == name]
    chosen = exact or alike
    return actors.staff(chosen[0].pk) if len(chosen) == 1 else None
