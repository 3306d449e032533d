"""Store a customer's personal data in every place that an erasure must cover, and find them."""

from contextlib import suppress
from io import StringIO
from typing import Final
from uuid import uuid4

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth import get_user_model
from django.contrib.contenttypes.models import ContentType
from django.contrib.messages import INFO
from django.contrib.messages.storage.base import Message
from django.contrib.messages.storage.cookie import MessageEncoder
from django.core.management import CommandError, call_command
from django.db import connection

from payments.clients.models import Client
from payments.customers import attachments, blocking, changes, notes
from payments.customers.attachments import File
from payments.customers.models import Customer, Note
from payments.domain.customer import BlockReason
from payments.domain.list_items import Item
from payments.domain.lists import EntryExists, ListExists
from payments.identity.models import Session
from payments.identity.session_store import SessionStore
from readmodels.models import DiscardedEvent
from readmodels.webhooks.models import Attempt, Endpoint, Outcome
from tests.support import lists
from tests.support.examples import NOON, OPERATOR

# Personal data that occurs nowhere else in the tests.
REFERENCE: Final = "ada.ng@mail.example"
NAME: Final = "Ada Ngwenya"
EMAIL: Final = "private@ada.example"
PHONE: Final = "+4915123456789"
NOTE: Final = "Called Miss Ngwenya back"
APPROVAL: Final = {"reason": "other", "note": NOTE}
FILES: Final = "See the files."  # a note about another customer
BLOCKED: Final = "Her cousin, says Ngwenya"
REVEALED: Final = "The cousin asked for her number"
SECRETS: Final = ("ada.ng", "ngwenya", "private@", "4915123456789", "+49 151", "cousin")
# Another customer, whose texts mention this one.
FRIEND: Final = uuid4()
WHO: Final = ("Acme", REFERENCE)
REASON: Final = "Request 2026-17"


def plant(customer: Customer) -> None:
    contacts = {"name": NAME, "email": EMAIL, "phone": PHONE}
    changes.rename(customer.pk, contacts, by=OPERATOR)
    blocking.change(customer.pk, reason=BlockReason.OTHER, note=BLOCKED, by=OPERATOR, at=NOON)
    said = notes.write(None, REVEALED, author=OPERATOR, at=NOON, customer_id=customer.pk)
    said.save()
    with suppress(ListExists):
        lists.create(item=Item.CUSTOMER)
        Note.objects.filter(text=lists.AUTHOR.note).delete()  # this comment names no customer
    with suppress(EntryExists):
        lists.add(str(customer.pk), author=lists.noted("The cousin's, too"))
    # Django's change form writes such entries.
    user, _ = get_user_model().objects.get_or_create(username="grace")
    LogEntry.objects.create(
        user=user,
        content_type=ContentType.objects.get_for_model(Customer),
        object_id=str(customer.pk),
        object_repr=NAME,
        action_flag=CHANGE,
        change_message=f'[{{"changed": {{"name": "{EMAIL}"}}}}]',
    )
    session = SessionStore()
    message = Message(INFO, f'"\n{NAME}" was changed successfully.')
    session["_messages"] = MessageEncoder().encode([message])
    session.save()
    plant_about_others(customer.client)


def plant_about_others(client: Client) -> None:
    """Store texts about other customers that mention this one, one in each column."""
    Customer.objects.get_or_create(pk=FRIEND, client=client, defaults={"erased_at": NOON})
    Customer.objects.filter(pk=FRIEND).update(erasure_reason=f"Together with {REFERENCE}")
    lives_with = notes.write(None, f"Lives with Ada\n{NAME[4:]}", author=OPERATOR, at=NOON)
    lives_with.save()
    notes.write(uuid4(), "Same telephone: +49 151 234-56789", author=OPERATOR, at=NOON).save()
    with_files = notes.write(uuid4(), FILES, author=OPERATOR, at=NOON)
    with_files.save()
    named, text = File(f"{NAME}.pdf", b"%PDF-1.7"), File("a.txt", f"To {NAME}".encode())
    for attachment in attachments.write(with_files, [named, text]):
        attachment.save()
    DiscardedEvent.objects.update_or_create(
        projection="daily_statistics",
        position=1,
        defaults={
            "aggregate_id": uuid4(),
            "reason": f"{EMAIL.upper()} asked for it",
            "discarded_by": OPERATOR,
            "discarded_at": NOON,
        },
    )
    hook, _ = Endpoint.objects.get_or_create(
        client=client,
        number=1,
        defaults={"position": 0, "next_attempt_at": NOON, "secret": b""},
    )
    Endpoint.objects.filter(pk=hook.pk).update(description=f"Asked for by {NAME}")
    Attempt.objects.create(
        endpoint=hook,
        message_id="evt_1",
        event_type="payment.processed",
        number=1,
        at=NOON,
        milliseconds=1,
        outcome=Outcome.REJECTED,
        response=f'{{"unknown customer": "{REFERENCE}"}}',
    )


def ada() -> Customer:
    return Customer.objects.exclude(pk=FRIEND).get()


def run(*arguments: str, status: int = 0) -> str:
    """Run the command. Return its output, or its error message if `status` is not 0."""
    out = StringIO()
    arguments = (*WHO, "--reason", REASON, "--yes", *arguments)
    if not status:
        call_command("erase_customer", *arguments, stdout=out)
        return out.getvalue()
    with pytest.raises(CommandError) as refused:
        call_command("erase_customer", *arguments, stdout=out)
    assert refused.value.returncode == status
    return str(refused.value)


def found() -> set[str]:
    """Return the tables with a secret in any column (as text) or in any decoded session."""
    places = set()
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(
                f'SELECT EXISTS (SELECT FROM "{table}" AS it WHERE it::text ILIKE ANY(%s))',
                [[f"%{secret}%" for secret in (*SECRETS, *map(as_bytea, SECRETS))]],
            )
            if cursor.fetchone() == (True,):
                places.add(table)
    for session in Session.objects.all():
        if any(secret in str(session.get_decoded()).lower() for secret in SECRETS):
            places.add("identity_session")
    return places


def as_bytea(secret: str) -> str:
    return secret.encode().hex()
