"""Earlier states of a payment: over HTTP, in `./manage.py payment` and in the back office."""

import re
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.urls import reverse
from django.utils import timezone

from payments.aggregates import PAYMENT_AGGREGATE
from payments.domain.payment.events import AnyPaymentEvent
from payments.events import store
from payments.events.metadata import Metadata
from payments.events.models import Event
from tests.support.api import FOUR_EYES, PAYMENTS, RISKY, ApiClient, body_of, project
from tests.support.backoffice import browser, text
from tests.support.concurrency import session
from tests.support.example_events import encoded, flagged, initiated, refunded, rejected
from tests.support.examples import CLIENT, LATER, NOON
from tests.support.raw_appends import INSERT

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def acme() -> ApiClient:
    return ApiClient("Acme")


@pytest.fixture
def approved(acme: ApiClient) -> str:
    """Return the address of a payment that was submitted, flagged, approved and completed."""
    path = acme.submit(**RISKY)["Location"]
    assert acme.post(f"{path}/approve", {"reason": "known_customer"}).status_code == 200
    return str(path)


def output_of(*arguments: object) -> str:
    out = StringIO()
    call_command("payment", *map(str, arguments), stdout=out)
    return " ".join(out.getvalue().split())


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("columns", [60, 80, 100])
def test_payment_command_breaks_no_id_or_time(
    approved: str, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    terminal, piped = Terminal(), StringIO()
    for out in (terminal, piped):
        call_command("payment", approved[-36:], stdout=out)
    lines = terminal.getvalue().splitlines()
    assert max(map(len, lines)) <= columns
    # In the terminal, every word of the piped output appears whole and in order.
    assert terminal.getvalue().split() == piped.getvalue().split()
    times = r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}"
    for pattern in (times, r"position\s+[0-9]+", approved[-36:]):
        found = re.findall(pattern, terminal.getvalue())
        assert found
        assert len(found) == len(re.findall(pattern, piped.getvalue()))


def recorded(version: int) -> datetime:
    return Event.objects.get(version=version).recorded_at


def test_state_at_a_version(acme: ApiClient, approved: str) -> None:
    states = [body_of(acme.get(f"{approved}/state?version={n}")) for n in (1, 2, 3, 4)]

    assert [state["version"] for state in states] == [1, 2, 3, 4]
    assert [state["status"] for state in states] == [
        "initiated",
        "pending_review",
        "pending_review",
        "completed",
    ]
    assert [state["review"] is None for state in states] == [True, True, False, False]
    assert states[3] == body_of(acme.get(approved))


def test_state_has_the_form_of_a_payment(acme: ApiClient) -> None:
    submitted = acme.submit(**RISKY)
    acme.post(f"{submitted['Location']}/reject", {"reason": "suspected_fraud"})

    state = acme.get(f"{submitted['Location']}/state?version=2")

    assert state.content == submitted.content
    assert state["ETag"] == '"2"'
    assert state["X-Event-Position"] == submitted["X-Event-Position"]


def test_state_at_a_time(acme: ApiClient, approved: str) -> None:
    def status(at: datetime) -> str:
        query = at.isoformat().replace("+", "%2B")
        answer = acme.get(f"{approved}/state?at={query}")
        return str(body_of(answer).get("status") if answer.status_code == 200 else answer)

    assert status(recorded(2)) == "pending_review"
    assert status(recorded(4) - timedelta(microseconds=1)) == "pending_review"
    assert status(recorded(4)) == status(timezone.now()) == "completed"
    before = acme.get(f"{approved}/state?at=2026-01-01")
    assert (before.status_code, body_of(before)["code"]) == (404, "payment_not_found")


