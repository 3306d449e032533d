"""Decisions over HTTP."""

from typing import Any
from uuid import uuid4

import pytest

from payments import actors
from payments.clients.models import Scope
from payments.customers.models import Note
from payments.events.models import Event
from tests.support.api import PAYMENTS, RISKY, ApiClient, body_of
from tests.support.concurrency import at_once

pytestmark = pytest.mark.django_db(transaction=True)

REASON = {"approve": "known_customer", "reject": "suspected_fraud"}


@pytest.fixture
def acme() -> ApiClient:
    return ApiClient("Acme")


@pytest.fixture
def flagged(acme: ApiClient) -> str:
    return str(body_of(acme.submit(**RISKY))["id"])


def test_approval_completes_the_payment(acme: ApiClient, flagged: str) -> None:
    body = {"reason": "verified_with_customer", "note": "Called back,\nall fine."}
    answer = acme.post(f"{PAYMENTS}/{flagged}/approve", body)
    payment = body_of(answer)
    assert (answer.status_code, payment["status"], payment["version"]) == (200, "completed", 4)
    assert payment["customer_id"] == "customer-123"
    assert acme.staff_id is not None
    review = payment["review"] | {"at": None}
    assert review == {
        "decision": "approved",
        "reviewer": actors.staff(acme.staff_id),
        "reason": "verified_with_customer",
        "at": None,
    }
    note = Note.objects.get()
    assert (note.text, str(note.payment_id)) == (body["note"], flagged)
    assert "Called back" not in str(list(Event.objects.values()))


def test_rejection_ends_the_payment(acme: ApiClient, flagged: str) -> None:
    payment = body_of(acme.post(f"{PAYMENTS}/{flagged}/reject", {"reason": "suspected_fraud"}))
    assert (payment["status"], payment["review"]["decision"]) == ("rejected", "rejected")


def test_late_decision_is_refused_with_the_decision(acme: ApiClient, flagged: str) -> None:
    acme.post(f"{PAYMENTS}/{flagged}/approve", {"reason": "other"})
    answer = acme.post(f"{PAYMENTS}/{flagged}/reject", {"reason": "other"})

    problem = body_of(answer)
    assert (answer.status_code, problem["code"]) == (409, "not_under_review")
    assert problem["decision"] == "approved"
    assert problem["decided_by"] == f"staff:{acme.staff_id}"


def test_concurrent_decisions_succeed_once(acme: ApiClient, flagged: str) -> None:
    def decide(number: int) -> int:
        command = ("approve", "reject")[number % 2]
        path = f"{PAYMENTS}/{flagged}/{command}"
        return acme.post(path, {"reason": "other"}).status_code

    assert sorted(at_once(8, decide)) == [200, *[409] * 7]


@pytest.mark.parametrize(
    ("body", "field", "code"),
    [
        ({}, "reason", "missing"),
        ({"reason": "because"}, "reason", "unknown_choice"),
        ({"reason": "suspected_fraud"}, "reason", "unknown_choice"),
        ({"reason": "other", "note": 5}, "note", "wrong_type"),
        ({"reason": "other", "note": "  "}, "note", "text_empty"),
        ({"reason": "other", "note": "x" * 2001}, "note", "text_too_long"),
        ({"reason": "other", "note": "4111111111111111"}, "note", "card_number_refused"),
        ({"reason": "other", "note": "a\0"}, "note", "text_not_printable"),
        ({"reason": "other", "note": "a\ud800"}, "note", "text_not_printable"),
        ({"note": "two\nlines", "reason": "\ud800"}, "reason", "text_not_printable"),
        ({"reason": "other", "amount": 1}, "amount", "unknown_field"),
    ],
)
def test_bad_decision_names_its_field_and_stores_nothing(
    acme: ApiClient, flagged: str, body: dict[str, Any], field: str, code: str
) -> None:
    answer = acme.post(f"{PAYMENTS}/{flagged}/approve", body)

    problem = body_of(answer)
    assert (answer.status_code, problem["code"]) == (400, "invalid_request")
    assert [(error["field"], error["code"]) for error in problem["errors"]] == [(field, code)]
    assert (Event.objects.count(), Note.objects.count()) == (2, 0)


@pytest.mark.parametrize("command", ["approve", "reject"])
def test_key_without_the_scope_decides_nothing(acme: ApiClient, flagged: str, command: str) -> None:
    other = ApiClient("Acme", scopes=[Scope.PAYMENTS_WRITE, Scope.PAYMENTS_READ])
    answer = other.post(f"{PAYMENTS}/{flagged}/{command}", {"reason": REASON[command]})
    assert (answer.status_code, body_of(answer)["code"]) == (403, "permission_denied")


@pytest.mark.parametrize("lost", ["permission", "is_active", "is_staff"])
def test_former_reviewer_cannot_decide(acme: ApiClient, flagged: str, lost: str) -> None:
    from django.contrib.auth import get_user_model

    staff = get_user_model().objects.get(username="ada")
    if lost == "permission":
        staff.user_permissions.clear()
    else:
        setattr(staff, lost, False)
        staff.save()
    answer = acme.post(f"{PAYMENTS}/{flagged}/approve", {"reason": "other"})
    assert answer.status_code == 403
    assert Event.objects.count() == 2


@pytest.mark.parametrize("command", ["approve", "reject"])
def test_another_clients_payment_does_not_exist(
    acme: ApiClient, flagged: str, command: str
) -> None:
    body = {"reason": REASON[command]}
    theirs = ApiClient("Bolt").post(f"{PAYMENTS}/{flagged}/{command}", body)
    nobodys = acme.post(f"{PAYMENTS}/{uuid4()}/{command}", body)
    for answer in (theirs, nobodys):
        assert (answer.status_code, body_of(answer)["code"]) == (404, "payment_not_found")
    assert Event.objects.count() == 2
