"""Bodies must be uncompressed JSON in UTF-8."""

import json
from typing import Any

import pytest
from django.test import RequestFactory

from payments.events.models import Event
from tests.support.api import BODY, PAYMENTS, ApiClient, body_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

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
def test_media_type_accepts_every_spelling_of_json_in_utf_8(
    acme: ApiClient, content_type: str
) -> None:
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
def test_media_type_refuses_other_types_and_charsets(acme: ApiClient, content_type: str) -> None:
    """Regression: only the beginning was compared, so other types were accepted."""
    status, headers, problem = served(acme, content_type)
    assert (status, problem["code"]) == (415, "unsupported_media_type")
    assert headers["Accept"] == "application/json"
    assert not Event.objects.exists()


@pytest.mark.parametrize("coding", ["gzip", "br", "GZIP", "deflate, gzip", "identity, gzip", "x"])
def test_compressed_body_is_refused_with_accept_encoding(acme: ApiClient, coding: str) -> None:
    headers = {"Idempotency-Key": "key-1", "Content-Encoding": coding}
    answer = acme.send("POST", PAYMENTS, DATA, **headers)

    assert (answer.status_code, body_of(answer)["code"]) == (415, "unsupported_media_type")
    assert answer["Accept-Encoding"] == "identity"
    assert not Event.objects.exists()


def test_identity_content_encoding_is_accepted(acme: ApiClient) -> None:
    headers = {"Idempotency-Key": "key-1", "Content-Encoding": "identity"}
    assert acme.send("POST", PAYMENTS, DATA, **headers).status_code == 201