@pytest.mark.parametrize(
    ("query", "field", "code"),
    [
        ("", "version", "missing"),
        ("version=2&at=2026-01-01", "at", "given_twice"),
        ("version=0", "version", "out_of_range"),
        ("version=-1", "version", "wrong_format"),
        ("version=two", "version", "wrong_format"),
        ("version=99999999999999999999", "version", "out_of_range"),
        ("version=5", "version", "out_of_range"),
        ("at=yesterday", "at", "wrong_format"),
        ("at=", "at", "wrong_format"),
        ("at=2100-01-01", "at", "out_of_range"),
        ("occurred=2026-01-01", "occurred", "unknown_parameter"),
    ],
)
def test_state_names_an_invalid_parameter(
    acme: ApiClient, approved: str, query: str, field: str, code: str
) -> None:
    answer = acme.get(f"{approved}/state?{query}")
    problem = body_of(answer)
    assert (answer.status_code, problem["code"]) == (400, "invalid_request")
    assert [(error["field"], error["code"]) for error in problem["errors"]] == [(field, code)]


@pytest.mark.parametrize("query", ["version=1", "version=99", "at=2100-01-01"])
def test_state_hides_another_clients_payment(approved: str, query: str) -> None:
    """A check of the version before the client would reveal that the payment exists."""
    bolt = ApiClient("Bolt")
    for path in (approved, f"{PAYMENTS}/{uuid4()}"):
        answer = bolt.get(f"{path}/state?{query}")
        assert (answer.status_code, body_of(answer)["code"]) == (404, "payment_not_found")


APPEND = INSERT.replace("payment.initiated", "payment.refunded").replace(
    "'{}'", """'{"actor": "system:test", "command": "refund_payment"}'"""
)


def at(client: ApiClient, payment: str, moment: datetime) -> Any:
    return client.get(f"{payment}/state?at={moment.isoformat().replace('+', '%2B')}")


def test_state_at_a_time_waits_until_it_is_final(acme: ApiClient) -> None:
    """Otherwise the state at one time would change when an open append commits."""
    payment = str(acme.submit()["Location"])
    event = refunded(client_id=acme.client_id)
    with session() as writer:
        with writer.transaction():
            writer.execute(
                APPEND,
                {"stream": payment[-36:], "data": encoded(event)},
            )
            recorded_meanwhile = timezone.now()
            while_open = at(acme, payment, recorded_meanwhile)
            before = at(acme, payment, recorded(2))
        after = at(acme, payment, recorded_meanwhile)

    assert (while_open.status_code, while_open["Retry-After"]) == (503, "1")
    assert body_of(while_open)["code"] == "temporarily_unavailable"
    # Events recorded before the transaction began are final.
    assert (before.status_code, body_of(before)["version"]) == (200, 2)
    assert (after.status_code, body_of(after)["version"]) == (200, 3)


def test_state_at_the_recorded_time_of_an_event(acme: ApiClient, approved: str) -> None:
    """An event occurs a moment before it is recorded."""
    for event in body_of(acme.get(f"{approved}/events"))["events"]:
        state = body_of(acme.get(f"{approved}/state?at={event['recorded_at']}"))
        assert state["version"] >= event["version"]
    last = body_of(acme.get(f"{approved}/events"))["events"][-1]
    assert state["version"] == last["version"]


def test_payment_command_shows_actors_and_commands(acme: ApiClient, approved: str) -> None:
    out = output_of(UUID(approved[-36:]))
    for words in (
        "Submitted: $15,000.00 by credit card as order-981",
        "Flagged for review: Risk 80, high",
        "Approved: Known customer",
        f"Acme (client:{acme.client_id})",
        f"by ada (staff:{acme.staff_id})",
        "version 4",
        "Status Completed",
    ):
        assert words in out
    ids = {event.metadata["correlation_id"] for event in Event.objects.all()}
    assert len(ids) == 2
    assert all(request_id in out for request_id in ids)


def test_payment_command_shows_a_version(approved: str) -> None:
    payment = approved[-36:]
    assert "Status Pending review" in output_of(payment, "--version", 2)
    assert "2 later events are left out." in output_of(payment, "--version", 2)
    at = recorded(4)
    assert "Status Completed" in output_of(payment, "--at", at.isoformat())
    before = output_of(payment, "--at", f"{at - timedelta(microseconds=1):%Y-%m-%d %H:%M:%S.%f}")
    assert "Status Pending review" in before
    assert "1 later event is left out." in before


