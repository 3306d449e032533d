"""The risk policy: a document whose id is its content, and a pure function of it."""

from typing import Final

import msgspec
import pytest
from hypothesis import given, strategies as st
from msgspec.structs import replace

from payments.domain.methods import CARDS, Method
from payments.domain.money import CURRENCIES, MAX_MINOR, Money
from payments.domain.risk import (
    DEFAULT_POLICY,
    AmountOver,
    Band,
    FeaturesOlderThan,
    FiredRule,
    FirstCardPayment,
    Limits,
    PolicyDocument,
    RiskFeatures,
    RiskPolicy,
    Rule,
    assess,
)
from tests.examples import KNOWN, LARGE, SMALL, STALE, UNKNOWN, usd

features: Final = st.builds(
    RiskFeatures,
    paid_by_card_before=st.booleans(),
    position=st.integers(0, 2**40),
    age_ms=st.integers(0, 100_000),
)
amounts: Final = st.builds(
    Money, st.integers(1, MAX_MINOR), st.sampled_from(["USD", "EUR", "JPY", "SEK", "KWD"])
)
methods: Final = st.sampled_from(Method)

LOW_LIMIT: Final = Limits({"USD": 10_00})


def policy(*rules: Rule, review_over: Limits = LOW_LIMIT) -> RiskPolicy:
    return RiskPolicy.of(
        PolicyDocument(rules=rules, medium_from=40, high_from=70, review_over=review_over)
    )


def large(points: int, *, reason: str = "large", review: bool = False) -> Rule:
    return Rule(reason=reason, points=points, when=(AmountOver(LOW_LIMIT),), review=review)


def test_the_default_policy_is_the_one_that_stored_assessments_name() -> None:
    """A change of the policy is a new id. Write it here when the change is meant."""
    assert DEFAULT_POLICY.policy_id == (
        "3b9b85a5e9e34250339692bf59358d29bda545bf5398224006c5bbbce9521d65"
    )


def test_the_id_of_a_policy_is_that_of_its_content_in_any_order_of_its_limits() -> None:
    one = policy(review_over=Limits({"USD": 1, "EUR": 2}))
    other = policy(review_over=Limits({"EUR": 2, "USD": 1}))
    assert one.policy_id == other.policy_id


@pytest.mark.parametrize(
    "change",
    [
        {"medium_from": 41},
        {"high_from": 71},
        {"review_over": Limits({"USD": 10_000_01})},
        {"rules": DEFAULT_POLICY.document.rules[:1]},
        {"rules": DEFAULT_POLICY.document.rules[::-1]},
    ],
)
def test_another_content_is_another_policy(change: dict[str, object]) -> None:
    document = replace(DEFAULT_POLICY.document, **change)
    assert RiskPolicy.of(document).policy_id != DEFAULT_POLICY.policy_id


def test_two_kinds_of_rule_with_the_same_fields_are_not_the_same_rule() -> None:
    first = Rule(reason="r", points=1, when=(FeaturesOlderThan(1),))
    other = Rule(reason="r", points=1, when=(FirstCardPayment(),))
    assert policy(first).policy_id != policy(other).policy_id


def test_a_policy_survives_being_stored() -> None:
    document = DEFAULT_POLICY.document
    stored = msgspec.json.encode(document)
    assert RiskPolicy.of(msgspec.json.decode(stored, type=PolicyDocument)) == DEFAULT_POLICY


@pytest.mark.parametrize(
    ("points", "band"),
    [(0, Band.LOW), (39, Band.LOW), (40, Band.MEDIUM), (69, Band.MEDIUM), (70, Band.HIGH)],
)
def test_the_points_of_the_rules_that_fired_make_the_band(points: int, band: Band) -> None:
    scored = assess(policy(large(points)), KNOWN, amount=LARGE, method=Method.WALLET)
    assert (scored.score, scored.band) == (points, band)
    assert scored.fired == (FiredRule("large", points),)


