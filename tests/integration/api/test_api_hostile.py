"""Hostile requests are answered with a problem, never with a 500 or an HTML page."""

from typing import Any

import pytest
from django.http import HttpRequest
from django.test import Client as Browser
from pytest_django import Settings

from payments.api.problems.catalogue import KINDS
from tests.support.api import PAYMENTS, ApiClient, body_of

HOOK = "/api/v1/webhook-endpoints/00000000-0000-4000-8000-000000000000"

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


@pytest.mark.parametrize(
    "path",
    [
        f"{PAYMENTS}/%ff",
        f"{PAYMENTS}/%00",
        f"{PAYMENTS}?status=%ff",
        f"{PAYMENTS}?%00=1",
        f"{PAYMENTS}?cursor=%f0%9f%92%a9",
        f"{PAYMENTS}?{'&'.join(f'a{number}=1' for number in range(2_000))}",
        f"{PAYMENTS}?limit={'9' * 5_000}",
        f"{PAYMENTS}?limit=٥",
        f"{PAYMENTS}?from=2026-01-01T00:00:60Z",
        f"{PAYMENTS}/{'0' * 8}-0000-0000-0000-{'0' * 12}/../..",
        f"{PAYMENTS}//",
        "/api/v1/customers//payments",
        f"/api/v1/customers/{'x' * 5_000}/payments",
        "/api/v1/statistics/daily?date=0000-00-00",
        "/api/v1/statistics/daily?from=0001-01-01&to=9999-12-31",
        "/api/v1/projections?x=1",
        "/api/v1/webhook-endpoints?limit=1",
        "/api/v1/webhook-endpoints/%00",
        f"{HOOK}?x=1",
        f"{HOOK}/attempts?outcome=%ff",
        f"{HOOK}/attempts?cursor=WzEwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMCwxLCJ4Il0",
        f"{HOOK}/held?limit={'9' * 5_000}",
        "/api/v1/webhook-keys?x=1",
        "/api/problems/%0d%0aSet-Cookie:x",
        "/api/docs/nothing",
        "/api/%2e%2e/admin",
    ],
)
def test_malformed_address_is_a_problem(path: str) -> None:
    answer = ApiClient().get(path)
    assert answer.status_code in {400, 404}
    assert_problem(answer)


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer " + "x" * 100_000},
        {"Authorization": "Bearer \xff\xfe"},
        {"Authorization": "Bearer"},
        {"X-Min-Position": "9" * 10_000},
        {"Accept": "text/html;q=1"},
        {"Accept": ";;;"},
        {"Host": "a b"},
    ],
)
def test_malformed_header_is_a_problem(headers: dict[str, str]) -> None:
    answer = ApiClient().get(PAYMENTS, **headers)
    assert answer.status_code in {400, 401, 406}
    assert_problem(answer)


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"])
@pytest.mark.parametrize(
    "path",
    [
        PAYMENTS,
        f"{PAYMENTS}/00000000-0000-4000-8000-000000000000/approve",
        f"{HOOK}/replay",
        "/api/problems",
        "/api/schema/",
        "/api/docs/",
    ],
)
def test_unsupported_method_is_a_problem(method: str, path: str) -> None:
    answer = ApiClient().send(method, path)
    assert answer.status_code == 405
    assert_problem(answer)
    assert set(answer["Allow"].split(", ")) <= {"GET", "HEAD", "POST"}


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("accept", ["*/*", "application/json", "text/html"])
def test_failure_before_any_view_is_a_problem(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, accept: str, *, debug: bool
) -> None:
    settings.DEBUG = debug

    def fail(self: object, request: HttpRequest) -> None:
        raise RuntimeError("the password is hunter2")

    monkeypatch.setattr("django.middleware.common.CommonMiddleware.process_request", fail)
    answer = Browser(raise_request_exception=False).get(PAYMENTS, headers={"Accept": accept})
    assert answer.status_code == 500
    assert_problem(answer)
    assert b"hunter2" not in answer.content


def assert_problem(answer: Any) -> None:
    problem = body_of(answer)
    assert answer["Content-Type"] == "application/problem+json"
    assert KINDS[problem["code"]].status == problem["status"]
    assert problem["request_id"] == answer["X-Request-ID"]
    assert problem["type"].removeprefix("http://testserver") == f"/api/problems/{problem['code']}"
    assert problem["title"]
    assert problem["detail"]
    assert problem["instance"]
