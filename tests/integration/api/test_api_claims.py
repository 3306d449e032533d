"""Claims over HTTP, the review queue, and payments that need two approvals."""

from datetime import timedelta
from io import StringIO
from uuid import UUID, uuid4

import pytest
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.utils import timezone

from payments.application import review
from payments.application.dispatch import CommandContext, dispatch
from payments.customers.models import Note
from payments.domain.payment.commands import ClaimReview
from payments.domain.payment.state import REVIEW_PERIOD
from payments.domain.text import rfc3339
from payments.events.models import Event
from tests.support import routing
from tests.support.api import FOUR_EYES, PAYMENTS, ApiClient, body_of, project, reviewer
from tests.support.claiming import ESCALATION, NEXT, actor, command, waiting
from tests.support.example_commands import process
from tests.support.examples import LARGE, UNKNOWN

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


def test_claim_shows_reviewer_and_end(ada: ApiClient) -> None:
    (payment,) = waiting(ada)

    answer = command(ada, payment, "claim")
    body = body_of(answer)

    assert (answer.status_code, answer["ETag"], body["version"]) == (200, '"3"', 3)
    assert (body["status"], body["review_deadline"] is None) == ("pending_review", False)
    assert body["open_review"] | {"claimed_until": ""} == {
        "claimed_by": actor(ada),
        "claimed_until": "",
        "escalated": False,
        "four_eyes": False,
        "first_approver": None,
        "reject_advised": False,
    }

    project()
    assert body_of(ada.get(f"{PAYMENTS}/{payment}")) == body
    assert body_of(ada.get(f"{PAYMENTS}/{payment}/state?version=3")) == body


def test_ended_claim_is_not_shown_as_current(ada: ApiClient, ben: ApiClient) -> None:
    (payment,) = waiting(ada)
    at = timezone.now() - timedelta(minutes=16)
    claim = ClaimReview(
        payment_id=UUID(payment), client_id=ada.client_id, reviewer=actor(ada), at=at
    )
    review.handle(claim, CommandContext(actor=actor(ada)))

    late = body_of(command(ben, payment, "reject", {"reason": "other"}, **{"If-Match": '"2"'}))

    assert (late["code"], late["version"]) == ("precondition_failed", 3)
    assert "claimed" not in "".join(late) + late["detail"]
    assert "Claimed" not in shown(payment)
    assert "Claimed" in shown(payment, "--version", "3")
    assert "Claimed" not in shown(payment, "--at", timezone.now().isoformat())

    command(ben, payment, "claim")
    late = body_of(command(ada, payment, "reject", {"reason": "other"}, **{"If-Match": '"2"'}))

    assert late["claimed_by"] == actor(ben)
    assert f"claimed by {actor(ben)}" in late["detail"]
    assert "Claimed" in shown(payment)
    later = timezone.now() + timedelta(minutes=16)
    assert "Claimed" not in shown(payment, "--occurred", later.isoformat())


def shown(*arguments: str) -> str:
    """Return the status that `./manage.py payment` prints."""
    out = StringIO()
    call_command("payment", *arguments, stdout=out)
    return out.getvalue().partition(" Payment ")[2]


@pytest.mark.parametrize("name", ["claim", "release", "approve", "reject", "escalate"])
def test_claimed_payment_refuses_others_with_the_reviewer(
    ada: ApiClient, ben: ApiClient, name: str
) -> None:
    (payment,) = waiting(ada)
    until = body_of(command(ada, payment, "claim"))["open_review"]["claimed_until"]
    reasons = {
        "approve": {"reason": "other"},
        "reject": {"reason": "other"},
        "escalate": ESCALATION,
    }

    answer = command(ben, payment, name, reasons.get(name))

    problem = body_of(answer)
    assert (answer.status_code, problem["code"]) == (409, "review_claimed")
    assert problem["claimed_by"] == actor(ada)
    assert problem["claimed_until"][:19] == until[:19]
    assert (Event.objects.count(), Note.objects.count()) == (3, 0)


@pytest.mark.parametrize("name", ["claim", "approve", "reject", "escalate"])
def test_assigned_payment_refuses_others_with_the_assignee(
    ada: ApiClient, ben: ApiClient, grace: ApiClient, name: str
) -> None:
    (payment,) = waiting(ada)
    routing.assign(payment, actor(grace), to=actor(ada))
    body = {"claim": None, "escalate": ESCALATION}.get(name, {"reason": "other"})

    answer = command(ben, payment, name, body)

    problem = body_of(answer)
    assert (answer.status_code, problem["code"]) == (409, "review_assigned")
    assert problem["assigned_to"] == actor(ada)
    flagged_at = Event.objects.get(event_type="payment.flagged_for_review").occurred_at
    assert problem["assigned_until"] == rfc3339(flagged_at + REVIEW_PERIOD / 2)
    assert command(ada, payment, name, body).status_code == 200


def test_decision_after_a_claim_by_another_is_refused(ada: ApiClient, ben: ApiClient) -> None:
    (payment,) = waiting(ada)
    command(ada, payment, "claim")

    answer = command(ben, payment, "reject", {"reason": "other"}, **{"If-Match": '"2"'})

    problem = body_of(answer)
    assert (answer.status_code, problem["claimed_by"]) == (412, actor(ada))


