"""Submitting payments over HTTP: answers, repetitions and refusals."""

import json
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.http import HttpResponse

from payments.api.problems.problem import FIELD_CODES
from payments.customers.models import Customer
from payments.domain.payment.state import Status
from payments.events.models import Event, Reservation
from tests.support.api import BODY, PAYMENTS, RISKY, ApiClient, body_of
from tests.support.concurrency import at_once
from tests.support.roundtrips import round_trips

pytestmark = pytest.mark.django_db(transaction=True)

CARD = "4111 1111 1111 1111"


@pytest.fixture
def acme() -> ApiClient:
    return ApiClient("Acme")


def stored() -> tuple[int, int, int]:
    return Event.objects.count(), Reservation.objects.count(), Customer.objects.count()


def assert_problem(answer: HttpResponse, status: int, code: str, field: str | None = None) -> Any:
    problem = body_of(answer)
    assert (answer.status_code, problem["code"]) == (status, code), problem
    assert answer["Content-Type"] == "application/problem+json"
    assert problem["status"] == status
    assert problem["request_id"] == answer["X-Request-ID"]
    assert problem["title"]
    assert {error["code"] for error in problem.get("errors", [])} <= set(FIELD_CODES)
    assert problem["detail"]
    if field is not None:
        assert [error["field"] for error in problem["errors"]] == [field], problem
    return problem


def test_harmless_payment_is_completed_at_once(acme: ApiClient) -> None:
    answer = acme.submit(reference="order-1")

    body = body_of(answer)
    assert answer.status_code == 201
    assert answer["Location"] == f"{PAYMENTS}/{body['id']}"
    assert answer["ETag"] == '"2"'
    assert answer["X-Event-Position"] == str(body["position"])
    assert body | {"id": "", "position": 0, "created_at": "", "updated_at": ""} == {
        "id": "",
        "status": "completed",
        "amount": 1999,
        "refunded_amount": 0,
        "open_disputes": 0,
        "disputed_amount": 0,
        "lost_amount": 0,
        "currency": "EUR",
        "method": "credit_card",
        "card": None,
        "customer_id": "customer-123",
        "reference": "order-1",
        "failure_reason": None,
        "open_review": None,
        "risk": {"score": 0, "band": "low", "reasons": []},
        "review": None,
        "review_deadline": None,
        "disputes": [],
        "version": 2,
        "position": 0,
        "created_at": "",
        "updated_at": "",
    }


def test_large_first_card_payment_waits_for_review(acme: ApiClient) -> None:
    body = body_of(acme.submit(**RISKY))
    assert body["status"] == Status.PENDING_REVIEW
    assert body["risk"] == {"score": 80, "band": "high", "reasons": ["first_card_payment_large"]}


def test_payment_over_the_limit_of_its_method_fails(acme: ApiClient) -> None:
    body = body_of(acme.submit(amount=25_000_01, currency="USD"))
    assert (body["status"], body["failure_reason"]) == ("failed", "method_limit_exceeded")


def test_submission_takes_two_round_trips(acme: ApiClient) -> None:
    for _ in range(8):  # prepares every statement and caches the keys
        customer = str(uuid4())
        acme.submit(customer_id=customer)
        acme.submit(customer_id=customer)
    with round_trips() as first:
        acme.submit(customer_id="customer-new")
    with round_trips() as later:
        acme.submit(customer_id="customer-new")

    assert (first.count, later.count) == (2, 2)


def test_reused_idempotency_key_names_the_differing_fields(acme: ApiClient) -> None:
    acme.submit("key-1")
    before = stored()

    answer = acme.submit("key-1", amount=2000, method="wallet", customer_id="customer-new")

    problem = assert_problem(answer, 422, "idempotency_key_reused")
    fields = {error["field"] for error in problem["errors"]}
    assert fields == {"amount", "method", "customer_id"}
    assert stored() == before


