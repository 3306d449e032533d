"""Disputes over HTTP: notices in any order, hostile input, races, scopes and round trips."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from payments.clients.models import Scope
from payments.customers.models import Note
from payments.events.models import Event
from readmodels.models import DisputeSummary
from tests.support.api import PAYMENTS, RISKY, ApiClient, body_of, project
from tests.support.concurrency import at_once
from tests.support.disputing import closing, day, opening, stated
from tests.support.roundtrips import round_trips

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

REFUND = {"reason": "requested_by_customer"}


@pytest.fixture
def acme() -> ApiClient:
    return ApiClient("Acme")


@pytest.fixture
def paid(acme: ApiClient) -> str:
    """Return the address of a completed payment of EUR 19.99."""
    return str(acme.submit()["Location"])


def outcome(answer: Any) -> tuple[int, str | None]:
    return answer.status_code, body_of(answer).get("code")


def test_dispute_from_inquiry_to_loss(acme: ApiClient, paid: str) -> None:
    acme.post(f"{paid}/disputes", opening(1500, kind="inquiry", network="visa"))
    acme.post(f"{paid}/disputes/dp_1/update", stated(1200, updated_at=day(1)))
    evidence = {"evidence": ["ab" * 32], "note": "Delivered.", "responded_at": day(2)}
    acme.post(f"{paid}/disputes/dp_1/respond", evidence)
    answer = acme.post(f"{paid}/disputes/dp_1/close", closing(1000))

    assert answer.status_code == 200
    assert (answer["ETag"], body_of(answer)["status"]) == ('"6"', "completed")
    assert body_of(answer)["dispute"] == {
        "id": "dp_1",
        "kind": "chargeback",
        "reason": "fraudulent",
        "amount": 1200,
        "currency": "EUR",
        "network": None,
        "network_reason_code": None,
        "opened_at": day(0).replace("Z", ".000000Z"),
        "respond_by": None,
        "responded_at": day(2).replace("Z", ".000000Z"),
        "outcome": "lost",
        "lost_amount": 1000,
        "closed_at": day(9).replace("Z", ".000000Z"),
    }
    assert Note.objects.get().author == f"client:{acme.client_id}"
    types = [event["type"] for event in body_of(acme.get(f"{paid}/events"))["events"]]
    assert types[2:] == [
        "payment.disputed",
        "payment.dispute_updated",
        "payment.dispute_responded",
        "payment.dispute_closed",
    ]


def test_close_without_opening_is_completed_by_late_opening(acme: ApiClient, paid: str) -> None:
    closed = body_of(acme.post(f"{paid}/disputes/dp_1/close", closing(700)))
    opened = body_of(acme.post(f"{paid}/disputes", opening(800, reason="unrecognized")))

    assert closed["dispute"]["opened_at"] is None
    assert (closed["dispute"]["reason"], closed["dispute"]["amount"]) == ("general", 700)
    assert opened["dispute"]["reason"] == "unrecognized"
    assert (opened["dispute"]["outcome"], opened["dispute"]["lost_amount"]) == ("lost", 700)


@pytest.mark.parametrize("offset", ["+20:30", "-23:59"])
def test_time_with_any_offset_is_stored_in_utc(acme: ApiClient, paid: str, offset: str) -> None:
    """PostgreSQL refuses such an offset, so the projection would park the event."""
    opened = day(0).replace("Z", offset)

    assert acme.post(f"{paid}/disputes", opening(800, opened_at=opened)).status_code == 200

    project()
    assert DisputeSummary.objects.get().opened_at == datetime.fromisoformat(opened)
    stored = Event.objects.get(event_type="payment.disputed").data["opened_at"]
    assert stored.endswith("Z")


def test_repeated_notice_under_another_key_appends_nothing(acme: ApiClient, paid: str) -> None:
    first = acme.post(f"{paid}/disputes", opening())
    before = Event.objects.count()

    again = acme.post(f"{paid}/disputes", opening())

    assert (again.status_code, again.content) == (200, first.content)
    assert again["Idempotency-Replayed"] == "true"
    assert Event.objects.count() == before


def test_repeated_notice_with_other_values_names_the_fields(acme: ApiClient, paid: str) -> None:
    acme.post(f"{paid}/disputes", opening(500))

    answer = acme.post(f"{paid}/disputes", opening(501))

    assert outcome(answer) == (409, "dispute_contradicted")
    assert [error["field"] for error in body_of(answer)["errors"]] == ["amount"]


def test_refund_waits_for_the_outcome_and_gets_what_is_left(acme: ApiClient, paid: str) -> None:
    acme.post(f"{paid}/disputes", opening(1500))
    refused = acme.post(f"{paid}/refunds", REFUND)
    acme.post(f"{paid}/disputes/dp_1/close", closing(1500))
    too_much = acme.post(f"{paid}/refunds", REFUND | {"amount": 500, "currency": "EUR"})
    rest = acme.post(f"{paid}/refunds", REFUND)
    nothing = acme.post(f"{paid}/refunds", REFUND)

    assert outcome(refused) == (409, "dispute_open")
    assert body_of(refused)["dispute_id"] == "dp_1"
    assert outcome(too_much) == (422, "refund_too_large")
    assert body_of(too_much)["refundable"] == 499
    assert body_of(rest)["refund"]["amount"] == 499
    assert outcome(nothing) == (409, "not_refundable")


def test_refunded_payment_can_be_disputed(acme: ApiClient, paid: str) -> None:
    """Banks dispute payments that were refunded, and the notice must not be lost."""
    acme.post(f"{paid}/refunds", REFUND)

    answer = acme.post(f"{paid}/disputes", opening())

    assert (answer.status_code, body_of(answer)["status"]) == (200, "refunded")


@pytest.mark.parametrize(
    ("changes", "field", "code"),
    [
        ({"amount": 0}, "amount", "amount_not_positive"),
        ({"amount": -1}, "amount", "amount_not_positive"),
        ({"amount": 10**12}, "amount", "amount_too_large"),
        ({"amount": 1.5}, "amount", "wrong_type"),
        ({"amount": "1"}, "amount", "wrong_type"),
        ({"currency": "ZZZ"}, "currency", "unknown_currency"),
        ({"kind": "complaint"}, "kind", "unknown_choice"),
        ({"reason": "because"}, "reason", "unknown_choice"),
        ({"dispute_id": ""}, "dispute_id", "text_empty"),
        ({"dispute_id": "x" * 101}, "dispute_id", "text_too_long"),
        ({"dispute_id": "dp\0"}, "dispute_id", "text_not_printable"),
        ({"dispute_id": " dp"}, "dispute_id", "text_has_outer_blanks"),
        ({"dispute_id": "4111111111111111"}, "dispute_id", "card_number_refused"),
        ({"network": "x" * 101}, "network", "text_too_long"),
        ({"network_reason_code": "\u202e"}, "network_reason_code", "text_not_printable"),
        ({"opened_at": "2026-01-06T09:00:00"}, "opened_at", "wrong_format"),
        ({"opened_at": "yesterday"}, "opened_at", "wrong_format"),
        ({"opened_at": 1767690000}, "opened_at", "wrong_type"),
        ({"opened_at": "0001-01-01T00:00:00+14:00"}, "opened_at", "out_of_range"),
        ({"opened_at": "9999-12-31T23:59:59-14:00"}, "opened_at", "out_of_range"),
        ({"respond_by": "9999-12-31T23:59:59Z"}, "respond_by", "out_of_range"),
        ({"opened_at": None}, "opened_at", "wrong_type"),
        ({"outcome": "lost"}, "outcome", "unknown_field"),
    ],
)
def test_hostile_opening_is_refused_by_field(
    acme: ApiClient, paid: str, changes: dict[str, Any], field: str, code: str
) -> None:
    before = Event.objects.count()

    answer = acme.post(f"{paid}/disputes", opening() | changes)

    assert outcome(answer) == (400, "invalid_request")
    assert (field, code) in {(each["field"], each["code"]) for each in body_of(answer)["errors"]}
    assert "4111111111111111" not in answer.content.decode()
    assert Event.objects.count() == before


def test_time_in_the_future_is_refused(acme: ApiClient, paid: str) -> None:
    soon = (timezone.now() + timedelta(minutes=6)).isoformat()

    refused = acme.post(f"{paid}/disputes", opening(opened_at=soon))
    due_later = acme.post(f"{paid}/disputes", opening(respond_by=soon))

    assert body_of(refused)["errors"][0]["code"] == "out_of_range"
    assert due_later.status_code == 200


@pytest.mark.parametrize(
    ("path", "sent", "status", "code"),
    [
        ("disputes", opening(2000), 422, "dispute_too_large"),
        ("disputes", opening(1, currency="USD"), 422, "dispute_currency_differs"),
        ("disputes/dp_9/respond", {}, 404, "dispute_not_found"),
        ("disputes/dp_9/close", closing(2000), 422, "dispute_too_large"),
        ("disputes/dp_9/close", closing(1, "won"), 422, "dispute_loss_invalid"),
        ("disputes/dp_9/close", closing(1, currency="USD"), 422, "dispute_currency_differs"),
        ("disputes/dp_9/close", closing(-1), 400, "invalid_request"),
        ("disputes/dp_9/close", closing(10**12), 400, "invalid_request"),
        ("disputes/dp_9/close", closing(0, currency="ZZZ"), 400, "invalid_request"),
        ("disputes/dp_9/update", stated(1), 400, "invalid_request"),
        (f"disputes/{'x' * 101}/close", closing(), 400, "invalid_request"),
        ("disputes/%00/close", closing(), 400, "invalid_request"),
        ("disputes/%EF%BF%BD/close", closing(), 400, "invalid_request"),
        ("disputes/4111111111111111/close", closing(), 400, "invalid_request"),
        ("disputes/dp_9/respond", {"evidence": ["x"]}, 400, "invalid_request"),
        ("disputes/dp_9/respond", {"evidence": ["AB" * 32]}, 400, "invalid_request"),
        ("disputes/dp_9/respond", {"evidence": ["ab" * 32 + "\n"]}, 400, "invalid_request"),
        ("disputes/dp_9/respond", {"evidence": ["ab" * 32] * 51}, 400, "invalid_request"),
    ],
)
def test_impossible_notice_is_refused(
    acme: ApiClient, paid: str, path: str, sent: dict[str, Any], status: int, code: str
) -> None:
    before = Event.objects.count()

    answer = acme.post(f"{paid}/{path}", sent)

    assert outcome(answer) == (status, code), answer.content
    assert Event.objects.count() == before


@pytest.mark.parametrize("dispute_id", ["dp/1", "dp 1", "é", "update", "a/close"])
def test_id_of_any_text_is_found_in_the_path(acme: ApiClient, paid: str, dispute_id: str) -> None:
    acme.post(f"{paid}/disputes", opening(dispute_id=dispute_id))

    answer = acme.post(f"{paid}/disputes/{dispute_id}/close", closing())

    assert (body_of(answer)["dispute"]["id"], answer.status_code) == (dispute_id, 200)
    assert Event.objects.count() == 4


def test_payment_under_review_is_not_disputable(acme: ApiClient) -> None:
    flagged = acme.submit(**RISKY)["Location"]

    answer = acme.post(f"{flagged}/disputes", opening(currency="USD"))

    assert outcome(answer) == (409, "not_disputable")
    assert body_of(answer)["payment_status"] == "pending_review"


@pytest.mark.parametrize("scope", Scope.values)
def test_only_the_scope_of_disputes_permits_a_notice(
    acme: ApiClient, paid: str, scope: str
) -> None:
    other = ApiClient("Acme", scopes=[scope])

    answer = other.post(f"{paid}/disputes", opening())

    assert answer.status_code == (200 if scope == Scope.DISPUTES_WRITE else 403)


def test_payment_of_another_client_is_not_found(acme: ApiClient, paid: str) -> None:
    acme.post(f"{paid}/disputes", opening())

    answer = ApiClient("Bolt").post(f"{paid}/disputes/dp_1/close", closing())

    assert outcome(answer) == (404, "payment_not_found")


def test_concurrent_closes_leave_one_loss(acme: ApiClient, paid: str) -> None:
    """The loss is final, whether it arrives first or last."""
    acme.post(f"{paid}/disputes", opening())
    ends = [closing(1999, "lost", closed_at=day(8)), closing(0, "won", closed_at=day(9))]

    answers = at_once(8, lambda number: acme.post(f"{paid}/disputes/dp_1/close", ends[number % 2]))

    allowed = {(200, None), (409, "dispute_closed"), (409, "stale_version")}
    assert {outcome(answer) for answer in answers} <= allowed
    acme.post(f"{paid}/disputes/dp_1/close", ends[0])
    shown = body_of(acme.post(f"{paid}/disputes", opening()))["dispute"]
    assert (shown["outcome"], shown["lost_amount"]) == ("lost", 1999)
    assert Event.objects.filter(event_type="payment.dispute_closed").count() <= 2


def test_concurrent_refund_and_dispute_never_pay_twice(acme: ApiClient, paid: str) -> None:
    def send(number: int) -> Any:
        if number % 2:
            return acme.post(f"{paid}/refunds", REFUND)
        return acme.post(f"{paid}/disputes", opening(dispute_id=f"dp_{number}"))

    answers = at_once(8, send)

    events = Event.objects.order_by("version").values_list("event_type", flat=True)
    types = [each for each in events if each in {"payment.refunded", "payment.disputed"}]
    # A refund after a dispute would pay twice, so it is refused. A dispute after a refund is not.
    assert "payment.refunded" not in types[1:]
    assert types.count("payment.disputed") == 1
    assert {outcome(answer)[0] for answer in answers} <= {200, 409, 422}


def test_notice_takes_as_many_round_trips_as_a_refund(acme: ApiClient) -> None:
    for _ in range(8):  # prepares every statement and caches the keys
        payment = acme.submit()["Location"]
        acme.post(f"{payment}/disputes", opening(500))
        acme.post(f"{payment}/disputes/dp_1/close", closing(500))
        acme.post(f"{payment}/refunds", REFUND)
    payment = acme.submit()["Location"]

    with round_trips() as dispute:
        acme.post(f"{payment}/disputes", opening(500))
    with round_trips() as close:
        acme.post(f"{payment}/disputes/dp_1/close", closing(500))
    with round_trips() as refund:
        acme.post(f"{payment}/refunds", REFUND)

    assert (dispute.count, close.count, refund.count) == (3, 3, 3)


def test_payment_is_found_by_reference_to_be_disputed(acme: ApiClient) -> None:
    """Providers of disputes often know a payment only by the merchant's reference."""
    submitted = body_of(acme.submit(reference="order-77"))
    project()
    (found,) = body_of(acme.get(f"{PAYMENTS}?reference=order-77"))["payments"]

    answer = acme.post(f"{PAYMENTS}/{found['id']}/disputes", opening())

    assert body_of(answer)["id"] == submitted["id"]
