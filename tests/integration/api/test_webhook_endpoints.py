"""Webhook endpoints over the API. test_api_isolation.py covers isolation between clients."""

import base64
import io
import socket
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from payments.clients.models import Scope
from readmodels.feed.events import EVENT_TYPES
from readmodels.webhooks import addresses, keys
from readmodels.webhooks.models import Endpoint
from tests.support import logs
from tests.support.api import ApiClient, body_of
from tests.support.backoffice import browser
from tests.support.concurrency import at_once
from tests.support.webhook_api import ENDPOINTS, at, create, errors, send, stored
from tests.support.webhooks import URL, attempt, hold

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


@pytest.fixture
def acme() -> ApiClient:
    return ApiClient("Acme", scopes=[Scope.WEBHOOKS_WRITE, Scope.PAYMENTS_WRITE])


def test_create_answers_with_the_settings_the_secret_and_the_address(acme: ApiClient) -> None:
    answer = send(
        acme,
        "POST",
        ENDPOINTS,
        {
            "url": f"{URL}?a=1",
            "description": " Orders ",
            "event_types": ["payment.rejected", "payment.failed", "payment.failed"],
            "payload": "thin",
        },
    )

    made = body_of(answer)
    assert (answer.status_code, answer["Location"]) == (201, at(made))
    assert answer["Cache-Control"] == "no-store"
    assert made["url"] == f"{URL}?a=1"
    assert (made["description"], made["payload"], made["state"]) == ("Orders", "thin", "active")
    assert made["event_types"] == ["payment.failed", "payment.rejected"]
    assert len(base64.b64decode(made["secret"].removeprefix("whsec_"))) == 32
    assert keys.decrypt(stored(made).secret) == made["secret"]
    del made["secret"]
    assert body_of(acme.get(at(made))) == made


def test_create_has_defaults_and_stores_the_normal_form_of_the_url(acme: ApiClient) -> None:
    made = create(acme, url=URL.replace("/hook", ":443"))

    assert made["url"] == URL.replace("/hook", "/")
    assert (made["description"], made["event_types"], made["payload"]) == ("", [], "full")


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ({}, {("url", "missing")}),
        (
            {
                "url": "http://example.com",
                "description": "x" * 201,
                "event_types": ["payment.failed", "payment.initiated"],
                "payload": "fat",
                "secret": "mine",
            },
            {
                ("url", "url_refused"),
                ("description", "text_too_long"),
                ("event_types", "unknown_choice"),
                ("payload", "unknown_choice"),
                ("secret", "unknown_field"),
            },
        ),
        ({"url": None}, {("url", "wrong_type")}),
        ({"url": ["x"]}, {("url", "wrong_type")}),
        ({"url": ""}, {("url", "text_empty")}),
        ({"url": f"{URL}/{'x' * 500}"}, {("url", "text_too_long")}),
        ({"url": "https://127.0.0.1/"}, {("url", "url_refused")}),
        ({"url": "https://user@example.com/"}, {("url", "url_refused")}),
        ({"url": "https://nowhere.invalid/"}, {("url", "url_refused")}),
        ({"url": URL, "description": None}, {("description", "wrong_type")}),
        (
            {"url": URL, "description": "4111 1111 1111 1111"},
            {("description", "card_number_refused")},
        ),
        ({"url": URL, "event_types": "payment.failed"}, {("event_types", "wrong_type")}),
        ({"url": URL, "event_types": [1]}, {("event_types", "wrong_type")}),
        ({"url": URL, "event_types": ["webhook.test"]}, {("event_types", "unknown_choice")}),
    ],
)
def test_create_names_all_wrong_fields(
    acme: ApiClient, body: Any, wrong: set[tuple[str, str]]
) -> None:
    assert errors(send(acme, "POST", ENDPOINTS, body)) == wrong
    assert not Endpoint.objects.exists()


@pytest.mark.parametrize("field", ["url", "description", "event_types", "payload"])
def test_change_refuses_null_and_names_the_field(acme: ApiClient, field: str) -> None:
    made = create(acme)

    answer = send(acme, "PATCH", at(made), {field: None, "other": 1})

    assert errors(answer) == {(field, "wrong_type"), ("other", "unknown_field")}


def test_repeated_creation_is_refused_with_the_id_of_the_first(acme: ApiClient) -> None:
    made = create(acme)

    answer = send(acme, "POST", ENDPOINTS, {"url": URL})

    problem = body_of(answer)
    assert (answer.status_code, problem["code"]) == (409, "webhook_url_taken")
    assert problem["webhook_endpoint_id"] == made["id"]
    assert Endpoint.objects.count() == 1
    create(ApiClient("Bolt"))


