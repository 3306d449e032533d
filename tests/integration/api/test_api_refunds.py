"""Cancelling and refunding over HTTP."""

from typing import Any

import pytest

from payments.events.models import Event
from readmodels.models import DailyStatistics, PaymentSummary
from tests.support.api import PAYMENTS, RISKY, ApiClient, body_of, project
from tests.support.concurrency import at_once

pytestmark = pytest.mark.django_db(transaction=True)

REASON = {"reason": "requested_by_customer"}


@pytest.fixture
def acme() -> ApiClient:
    return ApiClient("Acme")


@pytest.fixture
def paid(acme: ApiClient) -> str:
    """Return the id of a completed payment of EUR 19.99."""
    return str(body_of(acme.submit())["id"])


def refund(minor: int, currency: str = "EUR") -> dict[str, Any]:
    return REASON | {"amount": minor, "currency": currency}


def test_refund_in_parts(acme: ApiClient, paid: str) -> None:
    answer = acme.post(f"{PAYMENTS}/{paid}/refunds", refund(999))
    partly = body_of(answer)
    assert answer.status_code == 200
    assert (partly["status"], partly["refunded_amount"]) == ("partially_refunded", 999)
    rest = body_of(acme.post(f"{PAYMENTS}/{paid}/refunds", REASON))
    assert (rest["status"], rest["refunded_amount"]) == ("refunded", 1999)
    project()
    row = PaymentSummary.objects.get()
    assert (row.status, row.refunded_amount) == ("refunded", 1999)
    day = DailyStatistics.objects.get()
    assert (day.refunded_count, day.refunded_volume) == (2, 1999)
    events = body_of(acme.get(f"{PAYMENTS}/{paid}/events"))["events"]
    assert [each["data"]["refunded"] for each in events[2:]] == [999, 1999]


def test_repeated_refund_has_one_effect(acme: ApiClient, paid: str) -> None:
    answers = at_once(
        8, lambda _: acme.post(f"{PAYMENTS}/{paid}/refunds", refund(500), key="refund-1")
    )
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert Event.objects.filter(event_type="payment.refunded").count() == 1
    other = acme.post(f"{PAYMENTS}/{paid}/refunds", refund(501), key="refund-1")
    assert (other.status_code, body_of(other)["code"]) == (422, "idempotency_key_reused")


def test_concurrent_refunds_never_exceed_the_payment(acme: ApiClient, paid: str) -> None:
    answers = at_once(8, lambda _: acme.post(f"{PAYMENTS}/{paid}/refunds", refund(600)))
    codes = [(answer.status_code, body_of(answer).get("code")) for answer in answers]
    assert codes.count((200, None)) <= 3
    assert set(codes) <= {(200, None), (422, "refund_too_large"), (409, "stale_version")}
    shown = body_of(acme.get(f"{PAYMENTS}/{paid}"))
    assert shown["refunded_amount"] == 600 * codes.count((200, None)) <= 1999


@pytest.mark.parametrize(
    ("body", "status", "code", "field"),
    [
        (refund(2000), 422, "refund_too_large", None),
        (refund(1, "USD"), 422, "refund_currency_differs", None),
        (refund(0), 400, "invalid_request", "amount"),
        (refund(-5), 400, "invalid_request", "amount"),
        (refund(1, "ZZZ"), 400, "invalid_request", "currency"),
        (REASON | {"amount": 5}, 400, "invalid_request", "currency"),
        (REASON | {"currency": "EUR"}, 400, "invalid_request", "amount"),
        ({"reason": "because"}, 400, "invalid_request", "reason"),
        ({}, 400, "invalid_request", "reason"),
    ],
)
def test_wrong_refund_is_refused(
    acme: ApiClient, paid: str, body: Any, status: int, code: str, field: str | None
) -> None:
    answer = acme.post(f"{PAYMENTS}/{paid}/refunds", body)

    problem = body_of(answer)
    assert (answer.status_code, problem["code"]) == (status, code)
    assert [each["field"] for each in problem.get("errors", [])] == ([field] if field else [])
    assert not Event.objects.filter(event_type="payment.refunded").exists()


def test_cancel_ends_an_open_review(acme: ApiClient) -> None:
    waiting = body_of(acme.submit(**RISKY))["id"]
    answer = acme.post(f"{PAYMENTS}/{waiting}/cancel", REASON)
    assert (answer.status_code, body_of(answer)["status"]) == (200, "cancelled")
    project()
    assert DailyStatistics.objects.get().open_reviews == 0
    late = acme.post(f"{PAYMENTS}/{waiting}/approve", {"reason": "other"}, **{"If-Match": "*"})
    assert (late.status_code, body_of(late)["code"]) == (409, "not_under_review")


def test_cancel_refuses_a_completed_payment(acme: ApiClient, paid: str) -> None:
    answer = acme.post(f"{PAYMENTS}/{paid}/cancel", REASON)
    assert (answer.status_code, body_of(answer)["code"]) == (409, "payment_already_finished")
    assert "Refund it instead" in body_of(answer)["detail"]