def test_two_clients_may_use_one_key(acme: ApiClient) -> None:
    first, second = acme.submit("key-1"), ApiClient("Bolt").submit("key-1")
    assert (first.status_code, second.status_code) == (201, 201)
    assert body_of(first)["id"] != body_of(second)["id"]


def test_reference_is_permanently_unique(acme: ApiClient) -> None:
    first = body_of(acme.submit(reference="order-1"))
    before = stored()

    answer = acme.submit(reference="order-1", customer_id="customer-new")

    problem = assert_problem(answer, 409, "reference_taken", "reference")
    assert problem["payment_id"] == first["id"]
    assert stored() == before
    assert ApiClient("Bolt").submit(reference="order-1").status_code == 201


def test_concurrent_first_payments_register_one_customer(acme: ApiClient) -> None:
    """Half of the payments have a reference, so that their locks are taken in different orders."""
    answers = at_once(
        12,
        lambda number: acme.submit(
            customer_id="customer-new", reference=f"order-{number}" if number % 2 else None
        ),
    )

    assert {answer.status_code for answer in answers} == {201}
    assert Customer.objects.count() == 1
    assert Event.objects.count() == 24


@pytest.mark.parametrize(
    ("changes", "field", "code"),
    [
        ({"amount": 19.99}, "amount", "wrong_type"),
        ({"amount": 1999.0}, "amount", "wrong_type"),
        ({"amount": "1999"}, "amount", "wrong_type"),
        ({"amount": True}, "amount", "wrong_type"),
        ({"amount": None}, "amount", "wrong_type"),
        ({"amount": 0}, "amount", "amount_not_positive"),
        ({"amount": -1}, "amount", "amount_not_positive"),
        ({"amount": 2**63}, "amount", "amount_too_large"),
        ({"amount": 10**400}, "amount", "amount_too_large"),
        ({"currency": "ZZZ"}, "currency", "unknown_currency"),
        ({"currency": "eur"}, "currency", "unknown_currency"),
        ({"currency": "BGN"}, "currency", "unknown_currency"),
        ({"currency": ""}, "currency", "text_empty"),
        ({"currency": 978}, "currency", "wrong_type"),
        ({"method": "cheque"}, "method", "unknown_choice"),
        ({"method": None}, "method", "wrong_type"),
        ({"customer_id": ""}, "customer_id", "text_empty"),
        ({"customer_id": "x" * 256}, "customer_id", "text_too_long"),
        ({"customer_id": "a\0b"}, "customer_id", "text_not_printable"),
        ({"customer_id": "half \ud800"}, "customer_id", "text_not_printable"),
        ({"reference": "\udfff"}, "reference", "text_not_printable"),
        ({"customer_id": "\u202eevil"}, "customer_id", "text_not_printable"),
        ({"customer_id": CARD}, "customer_id", "card_number_refused"),
        ({"reference": f"card {CARD}"}, "reference", "card_number_refused"),
        ({"reference": ""}, "reference", "text_empty"),
        ({"reference": 5}, "reference", "wrong_type"),
        ({"amonut": 5}, "amonut", "unknown_field"),
    ],
)
def test_bad_input_names_its_field_and_stores_nothing(
    acme: ApiClient, changes: dict[str, Any], field: str, code: str
) -> None:
    answer = acme.submit(**changes)

    problem = assert_problem(answer, 400, "invalid_request", field)
    assert problem["errors"][0]["code"] == code
    assert CARD not in answer.content.decode()
    assert stored() == (0, 0, 0)


def test_all_wrong_fields_are_reported_at_once(acme: ApiClient) -> None:
    body = {
        "amonut": 1,
        "amount": "1999",
        "currency": "EUR",
        "method": "cheque",
        "card": {"token": 5, "last4": "42", "cvc": "123"},
    }
    problem = assert_problem(acme.post(PAYMENTS, body), 400, "invalid_request")
    assert [(error["field"], error["code"]) for error in problem["errors"]] == [
        ("amonut", "unknown_field"),
        ("amount", "wrong_type"),
        ("method", "unknown_choice"),
        ("customer_id", "missing"),
        ("card.cvc", "unknown_field"),
        ("card.token", "wrong_type"),
        ("card.brand", "missing"),
        ("card.last4", "wrong_format"),
    ]
    answer = acme.submit(customer_id="", reference=CARD)
    problem = assert_problem(answer, 400, "invalid_request")
    assert [error["field"] for error in problem["errors"]] == ["customer_id", "reference"]
    assert "reference: " in problem["detail"]
    problem = body_of(acme.post(PAYMENTS, {f"field {number}": 1 for number in range(1_000)}))
    assert len(problem["errors"]) == 20