def test_eleven_creations_at_once_make_exactly_ten(acme: ApiClient) -> None:
    answers = at_once(11, lambda n: send(acme, "POST", ENDPOINTS, {"url": f"{URL}/{n}"}))

    assert sorted(answer.status_code for answer in answers) == [201] * 10 + [409]
    (refused,) = (body_of(answer) for answer in answers if answer.status_code == 409)
    assert refused["code"] == "too_many_endpoints"
    assert len(body_of(acme.get(ENDPOINTS))["endpoints"]) == Endpoint.objects.count() == 10


def test_change_keeps_the_fields_that_are_left_out(acme: ApiClient) -> None:
    made = create(acme, description="Orders", event_types=["payment.failed"])
    other = create(acme, url=f"{URL}/2")

    changed = body_of(send(acme, "PATCH", at(made), {"payload": "thin"}))
    assert (changed["description"], changed["payload"]) == ("Orders", "thin")
    assert (changed["event_types"], changed["url"]) == (["payment.failed"], URL)

    changed = body_of(send(acme, "PATCH", at(made), {"description": "", "event_types": []}))
    assert (changed["description"], changed["event_types"]) == ("", [])
    assert changed["updated_at"] > made["updated_at"]
    assert "secret" not in changed

    assert send(acme, "PATCH", at(made), {}).status_code == 200
    assert send(acme, "PATCH", at(made), {"url": URL}).status_code == 200
    taken = send(acme, "PATCH", at(made), {"url": f"{URL}/2"})
    assert (taken.status_code, body_of(taken)["webhook_endpoint_id"]) == (409, other["id"])


def test_delete_removes_the_endpoint_once(acme: ApiClient) -> None:
    made = create(acme)
    attempt(stored(made))

    first, second = (send(acme, "DELETE", at(made)) for _ in range(2))

    assert (first.status_code, first.content, "Content-Type" in first) == (204, b"", False)
    assert (second.status_code, body_of(second)["code"]) == (404, "webhook_endpoint_not_found")
    assert body_of(acme.get(ENDPOINTS)) == {"endpoints": []}


def test_pause_and_resume_change_the_state(acme: ApiClient) -> None:
    made = create(acme)
    assert body_of(send(acme, "POST", f"{at(made)}/pause"))["state"] == "paused"
    assert body_of(send(acme, "POST", f"{at(made)}/resume", {}))["state"] == "active"

    Endpoint.objects.update(state="disabled", disabled_reason="410")
    disabled = body_of(acme.get(at(made)))
    assert (disabled["state"], disabled["disabled_reason"]) == ("disabled", "410")
    resumed = body_of(send(acme, "POST", f"{at(made)}/resume"))
    assert (resumed["disabled_reason"], resumed["failures"]) == (None, 0)


def test_rotation_shows_the_new_secret_and_the_end_of_the_old_one(acme: ApiClient) -> None:
    made = create(acme)
    assert made["old_secret_until"] is None

    answer = send(acme, "POST", f"{at(made)}/rotate-secret")

    rotated = body_of(answer)
    assert (answer.status_code, answer["Cache-Control"]) == (200, "no-store")
    assert rotated["secret"] not in {None, made["secret"]}
    remaining = stored(made).old_secret_until - timezone.now()  # type: ignore[operator]
    assert timedelta(hours=23, minutes=59) < remaining <= timedelta(hours=24)
    assert rotated["old_secret_until"] == body_of(acme.get(at(made)))["old_secret_until"]
    old = stored(made).old_secret
    assert old is not None
    assert keys.decrypt(old) == made["secret"]


def test_service_without_keys_creates_no_endpoint(acme: ApiClient, settings: Settings) -> None:
    made = create(acme)
    settings.WEBHOOK_KEYS = []
    for path, body in ((ENDPOINTS, {"url": f"{URL}/2"}), (f"{at(made)}/rotate-secret", None)):
        answer = send(acme, "POST", path, body)
        assert (answer.status_code, body_of(answer)["code"]) == (503, "webhooks_not_configured")
    assert acme.get(at(made)).status_code == 200


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("", "GET, HEAD, POST"),
        ("/{id}", "DELETE, GET, HEAD, PATCH"),
        ("/{id}/pause", "POST"),
        ("/{id}/attempts", "GET, HEAD"),
    ],
)
def test_other_methods_are_refused_with_those_allowed(
    acme: ApiClient, path: str, allowed: str
) -> None:
    made = create(acme)
    for method in ("PUT", "OPTIONS", "PATCH", "DELETE", "POST"):
        if method in allowed:
            continue
        answer = send(acme, method, ENDPOINTS + path.format(**made))
        assert (answer.status_code, body_of(answer)["code"]) == (405, "method_not_allowed")
        assert ", ".join(sorted(answer["Allow"].split(", "))) == allowed
    if "GET" in allowed:
        head = send(acme, "HEAD", ENDPOINTS + path.format(**made))
        assert (head.status_code, head.content) == (200, b"")


