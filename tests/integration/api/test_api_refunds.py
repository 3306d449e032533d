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
        (refund(1, "XXX"), 400, "invalid_request", "currency"),
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
    """With five attempts and no pause, one in six ended as `stale_version`."""
    part = {"reason": "other", "amount": 1, "currency": "EUR"}

    def refund(_: int) -> list[int]:
        return [acme.post(f"{PAYMENTS}/{paid}/refunds", part).status_code for _ in range(10)]

    answers = [status for statuses in at_once(12, refund) for status in statuses]

    assert answers == [200] * 120
    assert body_of(acme.get(f"{PAYMENTS}/{paid}/state?version=122"))["refunded_amount"] == 120
