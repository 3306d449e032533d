"""Idempotency of every command: one effect, the same answer, separate keys."""

from typing import Any, Final
from uuid import uuid4

import pytest
from msgspec import Struct
from msgspec.structs import replace

from payments.clients import keys
from payments.clients.keyring import keyring
from payments.clients.models import Scope
from payments.customers.models import Note
from payments.events.models import Event
from tests.support.api import BODY, PAYMENTS, RISKY, ApiClient, body_of, reviewer
from tests.support.concurrency import at_once
from tests.support.examples import OPERATOR

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


class Sent(Struct):
    """A command with its body. `differing` has another value for one of the fields."""

    path: str
    body: dict[str, Any]
    differing: dict[str, Any]
    effect: tuple[int, int]  # the numbers of events and notes that the command adds
    status: int = 200
    on: dict[str, Any] | None = None  # the submission of the payment that the command changes


NOTED: Final = {"reason": "other", "note": "Seen."}
PART: Final = {"reason": "other", "amount": 500, "currency": "EUR"}
STATED: Final = {
    "kind": "chargeback",
    "reason": "fraudulent",
    "amount": 500,
    "currency": "EUR",
    "network": "visa",
    "network_reason_code": "10.4",
    "respond_by": "2026-01-20T09:00:00Z",
}
DISPUTED: Final = STATED | {"dispute_id": "dp_1", "opened_at": "2026-01-06T09:00:00Z"}
UPDATED: Final = STATED | {"updated_at": "2026-01-07T09:00:00Z"}
CLOSED: Final = {
    "outcome": "lost",
    "lost_amount": 500,
    "currency": "EUR",
    "network": "visa",
    "closed_at": "2026-01-08T09:00:00Z",
}
COMMANDS: Final = {
    "submit": Sent("", RISKY | {"reference": "order-1"}, {"amount": 1}, (2, 0), 201),
    "approve": Sent("/approve", NOTED, {"note": "Not seen."}, (2, 1), on=RISKY),
    "reject": Sent("/reject", NOTED, {"reason": "suspected_fraud"}, (1, 1), on=RISKY),
    "cancel": Sent("/cancel", {"reason": "other"}, {"reason": "duplicate"}, (1, 0), on=RISKY),
    "refund": Sent("/refunds", PART, {"amount": 501}, (1, 0), on=BODY),
    "dispute": Sent("/disputes", DISPUTED, {"amount": 501}, (1, 0), on=BODY),
    "update": Sent("/disputes/dp_1/update", UPDATED, {"network": "amex"}, (2, 0), on=BODY),
    "close": Sent("/disputes/dp_1/close", CLOSED, {"lost_amount": 501}, (2, 0), on=BODY),
}
# Fields that may be omitted.
OPTIONAL: Final = {
    "submit": {"reference"},
    "approve": {"note"},
    "reject": {"note"},
    "refund": {"amount", "currency"},
    "dispute": {"network", "network_reason_code", "respond_by"},
    "close": {"network"},
}


@pytest.fixture
def acme() -> ApiClient:
    return ApiClient("Acme")


@pytest.fixture(params=COMMANDS)
def sent(request: pytest.FixtureRequest, acme: ApiClient) -> Sent:
    """Return each command with a payment that accepts it."""
    command = COMMANDS[request.param]
    if command.on is None:
        return replace(command, path=PAYMENTS)
    payment = acme.submit(**command.on)["Location"]
    return replace(command, path=f"{payment}{command.path}")


def stored() -> tuple[int, int]:
    return Event.objects.count(), Note.objects.count()


def test_command_without_idempotency_key_is_refused(acme: ApiClient, sent: Sent) -> None:
    before = stored()
    for key, code in ((None, "missing"), ("", "invalid"), ("x" * 256, "invalid")):
        headers = {"If-Match": "*"} | ({} if key is None else {"Idempotency-Key": key})
        answer = acme.send("POST", sent.path, b"{}", **headers)
        assert (answer.status_code, body_of(answer)["code"]) == (400, f"idempotency_key_{code}")
    assert stored() == before


