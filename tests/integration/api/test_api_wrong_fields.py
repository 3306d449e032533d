"""Every wrong field and parameter is named at once, with the same codes everywhere."""

import json
from typing import Any

import pytest

from payments.events.models import Event
from tests.support.api import BODY, PAYMENTS, RISKY, ApiClient, body_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

CARD_NUMBER = "4111 1111 1111 1111"


@pytest.fixture
def acme() -> ApiClient:
    return ApiClient("Acme")


def wrong(answer: Any) -> list[tuple[str, str]]:
    problem = body_of(answer)
    assert (answer.status_code, problem["code"]) == (400, "invalid_request")
    for error in problem["errors"]:
        assert error["detail"] in problem["detail"]
    return sorted((error["field"], error["code"]) for error in problem["errors"])


CARD = {"token": "tok_1", "brand": "visa", "last4": "4242"}
SUBMISSIONS: dict[str, tuple[dict[str, Any], list[tuple[str, str]]]] = {
    "amount, currency and customer": (
        {"amount": 0, "currency": "ZZZ", "method": "bank_transfer", "customer_id": ""},
        [
            ("amount", "amount_not_positive"),
            ("currency", "unknown_currency"),
            ("customer_id", "text_empty"),
        ],
    ),
    "a type among values": (
        {"amount": "0", "currency": "eur", "method": "bank_transfer", "customer_id": ""},
        [
            ("amount", "wrong_type"),
            ("currency", "unknown_currency"),
            ("customer_id", "text_empty"),
        ],
    ),
    "unknown fields among wrong ones": (
        BODY | {"amount": 10**12, "reference": "\0", "extra": 1, "currency": ""},
        [
            ("amount", "amount_too_large"),
            ("currency", "text_empty"),
            ("extra", "unknown_field"),
            ("reference", "text_not_printable"),
        ],
    ),
    "within the card and around it": (
        {
            "amount": -5,
            "currency": "EUR",
            "method": "wallet",
            "card": {"token": "", "brand": "card", "last4": "42", "number": "1"},
        },
        [
            ("amount", "amount_not_positive"),
            ("card", "not_with_method"),
            ("card.brand", "unknown_choice"),
            ("card.last4", "wrong_format"),
            ("card.number", "unknown_field"),
            ("card.token", "text_empty"),
            ("customer_id", "missing"),
        ],
    ),
    "what goes wrong together": (
        BODY | {"method": "wallet", "card": CARD, "amount": 0, "email": "x", "ip_address": "y"},
        [
            ("amount", "amount_not_positive"),
            ("card", "not_with_method"),
            ("email", "wrong_format"),
            ("ip_address", "wrong_format"),
        ],
    ),
    "nothing right": (
        {"amount": None, "currency": 1, "method": [], "customer_id": {}, "card": 5, "country": "d"},
        [
            ("amount", "wrong_type"),
            ("card", "wrong_type"),
            ("country", "wrong_format"),
            ("currency", "wrong_type"),
            ("customer_id", "wrong_type"),
            ("method", "wrong_type"),
        ],
    ),
}


@pytest.mark.parametrize("submission", SUBMISSIONS)
def test_every_wrong_field_of_a_submission_is_named(acme: ApiClient, submission: str) -> None:
    body, expected = SUBMISSIONS[submission]
    assert wrong(acme.post(PAYMENTS, body)) == expected
    assert not Event.objects.exists()