def test_points_add_up() -> None:
    both = policy(large(35, reason="one"), large(35, reason="other"))
    scored = assess(both, KNOWN, amount=LARGE, method=Method.WALLET)
    assert (scored.score, scored.band, scored.reasons) == (70, Band.HIGH, ("one", "other"))


def test_a_high_risk_alone_is_no_reason_for_review() -> None:
    always = Rule(reason="always", points=100, when=())
    scored = assess(policy(always), KNOWN, amount=usd(10_00), method=Method.WALLET)
    assert (scored.band, scored.review) == (Band.HIGH, False)


def test_a_large_amount_alone_is_no_reason_for_review() -> None:
    scored = assess(policy(), KNOWN, amount=LARGE, method=Method.WALLET)
    assert (scored.band, scored.review) == (Band.LOW, False)


def test_a_rule_alone_can_ask_for_review() -> None:
    scored = assess(policy(large(0, review=True)), KNOWN, amount=LARGE, method=Method.WALLET)
    assert (scored.band, scored.review) == (Band.LOW, True)


def test_a_rule_needs_all_that_it_asks_for() -> None:
    rule = Rule(reason="both", points=80, when=(FirstCardPayment(), AmountOver(LOW_LIMIT)))
    cases = {
        (LARGE, Method.CREDIT_CARD, UNKNOWN): True,
        (LARGE, Method.DEBIT_CARD, UNKNOWN): True,
        (LARGE, Method.CREDIT_CARD, KNOWN): False,
        (LARGE, Method.WALLET, UNKNOWN): False,
        (usd(10_00), Method.CREDIT_CARD, UNKNOWN): False,
    }
    for (amount, method, known), fires in cases.items():
        scored = assess(policy(rule), known, amount=amount, method=method)
        assert bool(scored.fired) is fires


def test_a_limit_that_is_missing_counts_as_exceeded() -> None:
    assert LOW_LIMIT.exceeded_by(Money(1, "EUR"))
    assert not LOW_LIMIT.exceeded_by(usd(10_00))
    assert LOW_LIMIT.exceeded_by(usd(10_01))


def test_stale_features_are_told_apart_by_their_age() -> None:
    assert assess(DEFAULT_POLICY, STALE, amount=LARGE, method=Method.WALLET).reasons == (
        "features_stale",
    )
    fresh = replace(STALE, age_ms=5_000)
    assert assess(DEFAULT_POLICY, fresh, amount=LARGE, method=Method.WALLET).reasons == ()


@given(features, amounts, methods)
def test_an_assessment_explains_itself(known: RiskFeatures, amount: Money, method: Method) -> None:
    scored = assess(DEFAULT_POLICY, known, amount=amount, method=method)
    assert scored.policy_id == DEFAULT_POLICY.policy_id
    assert scored.features == known
    assert scored.score == sum(rule.points for rule in scored.fired)
    assert bool(scored.fired) or not scored.review


@given(features, amounts, methods)
def test_the_default_policy_says_what_its_sentence_says(
    known: RiskFeatures, amount: Money, method: Method
) -> None:
    """The rules once more, written as a person would say them."""
    limits = DEFAULT_POLICY.document.review_over.minor
    unknown_currency = amount.currency not in limits
    large_first_card = (
        method in CARDS
        and not known.paid_by_card_before
        and (unknown_currency or amount.minor > limits[amount.currency])
    )
    # A tenth of the review limits.
    stale = known.age_ms > 5_000 and (
        unknown_currency or amount.minor > limits[amount.currency] // 10
    )
    scored = assess(DEFAULT_POLICY, known, amount=amount, method=method)
    assert scored.review is (unknown_currency or large_first_card or stale)


def test_every_currency_of_the_default_policy_is_in_use() -> None:
    assert set(DEFAULT_POLICY.document.review_over.minor) <= CURRENCIES
    assert not assess(DEFAULT_POLICY, KNOWN, amount=SMALL, method=Method.CREDIT_CARD).review