@pytest.mark.parametrize("before", [0, 90, 99])
def test_field_name_with_a_card_number_is_not_repeated(acme: ApiClient, before: int) -> None:
    """A client that builds JSON by hand can send a value as a name."""
    name, left_out = "x" * before + f" {CARD}", "(left out: it looks like a card number)"
    answer = acme.post(PAYMENTS, BODY | {name: 1})
    assert_problem(answer, 400, "invalid_request", left_out)
    within = acme.submit(card={"token": "t", "brand": "visa", "last4": "4242", name: 1})
    assert_problem(within, 400, "invalid_request", left_out)
    half = acme.send(
        "POST", PAYMENTS, json.dumps({name: "\ud800"}).encode(), **{"Idempotency-Key": "key-1"}
    )
    assert_problem(half, 400, "invalid_request", left_out)
    listed = acme.get(f"{PAYMENTS}?{name}=1")
    assert_problem(listed, 400, "invalid_request", left_out)
    currency = acme.get(f"{PAYMENTS}?currency={CARD}")
    assert_problem(currency, 400, "invalid_request", "currency")
    for refused in (answer, within, half, listed, currency):
        assert CARD[:7] not in refused.content.decode()


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("method", f'"method": "{CARD}", "method": "wallet"'),
        (
            "brand",
            '"method": "credit_card", "card": {"token": "t", "last4": "4242",'
            f' "brand": "{CARD}", "brand": "visa"}}',
        ),
    ],
    ids=["method", "brand"],
)
def test_repeated_field_hides_its_values(acme: ApiClient, field: str, given: str) -> None:
    data = f'{{"amount": 1, "currency": "USD", "customer_id": "c", {given}}}'
    answer = acme.send("POST", PAYMENTS, data.encode(), **{"Idempotency-Key": "key-1"})

    problem = assert_problem(answer, 400, "invalid_request", field)
    assert problem["errors"][0]["code"] == "given_twice"
    assert CARD[:7] not in answer.content.decode()


@pytest.mark.parametrize("field", ["amount", "currency", "method", "customer_id"])
def test_missing_field_is_named(acme: ApiClient, field: str) -> None:
    body = {name: value for name, value in BODY.items() if name != field}
    problem = assert_problem(acme.post(PAYMENTS, body), 400, "invalid_request", field)
    assert problem["errors"][0]["code"] == "missing"
    assert stored() == (0, 0, 0)


@pytest.mark.parametrize(
    "data",
    [
        b"{",
        b"\xff\xfe",
        b" ",
        json.dumps(BODY).encode("utf-16"),
        b'{"amount":' * 5_000,
    ],
)
def test_body_that_is_not_json_is_refused(acme: ApiClient, data: bytes) -> None:
    answer = acme.send("POST", PAYMENTS, data, **{"Idempotency-Key": "key-1"})
    assert answer.status_code == 400
    assert body_of(answer)["code"] in {"invalid_json", "invalid_request"}
    assert stored() == (0, 0, 0)


def test_number_with_too_many_digits_is_reported_with_its_field(acme: ApiClient) -> None:
    data = json.dumps(BODY).replace("1999", "9" * 50_000).encode()
    answer = acme.send("POST", PAYMENTS, data, **{"Idempotency-Key": "key-1"})

    problem = assert_problem(answer, 400, "invalid_request", "amount")
    assert problem["errors"][0]["code"] == "out_of_range"
    assert stored() == (0, 0, 0)


