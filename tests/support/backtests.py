"""Histories for backtests, and backtests that are requested and finished in one call."""

from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db import connection
from msgspec.structs import replace

from payments import actors, pseudonyms
from payments.application import idempotency, submission
from payments.application.dispatch import CommandContext, dispatch_new
from payments.clients.models import Client
from payments.domain.backtest.question import Mode
from payments.domain.methods import Method
from payments.domain.money import Money
from payments.domain.payment.commands import ProcessPayment
from payments.domain.risk.conditions import AmountOver, RiskFeatures, Velocity
from payments.domain.risk.policy import DEFAULT_POLICY, RiskPolicy, Rule, Verdict
from readmodels.backtests import requests, working
from readmodels.backtests.models import Backtest
from readmodels.backtests.requests import Request
from tests.support.api import project
from tests.support.examples import NOON, OPERATOR

# A policy with these limits reviews all payments of the histories below.
_LIMITS: Final = dict.fromkeys(DEFAULT_POLICY.document.review_over, 1_000)
_OVER_10: Final = Rule(
    reason="over_10", points=10, when=(AmountOver(_LIMITS),), then=Verdict.REVIEW
)
STRICT: Final = RiskPolicy.of(
    replace(DEFAULT_POLICY.document, rules=(*DEFAULT_POLICY.document.rules, _OVER_10))
)


def client_id() -> UUID:
    return Client.objects.get_or_create(name="Acme")[0].pk


def submit(
    customer: str, *, minor: int = 15_000_00, at: datetime = NOON, key: str | None = None
) -> UUID:
    """Submit a card payment as the API does. Its risk features cover the whole log."""
    project()
    client = client_id()
    outcome = submission.submit(
        client_id=client,
        customer_reference=customer,
        amount=Money(minor, "USD"),
        method=Method.CREDIT_CARD,
        reference=None,
        at=at,
        key=key or f"{customer} {at} {minor}",
        context=CommandContext(actor=actors.client(client), key=key),
    )
    return outcome.payment.payment_id


def submit_many(
    payments: int = 30, *, first: int = 0, scored: bool = True, customers: int = 4
) -> None:
    """Append payments of a few customers, minutes apart, in one statement.

    Without `scored`, they are like imported payments.
    """
    client = client_id()
    commands = [
        ProcessPayment(
            payment_id=idempotency.payment_id(client, str(number)),
            client_id=client,
            customer_id=pseudonyms.customer_id(client, f"customer-{number % customers}"),
            amount=Money(amount_of(number), "USD"),
            method=Method.CREDIT_CARD,
            features=_features(number) if scored else None,
            at=NOON + timedelta(minutes=11 * number),
        )
        for number in range(first, first + payments)
    ]
    dispatch_new([(each, CommandContext(actor=actors.client(client))) for each in commands])


def _features(number: int) -> RiskFeatures:
    return RiskFeatures(
        paid_by_card_before=number > 1,
        position=0,
        age_ms=0,
        new_customer=number < 4,
        blocked=False,
        velocity=Velocity(count_1h=0, volume_1h=0, count_24h=0, volume_24h=0),
    )


def amount_of(number: int) -> int:
    """Return the payment's amount in cents. Only the first two payments wait for review."""
    return (9_000_00 if number > 1 else 15_000_00) + number


def ask(policy: RiskPolicy = STRICT, *, mode: Mode = Mode.RECORDED, **changes: Any) -> Backtest:
    """Store a backtest for `work_on`. No worker of the service picks it up."""
    asked = Request(candidate=policy, mode=mode, **changes)
    return requests.request(asked, by=OPERATOR, at=NOON, in_background=False)


def finished(
    policy: RiskPolicy = STRICT, *, mode: Mode = Mode.RECORDED, **changes: Any
) -> Backtest:
    backtest = ask(policy, mode=mode, **changes)
    work_on(backtest.pk)
    backtest.refresh_from_db()
    return backtest


def work_on(backtest_id: UUID) -> None:
    """Work on the backtest until it has ended."""
    while working.take_turn(backtest_id):
        pass


def json_of(backtest: Backtest) -> dict[str, Any]:
    assert backtest.result is not None
    return dict(backtest.result)


def facts() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM backtests_fact")
        return int(cursor.fetchone()[0])
