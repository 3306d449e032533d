"""An erased customer is nowhere: not in any table, not in the files that were given; the log stands."""

import os
import re
import threading
from collections.abc import Callable
from io import StringIO
from itertools import count
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import pytest
from django.apps import apps
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth import get_user_model
from django.contrib.contenttypes.models import ContentType
from django.contrib.messages import INFO
from django.contrib.messages.storage.base import Message
from django.contrib.messages.storage.cookie import MessageEncoder
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command
from django.db import connection, connections, transaction
from django.db.models import CharField, TextField
from django.urls import reverse

from payments import permissions
from payments.clients.models import Client
from payments.customers import changes, erasure, files, mentions, notes, texts
from payments.customers.models import Blocking, Customer, Note
from payments.customers.registry import CustomerError
from payments.events.models import Event
from readmodels.models import DiscardedEvent, PaymentSummary
from tests.api import PAYMENTS, RISKY, ApiClient, body_of, project
from tests.backoffice import browser, text
from tests.concurrency import at_once, until_blocked
from tests.crashing import at_round_trip, die
from tests.examples import NOON, OPERATOR

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

# What is personal here, each part of it nowhere else.
REFERENCE: Final = "ada.ng@mail.example"
NAME: Final = "Ada Ngwenya"
EMAIL: Final = "private@ada.example"
PHONE: Final = "+4915123456789"
NOTE: Final = "Called Miss Ngwenya back"
APPROVAL: Final = {"reason": "other", "note": NOTE}
BLOCKED: Final = "Her cousin, says Ngwenya"
SECRETS: Final = ("ada.ng", "ngwenya", "private@", "4915123456789", "+49 151", "cousin")
# Whom they stay about.
FRIEND: Final = uuid4()
WHO: Final = ("Acme", REFERENCE)
REASON: Final = "Request 2026-17"


@pytest.fixture
def acme() -> ApiClient:
    return ApiClient()


@pytest.fixture
def payment(acme: ApiClient) -> str:
    """An approved payment of a customer of whom something personal is everywhere where it can be."""
    payment: str = body_of(acme.submit(**RISKY | {"customer_id": REFERENCE}))["id"]
    acme.post(f"{PAYMENTS}/{payment}/approve", APPROVAL, key="approval")
    plant(Customer.objects.get())
    project()
    return payment


def plant(customer: Customer) -> None:
    contacts = {"name": NAME, "email": EMAIL, "phone": PHONE}
    changes.rename(customer.pk, contacts, by=OPERATOR)
    changes.block(customer.pk, reason=BLOCKED, by=OPERATOR, at=NOON)
    # As Django's change form would have left them.
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
    """What somebody typed about other customers, each of a column of its own."""
    friend, _ = Customer.objects.get_or_create(
        pk=FRIEND, client=client, defaults={"erased_at": NOON}
    )
    Customer.objects.filter(pk=FRIEND).update(erasure_reason=f"Together with {REFERENCE}")
    Blocking.objects.create(
        customer=friend, blocked=True, reason=f"Lives with Ada\n{NAME[4:]}", actor=OPERATOR, at=NOON
    )
    notes.write(uuid4(), "Same telephone: +49 151 234-56789", author=OPERATOR, at=NOON).save()
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


def run(*arguments: str, status: int = 0) -> str:
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
    """Where any of the secrets is: every column of every table, as text, and what sessions decode to."""
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
            places.add("django_session")
    return places


def as_bytea(secret: str) -> str:
    return secret.encode().hex()


