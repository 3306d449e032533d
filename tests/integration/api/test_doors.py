"""Every entrance refuses a card number with an explanation, and stores and logs nothing."""

import io
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client as Browser
from django.urls import reverse
from msgspec.structs import replace

from payments.aggregates import RecordedPaymentEvent
from payments.application import review
from payments.application.dispatch import CommandContext
from payments.customers import notes
from payments.customers.models import Customer, Note
from payments.domain.payment.events import PaymentApproved
from payments.domain.risk import parsing
from payments.domain.risk.policy import DEFAULT_POLICY
from payments.domain.text import TextError
from payments.events.models import Event
from readmodels.engine import parking
from readmodels.models import DiscardedEvent, ParkedEvent
from readmodels.projections import PROJECTIONS, daily_statistics
from tests.support import bulk, example_commands, logs
from tests.support.api import PAYMENTS, RISKY, ApiClient, body_of, project
from tests.support.backoffice import browser, text
from tests.support.examples import NOON, OPERATOR
from tests.support.forms import form_fields
from tests.support.policies import STRICT
from tests.support.webhooks import URL

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

CARD: Final = "4111 1111 1111 1111"


def holds_number(text: str) -> bool:
    """Return whether the text contains the card number's beginning, plain or percent-encoded."""
    return re.search(r"4111(?: |%20|\+|-)?1111", text) is not None


HEADER: Final = "customer_id,date,amount,currency,method,reference\n"
WHO: Final = ("Acme", "customer-123")
DISPUTED: Final = {
    "dispute_id": "dp_1",
    "kind": "chargeback",
    "reason": "fraudulent",
    "amount": 1,
    "currency": "USD",
    "opened_at": "2026-01-06T09:00:00Z",
}


class Place:
    """A payment that waits for review, a parked event, and staff with all permissions."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.acme = ApiClient()
        self.payment: str = body_of(self.acme.submit(**RISKY))["id"]
        parked = body_of(self.acme.submit(**RISKY | {"reference": "parked"}))["id"]
        self.acme.post(f"{PAYMENTS}/{parked}/approve", {"reason": "other"})
        project()
        self.staff = browser("risk manager", "mia")
        self.customer = Customer.objects.get()
        self.parked = ParkedEvent.objects.exclude(error="").get()


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    delta = daily_statistics.delta

    def broken(record: RecordedPaymentEvent) -> Any:
        if isinstance(record.event, PaymentApproved):
            raise ZeroDivisionError
        return delta(record)

    broken_projection = replace(daily_statistics.PROJECTION, delta=broken)
    monkeypatch.setitem(PROJECTIONS, broken_projection.name, broken_projection)
    monkeypatch.chdir(tmp_path)
    return Place(tmp_path)


@pytest.fixture
def log(place: Place) -> Iterator[io.StringIO]:
    with logs.collected() as written:
        yield written


def command(*arguments: str) -> Callable[[Place], str]:
    def opened(place: Place) -> str:
        given = [each.format(position=place.parked.position) for each in arguments]
        output = io.StringIO()
        with pytest.raises(CommandError) as refused:
            call_command(*given, stdout=output, stderr=output)
        return _unrepeated(output.getvalue() + str(refused.value))

    return opened


def _unrepeated(output: str) -> str:
    """Check that the output omits the number, and return it. Only pages may repeat typed text."""
    assert not holds_number(output)
    return output


def search(model: str) -> Callable[[Place], str]:
    def opened(place: Place) -> str:
        answer = place.staff.get(reverse(f"admin:{model}_changelist"), {"q": CARD})
        assert answer.context["cl"].result_list == []
        return text(answer)

    return opened


def customer_form(name: str, field: str) -> Callable[[Place], str]:
    def opened(place: Place) -> str:
        url = reverse(f"admin:customer_{name}", args=[place.customer.pk])
        return text(place.staff.post(url, {field: CARD}))

    return opened


def payment_form(action: str, role: str | None = None) -> Callable[[Place], str]:
    def opened(place: Place) -> str:
        staff = browser(role) if role else place.staff
        url = reverse(f"admin:payment_{action}", args=[place.payment])
        return text(staff.post(url, form(staff, url) | {"note": CARD}))

    return opened


def form(staff: Browser, url: str) -> dict[str, str]:
    """Return the fields that the page's form would send, with a reason."""
    html = staff.get(url).content.decode()
    return {"reason": "other", **dict(re.findall(r'name="(key|version)" value="([^"]+)"', html))}


def bulk_form(place: Place) -> str:
    shown = bulk.preview(place.staff, "reject", [place.payment])
    return text(bulk.confirm(place.staff, bulk.filled(shown, note=CARD)))


