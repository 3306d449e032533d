"""The risk policy: its id, its conditions and the scoring."""

from typing import Final

import msgspec
import pytest
from hypothesis import given, strategies as st
from msgspec.structs import replace

from payments.domain.list_items import ListMatch, ListName
from payments.domain.methods import CARDS, Method
from payments.domain.money import CURRENCIES, MAX_MINOR, Money
from payments.domain.risk.assessment import FiredRule, NearMiss, assess
from payments.domain.risk.conditions import (
    AmountOver,
    AnyCondition,
    CountryIn,
    CustomerBlocked,
    FeaturesOlderThan,
    FirstCardPayment,
    InList,
    Limits,
    MethodIn,
    NewCustomer,
    PaymentsOver,
    RiskFeatures,
    Velocity,
    VolumeOver,
    Window,
    holds,
)
from payments.domain.risk.policy import (
    DEFAULT_POLICY,
    Band,
    PolicyDocument,
    RiskPolicy,
    Rule,
    Verdict,
)
from tests.support.examples import KNOWN, LARGE, SMALL, STALE, UNKNOWN, usd

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

LOW_LIMIT: Final[Limits] = {"USD": 10_00}


def policy(
    *rules: Rule, review_over: Limits = LOW_LIMIT, block_over: Limits | None = None
) -> RiskPolicy:
    return RiskPolicy.of(
        PolicyDocument(
            rules=rules,
            medium_from=40,
            high_from=70,
            review_over=review_over,
            block_over=block_over or {},
        )
    )


def large(points: int, *, reason: str = "large", then: Verdict | None = None) -> Rule:
    return Rule(reason=reason, points=points, when=(AmountOver(LOW_LIMIT),), then=then)


def test_default_policy_keeps_its_id() -> None:
    """A change of the policy changes its id. Update it here if the change is intended."""
    assert DEFAULT_POLICY.policy_id == (
        "8db3fec8a2548ac132dd875200f6f93278ae58c0153d40e396a3f550f9f82d60"
    )


def test_policy_id_ignores_order_of_limits() -> None:
    one = policy(review_over={"USD": 1, "EUR": 2})
    other = policy(review_over={"EUR": 2, "USD": 1})
    assert one.policy_id == other.policy_id


@pytest.mark.parametrize(
    "change",
    [
        {"medium_from": 41},
        {"high_from": 71},
        {"review_over": {"USD": 10_000_01}},
        {"four_eyes_over": {}},
        {"reject_from": None},
        {"review_hours": 24},
        {"rules": DEFAULT_POLICY.document.rules[:1]},
        {"rules": DEFAULT_POLICY.document.rules[::-1]},
    ],
)
def test_policy_id_changes_with_content(change: dict[str, object]) -> None:
    document = replace(DEFAULT_POLICY.document, **change)
    assert RiskPolicy.of(document).policy_id != DEFAULT_POLICY.policy_id


def test_policy_id_differs_by_condition_type() -> None:
    first = Rule(reason="r", points=1, when=(FeaturesOlderThan(1),))
    other = Rule(reason="r", points=1, when=(FirstCardPayment(),))
    assert policy(first).policy_id != policy(other).policy_id


def test_policy_survives_encoding() -> None:
    document = DEFAULT_POLICY.document
    stored = msgspec.json.encode(document)
    assert RiskPolicy.of(msgspec.json.decode(stored, type=PolicyDocument)) == DEFAULT_POLICY


@pytest.mark.parametrize(
    ("points", "band"),
    [(0, Band.LOW), (39, Band.LOW), (40, Band.MEDIUM), (69, Band.MEDIUM), (70, Band.HIGH)],
)
def test_band_follows_from_points_of_fired_rules(points: int, band: Band) -> None:
    scored = assess(policy(large(points)), KNOWN, amount=LARGE, method=Method.WALLET)
    assert (scored.score, scored.band) == (points, band)
    assert scored.fired == (FiredRule("large", points),)


@pytest.mark.parametrize(
    ("limits", "amount", "four_eyes"),
    [
        ({}, LARGE, False),
        ({"USD": LARGE.minor}, LARGE, False),
        ({"USD": LARGE.minor - 1}, LARGE, True),
        ({"USD": LARGE.minor}, Money(1, "EUR"), True),
    ],
    ids=["no limits", "at the limit", "over the limit", "a currency without a limit"],
)
def test_review_needs_four_eyes_over_limit(
    limits: Limits, amount: Money, *, four_eyes: bool
) -> None:
    document = policy(large(70)).document
    strict = RiskPolicy.of(replace(document, four_eyes_over=limits))
    scored = assess(strict, KNOWN, amount=amount, method=Method.WALLET)
    assert (scored.review, scored.four_eyes) == (True, four_eyes)