def test_invalid_utf_8_is_refused_by_field(acme: ApiClient) -> None:
    data = json.dumps(BODY).encode()[:-1] + b', "reference": "\xed\xa0\x80"}'
    answer = acme.send("POST", PAYMENTS, data, **{"Idempotency-Key": "key-1"})

    problem = assert_problem(answer, 400, "invalid_request", "reference")
    assert problem["errors"][0]["code"] == "text_not_printable"
    assert stored() == (0, 0, 0)


@pytest.mark.parametrize("data", [b"[]", b"null", b"5", b'"text"'])
def test_json_other_than_an_object_is_refused(acme: ApiClient, data: bytes) -> None:
    answer = acme.send("POST", PAYMENTS, data, **{"Idempotency-Key": "key-1"})
    assert_problem(answer, 400, "invalid_request")


@pytest.mark.parametrize("second", ["1999", "1", "null"])
def test_field_that_is_given_twice_is_refused(acme: ApiClient, second: str) -> None:
    """A gateway could check the first value while the service uses the second one."""
    data = json.dumps(BODY).encode()[:-1] + f', "amount": {second}}}'.encode()
    answer = acme.send("POST", PAYMENTS, data, **{"Idempotency-Key": "key-1"})

    problem = body_of(answer)
    assert (answer.status_code, problem["errors"][0]["field"]) == (400, "amount")
    assert stored() == (0, 0, 0)


def test_unknown_choice_lists_the_choices_without_the_value(acme: ApiClient) -> None:
    problem = assert_problem(acme.submit(method=CARD), 400, "invalid_request", "method")
    assert "credit_card" in problem["detail"]
    assert CARD not in json.dumps(problem)


def test_large_body_is_refused_unread(acme: ApiClient) -> None:
    answer = acme.submit(reference="x" * 1_000_000)
    assert_problem(answer, 413, "body_too_large")
    assert stored() == (0, 0, 0)


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_other_media_types_are_refused(acme: ApiClient, content_type: str) -> None:
    data = json.dumps(BODY).encode()
    answer = acme.send("POST", PAYMENTS, data, content_type, **{"Idempotency-Key": "key-1"})
    assert_problem(answer, 415, "unsupported_media_type")


def test_json_with_a_charset_is_json(acme: ApiClient) -> None:
    data = json.dumps(BODY).encode()
    kind = "application/json; charset=utf-8"
    answer = acme.send("POST", PAYMENTS, data, kind, **{"Idempotency-Key": "key-1"})
    assert answer.status_code == 201


def test_idempotency_key_is_required(acme: ApiClient) -> None:
    answer = acme.send("POST", PAYMENTS, json.dumps(BODY).encode())
    assert_problem(answer, 400, "idempotency_key_missing")
    assert stored() == (0, 0, 0)


@pytest.mark.parametrize("key", ["", " ", "with space", "x" * 256, "schlüssel", "tab\tkey"])
def test_malformed_idempotency_key_is_refused(acme: ApiClient, key: str) -> None:
    answer = acme.send("POST", PAYMENTS, json.dumps(BODY).encode(), **{"Idempotency-Key": key})
    assert_problem(answer, 400, "idempotency_key_invalid", "Idempotency-Key")
    assert stored() == (0, 0, 0)


def test_request_id_reaches_the_log(acme: ApiClient) -> None:
    answer = acme.post(PAYMENTS, BODY, **{"X-Request-ID": "trace-7"})
    assert answer["X-Request-ID"] == "trace-7"
    assert {event.metadata["correlation_id"] for event in Event.objects.all()} == {"trace-7"}


@pytest.mark.parametrize(
    "given", ["", "x" * 65, "line\nbreak", "<script>", "ümlaut", "4111111111111111"]
)
def test_malformed_request_id_is_replaced(acme: ApiClient, given: str) -> None:
    answer = acme.get(PAYMENTS, **{"X-Request-ID": given.replace("\n", "%0a")})
    assert str(UUID(answer["X-Request-ID"])) == answer["X-Request-ID"]
