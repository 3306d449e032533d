"""`./manage.py explain` tells why a payment was decided as it was, from its own events."""

from io import StringIO
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core.management import CommandError, call_command
from msgspec.structs import replace

from payments.aggregates import PAYMENT_AGGREGATE
from payments.application.dispatch import CommandContext, dispatch
from payments.domain.methods import Method
from payments.domain.money import Money
from payments.domain.risk.conditions import Velocity
from payments.domain.risk.policy import DEFAULT_POLICY, PolicyDocument, RiskPolicy, Rule, Verdict
from payments.events import store
from payments.events.metadata import Metadata
from tests.support.examples import (
    HUGE,
    KNOWN,
    LARGE,
    NOTE,
    REVIEWER,
    SMALL,
    STALE,
    UNKNOWN,
    approve,
    flagged,
    initiated,
    process,
    usd,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


def explained(payment_id: UUID) -> str:
    out = StringIO()
    call_command("explain", str(payment_id), stdout=out)
    return out.getvalue()


def decided(**changes: Any) -> str:
    """What is said of a payment that was processed so."""
    command = process(payment_id=uuid4(), **changes)
    dispatch(command, CommandContext(actor="system:test"))
    return explained(command.payment_id)


def test_what_the_policy_asks_of_reviewers_is_told_and_who_has_approved_first() -> None:
    payment_id = uuid4()
    policy = RiskPolicy.of(replace(DEFAULT_POLICY.document, reject_from=80))
    command = process(payment_id=payment_id, amount=HUGE, features=UNKNOWN, policy=policy)
    dispatch(command, CommandContext(actor="system:test"))
    dispatch(approve(payment_id=payment_id, note=NOTE), CommandContext(actor=REVIEWER))
    told = explained(payment_id)
    assert f"It was approved by {REVIEWER} as the first of two: Verified with customer." in told
    assert "  Two people to approve it, the second of them a senior reviewer." in told
    assert "  To reject it: whoever approves it all the same says why in a note." in told


def test_a_payment_that_waits_for_review_is_told_whole() -> None:
    velocity = Velocity(count_1h=1, volume_1h=5_00, count_24h=19, volume_24h=31_000_00)
    features = replace(UNKNOWN, new_customer=True, country="DE", velocity=velocity, age_ms=1_240)
    told = decided(amount=LARGE, features=features)
    _, told = told.split(": ", 1)
    assert told == (
        "$15,000.00 by credit card, pending review.\n"
        "The rules had it wait for a person: its risk is high and its amount over $10,000.00.\n\n"
        "Score: 80 points, high risk (medium from 40, high from 70)\n"
        "  The customer's first card payment, and a large one (80 points)\n\n"
        "Nearly fired\n"
        "  High total of the customer's payments within a day (40 points): the customer's payments came to"
        " $46,000.00, the rule asks for more than $50,000.00\n\n"
        "What the policy asks of reviewers\n"
        "  To decide before 2026-01-12 12:00 UTC.\n\n"
        "What was known of the customer\n"
        "  It is the customer's first payment.\n"
        "  No completed card payment of the customer was known.\n"
        "  Within an hour before: 1 payment, $5.00.\n"
        "  Within a day before: 19 payments, $31,000.00.\n"
        "  The country given was DE.\n"
        "  All this as of position 40 of the log; what was missing had been waiting for 1.2 s.\n\n"
        f"Risk policy {DEFAULT_POLICY.policy_id}, the built-in one.\n"
    )


BUSY = Velocity(count_1h=20, volume_1h=0, count_24h=20, volume_24h=60_000_00)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "The rules let it pass: its risk is low, and none of them asks for a person."),
        (
            {"features": replace(KNOWN, velocity=BUSY)},
            "The rules let it pass: its risk is high, but its amount is not over the limit from which"
            " high risks are reviewed, $10,000.00.",
        ),
        (
            {"features": replace(KNOWN, blocked=True)},
            "The rules refused it: The customer is blocked.",
        ),
        (
            {"features": STALE, "amount": LARGE},
            "The rules had it wait for a person: The customer's history was not up to date.",
        ),
        (
            {"amount": Money(1, "SEK")},
            "The rules had it wait for a person: No review limit for the currency.",
        ),
        (
            {"amount": usd(25_000_01)},
            "It failed because its amount is over what one payment by credit card may have:"
            " $25,000.00. Its risk was not assessed.",
        ),
        ({"features": None}, "Its risk was not assessed, as that of every payment of the past."),
    ],
)
def test_the_cause_is_one_sentence(changes: dict[str, Any], said: str) -> None:
    assert said in decided(**changes).splitlines()


def test_a_policy_that_the_log_does_not_hold_is_told_by_its_id() -> None:
    limits = {"USD": 50_00}
    large = Rule(reason="large_transfer", points=60, when=(), then=Verdict.REVIEW)
    document = PolicyDocument(
        rules=(large,), medium_from=10, high_from=50, review_over=limits, block_over=limits
    )
    policy = RiskPolicy.of(document)
    told = decided(policy=policy, method=Method.WALLET)
    assert "The rules refused it: its risk is high and its amount over $50.00." in told
    assert "  Large transfer (60 points, asks for a person)" in told
    assert "Score: 60 points, high risk\n" in told
    assert f"Risk policy {policy.policy_id}, which the log does not hold." in told


def test_what_older_code_stored_is_explained_as_far_as_it_goes() -> None:
    risk = flagged().risk
    features = replace(risk.features, velocity=None)
    older = replace(risk, features=features, review_over=None, near_misses=())
    stream = uuid4()
    events = (initiated(amount=LARGE), flagged(risk=older))
    by_test = Metadata(actor="system:test", command="process_payment")
    store.append(PAYMENT_AGGREGATE, stream, events, expected=0, metadata=by_test)
    assert "wait for a person: The customer's first card payment" in explained(stream)


def test_who_decided_afterwards_is_told_too() -> None:
    command = process(payment_id=uuid4(), amount=LARGE, features=UNKNOWN)
    dispatch(command, CommandContext(actor="system:test"))
    dispatch(approve(payment_id=command.payment_id), CommandContext(actor=REVIEWER))
    told = explained(command.payment_id).splitlines()
    assert told[0].endswith("by credit card, completed.")
    assert told[1].startswith("The rules had it wait for a person")
    assert told[2] == f"It was approved by {REVIEWER}: Verified with customer."


def test_a_payment_that_is_not_there_is_one_line() -> None:
    with pytest.raises(CommandError, match=r"^There is no payment 0192f000-.*\.$"):
        explained(UUID("0192f000-0000-5000-8000-00000000a009"))


def test_a_near_miss_is_told_in_the_currency_of_the_payment() -> None:
    told = decided(amount=Money(1_480_000, "JPY"), features=UNKNOWN)
    assert "the amount was ¥1,480,000, the rule asks for more than ¥1,500,000" in told
    assert SMALL.formatted() not in told
