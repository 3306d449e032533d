"""Problem pages, probes, the API documentation, and logs."""

import json
import logging
import re
from io import StringIO
from typing import Any

import pytest
from django.conf import settings
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client as Browser
from django.utils.html import escape

from config.http.redaction import REDACTED
from config.operations.health import _check_migrations
from payments.api.problems.catalogue import KINDS
from payments.api.problems.handler import problem_of
from payments.api.problems.kind import Repeat
from payments.api.problems.problem import FIELD_CODES
from payments.domain.payment.refusals import PaymentError
from payments.domain.text import TextError
from readmodels.models import Checkpoint
from readmodels.projections import PROJECTIONS
from tests.support.api import PAYMENTS, ApiClient, body_of, project

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


@pytest.mark.parametrize("path", ["/api", "/api/", "/api/v1", "/api/v1/", "/api/v2/payments"])
def test_unknown_api_address_answers_with_a_problem(path: str) -> None:
    answer = Browser().get(path)

    assert answer.status_code == 404
    assert answer["Content-Type"] == "application/problem+json"
    assert body_of(answer)["instance"] == path
    assert "Allow" not in answer.headers  # regression: it was present and empty


def test_problem_type_is_the_address_of_its_page() -> None:
    problem = body_of(ApiClient().get(f"{PAYMENTS}?limit=0"))
    page = body_of(Browser().get(problem["type"]))
    assert problem["type"] == f"http://testserver{page['type']}"
    for name in ("code", "status", "title"):
        assert page[name] == problem[name]
    unknown = Browser().get("/api/problems/nonsense")
    assert (unknown.status_code, body_of(unknown)["code"]) == (404, "not_found")


@pytest.mark.parametrize("code", KINDS)
def test_problem_page_shows_cause_and_remedy_as_json_and_html(code: str) -> None:
    kind = KINDS[code]
    assert kind.cause.endswith(".")
    assert kind.remedy.endswith(".")
    assert len({kind.title, kind.cause, kind.remedy}) == 3
    # Only temporary problems invite a retry. A client's error would occur again.
    server_side = kind.status >= 500 or kind.status in {408, 429}
    assert (kind.repeat is Repeat.LATER) >= server_side

    as_json = Browser().get(f"/api/problems/{code}")
    as_html = Browser().get(f"/api/problems/{code}", headers={"Accept": "text/html,*/*;q=0.8"})

    page = body_of(as_json)
    assert (page["cause"], page["remedy"], page["repeat"]) == (
        kind.cause,
        kind.remedy,
        kind.repeat.value,
    )
    assert as_html["Content-Type"] == "text/html; charset=utf-8"
    for text in (code, kind.title, kind.cause, kind.remedy, kind.repeat.sentence):
        assert escape(text) in as_html.content.decode()
    for answer in (as_json, as_html):
        assert "Accept" in answer["Vary"]


def test_problem_list_is_also_html() -> None:
    answer = Browser().get("/api/problems", headers={"Accept": "text/html"})
    for code in (*KINDS, *FIELD_CODES):
        assert f"<code>{code}</code>" in answer.content.decode()


def test_problem_under_an_unknown_host_has_a_relative_type() -> None:
    problem = body_of(ApiClient().get(PAYMENTS, Host="evil.example"))
    assert problem["type"] == "/api/problems/invalid_request"


def test_all_problems_are_listed() -> None:
    listed = body_of(Browser().get("/api/problems"))
    assert {problem["code"] for problem in listed["problems"]} == set(KINDS)
    assert {field["code"] for field in listed["fields"]} == set(FIELD_CODES)


def test_readme_lists_every_problem_code() -> None:
    readme = (settings.BASE_DIR / "payments/api/README.md").read_text()
    section = readme.partition("## Problem codes")[2].partition("\n#")[0]
    rows = re.findall(r"^\| (\d{3}) \| (.*) \|$", section, re.MULTILINE)
    listed = {code: int(status) for status, codes in rows for code in re.findall("`(.*?)`", codes)}

    assert listed == {code: kind.status.value for code, kind in KINDS.items()}


def test_every_refusal_of_the_domain_is_a_problem() -> None:
    assert {refusal.code for refusal in PaymentError.__subclasses__()} <= set(KINDS)


