"""A thousand concurrent commands on fifty payments."""

import random
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db.models import Sum

from payments.aggregates import PAYMENT_AGGREGATE
from payments.api.problems import catalogue
from payments.application.dispatch import CommandContext, Outcome, dispatch
from payments.domain.payment.codes import (
    ApprovalReason,
    CancellationReason,
    EscalationReason,
    RefundReason,
    RejectionReason,
)
from payments.domain.payment.commands import ApprovePayment, PaymentCommand
from payments.domain.payment.refusals import PaymentError
from payments.domain.payment.state import Status
from payments.events import replay
from payments.events.models import Event
from payments.events.store import StaleVersion
from readmodels.models import DailyStatistics, PaymentSummary
from tests.support.api import FOUR_EYES, PAYMENTS as API, RISKY, ApiClient, body_of, project
from tests.support.concurrency import at_once
from tests.support.example_commands import (
    approve,
    cancel,
    claim,
    escalate,
    expire,
    process,
    refund,
    reject,
    release,
)
from tests.support.examples import HUGE, KNOWN, LARGE, LATER, NOON, PAYMENT, SMALL, UNKNOWN, usd
from tests.support.oracle import check_read_models

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

THREADS, COMMANDS, PAYMENTS = 8, 1_000, 50
KINDS = (SMALL, KNOWN), (LARGE, UNKNOWN), (HUGE, UNKNOWN)
SENIOR = "staff:3"

Answer = tuple[PaymentCommand, Outcome | Exception]


def command(chance: random.Random, payment_id: UUID) -> PaymentCommand:
    what: dict[str, Any] = {"payment_id": payment_id, "client_id": None}
    reviewer = f"staff:{chance.randint(1, 3)}"
    by: dict[str, Any] = {**what, "reviewer": reviewer, "senior": reviewer == SENIOR}
    # Late enough for some claims to have ended. At `late`, some deadlines have passed.
    soon = LATER + timedelta(minutes=chance.randint(0, 30))
    late = NOON + timedelta(days=chance.choice([1, 8]))
    commands: list[PaymentCommand] = [
        # Claims and releases end no review, so they are more frequent.
        *[claim(**by, at=soon)] * 4,
        *[release(**by, at=soon)] * 4,
        escalate(**by, at=soon),
        approve(**by, at=soon),
        reject(**by, at=soon),
        cancel(**what),
        expire(**what, at=late),
        refund(**what, refund_id=uuid4(), amount=usd(chance.randint(1, 60_00))),
    ]
    return chance.choice(commands)