def test_repetition_gets_the_first_answer_permanently(acme: ApiClient, sent: Sent) -> None:
    first = acme.post(sent.path, sent.body, "key-1")
    assert first.status_code == sent.status
    if sent.status == 201:  # a later change of the payment
        moved = acme.post(f"{first['Location']}/approve", {"reason": "other"}, "key-1")
        assert moved.status_code == 200
    before = stored()
    for _ in range(3):
        again = acme.post(sent.path, sent.body, "key-1")
        assert (again.status_code, again.content) == (first.status_code, first.content)
        for name in ("ETag", "X-Event-Position", "Location"):
            assert again.get(name) == first.get(name)
        assert again["Idempotency-Replayed"] == "true"
        assert "Idempotency-Replayed" not in first
    assert stored() == before


def test_reused_key_is_refused_with_the_differing_fields(acme: ApiClient, sent: Sent) -> None:
    acme.post(sent.path, sent.body, "key-1")
    before = stored()

    answer = acme.post(sent.path, sent.body | sent.differing, "key-1")

    problem = body_of(answer)
    assert (answer.status_code, problem["code"]) == (422, "idempotency_key_reused")
    assert {error["field"] for error in problem["errors"]} == set(sent.differing)
    assert {error["code"] for error in problem["errors"]} == {"differs"}
    assert stored() == before


@pytest.mark.parametrize("sent", OPTIONAL, indirect=True)
def test_reused_key_reports_an_omitted_field(
    acme: ApiClient, sent: Sent, request: pytest.FixtureRequest
) -> None:
    acme.post(sent.path, sent.body, "key-1")
    optional = OPTIONAL[request.node.callspec.params["sent"]]
    body = {name: value for name, value in sent.body.items() if name not in optional}

    answer = acme.post(sent.path, body, "key-1")

    assert answer.status_code == 422
    assert {error["field"] for error in body_of(answer)["errors"]} == optional


def test_concurrent_repetitions_have_one_effect_and_one_answer(acme: ApiClient, sent: Sent) -> None:
    acme.submit()  # so that the customer is known
    before = stored()
    answers = at_once(20, lambda _: acme.post(sent.path, sent.body, "key-1"))
    assert {answer.status_code for answer in answers} == {sent.status}
    assert len({answer.content for answer in answers}) == 1
    assert len({answer["ETag"] for answer in answers}) == 1
    assert sum("Idempotency-Replayed" not in answer for answer in answers) == 1
    events, notes = sent.effect
    assert stored() == (before[0] + events, before[1] + notes)


def test_idempotency_keys_are_separate_per_command(acme: ApiClient) -> None:
    flagged = acme.submit("key-1", **RISKY)["Location"]
    other = acme.submit("key-2", **RISKY | {"reference": "order-2"})["Location"]
    approved = acme.post(f"{flagged}/approve", {"reason": "other"}, "key-1")
    rejected = acme.post(f"{other}/reject", {"reason": "other"}, "key-1")
    for answer, status in ((approved, "completed"), (rejected, "rejected")):
        assert "Idempotency-Replayed" not in answer
        assert (answer.status_code, body_of(answer)["status"]) == (200, status)
    too_late = acme.post(f"{flagged}/reject", {"reason": "other"}, "key-1")
    assert body_of(too_late)["code"] == "not_under_review"


def test_idempotency_keys_are_separate_per_payment(acme: ApiClient) -> None:
    for number in (1, 2):
        flagged = acme.submit(**RISKY | {"reference": f"order-{number}"})["Location"]
        answer = acme.post(f"{flagged}/approve", {"reason": "other"}, "key-1")
        assert (answer.status_code, "Idempotency-Replayed" in answer) == (200, False)


def test_idempotency_keys_are_separate_per_person(acme: ApiClient) -> None:
    """Without the actor in the key, the second reviewer would get the first one's answer."""
    bob = reviewer("bob")
    _, token = keys.create(acme.client, [Scope.REVIEWS_WRITE], staff_id=bob.pk, by=OPERATOR)
    keyring.forget()
    flagged = acme.submit(**RISKY)["Location"]
    body = {"reason": "other", "note": "Seen."}
    assert acme.post(f"{flagged}/approve", body, "key-1").status_code == 200
    answer = acme.post(f"{flagged}/approve", body, "key-1", Authorization=f"Bearer {token}")
    problem = body_of(answer)
    assert (answer.status_code, problem["code"]) == (409, "not_under_review")
    assert problem["decided_by"] == f"staff:{acme.staff_id}"
    assert problem["status"] == 409


