"""Answers to slightly wrong paths and hosts, and the format of times in answers."""

import re
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client as Browser
from pytest_django import Settings

from tests.support.api import PAYMENTS, ApiClient, body_of, project
from tests.support.example_events import flagged, initiated
from tests.support.examples import NOON
from tests.support.poison import append

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


@pytest.fixture
def acme() -> ApiClient:
    return ApiClient("Acme")


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("//api/v1/payments", "two slashes"),
        ("///api/v1/payments", "two slashes"),
        ("/api//v1/payments", "two slashes"),
        ("/api/v1//payments", "two slashes"),
        ("/api/v1/payments//", "two slashes"),
        ("//api", "two slashes"),
        ("/api/v1/./payments", "a segment of dots"),
        ("/api/v1/x/../payments", "a segment of dots"),
        ("/api/../api/v1/payments", "a segment of dots"),
        ("/api/v1/payments/", "slash at its end"),
        ("/api/v1/projections/", "slash at its end"),
        ("/api/v1/nothing", ""),
    ],
)
def test_unknown_address_hints_at_the_usual_mistake(
    acme: ApiClient, method: str, path: str, hint: str
) -> None:
    # Without a host, the test client would read the part after two slashes as the host.
    answer = acme.send(method, f"http://localhost{path}", b"", **{"Idempotency-Key": "key-1"})
    assert (answer.status_code, body_of(answer)["code"]) == (404, "not_found")
    assert answer["Content-Type"] == "application/problem+json"
    assert hint in body_of(answer)["detail"]


def test_unknown_host_is_a_problem(acme: ApiClient) -> None:
    answer = acme.get("http://localhost//api/v1/payments", Host="evil.example")
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")


@pytest.mark.parametrize(
    "path", ["/api/docs", "/api/schema", "/api/problems", "/api/problems/not_found"]
)
def test_pages_answer_with_and_without_a_trailing_slash(path: str) -> None:
    with_slash, without = Browser().get(f"{path}/"), Browser().get(path)
    assert (with_slash.status_code, without.status_code) == (200, 200)
    assert with_slash["Content-Type"] == without["Content-Type"]


@pytest.mark.parametrize(
    "host",
    [
        *("10.1.2.3:8000", "pod_7.internal", "[::1]:8000", "a,b", "evil.example", "", "my_host:x"),
        "-",
    ],
)
@pytest.mark.parametrize("https", [False, True])
def test_probes_answer_for_any_host(settings: Settings, host: str, *, https: bool) -> None:
    """Kubernetes and load balancers use the pod's IP address as the host, over plain HTTP."""
    settings.ALLOWED_HOSTS = ["payments.example"]
    settings.SECURE_SSL_REDIRECT = https
    project()
    for path in ("/healthz", "/readyz"):
        for method in ("get", "head"):
            answer = getattr(Browser(), method)(path, headers={"Host": host})
            assert (answer.status_code, path) == (200, path)
            assert answer["X-Request-ID"]
    # All other addresses accept only the configured hosts.
    assert Browser().get("/metrics", headers={"Host": host}).status_code == 400


READS = [
    *(PAYMENTS, f"{PAYMENTS}/{{payment}}", f"{PAYMENTS}/{{payment}}/events"),
    *(f"{PAYMENTS}/{{payment}}/state?version=1", "/api/v1/customers/customer-123/payments"),
    *("/api/v1/statistics/daily?date=2026-01-05", "/api/v1/projections", f"{PAYMENTS}/5"),
]


@pytest.mark.parametrize("path", READS)
def test_answers_are_private_to_their_client(acme: ApiClient, path: str) -> None:
    payment = body_of(acme.submit())["id"]
    project()
    first = acme.get(path.format(payment=payment))
    answers = [first]
    if "ETag" in first:
        answers.append(acme.get(path.format(payment=payment), **{"If-None-Match": first["ETag"]}))
        assert answers[1].status_code == 304
    if first.status_code != 404:
        for answer in answers:
            assert answer["Cache-Control"] == "private, no-cache"
            assert "Authorization" in answer["Vary"]


_TIME = re.compile(r'"(\d{4}-\d\d-\d\dT[^"]*)"')


@pytest.mark.parametrize("path", READS)
def test_times_always_have_microseconds(acme: ApiClient, path: str) -> None:
    """By default, isoformat omits the fraction of the one time in a million at a whole second."""
    payment = uuid4()
    terms: dict[str, Any] = {"client_id": acme.client_id}
    append(payment, initiated(**terms), flagged(**terms))
    project()
    body = acme.get(path.format(payment=payment)).content.decode()
    times = _TIME.findall(body)
    assert times or "payment" not in path or path.startswith(("/api/v1/c", f"{PAYMENTS}/5"))
    for time in times:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", time), time
    if path == PAYMENTS:
        assert f"{NOON:%Y-%m-%dT%H:%M:%S}.000000Z" in times


def test_times_in_problems_have_microseconds_too(acme: ApiClient) -> None:
    payment = uuid4()
    terms: dict[str, Any] = {"client_id": acme.client_id}
    append(payment, initiated(**terms), flagged(**terms))

    answer = acme.post(f"{PAYMENTS}/{payment}/claim", {})

    assert (answer.status_code, body_of(answer)["code"]) == (409, "review_expired")
    assert body_of(answer)["deadline"] == "2026-01-12T12:00:00.000000Z"
