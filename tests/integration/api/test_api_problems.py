"""Refusals by the framework and unexpected errors become problems that reveal nothing."""

from typing import Any

import pytest
from pytest_django import Settings

from tests.support.api import PAYMENTS, ApiClient, body_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/api/v1/nothing", 404, "not_found"),
        ("GET", "/api/v1/payments/", 404, "not_found"),
        ("GET", "/api/v1/payments/5", 404, "not_found"),
        ("DELETE", PAYMENTS, 405, "method_not_allowed"),
        ("PUT", PAYMENTS, 405, "method_not_allowed"),
        ("OPTIONS", PAYMENTS, 405, "method_not_allowed"),
        ("PATCH", "/api/nothing", 404, "not_found"),
    ],
)
def test_framework_refusals_are_problems(method: str, path: str, status: int, code: str) -> None:
    answer = ApiClient().send(method, path)
    assert (answer.status_code, body_of(answer)["code"]) == (status, code)
    assert answer["Content-Type"] == "application/problem+json"


def test_unexpected_error_reveals_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("the password is hunter2")

    client = ApiClient()
    monkeypatch.setattr("payments.application.submission.submit", fail)
    answer = client.submit()
    assert (answer.status_code, body_of(answer)["code"]) == (500, "internal_error")
    assert b"hunter2" not in answer.content


@pytest.mark.parametrize("debug", [False, True])
def test_disallowed_host_is_a_problem(settings: Settings, *, debug: bool) -> None:
    """Regression: with DEBUG, the answer was Django's page with the settings."""
    settings.DEBUG = debug
    answer = ApiClient().get(PAYMENTS, Host="evil.example")
    assert answer["Content-Type"] == "application/problem+json"
    assert (answer.status_code, body_of(answer)["code"]) == (400, "invalid_request")