def test_payment_command_accepts_recorded_and_occurred_times() -> None:
    """The payment is recorded now and occurred in January."""
    payment = uuid4()
    by_import = Metadata(actor="system:import", command="process_payment")
    events: list[AnyPaymentEvent] = [
        initiated(),
        flagged(at=LATER),
        rejected(at=LATER - timedelta(hours=1)),
    ]
    store.append(PAYMENT_AGGREGATE, payment, events, expected=0, metadata=by_import)
    assert "version 1" in output_of(payment, "--occurred", NOON.isoformat())
    # The third event has occurred by then, but an event before it has not.
    assert "version 1" in output_of(payment, "--occurred", (LATER - timedelta(hours=1)).isoformat())
    assert "version 3" in output_of(payment, "--occurred", "2026-01-06")
    with pytest.raises(CommandError, match="There was no payment .* yet"):
        output_of(payment, "--at", "2026-01-06")


def test_payment_command_shows_first_approval_and_claim() -> None:
    ada, grace = ApiClient(staff="ada"), ApiClient(staff="grace", senior=True)
    payment = body_of(ada.submit(**FOUR_EYES))["id"]
    ada.post(f"{PAYMENTS}/{payment}/approve", {"reason": "known_customer"})
    grace.post(f"{PAYMENTS}/{payment}/claim", {})
    shown = output_of(payment)

    assert f"First of two Approved: Known customer, by ada (staff:{ada.staff_id}) at " in shown
    assert f"Claimed by grace (staff:{grace.staff_id}) until " in shown


def test_payment_command_shows_markup_as_text() -> None:
    """As markup, the first text would vanish and the second would break the command."""
    payment = uuid4()
    by_test = Metadata(actor=f"client:{CLIENT}", command="process_payment", correlation_id="[/r]")

    store.append(
        PAYMENT_AGGREGATE,
        payment,
        [initiated(reference="[red]x[/b]")],
        expected=0,
        metadata=by_test,
    )

    assert "[red]x[/b]" in output_of(payment)
    assert "[/r]" in output_of(payment)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nonsense"], "not a payment id"),
        ([uuid4()], "There is no payment"),
        ([uuid4(), "--version", "0"], "versions begin at 1"),
        ([uuid4(), "--version", "1", "--at", "2026-01-01"], "not allowed with"),
        ([uuid4(), "--at", "yesterday"], "argument --at: Expected a time like"),
        ([uuid4(), "--occurred", ""], "argument --occurred: Expected a time like"),
    ],
)
def test_payment_command_names_an_invalid_argument(arguments: list[Any], message: str) -> None:
    with pytest.raises(CommandError, match=message):
        output_of(*arguments)


def test_payment_command_names_the_newest_version(approved: str) -> None:
    with pytest.raises(CommandError, match=r"no version 5: the newest one is 4"):
        output_of(approved[-36:], "--version", 5)


def test_payment_command_names_an_unknown_event(approved: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO events_event (aggregate_type, aggregate_id, version, event_type,"
            " schema_version, data, metadata, occurred_at)"
            " VALUES ('payment', %s, 5, 'payment.teleported', 1, '{}', '{}', %s)",
            [approved[-36:], datetime.now(UTC)],
        )
    with pytest.raises(CommandError, match=r"payment\.teleported"):
        output_of(approved[-36:])


def test_payment_page_shows_old_versions_without_actions(acme: ApiClient) -> None:
    payment = body_of(acme.submit(**RISKY))["id"]
    project()
    url = reverse("admin:readmodels_paymentsummary_change", args=[payment])
    logged_in = browser()
    newest = logged_in.get(url)
    assert "Unclaimed" in text(newest)
    assert re.findall(r'href="\?version=(\d+)"', newest.content.decode()) == ["1"]
    first = text(logged_in.get(f"{url}?version=1"))
    assert "You are viewing version 1" in first
    assert "Unclaimed" not in first
    for nowhere in ("0", "3", "x", "", "9" * 5_000):
        assert logged_in.get(f"{url}?version={nowhere}").status_code == 404
