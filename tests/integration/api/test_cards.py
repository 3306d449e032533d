"""Which card data are stored and which are refused. No card number is stored."""

from typing import Any, Final

import pytest

from payments.events.models import Event
from readmodels.models import PaymentSummary
from tests.support.api import PAYMENTS, ApiClient, body_of, project
from tests.support.backoffice import browser, text

pytestmark = pytest.mark.django_db(transaction=True)

CARD: Final = {"token": "tok_1PqZ8k", "brand": "visa", "last4": "4242"}
SHOWN: Final = {"brand": "visa", "last4": "4242"}


@pytest.fixture
def acme() -> ApiClient:
    return ApiClient("Acme")


def stored(answer: Any) -> Any:
    return Event.objects.get(aggregate_id=body_of(answer)["id"], version=1).data["card"]


def test_card_is_shown_by_brand_and_last_digits(
    acme: ApiClient,
) -> None:
    answer = acme.submit(card=CARD)
    payment = body_of(answer)
    assert payment["card"] == SHOWN
    project()
    for path in ("", "/state?version=1"):
        assert body_of(acme.get(f"{PAYMENTS}/{payment['id']}{path}"))["card"] == SHOWN
    begun = body_of(acme.get(f"{PAYMENTS}/{payment['id']}/events"))["events"][0]
    assert begun["data"]["card"] == SHOWN
    row = PaymentSummary.objects.get()
    assert (row.card_brand, row.card_last4) == ("visa", "4242")
    page = browser().get(f"/admin/readmodels/paymentsummary/{payment['id']}/change/")
    assert "Credit card, Visa ending in 4242" in text(page)


def test_card_token_is_stored_as_a_fingerprint_per_client(acme: ApiClient) -> None:
    first, second = acme.submit(card=CARD), acme.submit(card=CARD, customer_id="another")
    other = acme.submit(card=CARD | {"token": "tok_2"})
    bolts = ApiClient("Bolt").submit(card=CARD)
    assert stored(first) == stored(second)
    fingerprints = [stored(each)["fingerprint"] for each in (first, other, bolts)]
    assert len(set(fingerprints)) == 3
    assert all(len(each) == 32 for each in fingerprints)
    assert CARD["token"] not in str(list(Event.objects.values()))


def test_repetition_with_another_card_is_refused(acme: ApiClient) -> None:
    first = acme.submit(key="1", card=CARD)
    again = acme.submit(key="1", card=CARD)
    assert (again["Idempotency-Replayed"], body_of(again)) == ("true", body_of(first))
    for other in ({"token": "tok_2"}, {"brand": "jcb"}, {"last4": "4243"}):
        problem = body_of(acme.submit(key="1", card=CARD | other))
        assert problem["code"] == "idempotency_key_reused"
        assert [error["field"] for error in problem["errors"]] == ["card"]
    assert body_of(acme.submit(key="1"))["errors"][0]["field"] == "card"


@pytest.mark.parametrize(
    ("changes", "field", "code"),
    [
        ({"card": CARD, "method": "wallet"}, "card", "not_with_method"),
        ({"card": CARD, "method": "bank_transfer"}, "card", "not_with_method"),
        ({"card": "4242"}, "card", "wrong_type"),
        ({"card": {"brand": "visa", "last4": "4242"}}, "card.token", "missing"),
        ({"card": CARD | {"number": "4111111111111111"}}, "card.number", "unknown_field"),
        ({"card": CARD | {"cvc": "123"}}, "card.cvc", "unknown_field"),
        ({"card": CARD | {"brand": "Visa"}}, "card.brand", "unknown_choice"),
        ({"card": CARD | {"last4": "424"}}, "card.last4", "wrong_format"),
        ({"card": CARD | {"last4": "42424"}}, "card.last4", "wrong_format"),
        ({"card": CARD | {"last4": "٤٢٤٢"}}, "card.last4", "wrong_format"),
        ({"card": CARD | {"last4": 4242}}, "card.last4", "wrong_type"),
        ({"card": CARD | {"token": ""}}, "card.token", "text_empty"),
        ({"card": CARD | {"token": "t" * 256}}, "card.token", "text_too_long"),
        ({"card": CARD | {"token": "tok\0"}}, "card.token", "text_not_printable"),
        ({"card": CARD | {"token": "4111 1111 1111 1111"}}, "card.token", "card_number_refused"),
        ({"card": CARD | {"token": "tok_4111111111111111"}}, "card.token", "card_number_refused"),
    ],
)
def test_bad_card_names_its_field_and_stores_nothing(
    acme: ApiClient, changes: dict[str, Any], field: str, code: str
) -> None:
    answer = acme.submit(**changes)

    problem = body_of(answer)
    assert (answer.status_code, problem["code"]) == (400, "invalid_request")
    assert [(error["field"], error["code"]) for error in problem["errors"]] == [(field, code)]
    assert "4111111" not in answer.content.decode().replace(" ", "")
    assert Event.objects.count() == 0


def test_unknown_card_brand_lists_the_brands(acme: ApiClient) -> None:
    problem = body_of(acme.submit(card=CARD | {"brand": "4111111111111111"}))
    assert "visa, mastercard, american_express" in problem["detail"]
    assert "4111111" not in str(problem)
