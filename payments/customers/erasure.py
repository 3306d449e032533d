"""Erase a customer's personal data. The log contains none and does not change.

Each step commits on its own and can be repeated. The customer's row, which contains what to search for, is
cleared last. The same command therefore completes an interrupted erasure.
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
from django.db.models import Q
from msgspec import Struct

from payments import permissions
from payments.customers import attachments, csv_files, free_texts, mentions
from payments.customers.mentions import Mentions
from payments.customers.models import Attachment, Blocking, Customer, Note
from payments.database import cursor
from payments.domain import list_items
from payments.domain.files import MediaType
from payments.domain.list_items import Item
from payments.domain.text import checked_text
from payments.identity.models import Session
from payments.lists.models import Entry

ERASE: Final = "customers.erase_customer"
LONGEST_REASON: Final = 500
PERSONAL: Final = ("reference", "name", "email", "phone")

# The log knows a payment's customer before the read models do. The subquery looks each note's
# payment up in an index. For a join, PostgreSQL would read the whole log.
_NOTES: Final = """
DELETE FROM customers_note AS note
 WHERE (SELECT data ->> 'customer_id' FROM events_event
         WHERE aggregate_id = note.payment_id AND version = 1) = %s
"""


class ReasonNamesCustomer(ValueError):
    """The reason, which is kept, names the erased customer."""


class Step(Struct, frozen=True):
    """A place and the number of items erased there. None means that it was not searched."""

    place: str
    erased: int | None


class Watch(Protocol):
    """Open a progress bar. The function that it yields takes the number done so far."""

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
    """Erase step by step, and yield each step when it is done.

    `reference` is given separately, because the row of an erased customer has none. `by` is an actor id.
    `watch` is called for long steps. Raises NotPermitted, TextError, ReasonNamesCustomer.
    """
    permissions.require(by, ERASE, operators=True)
    identifying = identifiers(customer, reference)
    reason = check_reason(reason, identifying)
    searchable = bool(searched_fields(customer, reference))
    mentioned = _text_finder(identifying)
    yield Step("sessions", _end_sessions(mentioned) if searchable else None)
    yield Step("admin log entries", _clear_admin_log(customer.pk))
    blockings = Blocking.objects.filter(customer=customer)
    about_blocks = Note.objects.filter(pk__in=blockings.values("note_id"))
    yield Step("notes about blocks", about_blocks.delete()[0])
    about_reveals = Note.objects.filter(customer_id=customer.pk)
    yield Step("notes about reveals", about_reveals.delete()[0])
    listed = Entry.objects.filter(key=list_items.key(Item.CUSTOMER, str(customer.pk)))
    about_lists = Q(pk__in=listed.values("note_id")) | Q(pk__in=listed.values("removal_note_id"))
    yield Step("notes about lists", Note.objects.filter(about_lists).delete()[0])
    yield Step("review notes", _delete_notes(customer.pk))
    for place in free_texts.places():
        if not searchable:
            yield Step(f"{place.name} that mention the customer", None)
            continue
        with watch(place.name, total=place.texts().count()) as progress:
            erased = free_texts.erase(place, mentioned, progress=progress)
        yield Step(f"{place.name} that mention the customer", erased)
    if searchable:
        texts = Attachment.objects.filter(media_type=MediaType.TEXT).count()
        with watch("attached text files", total=texts) as progress:
            attached = attachments.erase_mentioning(mentioned, progress=progress)
    yield Step("attached text files that mention the customer", attached if searchable else None)
    found = [field for field in PERSONAL if getattr(customer, field)]
    Customer.objects.filter(pk=customer.pk, erased_at=None).update(
        reference=None,
        name="",
        email="",
        phone="",
        words=None,
        erased_at=at,
        erased_by=by,
        erasure_reason=reason,
    )
    yield Step(f"fields of the customer ({', '.join(found) or 'none left'})", len(found))


def identifiers(customer: Customer, reference: str) -> set[str]:
    """Return the texts that identify the customer."""
    return set(_identifiers(customer, reference).values())


def searched_fields(customer: Customer, reference: str) -> list[str]:
    """Return the names of the fields whose values are searched for in texts."""
    found = _identifiers(customer, reference)
    return [field for field, value in found.items() if mentions.is_distinctive(value)]


def unsearched_fields(customer: Customer, reference: str) -> list[str]:
    """Return the names of the fields whose values are searched for only in cells of files."""
    searched = searched_fields(customer, reference)
    return [field for field in _identifiers(customer, reference) if field not in searched]


def erase_file(
    path: Path,
    customer: Customer,
    *,
    reference: str,
    by: str,
    progress: Callable[[int], None] = lambda _: None,
) -> Step:
    """Erase the customer from a CSV file. Call it before `erase`, which clears the identifiers.

    Raises NotPermitted, OSError, FileError.
    """
    permissions.require(by, ERASE, operators=True)
    mentioned = mentions.finder(identifiers(customer, reference))
    return Step(f"cells of {path}", csv_files.erase(path, mentioned, progress=progress))


def check_reason(reason: str, identifying: set[str]) -> str:
    """Return the reason as it is stored. Raises TextError, ReasonNamesCustomer."""
    reason = checked_text(reason, max_length=LONGEST_REASON)
    if _text_finder(identifying)(reason):
        raise ReasonNamesCustomer(
            "It names the customer, and it is kept. Give the number of a case instead."
        )
    return reason


def _identifiers(customer: Customer, reference: str) -> dict[str, str]:
    """Return the identifying texts by field. An erased customer has only the given reference."""
    values = {field: getattr(customer, field) for field in PERSONAL} | {"reference": reference}
    return {field: value for field, value in values.items() if value}


def _text_finder(identifying: set[str]) -> Mentions:
    return mentions.finder(filter(mentions.is_distinctive, identifying))


def _delete_notes(customer_id: UUID) -> int:
    with cursor() as cur:
        return cur.execute(_NOTES, (str(customer_id),)).rowcount


def _clear_admin_log(customer_id: UUID) -> int:
    """Clear the customer's entries in Django's admin log, which hold names. Return their number."""
    entries = LogEntry.objects.filter(
        content_type=ContentType.objects.get_for_model(Customer), object_id=str(customer_id)
    )
    return entries.exclude(object_repr=csv_files.ERASED).update(
        object_repr=csv_files.ERASED, change_message=""
    )


def _texts(value: Any) -> Iterator[str]:
    """Yield all texts in a session's data. Django stores messages as one JSON text."""
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
    """Delete sessions that mention the customer, as unseen messages may. Return their number."""
    ended = 0
    for session in Session.objects.iterator(chunk_size=500):
        if any(map(mentioned, _texts(session.get_decoded()))):
            ended += session.delete()[0]
    return ended