def test_payment_without_review_needs_no_four_eyes() -> None:
    strict = RiskPolicy.of(replace(policy().document, four_eyes_over={"USD": 0}))
    scored = assess(strict, KNOWN, amount=LARGE, method=Method.WALLET)
    assert (scored.review, scored.four_eyes) == (False, False)


@pytest.mark.parametrize(("reject_from", "advised"), [(None, False), (80, True), (81, False)])
def test_reject_is_advised_from_score(reject_from: int | None, *, advised: bool) -> None:
    advising = RiskPolicy.of(replace(policy(large(80)).document, reject_from=reject_from))
    scored = assess(advising, KNOWN, amount=LARGE, method=Method.WALLET)
    assert (scored.review, scored.reject_advised) == (True, advised)


def test_score_is_sum_of_points() -> None:
    both = policy(large(35, reason="one"), large(35, reason="other"))
    scored = assess(both, KNOWN, amount=LARGE, method=Method.WALLET)
    assert (scored.score, scored.band, scored.reasons) == (70, Band.HIGH, ("one", "other"))


def test_small_high_risk_payment_is_not_reviewed() -> None:
    always = Rule(reason="always", points=100, when=())
    scored = assess(policy(always), KNOWN, amount=usd(10_00), method=Method.WALLET)
    assert (scored.band, scored.review) == (Band.HIGH, False)


def test_large_low_risk_payment_is_not_reviewed() -> None:
    scored = assess(policy(), KNOWN, amount=LARGE, method=Method.WALLET)
    assert (scored.band, scored.review) == (Band.LOW, False)


def test_rule_can_demand_review() -> None:
    scored = assess(
        policy(large(0, then=Verdict.REVIEW)), KNOWN, amount=LARGE, method=Method.WALLET
    )
    assert (scored.band, scored.review) == (Band.LOW, True)


def test_rule_fires_only_if_all_conditions_hold() -> None:
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


def test_amount_over_ignores_currency_without_limit() -> None:
    over = AmountOver(LOW_LIMIT)
    assert not holds(over, KNOWN, amount=Money(10_01, "EUR"), method=Method.WALLET)
    assert not holds(over, KNOWN, amount=usd(10_00), method=Method.WALLET)
    assert holds(over, KNOWN, amount=usd(10_01), method=Method.WALLET)


STOLEN: Final = ListName("stolen")
VELOCITY: Final = Velocity(count_1h=3, volume_1h=300_00, count_24h=9, volume_24h=900_00)


@pytest.mark.parametrize(
    ("condition", "changes", "expected"),
    [
        (NewCustomer(), {}, False),
        (NewCustomer(), {"new_customer": False}, False),
        (NewCustomer(), {"new_customer": True}, True),
        (CustomerBlocked(), {}, False),
        (CustomerBlocked(), {"blocked": False}, False),
        (CustomerBlocked(), {"blocked": True}, True),
        (MethodIn((Method.CREDIT_CARD,)), {}, True),
        (MethodIn((Method.WALLET, Method.DEBIT_CARD)), {}, False),
        (CountryIn(("FR", "DE")), {"country": "DE"}, True),
        (CountryIn(("FR", "DE")), {"country": "IT"}, False),
        (CountryIn(("FR", "DE")), {}, False),
        (InList(STOLEN), {}, False),
        (InList(STOLEN), {"lists": ()}, False),
        (InList(STOLEN), {"lists": (ListMatch(ListName("stolen-2"), 7),)}, False),
        (InList(STOLEN), {"lists": (ListMatch(STOLEN, 7),)}, True),
        # The new payment counts too, as the fourth of the hour and the tenth of the day.
        (PaymentsOver(Window.HOUR, count=3), {"velocity": VELOCITY}, True),
        (PaymentsOver(Window.HOUR, count=4), {"velocity": VELOCITY}, False),
        (PaymentsOver(Window.DAY, count=9), {"velocity": VELOCITY}, True),
        (PaymentsOver(Window.DAY, count=10), {"velocity": VELOCITY}, False),
        (VolumeOver(Window.HOUR, {"USD": 399_99}), {"velocity": VELOCITY}, True),
        (VolumeOver(Window.HOUR, {"USD": 400_00}), {"velocity": VELOCITY}, False),
        (VolumeOver(Window.DAY, {"USD": 999_99}), {"velocity": VELOCITY}, True),
        (VolumeOver(Window.DAY, {"USD": 1_000_00}), {"velocity": VELOCITY}, False),
        (VolumeOver(Window.DAY, {"EUR": 1}), {"velocity": VELOCITY}, False),
        (PaymentsOver(Window.DAY, count=1), {"velocity": None}, False),
    ],
)
def test_condition_holds_as_its_name_says(
    condition: AnyCondition, changes: dict[str, object], expected: object
) -> None:
    known = replace(KNOWN, **changes)
    assert holds(condition, known, amount=SMALL, method=Method.CREDIT_CARD) is expected