def test_nothing_personal_is_left_in_any_table(payment: str) -> None:
    """Each of the places was found before: without its step, each is found after as well."""
    assert found() == {
        "customers_customer",
        "customers_blocking",
        "customers_note",
        "django_admin_log",
        "django_session",
        "readmodels_discardedevent",
    }
    said = run()
    assert found() == set()
    for line in (
        "1 sessions",
        "1 admin log entries",
        "1 reasons of blocks",
        "1 review notes",
        "1 reasons of other erasures that mention the customer",
        "1 reasons of other blocks that mention the customer",
        "1 other review notes that mention the customer",
        "1 reasons of discarded events that mention the customer",
        "4 fields of the customer (reference, name, email, phone)",
    ):
        assert f"      {line}\n" in said
    stone = ada()
    assert f"they know {stone.pk}." in said
    assert (
        "references of payments, X-Request-ID, X-Correlation-ID, hashes of Idempotency-Key." in said
    )
    assert (stone.erasure_reason, stone.blocked, stone.reference) == (REASON, True, None)
    assert stone.erased_by.startswith("system:manage.py:")
    assert (Blocking.objects.count(), Note.objects.count()) == (2, 0)
    assert DiscardedEvent.objects.get().reason == ""


# Of each column of text that is no choice and that nobody looks into, why nobody need.
NOT_SEARCHED: Final = {
    "clients.ApiKey.prefix": "made by chance",
    "clients.Client.name": "a merchant",
    "customers.Blocking.actor": "an id",
    "customers.Customer.email": "of the customer itself",
    "customers.Customer.erased_by": "an id",
    "customers.Customer.name": "of the customer itself",
    "customers.Customer.phone": "of the customer itself",
    "customers.Customer.reference": "of the customer itself",
    "customers.Note.author": "an id",
    "events.Claim.namespace": "of the code",
    "events.Claim.value": "the client's own, as in the log",
    "events.Event.aggregate_type": "of the code",
    "events.Event.event_type": "of the code",
    "events.Seal.positions": "numbers",
    "events.Seal.statement": "made of the log",
    "events.Snapshot.fold": "of the code",
    "readmodels.Checkpoint.error": "what code said",
    "readmodels.Checkpoint.name": "of the code",
    "readmodels.CustomerActivity.currency": "a code",
    "readmodels.DailyStatistics.currency": "a code",
    "readmodels.DailyStatistics.key": "made of others",
    "readmodels.DiscardedEvent.discarded_by": "an id",
    "readmodels.DiscardedEvent.projection": "of the code",
    "readmodels.EventIndex.actor": "an id",
    "readmodels.EventIndex.command": "of the code",
    "readmodels.EventIndex.correlation_id": "the client's own, as in the log",
    "readmodels.ParkedEvent.error": "what code said of the log",
    "readmodels.ParkedEvent.event_type": "of the code",
    "readmodels.ParkedEvent.projection": "of the code",
    "readmodels.ParkedEvent.traceback": "what code said of the log",
    "readmodels.PaymentSummary.card_brand": "of the card",
    "readmodels.PaymentSummary.card_last4": "of the card",
    "readmodels.PaymentSummary.claimed_by": "an id",
    "readmodels.PaymentSummary.currency": "a code",
    "readmodels.PaymentSummary.first_approver": "an id",
    "readmodels.PaymentSummary.reference": "the client's own, as in the log",
    "readmodels.PaymentSummary.reviewer": "an id",
}


def test_every_column_that_people_type_into_is_searched() -> None:
    """A new column of text is either a place to look into, or is named above with the reason."""
    ours = ("clients", "customers", "events", "readmodels")
    columns = {
        f"{field.model._meta.label}.{field.name}"
        for model in apps.get_models()
        if model._meta.app_label in ours
        for field in model._meta.get_fields()
        if isinstance(field, CharField | TextField) and not field.choices
    }
    searched = {f"{each.model._meta.label}.{each.column}" for each in texts.places()}
    assert searched == columns - NOT_SEARCHED.keys()
    assert NOT_SEARCHED.keys() <= columns


