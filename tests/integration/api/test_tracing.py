"""A request's ids appear in its events, in the tasks that it wakes, and in the logs."""

from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.core.management import call_command
from django.urls import reverse

from payments.events.models import Event
from tests.support.api import BODY, PAYMENTS, RISKY, ApiClient, body_of, project
from tests.support.backoffice import browser
from tests.support.reviewing import seen_by

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


def metadata() -> dict[str, Any]:
    """Return the metadata of the newest event."""
    return dict(Event.objects.latest("position").metadata)


def test_request_is_its_own_correlation_and_stored_once() -> None:
    ApiClient().post(PAYMENTS, BODY, **{"X-Request-ID": "trace-7"})
    assert metadata()["correlation_id"] == "trace-7"
    assert "causation_id" not in metadata()


def test_correlation_id_joins_requests_with_distinct_ids() -> None:
    acme = ApiClient()
    purpose = {"X-Correlation-ID": "checkout-981"}
    path = acme.post(PAYMENTS, RISKY, **purpose, **{"X-Request-ID": "trace-7"})["Location"]
    acme.post(f"{path}/approve", {"reason": "other"}, **purpose, **{"X-Request-ID": "trace-8"})
    stored = [event.metadata for event in Event.objects.order_by("position")]

    assert {each["correlation_id"] for each in stored} == {"checkout-981"}
    assert [each["causation_id"] for each in stored] == ["trace-7", "trace-7", "trace-8", "trace-8"]


@pytest.mark.parametrize("given", ["", "x" * 65, "<script>", "ümlaut", "4111111111111111", "a b"])
def test_malformed_correlation_id_is_replaced(given: str) -> None:
    """Events are permanent, so a card number in the id would be, too."""
    answer = ApiClient().post(PAYMENTS, BODY, **{"X-Correlation-ID": given})
    assert metadata()["correlation_id"] == answer["X-Request-ID"]


def test_decision_in_the_back_office_has_its_request() -> None:
    payment = body_of(ApiClient().submit(**RISKY))["id"]
    project()
    form = {"reason": "known_customer", "key": payment, "version": "2", "note": ""}
    logged_in = browser()
    form["seen"] = seen_by(logged_in, payment)
    headers = {"X-Request-ID": "desk-1"}

    answer = logged_in.post(reverse("admin:payment_approve", args=[payment]), form, headers=headers)

    assert answer.status_code == 302
    assert metadata()["correlation_id"] == "desk-1"
    assert metadata()["actor"].startswith("staff:")


def test_events_of_an_import_are_found_by_its_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "past.csv"
    path.write_text("customer_id,date,amount\nann,1997-01-31,11.77\nbob,1997-01-31,0.50\n")
    options = "--set=client=Acme,currency=USD,method=wallet"
    call_command("import_payments", str(path), options)
    run = capsys.readouterr().out.split("correlation id")[1].strip()
    assert str(UUID(run)) == run
    assert {event.metadata["correlation_id"] for event in Event.objects.all()} == {run}
    call_command("import_payments", str(path), options)
    assert "correlation id" not in capsys.readouterr().out, "it added nothing"


def test_log_line_of_refusal_names_client_key_and_problem(
    caplog: pytest.LogCaptureFixture,
) -> None:
    acme = ApiClient()

    acme.get(f"{PAYMENTS}?status=complete")

    line = logged(caplog)
    assert (line["client_id"], line["key"]) == (str(acme.client_id), acme.key.prefix)
    assert (line["code"], line["problem"]) == (400, "invalid_request")
    assert 0 < line["milliseconds"] < 10_000
    assert acme.token not in str(line)


def test_log_line_of_unknown_key_names_only_the_problem(caplog: pytest.LogCaptureFixture) -> None:
    acme = ApiClient()
    acme.get(f"{PAYMENTS}?status=complete")
    acme.token = "sk_unknown"

    acme.get(PAYMENTS)

    line = logged(caplog)
    assert line["problem"] == "not_authenticated"
    assert not {"client_id", "key"} & line.keys()


def logged(caplog: pytest.LogCaptureFixture) -> dict[str, Any]:
    """Return the newest request's log line."""
    lines = [record.msg for record in caplog.records if isinstance(record.msg, dict)]
    return next(line for line in reversed(lines) if line["event"] == "request_finished")
