"""`./manage.py explain` explains a risk decision from the payment's own events."""

from io import StringIO
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core.management import CommandError, call_command
from msgspec.structs import replace

from payments.aggregates import PAYMENT_AGGREGATE
from payments.application.dispatch import CommandContext, dispatch
from payments.domain.list_items import ListMatch, ListName
from payments.domain.methods import Method
from payments.domain.money import Money
from payments.domain.risk.conditions import Velocity
from payments.domain.risk.policy import DEFAULT_POLICY, PolicyDocument, RiskPolicy, Rule, Verdict
from payments.events import store
from payments.events.metadata import Metadata
from tests.support.example_commands import approve, process
from tests.support.example_events import flagged, initiated
from tests.support.examples import HUGE, KNOWN, LARGE, NOTE, REVIEWER, SMALL, STALE, UNKNOWN, usd

pytestmark = pytest.mark.django_db(transaction=True)


def explained(payment_id: UUID) -> str:
    out = StringIO()
    call_command("explain", str(payment_id), stdout=out)
    return out.getvalue()


def decided(**changes: Any) -> str:
    """Process a payment with these changes, and return its explanation."""
    command = process(payment_id=uuid4(), **changes)
    dispatch(command, CommandContext(actor="system:test"))
    return explained(command.payment_id)


def test_explain_shows_requirements_of_reviewers_and_the_first_approval() -> None:
    payment_id = uuid4()
    policy = RiskPolicy.of(replace(DEFAULT_POLICY.document, reject_from=80))
    command = process(payment_id=payment_id, amount=HUGE, features=UNKNOWN, policy=policy)
    dispatch(command, CommandContext(actor="system:test"))
    dispatch(approve(payment_id=payment_id, note=NOTE), CommandContext(actor=REVIEWER))
    shown = explained(payment_id)

    assert f"It was approved by {REVIEWER} as the first of two: Verified with customer." in shown
    assert "  Two approvals, the second by a senior reviewer." in shown
    assert "  Rejection is advised: an approval needs a note with the reason." in shown


def test_explain_prints_everything_about_a_payment_in_review() -> None:
    velocity = Velocity(count_1h=1, volume_1h=5_00, count_24h=19, volume_24h=31_000_00)
    features = replace(UNKNOWN, new_customer=True, country="DE", velocity=velocity, age_ms=1_240)
    shown = decided(amount=LARGE, features=features)
    _, shown = shown.split(": ", 1)

    assert shown == (
        "$15,000.00 by credit card, pending review.\n"
        "The rules sent it to review: the risk is high, and the amount exceeds $10,000.00.\n\n"
        "Score: 80 points, high risk (medium from 40, high from 70)\n"
        "  The customer's first card payment, and a large one (80 points):"
        " the amount was $15,000.00, the rule fires above $10,000.00\n\n"
        "Nearly fired\n"
        "  High total of the customer's payments within a day (40 points):"
        " the customer's payments within a day added up to $46,000.00, the rule fires above $50,000.00\n\n"
        "Required of reviewers\n"
        "  Decide before 2026-01-12 12:00 UTC.\n\n"
        "Known at that time\n"
        "  This is the customer's first payment.\n"
        "  The customer had no completed card payment.\n"
        "  In the hour before: 1 payment in all currencies, $5.00 in USD.\n"
        "  In the day before: 19 payments in all currencies, $31,000.00 in USD.\n"
        "  Country given by the client: DE.\n"
        "  Based on the events up to log position 40; the oldest event after it was 1.2 s old.\n\n"
        f"Risk policy {DEFAULT_POLICY.policy_id} (built-in).\n"
    )


def test_explain_names_the_lists_that_matched() -> None:
    matches = (ListMatch(ListName("mules"), 3), ListMatch(ListName("stolen-cards"), 12))

    shown = decided(features=replace(KNOWN, lists=matches))

    assert "On lists\n  mules, version 3\n  stolen-cards, version 12\n\n" in shown
    assert "On lists" not in decided(features=replace(KNOWN, lists=()))


