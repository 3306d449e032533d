"""Removing what is personal about a customer from everywhere but the log, which never had it.

Each step commits by itself and may be repeated; the customer's row, which says what to look for,
comes last. So whatever is killed where, the same command does the rest.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Protocol
from uuid import UUID

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session
from msgspec import Struct

from payments import permissions
from payments.customers import files, mentions, texts
from payments.customers.mentions import Mentions
from payments.customers.models import Blocking, Customer, Note
from payments.database import cursor
from payments.domain.text import checked_text

ERASE: Final = "customers.erase_customer"
LONGEST_REASON: Final = 500
PERSONAL: Final = ("reference", "name", "email", "phone")

# The log tells whose a payment is, whatever the read models have seen. One look into its index for
# each note, of which there are few: as a join, PostgreSQL would rather read the whole log.
_NOTES: Final = """
DELETE FROM customers_note AS note
 WHERE (SELECT data ->> 'customer_id' FROM events_event
         WHERE aggregate_id = note.payment_id AND version = 1) = %s
"""


class ReasonTells(ValueError):
    """The reason, which is kept, names whom it is about."""


class Step(Struct, frozen=True):
    """A place and the number of its erased items. None: it could not be searched."""

    place: str
    erased: int | None


class Watch(Protocol):
    """Opens a progress bar; what it yields takes the number done so far."""

    def __call__(
        self, description: str, *, total: int
    ) -> AbstractContextManager[Callable[[int], None]]: ...


def _unwatched(*_: object, **__: object) -> AbstractContextManager[Callable[[int], None]]:
    return nullcontext(lambda _: None)


def erase(
    customer: Customer,
    *,
    reference: str,
    reason: str,
    by: str,
    at: datetime,
    watch: Watch = _unwatched,
) -> Iterator[Step]:
    """Erase step by step. `reference` is how the customer was called: an erased row does not tell.

    `by` is an actor id, `watch` is called for the steps that take long.
    Raises NotPermitted, TextError, ReasonTells.
    """
    permissions.require(by, ERASE, operators=True)
    words = words_of(customer, reference)
    reason = check_reason(reason, words)
    searchable = bool(sought(customer, reference))
    mentioned = _mentioned_in_texts(words)
    yield Step("sessions", _end_sessions(mentioned) if searchable else None)
    yield Step("admin log entries", _clear_admin_log(customer.pk))
    blockings = Blocking.objects.filter(customer=customer)
    about_blocks = Note.objects.filter(pk__in=blockings.values("note_id"))
    yield Step("notes about blocks", about_blocks.delete()[0])
    yield Step("review notes", _delete_notes(customer.pk))
    for place in texts.places():
        if not searchable:
            yield Step(f"{place.name} that mention the customer", None)
            continue
        with watch(place.name, total=place.texts().count()) as progress:
            erased = texts.erase(place, mentioned, progress=progress)
        yield Step(f"{place.name} that mention the customer", erased)
    found = [field for field in PERSONAL if getattr(customer, field)]
    Customer.objects.filter(pk=customer.pk, erased_at=None).update(
        reference=None,
        name="",
        email="",
        phone="",
        erased_at=at,
        erased_by=by,
        erasure_reason=reason,
    )
    yield Step(f"fields of the customer ({', '.join(found) or 'none left'})", len(found))


def words_of(customer: Customer, reference: str) -> set[str]:
    """What the customer is known by."""
    return set(_words(customer, reference).values())


def sought(customer: Customer, reference: str) -> list[str]:
    """Return the fields that are searched for in texts."""
    words = _words(customer, reference)
    return [field for field, word in words.items() if mentions.is_telling(word)]


def not_sought(customer: Customer, reference: str) -> list[str]:
    """Return the fields that are searched for in cells of files only: in a text they could mean anything."""
    known = sought(customer, reference)
    return [field for field in _words(customer, reference) if field not in known]


def erase_file(
    path: Path,
    customer: Customer,
    *,
    reference: str,
    by: str,
    progress: Callable[[int], None] = lambda _: None,
) -> Step:
    """Erase the customer from a CSV file, before the row that says what to look for.

    Raises NotPermitted, OSError, FileError.
    """
    permissions.require(by, ERASE, operators=True)
    mentioned = mentions.finder(words_of(customer, reference))
    return Step(f"cells of {path}", files.erase(path, mentioned, progress=progress))


def check_reason(reason: str, words: set[str]) -> str:
    """Return the reason as it is stored. Raises TextError, ReasonTells."""
    reason = checked_text(reason, max_length=LONGEST_REASON)
    if _mentioned_in_texts(words)(reason):
        raise ReasonTells("It names the customer, and it is kept. Write the number of a case.")
    return reason


def _words(customer: Customer, reference: str) -> dict[str, str]:
    """By field. An erased customer has no other than the reference that was given."""
    known = {field: getattr(customer, field) for field in PERSONAL} | {"reference": reference}
    return {field: word for field, word in known.items() if word}


def _mentioned_in_texts(words: set[str]) -> Mentions:
    return mentions.finder(filter(mentions.is_telling, words))


def _delete_notes(customer_id: UUID) -> int:
    with cursor() as cur:
        return cur.execute(_NOTES, (str(customer_id),)).rowcount


def _clear_admin_log(customer_id: UUID) -> int:
    """Entries of Django's change form, which wrote names into its log."""
    entries = LogEntry.objects.filter(
        content_type=ContentType.objects.get_for_model(Customer), object_id=str(customer_id)
    )
    return entries.exclude(object_repr=files.ERASED).update(
        object_repr=files.ERASED, change_message=""
    )


def _texts(value: Any) -> Iterator[str]:
    """All texts in what a session holds. Django keeps messages as the JSON of a list, in one text."""
    if isinstance(value, dict):
        value = [*value.keys(), *value.values()]
    if isinstance(value, list):
        for each in value:
            yield from _texts(each)
    elif isinstance(value, str):
        yield value
        if value.startswith(("[", "{")):
            with suppress(ValueError, RecursionError):
                yield from _texts(json.loads(value))


def _end_sessions(mentioned: Mentions) -> int:
    """Sessions hold ids, and messages that were not shown yet. Whoever's mentions them logs in again."""
    ended = 0
    for session in Session.objects.iterator(chunk_size=500):
        if any(map(mentioned, _texts(session.get_decoded()))):
            ended += session.delete()[0]
    return ended