def test_two_keys_of_one_client_share_its_idempotency_keys(acme: ApiClient) -> None:
    """A client that rotates its API key between two attempts must not pay twice."""
    first = acme.submit("key-1")
    _, token = keys.create(acme.client, [Scope.PAYMENTS_WRITE], by=OPERATOR)
    keyring.forget()

    again = acme.post(PAYMENTS, BODY, "key-1", Authorization=f"Bearer {token}")

    assert (again.content, again["Idempotency-Replayed"]) == (first.content, "true")


def test_refused_command_is_not_remembered(acme: ApiClient) -> None:
    key = str(uuid4())
    assert acme.submit(key, amount=0).status_code == 400
    assert acme.submit(key).status_code == 201


def test_refused_decision_is_decided_again_under_its_key(acme: ApiClient) -> None:
    """A refusal appends nothing. Repetitions get the answer of the first success."""
    colleague = ApiClient("Acme", staff="grace")
    payment = acme.submit(**RISKY)["Location"]
    colleague.post(f"{payment}/claim", {})
    decision = (f"{payment}/approve", {"reason": "other"}, "key-1")

    refused = acme.post(*decision)
    colleague.post(f"{payment}/release", {})
    decided, repeated = acme.post(*decision), acme.post(*decision)

    assert (refused.status_code, body_of(refused)["code"]) == (409, "review_claimed")
    assert (decided.status_code, "Idempotency-Replayed" in decided) == (200, False)
    assert (repeated.content, repeated["Idempotency-Replayed"]) == (decided.content, "true")


def test_taken_reference_names_the_payment_even_concurrently(acme: ApiClient) -> None:
    answers = at_once(8, lambda _: acme.submit(reference="order-1"))
    assert sorted(answer.status_code for answer in answers) == [201, *[409] * 7]
    (taken,) = (body_of(answer)["id"] for answer in answers if answer.status_code == 201)
    for answer in answers:
        if answer.status_code == 409:
            problem = body_of(answer)
            assert (problem["code"], problem["payment_id"]) == ("reference_taken", taken)
    assert Event.objects.count() == 2


SAME_KEY: Final = ['"key-1"', ' "key-1"', "key-1\t"]
# Joined header lines, structured fields other than a single string, and characters that servers
# and proxies treat differently.
NO_KEY: Final = [
    "key-1,key-1",
    '"key-1","key-1"',
    "key-1, key-1",
    "key,1",
    '"key,1"',
    '"key-1";a=1',
    "key-1;a=1",
    '"key-1',
    'key-1"',
    '""key-1""',
    '"',
    '""',
    r'"key\"1"',
    r"key\1",
    'ke"y',
    "key 1",
    '" key-1"',
    "kéy",
    "key\x7f1",
    "key\n1",
    " ",
    f'"{"x" * 256}"',
]


@pytest.mark.parametrize("key", SAME_KEY)
def test_idempotency_key_quotes_are_ignored(acme: ApiClient, sent: Sent, key: str) -> None:
    """An updated SDK that quotes its keys must not pay twice."""
    first = acme.post(sent.path, sent.body, "key-1")
    before = stored()

    again = acme.post(sent.path, sent.body, key)

    assert (again.status_code, again.content) == (sent.status, first.content)
    assert again["Idempotency-Replayed"] == "true"
    assert stored() == before


@pytest.mark.parametrize("key", NO_KEY)
def test_idempotency_key_header_with_another_format_is_refused(
    acme: ApiClient, sent: Sent, key: str
) -> None:
    before = stored()

    answer = acme.post(sent.path, sent.body, key)

    problem = body_of(answer)
    assert (answer.status_code, problem["code"]) == (400, "idempotency_key_invalid")
    assert [(error["field"], error["code"]) for error in problem["errors"]] == [
        ("Idempotency-Key", "wrong_format")
    ]
    assert ("Send the header once" in problem["detail"]) == ("," in key)
    assert stored() == before


@pytest.mark.parametrize("key", ["!", "x" * 255, f'"{"x" * 255}"', "a/b:c=d{e}'f'", "W/x"])
def test_idempotency_key_accepts_all_other_visible_characters(acme: ApiClient, key: str) -> None:
    assert acme.submit(key).status_code == 201