def discard_form(place: Place) -> str:
    url = reverse("admin:parked_discard", args=[place.parked.pk])
    return text(place.staff.post(url, {"reason": CARD}))


def body(path: str, **given: Any) -> Callable[[Place], str]:
    def opened(place: Place) -> str:
        answer = place.acme.post(path.format(PAYMENTS, place.payment), given)
        assert answer.status_code == 400
        return answer.content.decode()

    return opened


def address(place: Place) -> str:
    answer = place.acme.get("/api/v1/customers/4111%201111%201111%201111/payments")
    assert answer.status_code == 400
    return answer.content.decode()


def document(field: str) -> Callable[[Place], str]:
    def opened(place: Place) -> str:
        written = parsing.write(DEFAULT_POLICY)
        path = place.folder / "policy.json"
        path.write_text(re.sub(rf'"{field}": "[^"]+"', f'"{field}": "{CARD}"', written, count=1))
        assert CARD in path.read_text()
        return command("policy", "propose", str(path), "--name=x", "--by", "mia")(place)

    return opened


def policy_form(field: str, before: str = "") -> Callable[[Place], str]:
    def opened(place: Place) -> str:
        page = reverse("policy_propose")
        fields = form_fields(place.staff.get(page)) | {"name": "Cards", "review_hours": "9"}
        return text(place.staff.post(page, fields | {field: before + CARD, "propose": ""}))

    return opened


def policy_json(field: str) -> Callable[[Place], str]:
    def opened(place: Place) -> str:
        written = parsing.write(STRICT)
        given = {"document": written, "name": "Cards", field: CARD, "propose": ""}
        return text(place.staff.post(reverse("policy_propose"), given))

    return opened


def import_file(*, column: int) -> Callable[[Place], str]:
    def opened(place: Place) -> str:
        row = ["ann", "1997-01-31", "11.77", "USD", "credit_card", ""]
        row[column] = CARD
        path = place.folder / "past.csv"
        path.write_text(HEADER + ",".join(row) + "\n")
        output = io.StringIO()
        with pytest.raises(SystemExit) as ended:
            call_command("import_payments", str(path), "--set=client=Acme", stdout=output)
        assert ended.value.code == 1
        return _unrepeated(output.getvalue() + Path("past.csv.rejected.csv").read_text())

    return opened


def note_of_the_command(place: Place) -> str:
    staff = f"staff:{place.acme.staff_id}"
    given = example_commands.approve(payment_id=UUID(place.payment))
    with pytest.raises(TextError) as refused:
        review.handle(given, CommandContext(actor=staff), note=f"card {CARD}")
    return str(refused.value)


def reason_of_the_discard(place: Place) -> str:
    projection = PROJECTIONS[place.parked.projection]
    with pytest.raises(TextError) as refused:
        parking.discard(projection, place.parked.position, reason=CARD, by=OPERATOR, at=NOON)  # type: ignore[arg-type]
    return str(refused.value)