def test_texts_are_read_page_by_page_and_what_names_nobody_stays(
    payment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(texts, "PAGE", 2)
    stay = ("Ada Ngwenyama", f"x{REFERENCE}", f"{REFERENCE}-2", "Miss Ngwenya's sister", "None")
    for written in (*stay, *[f"Asked {NAME}, who knows nobody"] * 3):
        notes.write(uuid4(), written, author=OPERATOR, at=NOON).save()
    assert "      4 other review notes that mention the customer\n" in run()
    assert sorted(Note.objects.values_list("text", flat=True)) == sorted(stay)


def test_what_a_second_run_knows_to_look_for_is_the_reference(payment: str) -> None:
    run()
    for written in (f"The friend of {REFERENCE}", "Nobody"):
        notes.write(uuid4(), written, author=OPERATOR, at=NOON).save()
    assert "      1 other review notes that mention the customer\n" in run()
    assert Note.objects.get().text == "Nobody"


def test_a_note_about_another_payment_is_shown_as_erased(payment: str, acme: ApiClient) -> None:
    other = body_of(acme.submit(**RISKY | {"customer_id": "friend", "reference": "order-982"}))[
        "id"
    ]
    acme.post(f"{PAYMENTS}/{other}/approve", {"reason": "other", "note": f"Knows {NAME}"})
    run()
    url = reverse("admin:readmodels_paymentsummary_change", args=[other])
    shown = text(browser("risk manager", "mia").get(url))
    assert "This note was erased." in shown
    assert "its hash differs" not in shown


def test_what_became_of_a_reason_is_said_where_it_was(payment: str) -> None:
    run()
    manager = browser("risk manager", "mia")
    friend = text(manager.get(reverse("admin:customers_customer_change", args=[FRIEND])))
    assert friend.count("The reason was erased.") == 2
    discarded = manager.get(reverse("admin:readmodels_discardedevent_changelist"))
    assert "The reason was erased." in text(discarded)


def test_the_log_and_its_seals_stay_as_they_are(payment: str) -> None:
    call_command("seal_events", stdout=StringIO())
    before = list(Event.objects.order_by("position").values_list())
    run()
    assert list(Event.objects.order_by("position").values_list()) == before
    call_command("verify_events", stdout=StringIO())
    assert (
        PaymentSummary.objects.get().reference == "order-981"
    )  # the client's own number of an order is nobody


def test_a_second_run_erases_what_was_written_since_and_says_when_the_first_was(
    payment: str,
) -> None:
    run()
    first = ada().erased_at
    changes.unblock(ada().pk, reason=BLOCKED, by=OPERATOR, at=NOON)
    said = run()
    assert "was erased at" in said
    assert f"{REASON}. Looking for what was written since." in said
    assert "      1 reasons of blocks\n" in said
    assert "      0 fields of the customer (none left)\n" in said
    assert found() == set()
    assert ada().erased_at == first
    assert "      0 reasons of blocks\n" in run()


def test_a_later_payment_under_the_same_reference_stores_nothing_again(
    payment: str, acme: ApiClient
) -> None:
    before = body_of(acme.submit("submission", customer_id=REFERENCE))["id"]
    run()
    answer = acme.submit(customer_id=REFERENCE)
    assert answer.status_code == 201
    assert body_of(answer)["customer_id"] == REFERENCE  # what the client has just said itself
    assert body_of(answer)["failure_reason"] == "blocked_by_policy"  # erased is not unblocked
    again = body_of(acme.submit("submission", customer_id=REFERENCE))
    assert (again["id"], again["customer_id"]) == (before, REFERENCE)  # it says so itself
    approved = body_of(acme.post(f"{PAYMENTS}/{payment}/approve", APPROVAL, key="approval"))
    assert (approved["id"], approved["customer_id"]) == (payment, None)
    project()
    assert found() == set()
    stone = ada()
    assert PaymentSummary.objects.filter(customer_id=stone.pk).count() == 3
    listed = body_of(acme.get(f"/api/v1/customers/{REFERENCE}/payments"))["payments"]
    assert [each["customer_id"] for each in listed] == [None] * 3
    for path in ("", "/state?version=1"):
        assert body_of(acme.get(f"{PAYMENTS}/{payment}{path}"))["customer_id"] is None
    with pytest.raises(CustomerError, match="The customer was erased"):
        changes.rename(stone.pk, {"name": NAME}, by=OPERATOR)


def test_the_back_office_says_that_it_was_erased(payment: str) -> None:
    url = reverse("admin:readmodels_paymentsummary_change", args=[payment])
    manager = browser("risk manager", "mia")
    assert NOTE in text(manager.get(url))
    Note.objects.update(text="Something else")
    assert "its hash differs" in text(manager.get(url))
    run()
    told = text(manager.get(url))
    assert "This note was erased." in told
    assert "Name erased" in told
    customer = manager.get(reverse("admin:customers_customer_change", args=[ada().pk]))
    for words in ("UTC by system:manage.py:", REASON, "The reason was erased.", "Unblock"):
        assert words in text(customer)
    assert "Rename" not in text(customer)
    for name in ("customers_customer", "readmodels_paymentsummary"):
        listing = manager.get(reverse(f"admin:{name}_changelist"), {"q": REFERENCE})
        assert len(listing.context["cl"].result_list) == 1
        assert "erased" in text(listing)


def ada() -> Customer:
    return Customer.objects.exclude(pk=FRIEND).get()


def test_only_whom_it_is_about_is_erased(payment: str, acme: ApiClient) -> None:
    for other in (f"{REFERENCE}-2", f"x{REFERENCE}"):
        acme.submit(customer_id=other)
    ApiClient("Bolt").submit(customer_id=REFERENCE)
    session = SessionStore()
    session["_auth_user_id"] = "7"
    session.save()
    run()
    assert Customer.objects.filter(reference=None).count() == 2
    assert Customer.objects.count() == 5
    assert Session.objects.count() == 1


def test_whoever_renames_while_the_row_is_being_erased_is_refused(payment: str) -> None:
    """Without `erased_at=None` in the update of `rename`, the name was back."""
    customer = ada()
    erased = threading.Event()

    def one(number: int) -> None:
        if number == 0:
            with transaction.atomic():
                run()
                erased.set()
                until_blocked()
            return
        erased.wait(10)
        with pytest.raises(CustomerError, match="The customer was erased"):
            changes.rename(customer.pk, {"name": NAME}, by=OPERATOR)

    at_once(2, one)
    assert found() == set()


@pytest.mark.slow
def test_killed_at_any_round_trip_the_same_command_does_the_rest(
    payment: str, tmp_path: Path
) -> None:
    path = tmp_path / "old.csv.rejected.csv"
    for number in count(1):
        Customer.objects.filter(pk=ada().pk).update(
            erased_at=None,
            reference=REFERENCE,
            blocked=False,
            name=NAME,
            email=EMAIL,
            phone=PHONE,
        )
        plant(ada())
        path.write_text(f"line,code,reason,content\n7,x,y,{NAME}\n")
        connections.close_all()  # a fork would share it
        child = os.fork()
        if child == 0:
            with at_round_trip(number, die):
                run("--files", str(path))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        run("--files", str(path))
        assert found() == set(), number
        assert "Ngwenya" not in path.read_text()
        assert list(tmp_path.iterdir()) == [path]
        if status == 0:
            break
    assert number > 8


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_files_lose_the_cells_that_mention_the_customer_and_nothing_else(
    payment: str, tmp_path: Path, line_end: str
) -> None:
    refused, export = tmp_path / "old.csv.rejected.csv", tmp_path / "list.csv"
    refused.write_bytes(
        line_end.join(
            (
                "line,code,reason,content",
                f'7,unknown_date,"x is no date","Acme,{REFERENCE},5.00"',
                f'8,unknown_date,"x is no date","Acme,{REFERENCE}-2,5.00"',
                "9,not_utf8,The line is not UTF-8 text.,\udcff",
                "",
            )
        ).encode("utf-8", "surrogateescape")
    )
    export.write_bytes(f"customer;name;amount{line_end}1;{NAME.upper()};5{line_end}".encode())
    export.chmod(0o640)
    untouched = tmp_path / "other.csv"
    untouched.write_text("a,b\n'1',\"2\"\n")
    before = untouched.stat().st_ino
    said = run("--files", str(refused), str(export), str(untouched))
    assert f"      1 cells of {refused}\n" in said
    assert f"      1 cells of {export}\n" in said
    assert f"      0 cells of {untouched}\n" in said
    assert refused.read_bytes().decode("utf-8", "surrogateescape").split(line_end) == [
        "line,code,reason,content",
        "7,unknown_date,x is no date,erased",
        f'8,unknown_date,"x is no date","Acme,{REFERENCE}-2,5.00"',
        "9,not_utf8,The line is not UTF-8 text.,\udcff",
        "",
    ]
    assert export.read_bytes().decode() == f"customer;name;amount{line_end}1;erased;5{line_end}"
    assert export.stat().st_mode & 0o777 == 0o640
    assert untouched.stat().st_ino == before
    assert set(tmp_path.iterdir()) == {refused, export, untouched}


def test_a_short_reference_is_not_looked_for_in_amounts_and_other_peoples_texts(
    acme: ApiClient, tmp_path: Path
) -> None:
    acme.submit(customer_id="7")
    session = SessionStore()
    session["_auth_user_id"] = "7"
    session.save()
    path = tmp_path / "list.csv"
    path.write_text("customer_id,amount,line\n7,7,7\n17,7,7\n")
    notes.write(uuid4(), "7 payments", author=OPERATOR, at=NOON).save()
    arguments = ("Acme", "7", "--reason", "Case 7", "--yes", "--files", str(path))
    out = StringIO()
    call_command("erase_customer", *arguments, stdout=out)
    assert "Not looked for in texts, being so short: reference.\n" in out.getvalue()
    assert Note.objects.count() == 1
    assert path.read_text() == "customer_id,amount,line\nerased,7,7\n17,7,7\n"
    assert Session.objects.count() == 1


def make(name: str, content: bytes) -> Callable[[Path], Path]:
    def made(folder: Path) -> Path:
        path = folder / name
        path.write_bytes(content)
        return path

    return made


@pytest.mark.parametrize(
    ("arguments", "complaint", "status"),
    [
        (("--reason", f"{NAME} asked"), "--reason: It names the customer", 2),
        (("--reason", f"asked: {REFERENCE.upper()}"), "--reason: It names the customer", 2),
        (("--reason", ""), "--reason: The text must not be empty", 2),
        (("--reason", "4111 1111 1111 1111"), "--reason: .* card number", 2),
        (("--files", "nowhere.csv"), "--files: There is no file nowhere.csv", 2),
        (("--files", "/tmp"), "--files: There is no file /tmp", 2),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_erased(
    payment: str, arguments: tuple[str, ...], complaint: str, status: int
) -> None:
    before = found()
    assert re.search(complaint, run(*arguments, status=status))
    assert found() == before


def test_an_export_of_events_is_no_file_for_it(payment: str, tmp_path: Path) -> None:
    path = make("log.ndjson", b'{"position":1}\n')(tmp_path)
    assert "An export of events holds nothing personal" in run("--files", str(path), status=2)


def test_it_asks_before_it_erases(payment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = (*WHO, "--reason", REASON)
    with pytest.raises(CommandError, match="add --yes"):
        call_command("erase_customer", *arguments, stdout=StringIO())
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda _: "no")
    with pytest.raises(CommandError, match="Nothing was erased"):
        call_command("erase_customer", *arguments, stdout=StringIO())
    assert ada().name == NAME


def test_nobody_erases_but_operators_and_who_may_do_everything(payment: str) -> None:
    manager = get_user_model().objects.get(username="ada")
    customer = ada()

    def erase(by: str) -> list[Any]:
        given: dict[str, Any] = {"reference": REFERENCE, "reason": REASON, "at": NOON}
        return list(erasure.erase(customer, by=by, **given))

    for actor in (f"staff:{manager.pk}", f"client:{uuid4()}", "system:import"):
        with pytest.raises(permissions.NotPermitted):
            erase(actor)
    root = get_user_model().objects.create_superuser("root")
    assert erase(f"staff:{root.pk}")
    assert found() == set()


def test_a_file_that_is_no_csv_is_left_alone(tmp_path: Path) -> None:
    path = make("odd.csv", b'a,b\n"' + b"x" * 200_000)(tmp_path)
    with pytest.raises(files.FileError, match="cannot be read as CSV"):
        files.erase(path, mentions.finder({"xyz"}))
    assert list(tmp_path.iterdir()) == [path]
