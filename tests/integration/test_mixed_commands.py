"""A thousand commands at once on fifty payments: nothing breaks, and every answer explains itself."""

import random
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from payments import loading
from payments.dispatch import Outcome, Request, dispatch
from payments.domain.commands import ApprovePayment, PaymentCommand
from payments.domain.deciding import PaymentError
from payments.domain.payment import Status
from payments.events.models import Event
from payments.events.store import StaleVersion
from tests.api import project
from tests.concurrency import at_once
from tests.examples import (
    KNOWN,
    LARGE,
    NOON,
    SMALL,
    UNKNOWN,
    approve,
    cancel,
    expire,
    process,
    refund,
    reject,
    usd,
)
from tests.oracle import check_read_models

pytestmark = pytest.mark.django_db(transaction=True)

THREADS, COMMANDS, PAYMENTS = 8, 1_000, 50
COMPLETED, FLAGGED = (SMALL, KNOWN), (LARGE, UNKNOWN)

Answer = tuple[PaymentCommand, Outcome | Exception]


def command(chance: random.Random, payment_id: UUID) -> PaymentCommand:
    what: dict[str, Any] = {"payment_id": payment_id, "client_id": None}
    reviewer = f"staff:{chance.randint(1, 3)}"
    late = NOON + timedelta(days=chance.choice([1, 8]))
    commands: list[PaymentCommand] = [
        approve(**what, reviewer=reviewer),
        reject(**what, reviewer=reviewer),
        cancel(**what),
        expire(**what, at=late),
        refund(**what, refund_id=uuid4(), amount=usd(chance.randint(1, 60_00))),
    ]
    return chance.choice(commands)


def test_a_thousand_commands_on_fifty_payments() -> None:
    payments = [uuid4() for _ in range(PAYMENTS)]
    for number, payment_id in enumerate(payments):
        amount, features = COMPLETED if number % 2 else FLAGGED
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
    # What was answered with success is in the log, and nothing else: an approval is two events.
    approvals = sum(isinstance(each, ApprovePayment) for each, answer in answers if answer in done)
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
    project()
    check_read_models()