HOOKS: Final = "/api/v1/webhook-endpoints"
PAYMENT: Final = RISKY | {"reference": "another"}
CREATE: Final = ("webhooks", "create", "--client", "Acme")
DOORS: Final[dict[str, Callable[[Place], str]]] = {
    "create_staff": command("create_staff", CARD.replace(" ", ""), "--role", "viewer"),
    "create_api_key": command("create_api_key", CARD),
    "customer show, client": command("customer", "show", CARD, "x"),
    "customer show, reference": command("customer", "show", "Acme", CARD),
    "customer rename": command("customer", "rename", *WHO, "--name", CARD),
    "customer block, reason": command("customer", "block", *WHO, "--reason", CARD, "--note=x"),
    "customer block, note": command("customer", "block", *WHO, "--reason=other", "--note", CARD),
    "erase_customer": command("erase_customer", *WHO, "--yes", "--reason", CARD),
    "parked discard": command(
        "parked", "discard", "daily_statistics", "{position}", "--reason", CARD
    ),
    "policy propose, reason": document("reason"),
    "policy propose, type": document("type"),
    "policy propose, name": command("policy", "propose", "none", "--name", CARD, "--by=mia"),
    "policy propose, comment": command(
        "policy", "propose", "none", "--name=x", "--comment", CARD, "--by=mia"
    ),
    "policy form, name": policy_form("name"),
    "policy form, comment": policy_form("comment"),
    "policy form, reason": policy_form("rules-0-reason", before="x "),
    "policy JSON, name": policy_json("name"),
    "policy JSON, comment": policy_json("comment"),
    "search payments": search("readmodels_paymentsummary"),
    "search disputes": search("readmodels_disputesummary"),
    "search customers": search("customers_customer"),
    "search events": search("readmodels_eventindex"),
    "block": customer_form("block", "reason"),
    "rename": customer_form("rename", "name"),
    "approve": payment_form("approve"),
    "reject": payment_form("reject"),
    "escalate": payment_form("escalate"),
    "cancel": payment_form("cancel", role="senior reviewer"),
    "note": payment_form("note"),
    "snooze": payment_form("snooze"),
    "assign": payment_form("assign"),
    "bulk action": bulk_form,
    "discard": discard_form,
    "submit": body("{0}", **PAYMENT | {"customer_id": CARD}),
    "submit, reference": body("{0}", **PAYMENT | {"reference": CARD}),
    "submit, country": body("{0}", **PAYMENT | {"country": CARD}),
    "submit, unknown field": body("{0}", **PAYMENT | {CARD: "x"}),
    "approve, API": body("{0}/{1}/approve", reason="other", note=CARD),
    "reject, API": body("{0}/{1}/reject", reason="other", note=CARD),
    "escalate, API": body("{0}/{1}/escalate", reason="other", note=CARD),
    "dispute": body("{0}/{1}/disputes", **DISPUTED | {"dispute_id": CARD}),
    "dispute, network": body("{0}/{1}/disputes", **DISPUTED | {"network": CARD}),
    "dispute, reason code": body("{0}/{1}/disputes", **DISPUTED | {"network_reason_code": CARD}),
    "dispute, path": body("{0}/{1}/disputes/4111111111111111/respond"),
    "response to a dispute": body("{0}/{1}/disputes/dp_1/respond", note=CARD),
    "webhook, URL": body(HOOKS, url=f"{URL}/{CARD.replace(' ', '-')}"),
    "webhook, host": body(HOOKS, url="https://4111111111111111/"),
    "webhook, encoded": body(HOOKS, url=f"{URL}?a={CARD.replace(' ', '%20')}"),
    "webhook, description": body(HOOKS, url=URL, description=CARD),
    "webhook, type": body(HOOKS, url=URL, event_types=[CARD]),
    "webhook, payload": body(HOOKS, url=URL, payload=CARD),
    "webhooks create, URL": command(*CREATE, f"{URL}/{CARD.replace(' ', '')}"),
    "webhooks create, host": command(*CREATE, "https://4111111111111111/"),
    "webhooks create, description": command(*CREATE, URL, "--description", CARD),
    "webhooks create, client": command("webhooks", "create", URL, "--client", CARD),
    "webhooks show": command("webhooks", "show", CARD),
    "address": address,
    "import, customer": import_file(column=0),
    "import, date": import_file(column=1),
    "import, method": import_file(column=4),
    "import, reference": import_file(column=5),
    "the command to approve": note_of_the_command,
    "the command to discard": reason_of_the_discard,
}
# These entrances refuse the number for another reason.
OTHERWISE: Final = {
    "customer show, client": "There is no client",
    "webhooks create, client": "There is no client",
    "webhooks show": "No endpoint begins with this id",
    "webhook, type": "unknown_choice",
    "webhook, payload": "unknown_choice",
    "customer block, reason": "Choose one of",
    "customer show, reference": "no customer with this reference",
    "submit, country": "country",
    "submit, unknown field": "no such field",
    "import, date": "unknown_date",
    "import, method": "unknown_method",
}


def stored() -> set[str]:
    """Return the tables that hold the number in any column."""
    found = set()
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(
                f'SELECT EXISTS (SELECT FROM "{table}" AS it'
                " WHERE regexp_replace(it::text, '[^0-9]', '', 'g') LIKE %s)",
                ["%4111111111111111%"],
            )
            if cursor.fetchone() == (True,):
                found.add(table)
    return found


@pytest.mark.parametrize("door", DOORS)
def test_card_number_is_refused_and_neither_stored_nor_logged(
    door: str, place: Place, log: io.StringIO
) -> None:
    before = Event.objects.count(), Note.objects.count(), DiscardedEvent.objects.count()
    output = DOORS[door](place)

    assert re.search(OTHERWISE.get(door, "card.number"), output), output
    assert (Event.objects.count(), Note.objects.count(), DiscardedEvent.objects.count()) == before
    assert stored() == set()
    assert not holds_number(log.getvalue())


@pytest.mark.parametrize("wrong", [CARD, "\0", "", "x" * (notes.LONGEST + 1)])
def test_note_is_checked_when_it_is_created(wrong: str) -> None:
    with pytest.raises(TextError):
        notes.write(uuid4(), wrong, author=OPERATOR, at=NOON)
    assert notes.write(uuid4(), "One\nTwo", author=OPERATOR, at=NOON).text == "One\nTwo"