def test_note_that_only_its_writer_refuses_is_a_problem_too() -> None:
    problem = problem_of(TextError("text_empty", "The text must not be empty."))
    assert (problem.code, problem.errors[0].code) == ("invalid_request", "text_empty")


def test_accept_without_json_is_refused() -> None:
    answer = ApiClient().get(PAYMENTS, Accept="text/html")
    assert (answer.status_code, body_of(answer)["code"]) == (406, "not_acceptable")


def test_refused_method_gets_the_allowed_ones() -> None:
    client = ApiClient()
    assert client.send("OPTIONS", PAYMENTS)["Allow"] == "GET, HEAD, POST"
    assert client.send("GET", f"{PAYMENTS}/{client.client_id}/approve")["Allow"] == "POST"


def test_healthz_does_not_use_the_database(
    django_assert_num_queries: Any,
) -> None:
    with django_assert_num_queries(0):
        answer = Browser().get("/healthz")
    assert (answer.status_code, answer.content) == (200, b"ok\n")


def test_readyz_reports_running_projections() -> None:
    project()
    answer = Browser().get("/readyz")

    assert answer.status_code == 200
    assert body_of(answer) == {
        "ready": True,
        "degraded": False,
        "database": "ok",
        "log": "ok",
        "seals": "ok",
        "broker": "ok",
        "projections": dict.fromkeys(PROJECTIONS, "current"),
    }


def test_readyz_is_503_before_migrations() -> None:
    _check_migrations.cache_clear()
    row = MigrationRecorder.Migration.objects.filter(app="readmodels").latest("name")
    row.delete()
    answer = Browser().get("/readyz")
    assert (answer.status_code, body_of(answer)["database"]) == (503, "migrations missing")
    row.save()
    assert Browser().get("/readyz").status_code == 200


def test_readyz_names_a_stalled_projection_without_its_error() -> None:
    client = ApiClient()
    project()
    Checkpoint.objects.filter(name="payment_summary").update(error="order-981 of Bolt is odd")
    Checkpoint.objects.filter(name="daily_statistics").update(version=99)
    ready, listed = Browser().get("/readyz"), client.get("/api/v1/projections")
    assert ready.status_code == 200
    assert body_of(ready)["degraded"] is True
    states = dict.fromkeys(PROJECTIONS, "current") | {
        "payment_summary": "stopped",
        "daily_statistics": "needs_rebuild",
    }
    assert body_of(ready)["projections"] == states
    assert {each["name"]: each["state"] for each in body_of(listed)["projections"]} == states
    assert b"order-981" not in ready.content + listed.content


def test_api_docs_load_files_from_this_host_only() -> None:
    page = Browser().get("/api/docs/")
    assert page.status_code == 200
    assert not page.cookies
    html = page.content.decode()
    assert "swagger-ui-bundle.js" in html
    assert "https://" not in html
    assert 'src="//' not in html


def test_failure_is_logged_as_json_with_the_request_id(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("broken")

    (handler,) = (
        each for each in logging.getLogger().handlers if type(each) is logging.StreamHandler
    )
    written = StringIO()
    monkeypatch.setattr(handler, "stream", written)
    monkeypatch.setattr("payments.application.submission.submit", fail)
    client = ApiClient()
    answer = client.post(
        PAYMENTS,
        {"amount": 1999, "currency": "EUR", "method": "wallet", "customer_id": "ann"},
        **{"X-Request-ID": "trace-7"},
    )
    assert body_of(answer)["request_id"] == "trace-7"
    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    (failure,) = (line for line in lines if line["event"] == "An API request failed.")
    assert failure["request_id"] == "trace-7"
    assert "RuntimeError: broken" in failure["exception"]
    assert client.token not in written.getvalue()


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("customers/{}/payments", 400),
        ("payments?customer_id={}", 400),
        ("payments/{}", 404),
    ],
)
def test_card_number_in_an_address_is_refused_and_neither_logged_nor_repeated(
    address: str, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Regression: the log line contained the number."""
    with caplog.at_level(logging.WARNING):
        answer = ApiClient().get(f"/api/v1/{address.format('4111%201111%201111%201111')}")
    assert answer.status_code == status
    lines = [str(record.msg) for record in caplog.records if record.name.startswith("django_st")]
    assert len(lines) == 1
    assert REDACTED in lines[0]
    for shown in (answer.content.decode(), lines[0]):
        assert "4111111" not in shown.replace("%20", "").replace(" ", "")