def test_rule_can_block_without_review() -> None:
    both = policy(
        large(0, reason="one", then=Verdict.BLOCK), large(0, reason="other", then=Verdict.REVIEW)
    )
    scored = assess(both, KNOWN, amount=LARGE, method=Method.WALLET)

    assert (scored.block, scored.review) == (True, False)


@pytest.mark.parametrize(
    ("points", "minor", "outcome"),
    [
        (80, 100_00, "pass"),
        (80, 100_01, "review"),
        (80, 200_00, "review"),
        (80, 200_01, "block"),
        (69, 200_01, "pass"),
    ],
)
def test_high_risk_is_reviewed_or_blocked_by_amount(points: int, minor: int, outcome: str) -> None:
    limited = policy(large(points), review_over={"USD": 100_00}, block_over={"USD": 200_00})
    scored = assess(limited, KNOWN, amount=usd(minor), method=Method.WALLET)
    assert (scored.block, scored.review) == (outcome == "block", outcome == "review")
    assert (scored.review_over, scored.block_over) == (100_00, 200_00)


@pytest.mark.parametrize(
    ("known", "minor", "method", "near"),
    [
        (UNKNOWN, 900_00, Method.CREDIT_CARD, True),
        (UNKNOWN, 1_000_00, Method.CREDIT_CARD, True),
        (UNKNOWN, 899_99, Method.CREDIT_CARD, False),  # far from the limit
        (UNKNOWN, 1_000_01, Method.CREDIT_CARD, False),  # the rule fires
        (KNOWN, 1_000_00, Method.CREDIT_CARD, False),  # another condition does not hold either
        (
            KNOWN,
            1_000_01,
            Method.CREDIT_CARD,
            False,
        ),  # the failing condition has no limit to be near
    ],
)
def test_near_miss_is_rule_missing_by_one_number(
    known: RiskFeatures, minor: int, method: Method, near: object
) -> None:
    rule = Rule(reason="r", points=7, when=(FirstCardPayment(), AmountOver({"USD": 1_000_00})))
    scored = assess(policy(rule), known, amount=usd(minor), method=method)
    expected = (NearMiss("r", 7, "amount_over", minor, 1_000_00),) if near else ()
    assert scored.near_misses == expected


def test_default_policy_blocks_blocked_customer() -> None:
    blocked = replace(KNOWN, blocked=True)
    scored = assess(DEFAULT_POLICY, blocked, amount=SMALL, method=Method.WALLET)
    assert (scored.block, scored.reasons) == (True, ("customer_blocked",))


def test_default_policy_reviews_large_payment_after_many() -> None:
    busy = Velocity(count_1h=20, volume_1h=0, count_24h=20, volume_24h=45_000_00)
    scored = assess(
        DEFAULT_POLICY, replace(KNOWN, velocity=busy), amount=LARGE, method=Method.WALLET
    )

    assert (scored.band, scored.review) == (Band.HIGH, True)
    assert scored.reasons == ("many_payments_1h", "large_volume_24h")


def test_features_older_than_compares_age() -> None:
    assert assess(DEFAULT_POLICY, STALE, amount=LARGE, method=Method.WALLET).reasons == (
        "features_stale",
    )
    fresh = replace(STALE, age_ms=5_000)
    assert assess(DEFAULT_POLICY, fresh, amount=LARGE, method=Method.WALLET).reasons == ()


@given(features, amounts, methods)
def test_assessment_has_all_data_of_its_explanation(
    known: RiskFeatures, amount: Money, method: Method
) -> None:
    scored = assess(DEFAULT_POLICY, known, amount=amount, method=method)

    assert scored.policy_id == DEFAULT_POLICY.policy_id
    assert scored.features == known
    assert scored.score == sum(rule.points for rule in scored.fired)
    assert bool(scored.fired) or not (scored.review or scored.block)


@given(features, amounts, methods)
def test_default_policy_matches_its_description(
    known: RiskFeatures, amount: Money, method: Method
) -> None:
    """The test states the rules again, without using conditions."""
    limits = DEFAULT_POLICY.document.review_over
    unknown_currency = amount.currency not in limits
    large_first_card = (
        method in CARDS
        and not known.paid_by_card_before
        and not unknown_currency
        and amount.minor > limits[amount.currency]
    )
    # This rule applies above a tenth of the review limit.
    stale = (
        known.age_ms > 5_000
        and not unknown_currency
        and amount.minor > limits[amount.currency] // 10
    )

    scored = assess(DEFAULT_POLICY, known, amount=amount, method=method)

    assert scored.review is (unknown_currency or large_first_card or stale)


def test_default_policy_uses_active_currencies() -> None:
    assert set(DEFAULT_POLICY.document.review_over) <= CURRENCIES
    assert not assess(DEFAULT_POLICY, KNOWN, amount=SMALL, method=Method.CREDIT_CARD).review