@pytest.mark.parametrize("command", ["cancel", "refunds"])
def test_cancel_and_refund_of_another_client_are_not_found(paid: str, command: str) -> None:
    answer = ApiClient("Bolt").post(f"{PAYMENTS}/{paid}/{command}", REASON)
    assert (answer.status_code, body_of(answer)["code"]) == (404, "payment_not_found")


def test_concurrent_refunds_within_the_payment_all_succeed(acme: ApiClient, paid: str) -> None:
    """Regression: with five attempts and no pause, one in six refunds ended as `stale_version`."""
    part = {"reason": "other", "amount": 1, "currency": "EUR"}

    def refund(_: int) -> list[int]:
        return [acme.post(f"{PAYMENTS}/{paid}/refunds", part).status_code for _ in range(10)]

    answers = [status for statuses in at_once(12, refund) for status in statuses]

    assert answers == [200] * 120
    assert body_of(acme.get(f"{PAYMENTS}/{paid}/state?version=122"))["refunded_amount"] == 120


def test_answer_to_refund_has_the_refund(acme: ApiClient, paid: str) -> None:
    address = f"{PAYMENTS}/{paid}/refunds"
    acme.post(address, refund(999))

    answer = acme.post(address, REASON | {"reference": "return-1"}, key="rest")
    again = acme.post(address, REASON | {"reference": "return-1"}, key="rest")
    acme.submit()

    made = body_of(answer)["refund"]
    assert (made["amount"], made["currency"], made["reference"]) == (1000, "EUR", "return-1")
    assert made["position"] == body_of(answer)["position"]
    assert again.content == answer.content
    listed = acme.get(address)
    assert [each["amount"] for each in body_of(listed)["refunds"]] == [999, 1000]
    assert body_of(listed)["refunds"][1] == made
    assert acme.get(address, **{"If-None-Match": listed["ETag"]}).status_code == 304
    last = body_of(acme.get(f"{PAYMENTS}/{paid}/events"))["events"][-1]["data"]
    assert (last["refund_id"], last["reference"]) == (made["id"], "return-1")


def test_repeated_refund_answers_with_its_own_refund_after_later_ones(
    acme: ApiClient, paid: str
) -> None:
    address = f"{PAYMENTS}/{paid}/refunds"
    first = acme.post(address, refund(5), key="first")
    acme.post(address, refund(7))

    again = acme.post(address, refund(5), key="first")

    assert (again.content, again["Idempotency-Replayed"]) == (first.content, "true")


@pytest.mark.parametrize("same_payment", [True, False])
def test_reference_of_refund_is_used_once_per_client(
    acme: ApiClient, paid: str, *, same_payment: bool
) -> None:
    """Regression: on the same payment, this ended as `stale_version` after twenty attempts."""
    other = paid if same_payment else str(body_of(acme.submit())["id"])
    referred = refund(5) | {"reference": "return-1"}
    acme.post(f"{PAYMENTS}/{paid}/refunds", referred)

    answer = acme.post(f"{PAYMENTS}/{other}/refunds", referred)

    problem = body_of(answer)
    assert (answer.status_code, problem["code"], problem["payment_id"]) == (
        409,
        "reference_taken",
        paid,
    )
    assert "A refund of payment" in problem["detail"]
    assert Event.objects.filter(event_type="payment.refunded").count() == 1


def test_reference_of_refund_is_separate_for_clients_and_from_payments(acme: ApiClient) -> None:
    bolt = ApiClient("Bolt")
    referred = REASON | {"reference": "order-1"}

    answers = [
        client.post(f"{client.submit(reference='order-1')['Location']}/refunds", referred)
        for client in (acme, bolt)
    ]

    assert [answer.status_code for answer in answers] == [200, 200]


def test_concurrent_repetitions_of_refund_with_reference_have_one_effect(
    acme: ApiClient, paid: str
) -> None:
    referred = refund(5) | {"reference": "return-1"}

    answers = at_once(8, lambda _: acme.post(f"{PAYMENTS}/{paid}/refunds", referred, key="refund"))

    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1


def test_concurrent_refunds_with_one_reference_have_one_effect(acme: ApiClient, paid: str) -> None:
    referred = refund(5) | {"reference": "return-1"}

    answers = at_once(8, lambda _: acme.post(f"{PAYMENTS}/{paid}/refunds", referred))

    codes = sorted(str(body_of(answer).get("code")) for answer in answers)
    assert codes == ["None"] + ["reference_taken"] * 7


def test_idempotency_key_of_refund_belongs_to_one_payment(acme: ApiClient, paid: str) -> None:
    other = str(body_of(acme.submit())["id"])

    answers = [
        acme.post(f"{PAYMENTS}/{each}/refunds", REASON, key="refund") for each in (paid, other)
    ]

    assert [answer.get("Idempotency-Replayed") for answer in answers] == [None, None]
    assert len({body_of(answer)["refund"]["id"] for answer in answers}) == 2


def test_refunds_of_another_client_are_not_found(paid: str) -> None:
    answer = ApiClient("Bolt").get(f"{PAYMENTS}/{paid}/refunds")

    assert (answer.status_code, body_of(answer)["code"]) == (404, "payment_not_found")
