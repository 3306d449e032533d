"""A thousand commands at once on fifty payments: nothing breaks, and every answer explains itself."""

import random
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from payments import loading
from payments.dispatch import Outcome, Request, dispatch
from payments.domain.commands import ApprovePayment, PaymentCommand
from payments.domain.payment import Status
from payments.domain.refusals import PaymentError
from payments.events.models import Event
from payments.events.store import StaleVersion
from tests.api import project
from tests.concurrency import at_once
from tests.examples import (
    HUGE,
    KNOWN,
    LARGE,
    LATER,
    NOON,
    PAYMENT,
    SMALL,
    UNKNOWN,
    approve,
    cancel,
    claim,
    escalate,
    expire,
    process,
    refund,
    reject,
    release,
    usd,
)
from tests.oracle import check_read_models

pytestmark = pytest.mark.django_db(transaction=True)

THREADS, COMMANDS, PAYMENTS = 8, 1_000, 50
KINDS = (SMALL, KNOWN), (LARGE, UNKNOWN), (HUGE, UNKNOWN)
SENIOR = "staff:3"

Answer = tuple[PaymentCommand, Outcome | Exception]


def command(chance: random.Random, payment_id: UUID) -> PaymentCommand:
    what: dict[str, Any] = {"payment_id": payment_id, "client_id": None}
    reviewer = f"staff:{chance.randint(1, 3)}"
    by: dict[str, Any] = {**what, "reviewer": reviewer, "senior": reviewer == SENIOR}
    # Some claims are over by then, and some deadlines.
    soon = LATER + timedelta(minutes=chance.randint(0, 30))
    late = NOON + timedelta(days=chance.choice([1, 8]))
    commands: list[PaymentCommand] = [
        claim(**by, at=soon),
        release(**by, at=soon),
        escalate(**by, at=soon),
        approve(**by, at=soon),
        reject(**by, at=soon),
        cancel(**what),
        expire(**what, at=late),
        refund(**what, refund_id=uuid4(), amount=usd(chance.randint(1, 60_00))),
    ]
    return chance.choice(commands)


def test_a_thousand_commands_on_fifty_payments() -> None:
    payments = [uuid4() for _ in range(PAYMENTS)]
    for number, payment_id in enumerate(payments):
        amount, features = KINDS[number % len(KINDS)]
        begun = process(payment_id=payment_id, amount=amount, features=features)
        dispatch(begun, Request(actor="client:test"))

    def work(number: int) -> list[Answer]:
        chance = random.Random(number)
        answers: list[Answer] = []
        for _ in range(COMMANDS // THREADS):
            each = command(chance, chance.choice(payments))
            try:
                answers.append((each, dispatch(each, Request(actor="staff:1", key=str(uuid4())))))
            except (PaymentError, StaleVersion) as refusal:
                answers.append((each, refusal))
        return answers

    answers = [answer for part in at_once(THREADS, work) for answer in part]
    assert len(answers) == COMMANDS
    done = [outcome for _, outcome in answers if isinstance(outcome, Outcome)]
    # What was answered with success is in the log, and nothing else: a last approval is two events.
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
        payment, stream = loading.load(payment_id)
        assert payment is not None
        assert payment.version == stream.version
        assert payment.status not in {Status.INITIATED, Status.FAILED}
        assert payment.refunded is None or payment.refunded <= payment.amount
        assert payment.lease is None or payment.status is Status.PENDING_REVIEW
        if payment.review is not None and payment.review.approved and payment.amount == HUGE:
            assert payment.first_approval is not None
            assert payment.review.reviewer == SENIOR != payment.first_approval.reviewer
    # Each kind of command got something done, or the test would prove little.
    names = {each.name for each, answer in answers if isinstance(answer, Outcome)}
    assert names == {command(random.Random(n), PAYMENT).name for n in range(200)}
    project()
    check_read_models()
