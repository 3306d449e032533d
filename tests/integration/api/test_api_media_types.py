"""A body is JSON in UTF-8 as it is: every other type, charset and coding is named and refused."""

import json
from typing import Any

import pytest
from django.test import RequestFactory

from payments.events.models import Event
from tests.support.api import BODY, PAYMENTS, ApiClient, body_of

pytestmark = pytest.mark.django_db(transaction=True)

DATA = json.dumps(BODY).encode()


@pytest.fixture
def acme() -> ApiClient:
    return ApiClient("Acme")


def served(client: ApiClient, content_type: str) -> tuple[int, dict[str, str], Any]:
    """Submit a payment through the whole WSGI application."""
    environ = (
        RequestFactory()
        .generic(
            "POST",
            PAYMENTS,
            DATA,
            headers={
                "Host": "localhost",
                "Authorization": f"Bearer {client.token}",
                "Idempotency-Key": "key-1",
            },
        )
        .environ
    )
    environ["CONTENT_TYPE"] = content_type
    answers: list[tuple[int, dict[str, str]]] = []
    from config.wsgi import application  # asks the database for its pseudonym key

    body = application(
        environ, lambda status, headers: answers.append((int(status[:3]), dict(headers)))
    )
    return *answers[0], json.loads(b"".join(body))


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "Application/JSON",
        " application/json ;charset=utf-8",
        'application/json; charset="UTF-8"',
        "application/json;charset=utf8",
        "application/json; version=1",
        "application/json;",
    ],
)
def test_json_in_utf_8_is_taken_however_it_is_written(acme: ApiClient, content_type: str) -> None:
    assert served(acme, content_type)[0] == 201


@pytest.mark.parametrize(
    "content_type",
    [
        *("", "text/plain", "application/jsonx", "application/json/x", "application/js", "json"),
        *("application/json5", "application/vnd.api+json", "application/x-www-form-urlencoded"),
        # Two header lines, as a proxy joins them.
        *("application/json, text/plain", "text/plain, application/json"),
        *("application/json; charset=utf-8, text/plain", "application/json, application/json"),
        *("application/json; charset=utf-16", "application/json; charset=latin-1"),
        *("application/json; charset=hex", "application/json; CHARSET='utf-7'"),
        *("application/json; charset*=UTF-8''latin-1", "application/json; x*=nothing''y"),
    ],
)
def test_every_other_type_and_charset_is_refused(acme: ApiClient, content_type: str) -> None:
    """Only the beginning was compared, so much that is not JSON passed."""
    status, headers, problem = served(acme, content_type)
    assert (status, problem["code"]) == (415, "unsupported_media_type")
    assert headers["Accept"] == "application/json"
    assert not Event.objects.exists()


@pytest.mark.parametrize("coding", ["gzip", "br", "GZIP", "deflate, gzip", "identity, gzip", "x"])
def test_a_coded_body_is_refused_with_what_is_taken(acme: ApiClient, coding: str) -> None:
    headers = {"Idempotency-Key": "key-1", "Content-Encoding": coding}
    answer = acme.send("POST", PAYMENTS, DATA, **headers)
    assert (answer.status_code, body_of(answer)["code"]) == (415, "unsupported_media_type")
    assert answer["Accept-Encoding"] == "identity"
    assert not Event.objects.exists()


def test_a_body_that_is_said_not_to_be_coded_is_taken(acme: ApiClient) -> None:
    headers = {"Idempotency-Key": "key-1", "Content-Encoding": "identity"}
    assert acme.send("POST", PAYMENTS, DATA, **headers).status_code == 201