def test_thousand_commands_on_fifty_payments() -> None:
    payments = [uuid4() for _ in range(PAYMENTS)]
    for number, payment_id in enumerate(payments):
        amount, features = KINDS[number % len(KINDS)]
        begun = process(payment_id=payment_id, amount=amount, features=features)
        dispatch(begun, CommandContext(actor="client:test"))

    def work(number: int) -> list[Answer]:
        chance = random.Random(number)
        answers: list[Answer] = []
        for _ in range(COMMANDS // THREADS):
            each = command(chance, chance.choice(payments))
            try:
                answers.append(
                    (each, dispatch(each, CommandContext(actor="staff:1", key=str(uuid4()))))
                )
            except (PaymentError, StaleVersion) as refusal:
                answers.append((each, refusal))
        return answers

    answers = [answer for part in at_once(THREADS, work) for answer in part]
    assert len(answers) == COMMANDS
    done = [outcome for _, outcome in answers if isinstance(outcome, Outcome)]
    # The log has exactly the events of the successful commands. A final approval makes two events.
    approvals = sum(
        isinstance(each, ApprovePayment) and answer.payment.status is Status.COMPLETED
        for each, answer in answers
        if isinstance(answer, Outcome)
    )
    assert Event.objects.count() == 2 * PAYMENTS + len(done) + approvals
    assert len({outcome.position for outcome in done}) == len(done) > PAYMENTS
    for _, answer in answers:
        assert isinstance(answer, Outcome) or str(answer), "a refusal says why"
    for payment_id in payments:
        loaded = replay.load(PAYMENT_AGGREGATE, payment_id)
        payment, stream = loaded.state, loaded.stream
        assert payment is not None
        assert payment.version == stream.version
        assert payment.status not in {Status.INITIATED, Status.FAILED}
        assert payment.refunded is None or payment.refunded <= payment.amount
        assert payment.lease is None or payment.status is Status.PENDING_REVIEW
        if payment.review is not None and payment.review.approved and payment.amount == HUGE:
            assert payment.first_approval is not None
            assert payment.review.reviewer == SENIOR != payment.first_approval.reviewer
    # Unless each kind of command succeeds at least once, the test proves little.
    names = {each.name for each, answer in answers if isinstance(answer, Outcome)}
    assert names == {command(random.Random(n), PAYMENT).name for n in range(200)}
    project()
    check_read_models()
    _check_outcomes_add_up()


def _check_outcomes_add_up() -> None:
    outcomes = ("completed", "failed", "rejected", "cancelled", "expired")
    columns = [f"{name}_{what}" for name in outcomes for what in ("count", "volume")]
    sums = DailyStatistics.objects.aggregate(
        **{name: Sum(name) for name in ("total_count", "total_volume", "open_reviews", *columns)}
    )
    waiting = PaymentSummary.objects.filter(status=Status.PENDING_REVIEW)
    counted = sum(sums[f"{name}_count"] for name in outcomes)
    assert sums["total_count"] == PAYMENTS == counted + sums["open_reviews"]
    assert sums["open_reviews"] == waiting.count()
    in_review = waiting.aggregate(volume=Sum("amount", default=0))["volume"]
    assert sums["total_volume"] == sum(sums[f"{name}_volume"] for name in outcomes) + in_review
    for ended in (Status.REJECTED, Status.CANCELLED, Status.EXPIRED):
        rows = PaymentSummary.objects.filter(status=ended)
        assert sums[f"{ended}_count"] == rows.count() > 0, ended


REASONS: dict[str, list[str]] = {
    "approve": [str(reason) for reason in ApprovalReason],
    "reject": [str(reason) for reason in RejectionReason],
    "escalate": [str(reason) for reason in EscalationReason],
    "cancel": [str(reason) for reason in CancellationReason],
    "refunds": [str(reason) for reason in RefundReason],
}


def request(chance: random.Random, payment: str) -> tuple[str, dict[str, Any]]:
    """Return the path and the body of a random command, which may be refused."""
    name = chance.choice(["claim-next", "claim", "release", *REASONS])
    if name == "claim-next":
        return "/api/v1/reviews/claim-next", {}
    body: dict[str, Any] = {}
    if name in REASONS:
        body["reason"] = chance.choice(REASONS[name])
    if name == "escalate" or (name in {"approve", "reject"} and chance.random() < 0.5):
        body["note"] = "Seen at the desk."
    if name == "refunds" and chance.random() < 0.7:
        body |= {"amount": chance.randint(1, 60_00), "currency": "USD"}
    return f"{API}/{payment}/{name}", body


@pytest.mark.parametrize("requests", [400, pytest.param(COMMANDS, marks=pytest.mark.nightly)])
def test_many_requests_on_fifty_payments(requests: int) -> None:
    """Every answer is the payment after the command, a 204, or a problem."""
    shop = ApiClient(staff="ada")
    payments = [str(body_of(shop.submit(**each))["id"]) for each in _various()]
    project()
    before = Event.objects.count()

    def work(number: int) -> list[Any]:
        client = ApiClient(staff=("ada", "ben", "grace")[number % 3], senior=number % 3 == 2)
        chance = random.Random(number)
        answers = []
        for index in range(requests // THREADS):
            answers.append(client.post(*request(chance, chance.choice(payments))))
            if number == 0 and index % 20 == 0:
                project()  # so that the queue is roughly up to date
        return answers

    answers = [answer for part in at_once(THREADS, work) for answer in part]

    assert len(answers) == requests
    appended = 0
    for answer in answers:
        if answer.status_code == 204:
            continue
        body = body_of(answer)
        if answer.status_code == 200:
            assert body["id"] in payments
            assert answer["ETag"] == f'"{body["version"]}"'
            approved = body["review"] is not None and body["review"]["decision"] == "approved"
            appended += 2 if approved and body["status"] == "completed" else 1
        else:
            assert answer.status_code == catalogue.KINDS[body["code"]].status, body
            assert body["code"] not in {"internal_error", "temporarily_unavailable"}, body
            assert len(body["detail"]) > 20
    assert Event.objects.count() == before + appended > before + requests // 10
    assert {answer.status_code for answer in answers} >= {200, 403, 409, 422}
    project()
    check_read_models()
    for payment_id in payments:
        payment = replay.load(PAYMENT_AGGREGATE, UUID(payment_id)).state
        assert payment is not None
        assert payment.refunded is None or payment.refunded <= payment.amount
        if payment.review is not None and payment.review.approved and payment.amount == HUGE:
            assert payment.first_approval is not None
            assert payment.first_approval.reviewer != payment.review.reviewer


def _various() -> list[dict[str, Any]]:
    """Submit payments that are completed, that need a review, and that need two approvals."""
    kinds = [{"currency": "USD", "amount": SMALL.minor}, RISKY, FOUR_EYES]
    return [
        kinds[number % 3] | {"customer_id": str(number), "reference": str(number)}
        for number in range(PAYMENTS)
    ]