@pytest.mark.parametrize("command", ["pause", "resume", "test", "rotate-secret"])
def test_commands_without_fields_refuse_a_body(acme: ApiClient, command: str) -> None:
    made = create(acme)
    answer = send(acme, "POST", f"{at(made)}/{command}", {"secret": "mine"})
    assert errors(answer) == {("secret", "unknown_field")}


def test_ids_are_accepted_in_any_case(acme: ApiClient) -> None:
    made = create(acme)
    for path in ("", "/attempts", "/held"):
        answer = acme.get(f"{ENDPOINTS}/{made['id'].upper()}{path}")
        assert answer.status_code == 200
        assert made["id"].upper().encode() not in answer.content


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    with logs.collected() as written:
        yield written


def test_secret_appears_in_no_other_answer_and_no_log(acme: ApiClient, log: io.StringIO) -> None:
    made = create(acme)
    secrets = [made["secret"], body_of(send(acme, "POST", f"{at(made)}/rotate-secret"))["secret"]]
    attempt(stored(made))
    hold(stored(made))
    staff = browser("risk manager", "mia")

    answers = [
        *(acme.get(path) for path in (ENDPOINTS, at(made), f"{at(made)}/attempts")),
        *(send(acme, "POST", f"{at(made)}/{name}") for name in ("pause", "resume", "test")),
        send(acme, "PATCH", at(made), {"description": "x"}),
        send(acme, "POST", f"{at(made)}/replay", {"after": 0}),
        send(acme, "POST", ENDPOINTS, {"url": URL}),
        *(
            staff.get(reverse(f"admin:webhooks_{model}_changelist"))
            for model in ("endpoint", "attempt", "heldpayment")
        ),
        staff.get(reverse("admin:webhooks_endpoint_change", args=[made["id"]])),
        send(acme, "DELETE", at(made)),
    ]

    assert {answer.status_code for answer in answers} == {200, 202, 204, 409}
    shown = " ".join(answer.content.decode() for answer in answers) + log.getvalue()
    assert f"Webhook endpoint {made['id']}" in log.getvalue()
    for secret in secrets:
        assert secret not in shown
        assert secret.removeprefix("whsec_") not in shown


def test_slow_name_servers_hold_only_some_threads(
    acme: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name server for an endpoint's host may never answer."""
    slots = max(1, settings.WEB_THREADS // 4)
    asked, answer = threading.Semaphore(0), threading.Event()

    def look_up(*_: Any, **__: Any) -> Any:
        asked.release()
        answer.wait(60)
        raise OSError

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    # On a loaded machine, the first look-up must not time out before the last one begins.
    monkeypatch.setattr(addresses, "RESOLVE_SECONDS", 60)

    def request(number: int) -> Any:
        if number < slots:
            return send(acme, "POST", ENDPOINTS, {"url": f"https://slow{number}.example.com/"})
        for _ in range(slots):
            assert asked.acquire(timeout=60)
        try:
            return (
                send(acme, "POST", ENDPOINTS, {"url": "https://late.example.com/"}),
                send(acme, "POST", ENDPOINTS, {"url": URL}),
            )
        finally:
            answer.set()

    *slow, (late, literal) = at_once(slots + 1, request)

    assert (late.status_code, body_of(late)["code"]) == (503, "temporarily_unavailable")
    assert late["Retry-After"] == "1"
    assert literal.status_code == 201
    assert [errors(each) for each in slow] == [{("url", "url_refused")}] * slots
    after = send(acme, "POST", ENDPOINTS, {"url": "https://after.example.com/"})
    assert errors(after) == {("url", "url_refused")}


def test_event_types_of_the_document_are_those_of_the_catalogue(acme: ApiClient) -> None:
    made = create(acme, event_types=list(EVENT_TYPES))
    assert made["event_types"] == sorted(EVENT_TYPES)