def test_claim_is_released_by_its_reviewer_and_by_a_senior(
    ada: ApiClient, ben: ApiClient, grace: ApiClient
) -> None:
    (payment,) = waiting(ada)
    command(ada, payment, "claim")

    assert body_of(command(ada, payment, "release"))["open_review"]["claimed_by"] is None
    assert body_of(command(ada, payment, "release"))["code"] == "review_not_claimed"

    command(ben, payment, "claim")
    assert command(grace, payment, "release").status_code == 200
    assert command(ada, payment, "approve", {"reason": "other"}).status_code == 200


def test_escalated_payment_needs_a_senior_reviewer(ada: ApiClient, grace: ApiClient) -> None:
    (payment,) = waiting(ada)

    escalated = body_of(command(ada, payment, "escalate", ESCALATION))

    assert escalated["open_review"]["escalated"] is True
    assert Note.objects.get().text == ESCALATION["note"]

    refused = command(ada, payment, "approve", {"reason": "other"})
    assert (refused.status_code, body_of(refused)["code"]) == (403, "senior_reviewer_needed")
    assert command(grace, payment, "approve", {"reason": "other"}).status_code == 200


def test_large_payment_needs_two_approvals(
    ada: ApiClient, ben: ApiClient, grace: ApiClient
) -> None:
    (payment,) = waiting(ada, amount=FOUR_EYES["amount"])

    first = body_of(command(ada, payment, "approve", {"reason": "other"}, key="1"))

    assert (first["status"], first["review"]) == ("pending_review", None)
    assert first["open_review"]["first_approver"] == actor(ada)
    project()
    assert body_of(ada.get(f"{PAYMENTS}/{payment}")) == first

    for client, code in ((ada, "senior_reviewer_needed"), (ben, "senior_reviewer_needed")):
        refused = command(client, payment, "approve", {"reason": "other"})
        assert (refused.status_code, body_of(refused)["code"]) == (403, code)

    second = body_of(command(grace, payment, "approve", {"reason": "known_customer"}))
    assert (second["status"], second["open_review"]) == ("completed", None)
    assert second["review"]["reviewer"] == actor(grace)

    # A repetition gets the first answer, although the payment has changed.
    replayed = command(ada, payment, "approve", {"reason": "other"}, key="1")
    assert replayed["Idempotency-Replayed"] == "true"
    assert body_of(replayed) == first


def test_superuser_cannot_give_both_approvals(grace: ApiClient) -> None:
    get_user_model().objects.filter(username="grace").update(is_superuser=True)
    (payment,) = waiting(grace, amount=FOUR_EYES["amount"])

    assert command(grace, payment, "approve", {"reason": "other"}).status_code == 200

    refused = command(grace, payment, "approve", {"reason": "other"})
    assert (refused.status_code, body_of(refused)["code"]) == (403, "another_person_needed")


def test_claim_accepts_no_body_and_checks_a_sent_one(ada: ApiClient) -> None:
    (payment,) = waiting(ada)
    key = {"Idempotency-Key": "1"}

    answer = ada.send("POST", f"{PAYMENTS}/{payment}/claim", b"", **key)
    assert answer.status_code == 200

    answer = ada.post(f"{PAYMENTS}/{payment}/claim", {"for": "ben"})
    assert (answer.status_code, body_of(answer)["errors"][0]["field"]) == (400, "for")


def test_claim_keys_are_separate_per_command_and_person(ada: ApiClient, ben: ApiClient) -> None:
    first, second, third = waiting(ada, 3)

    answers = [ada.post(NEXT, {}, key="1"), command(ada, second, "claim", key="1")]
    answers.append(ben.post(NEXT, {}, key="1"))

    assert [body_of(each)["id"] for each in answers] == [first, second, third]
    assert not any("Idempotency-Replayed" in each for each in answers)


@pytest.mark.parametrize("path", [NEXT, "claim", "release", "escalate"])
def test_claim_needs_an_idempotency_key(ada: ApiClient, path: str) -> None:
    (payment,) = waiting(ada)
    address = path if path == NEXT else f"{PAYMENTS}/{payment}/{path}"

    answer = ada.send("POST", address, b"{}")

    assert (answer.status_code, body_of(answer)["code"]) == (400, "idempotency_key_missing")


def test_review_deadline_comes_from_the_policy(ada: ApiClient) -> None:
    (payment,) = waiting(ada)

    body = body_of(ada.get(f"{PAYMENTS}/{payment}"))

    assert body["review_deadline"][:10] == str((timezone.now() + timedelta(days=7)).date())


@pytest.mark.parametrize("name", ["claim", "escalate", "approve", "reject"])
def test_decision_after_the_deadline_is_refused_with_the_deadline(
    ada: ApiClient, name: str
) -> None:
    late = timezone.now() - REVIEW_PERIOD
    command_ = process(
        payment_id=uuid4(), client_id=ada.client_id, amount=LARGE, features=UNKNOWN, at=late
    )
    dispatch(command_, CommandContext(actor="system:test"))
    body = {"escalate": ESCALATION, "claim": {}}.get(name, {"reason": "other"})

    answer = command(ada, str(command_.payment_id), name, body)

    problem = body_of(answer)
    assert (answer.status_code, problem["code"]) == (409, "review_expired")
    assert problem["deadline"] == rfc3339(late + REVIEW_PERIOD)


def test_claim_without_permission_is_refused(ada: ApiClient) -> None:
    waiting(ada)
    reviewer("ada", allowed=False).user_permissions.clear()
    assert ada.post(NEXT, {}).status_code == 403