def test_repeated_field_is_reported_with_the_wrong_fields(acme: ApiClient) -> None:
    data = json.dumps(BODY | {"amount": 0}).encode()[:-1] + b', "method": "wallet"}'
    answer = acme.send("POST", PAYMENTS, data, **{"Idempotency-Key": "key-1"})
    assert wrong(answer) == [("amount", "amount_not_positive"), ("method", "given_twice")]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            {"reason": "no", "amount": 0, "currency": "ZZZ"},
            [
                ("amount", "amount_not_positive"),
                ("currency", "unknown_currency"),
                ("reason", "unknown_choice"),
            ],
        ),
        (
            {"amount": "1"},
            [("amount", "wrong_type"), ("currency", "missing"), ("reason", "missing")],
        ),
        (
            {"reason": "other", "currency": "eur"},
            [("amount", "missing"), ("currency", "unknown_currency")],
        ),
    ],
)
def test_every_wrong_field_of_a_refund_is_named(
    acme: ApiClient, body: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    payment = acme.submit()["Location"]
    assert wrong(acme.post(f"{payment}/refunds", body)) == expected


@pytest.mark.parametrize("command", ["approve", "reject", "escalate"])
def test_every_wrong_field_of_a_decision_is_named(acme: ApiClient, command: str) -> None:
    payment = acme.submit(**RISKY)["Location"]

    body = {"reason": "because", "note": "half\0", "by": "ada"}
    assert wrong(acme.post(f"{payment}/{command}", body)) == [
        ("by", "unknown_field"),
        ("note", "text_not_printable"),
        ("reason", "unknown_choice"),
    ]


QUERIES = {
    PAYMENTS: (
        "status=complete&currency=ABC&method=cash&amount_min=-1&amount_max=1&limit=1000"
        "&from=yesterday&colour=red&customer_id=%20&ordering=created_at&ordering=created_at",
        [
            ("amount_min", "wrong_format"),
            ("colour", "unknown_parameter"),
            ("currency", "unknown_currency"),
            ("customer_id", "text_empty"),
            ("from", "wrong_format"),
            ("limit", "out_of_range"),
            ("method", "unknown_choice"),
            ("ordering", "given_twice"),
            ("status", "unknown_choice"),
        ],
    ),
    f"{PAYMENTS}?": (
        "amount_min=2&amount_max=1&from=2026-01-02&to=2026-01-01&limit=0&ordering=position"
        "&requires_review=true",
        [
            ("amount_max", "out_of_range"),
            ("currency", "missing"),
            ("limit", "out_of_range"),
            ("requires_review", "not_with_ordering"),
            ("to", "out_of_range"),
        ],
    ),
    "/api/v1/customers/%E2%80%AE/payments": (
        "limit=x&method=wallet",
        [
            ("customer_id", "text_not_printable"),
            ("limit", "wrong_format"),
            ("method", "unknown_parameter"),
        ],
    ),
    "/api/v1/statistics/daily": (
        "from=today&to=2026-01-01&currency=euro",
        [("currency", "unknown_currency"), ("from", "wrong_format")],
    ),
    "/api/v1/statistics/daily?": (
        "from=2026-01-01&to=2027-01-03&currency=%ff&%fe=1",
        [("currency", "wrong_format"), ("to", "out_of_range"), ("\ufffd", "wrong_format")],
    ),
}


@pytest.mark.parametrize("path", QUERIES)
def test_every_wrong_parameter_is_named(acme: ApiClient, path: str) -> None:
    query, expected = QUERIES[path]
    answer = acme.get(f"{path.rstrip('?')}?{query}")
    assert wrong(answer) == sorted(expected)


@pytest.mark.parametrize(
    "address",
    [
        *(f"{PAYMENTS}?customer_id=%ff", f"{PAYMENTS}?customer_id=a%C3", f"{PAYMENTS}?%ff=1"),
        *(f"{PAYMENTS}?reference=%ED%A0%80", f"{PAYMENTS}?reference=%C0%AF"),
        # The server passes %ff in a path on as U+FFFD.
        *("/api/v1/customers/%EF%BF%BD/payments", "/api/v1/customers/a%EF%BF%BD/payments"),
    ],
)
def test_text_that_is_not_utf_8_is_refused(acme: ApiClient, address: str) -> None:
    """Regression: invalid bytes were replaced by other characters, so nothing matched."""
    ((_, code),) = wrong(acme.get(address))
    assert code == "wrong_format"


def test_text_in_utf_8_is_read(acme: ApiClient) -> None:
    for address in (f"{PAYMENTS}?customer_id=Zo%C3%AB", "/api/v1/customers/Zo%C3%AB/payments"):
        assert acme.get(address).status_code == 200


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("currency", "ABC", "unknown_currency"),
        ("currency", "eur", "unknown_currency"),
        ("method", "cash", "unknown_choice"),
        ("customer_id", "x" * 256, "text_too_long"),
        ("reference", CARD_NUMBER, "card_number_refused"),
    ],
)
def test_error_codes_are_the_same_in_bodies_and_filters(
    acme: ApiClient, field: str, value: str, code: str
) -> None:
    assert wrong(acme.submit(**{field: value})) == [(field, code)]
    assert wrong(acme.get(f"{PAYMENTS}?{field}={value}")) == [(field, code)]


@pytest.mark.parametrize(
    ("path", "known"),
    [
        ("/api/v1/projections", "accepts none"),
        ("/api/v1/statistics/daily", "Accepted are date, from"),
    ],
)
def test_unknown_parameter_is_answered_with_the_known_ones(
    acme: ApiClient, path: str, known: str
) -> None:
    (error,) = [each for each in body_of(acme.get(f"{path}?x=1"))["errors"] if each["field"] == "x"]
    assert known in error["detail"]