BUSY = Velocity(count_1h=20, volume_1h=0, count_24h=20, volume_24h=60_000_00)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({}, "The rules let it pass: the risk is low, and no rule requires a review."),
        (
            {"features": replace(KNOWN, velocity=BUSY)},
            "The rules let it pass: the risk is high, but the amount does not exceed the review limit"
            " for high risks, $10,000.00.",
        ),
        (
            {"features": replace(KNOWN, blocked=True)},
            "The rules blocked it: The customer is blocked.",
        ),
        (
            {"features": STALE, "amount": LARGE},
            "The rules sent it to review: The customer's history was not up to date.",
        ),
        (
            {"amount": Money(1, "SEK")},
            "The rules sent it to review: No review limit for the currency: always reviewed.",
        ),
        (
            {"amount": usd(25_000_01)},
            "It failed: the amount exceeds the limit of $25,000.00 for one payment by credit card."
            " Its risk was not assessed.",
        ),
        (
            {"features": None},
            "Its risk was not assessed, because the rules do not apply to imported payments.",
        ),
    ],
)
def test_explain_states_the_cause_in_one_line(changes: dict[str, Any], sentence: str) -> None:
    assert sentence in decided(**changes).splitlines()


def test_explain_shows_the_numbers_of_the_rules_that_fired() -> None:
    shown = decided(features=replace(KNOWN, velocity=BUSY))

    assert (
        "  Many payments by the customer within an hour (40 points):"
        " it was payment 21 within an hour, the rule fires above 20\n"
        "  High total of the customer's payments within a day (40 points):"
        " the customer's payments within a day added up to $60,100.00,"
        " the rule fires above $50,000.00\n"
    ) in shown


def test_explain_names_a_policy_that_the_log_does_not_hold() -> None:
    limits = {"USD": 50_00}
    large = Rule(reason="large_transfer", points=60, when=(), then=Verdict.REVIEW)
    document = PolicyDocument(
        rules=(large,), medium_from=10, high_from=50, review_over=limits, block_over=limits
    )
    policy = RiskPolicy.of(document)
    shown = decided(policy=policy, method=Method.WALLET)

    assert "The rules blocked it: the risk is high, and the amount exceeds $50.00." in shown
    assert "  Large transfer (60 points, requires a review)" in shown
    assert "Score: 60 points, high risk\n" in shown
    assert f"Risk policy {policy.policy_id} (not in this log)." in shown


def test_explain_covers_assessments_of_older_code() -> None:
    risk = flagged().risk
    features = replace(risk.features, velocity=None)
    older = replace(risk, features=features, review_over=None, near_misses=())
    stream = uuid4()
    events = (initiated(amount=LARGE), flagged(risk=older))
    by_test = Metadata(actor="system:test", command="process_payment")

    store.append(PAYMENT_AGGREGATE, stream, events, expected=0, metadata=by_test)

    assert "sent it to review: The customer's first card payment" in explained(stream)


def test_explain_names_the_reviewer() -> None:
    command = process(payment_id=uuid4(), amount=LARGE, features=UNKNOWN)
    dispatch(command, CommandContext(actor="system:test"))
    dispatch(approve(payment_id=command.payment_id), CommandContext(actor=REVIEWER))
    shown = explained(command.payment_id).splitlines()

    assert shown[0].endswith("by credit card, completed.")
    assert shown[1].startswith("The rules sent it to review")
    assert shown[2] == f"It was approved by {REVIEWER}: Verified with customer."


def test_explain_fails_with_one_line_for_an_unknown_payment() -> None:
    with pytest.raises(CommandError, match=r"^There is no payment 0192f000-.*\.$"):
        explained(UUID("0192f000-0000-5000-8000-00000000a009"))


def test_explain_shows_a_near_miss_in_the_currency_of_the_payment() -> None:
    shown = decided(amount=Money(1_480_000, "JPY"), features=UNKNOWN)
    assert "the amount was ¥1,480,000, the rule fires above ¥1,500,000" in shown
    assert SMALL.formatted() not in shown
