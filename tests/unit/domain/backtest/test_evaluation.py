"""Evaluating a payment under the candidate, the baseline and its own policy."""

from typing import Any, Final

import pytest
from msgspec.structs import replace

from payments.domain.backtest.evaluable import Fact
from payments.domain.backtest.labels import Kind, Label
from payments.domain.backtest.outcomes import LeftOut, Outcome
from payments.domain.backtest.question import Mode
from payments.domain.backtest.result import Result, result_of
from payments.domain.cards import Brand, Card
from payments.domain.list_items import Item, ListMatch, ListName
from payments.domain.methods import Method
from payments.domain.money import Money
from payments.domain.payment.codes import FailureReason
from payments.domain.risk.assessment import RiskAssessment, assess
from payments.domain.risk.conditions import (
    AmountOver,
    AnyCondition,
    CountryIn,
    CustomerBlocked,
    FeaturesOlderThan,
    FirstCardPayment,
    InList,
    NewCustomer,
    PaymentsOver,
    RiskFeatures,
    Velocity,
    VolumeOver,
    Window,
)
from payments.domain.risk.policy import DEFAULT_POLICY, NO_LIMIT, RiskPolicy, Rule, Verdict
from tests.support.backtesting import POLICIES, STRICTER, case, question, random_cases, tally_of
from tests.support.example_events import cancelled, failed, flagged, initiated, processed
from tests.support.examples import HUGE, KNOWN, LARGE, LARGE_FIRST, SMALL, risk

ALL: Final = RiskFeatures(
    paid_by_card_before=True,
    position=40,
    age_ms=0,
    new_customer=False,
    blocked=False,
    country="DE",
    velocity=Velocity(count_1h=0, volume_1h=0, count_24h=0, volume_24h=0),
    lists=(),
)
CARD: Final = Card(fingerprint="ab" * 16, brand=Brand.VISA, last4="4242")
PASSED: Final = case(initiated(), processed(risk=risk(features=ALL)))


def policy(*conditions: AnyCondition, points: int = 10, then: Verdict | None = None) -> RiskPolicy:
    """Return the built-in limits and bands with a single rule."""
    rule = Rule(reason="rule", points=points, when=conditions, then=then)
    return RiskPolicy.of(replace(DEFAULT_POLICY.document, rules=(rule,)))


def cells(result: Result) -> list[tuple[Outcome, Outcome, Label, str, int, int]]:
    return [
        (each.baseline, each.candidate, each.label, each.currency, each.payments, each.minor)
        for each in result.matrix
    ]


@pytest.mark.parametrize("active", POLICIES.values())
def test_recorded_policy_over_its_own_features_has_no_flips_and_no_drift(
    active: RiskPolicy,
) -> None:
    own = [
        each
        for each in random_cases(1, 1_000)
        if each.payment.risk and each.payment.risk.policy_id == active.policy_id
    ]
    everything = replace(active, document=replace(active.document))

    result = result_of(tally_of(question(candidate=everything), own))

    assert result.payments == len(own) > 300
    assert (result.flips, result.drift, result.drift_unknown_policy) == (0, 0, 0)
    assert result.evaluated + result.not_evaluable_payments == result.drift_checked == len(own)
    assert {each.baseline for each in result.matrix} == set(Outcome)


def test_matrix_counts_payments_and_money_by_outcome_label_and_currency() -> None:
    yen = Money(900, "JPY")
    asked = question(candidate=policy(AmountOver({"USD": 50_00}), then=Verdict.REVIEW))

    paid_in_yen = case(initiated(amount=yen), processed(amount=yen, risk=risk(yen)))
    result = result_of(tally_of(asked, [PASSED, PASSED, paid_in_yen]))

    assert cells(result) == [
        (Outcome.PASS, Outcome.PASS, Label.GOOD, "JPY", 1, 900),
        (Outcome.PASS, Outcome.REVIEW, Label.GOOD, "USD", 2, 200_00),
    ]
    assert (result.flips, result.known_ppm) == (2, 1_000_000)


def test_baseline_is_another_policy_if_one_is_given() -> None:
    blocks = policy(AmountOver({"USD": 50_00}), then=Verdict.BLOCK)

    result = result_of(tally_of(question(candidate=DEFAULT_POLICY, baseline=blocks), [PASSED]))

    assert [each[:2] for each in cells(result)] == [(Outcome.BLOCK, Outcome.PASS)]
    assert result.drift == 0


def test_import_without_assessment_passed_and_has_no_band() -> None:
    imported = case(initiated(), processed(risk=None), reconstructed=ALL)

    result = result_of(tally_of(question(mode=Mode.AUTO, candidate=DEFAULT_POLICY), [imported]))

    assert [each[:2] for each in cells(result)] == [(Outcome.PASS, Outcome.PASS)]
    assert [(each.baseline, each.candidate) for each in result.bands] == [("unscored", "low")]
    assert (result.recorded, result.reconstructed, result.drift_checked) == (0, 1, 0)


def test_payments_that_no_policy_decided_on_are_left_out() -> None:
    over_limit = case(initiated(), failed())
    begun = case(initiated())
    withdrawn = case(initiated(), cancelled())

    result = result_of(tally_of(question(), [over_limit, begun, withdrawn]))

    assert result.left_out == {LeftOut.METHOD_LIMIT: 1, LeftOut.UNDECIDED: 2}
    assert (result.payments, result.evaluated) == (3, 0)


def test_blocked_and_flagged_payments_have_their_recorded_outcome() -> None:
    blocked = case(
        initiated(), failed(reason=FailureReason.BLOCKED_BY_POLICY, amount=SMALL, risk=risk())
    )
    waiting = case(initiated(amount=LARGE), flagged())

    result = result_of(tally_of(question(candidate=policy(AmountOver({}))), [blocked, waiting]))

    assert [(each.baseline, each.label) for each in result.matrix] == [
        (Outcome.BLOCK, Label.BLOCKED),
        (Outcome.REVIEW, Label.PENDING),
    ]


@pytest.mark.parametrize(
    ("condition", "lacking", "fact"),
    [
        (NewCustomer(), {"new_customer": None, "velocity": None}, Fact.NEW_CUSTOMER),
        (CustomerBlocked(), {"blocked": None, "velocity": None}, Fact.BLOCKED),
        (PaymentsOver(Window.HOUR, 1), {"velocity": None}, Fact.VELOCITY),
        (VolumeOver(Window.DAY, {"USD": 1}), {"velocity": None}, Fact.VELOCITY),
        # Code that stored the velocity omitted fields with the value False.
        (NewCustomer(), {"new_customer": None}, None),
        (CustomerBlocked(), {"blocked": None}, None),
        # The client did not send the country.
        (CountryIn(("DE",)), {"country": None}, None),
        (InList(ListName("watched")), {"lists": None}, Fact.LISTS),
        (FirstCardPayment(), {"velocity": None}, None),
        (FeaturesOlderThan(1), {"velocity": None}, None),
    ],
)
def test_recorded_payment_is_not_evaluable_if_a_fact_that_the_policy_asks_for_is_unknown(
    condition: AnyCondition, lacking: dict[str, None], fact: Fact | None
) -> None:
    decided = case(initiated(), processed(risk=risk(features=replace(ALL, **lacking))))

    result = result_of(tally_of(question(candidate=policy(condition)), [decided]))

    assert result.not_evaluable == ({} if fact is None else {fact: 1})
    assert result.not_evaluable_payments == (fact is not None)
    assert result.evaluated == (fact is None)


def test_payment_is_not_evaluable_if_the_baseline_asks_for_an_unknown_fact() -> None:
    decided = case(initiated(), processed(risk=risk(features=KNOWN)))
    asked = question(candidate=policy(FirstCardPayment()), baseline=policy(NewCustomer()))

    assert result_of(tally_of(asked, [decided])).not_evaluable == {Fact.NEW_CUSTOMER: 1}


def test_import_is_not_evaluable_in_mode_recorded() -> None:
    imported = case(initiated(), processed(risk=None), reconstructed=ALL)

    assert result_of(tally_of(question(), [imported])).not_evaluable == {Fact.FEATURES: 1}


def test_country_of_an_import_is_unknown_and_that_of_a_scored_payment_is_recorded() -> None:
    nowhere = replace(ALL, country=None)
    imported = case(initiated(), processed(risk=None), reconstructed=nowhere)
    scored = case(initiated(), processed(risk=risk(features=ALL)), reconstructed=nowhere)
    silent = case(initiated(), processed(risk=risk(features=nowhere)), reconstructed=nowhere)
    asked = question(
        mode=Mode.RECONSTRUCTED, candidate=policy(CountryIn(("DE",)), then=Verdict.BLOCK)
    )

    result = result_of(tally_of(asked, [imported, scored, silent]))

    assert result.not_evaluable == {Fact.COUNTRY: 1}
    assert [(each.candidate, each.payments) for each in result.matrix] == [
        (Outcome.BLOCK, 1),
        (Outcome.PASS, 1),
    ]
    assert result.reconstructed == 2


@pytest.mark.parametrize(
    ("item", "lacking", "fact"),
    [
        (Item.CUSTOMER, {}, None),
        (Item.CARD, {"card": None}, Fact.CARD),
        (Item.CARD, {"card": None, "method": Method.BANK_TRANSFER}, None),
        (Item.COUNTRY, {}, Fact.COUNTRY),
        (Item.REFERENCE_PREFIX, {"reference": None}, Fact.REFERENCE),
        (Item.REFERENCE_PREFIX, {}, None),
        (None, {"card": None, "reference": None}, None),
    ],
)
def test_import_is_not_evaluable_if_what_a_list_holds_is_unknown(
    item: Item | None, lacking: dict[str, Any], fact: Fact | None
) -> None:
    """A list without a type does not exist. For a scored payment, nothing is unknown."""
    known = {"card": CARD, "reference": "ORD-7"} | lacking
    imported, scored = (
        case(
            initiated(**known),
            processed(risk=assessed, method=known.get("method", Method.CREDIT_CARD)),
            reconstructed=replace(ALL, country=None),
        )
        for assessed in (None, risk(features=replace(ALL, country=None)))
    )
    watched = ListName("watched")
    asked = question(mode=Mode.RECONSTRUCTED, candidate=policy(InList(watched)))

    result = result_of(tally_of(asked, [imported, scored], {} if item is None else {watched: item}))

    assert result.not_evaluable == ({} if fact is None else {fact: 1})
    assert result.evaluated == (2 if fact is None else 1)


@pytest.mark.parametrize("assessed", [None, risk(features=ALL)])
def test_reconstructed_payment_is_on_the_lists_that_were_looked_up(
    assessed: RiskAssessment | None,
) -> None:
    watched = ListName("watched")
    listed = case(
        initiated(),
        processed(risk=assessed),
        reconstructed=replace(ALL, lists=(ListMatch(watched, 0),)),
    )
    asked = question(mode=Mode.RECONSTRUCTED, candidate=policy(InList(watched), then=Verdict.BLOCK))

    result = result_of(tally_of(asked, [listed], {watched: Item.CUSTOMER}))

    assert [each.candidate for each in result.matrix] == [Outcome.BLOCK]


def test_mode_chooses_between_recorded_and_reconstructed_features() -> None:
    both = case(
        initiated(), processed(risk=risk(features=ALL)), reconstructed=replace(ALL, blocked=True)
    )
    blocks = policy(CustomerBlocked(), then=Verdict.BLOCK)

    outcomes = {
        mode: result_of(tally_of(question(mode=mode, candidate=blocks), [both])).matrix[0].candidate
        for mode in Mode
    }

    assert outcomes == {
        Mode.RECORDED: Outcome.PASS,
        Mode.RECONSTRUCTED: Outcome.BLOCK,
        Mode.AUTO: Outcome.PASS,
    }


@pytest.mark.parametrize(
    "changes",
    [{"score": 41}, {"block": True}, {"review": True}, {"fired": LARGE_FIRST.fired}],
)
def test_decision_that_its_own_policy_would_not_repeat_is_drift(changes: dict[str, object]) -> None:
    altered: RiskAssessment = replace(risk(features=ALL), **changes)
    decided = case(initiated(), processed(risk=altered))

    result = result_of(tally_of(question(), [PASSED, decided]))

    assert (result.drift, result.drift_checked) == (1, 2)
    assert [each.payment_id for each in result.drifts] == [decided.payment.payment_id]


def test_assessment_of_a_currency_without_limit_is_no_drift() -> None:
    francs = Money(5_00, "CHF")
    waiting = case(initiated(amount=francs), flagged(amount=francs, risk=risk(francs, ALL)))

    result = result_of(tally_of(question(candidate=DEFAULT_POLICY), [waiting]))

    assert (result.drift, result.flips) == (0, 0)
    assert [(each.rule, each.fired, each.decisive) for each in result.rules] == [(NO_LIMIT, 1, 1)]


def test_assessment_by_a_policy_that_the_log_does_not_hold_is_counted() -> None:
    unheard = policy(FirstCardPayment())
    by_it = assess(unheard, ALL, amount=SMALL, method=PASSED.payment.method)

    result = result_of(tally_of(question(), [case(initiated(), processed(risk=by_it))]))

    assert (result.drift_checked, result.drift_unknown_policy) == (0, 1)


def test_rule_is_decisive_if_the_outcome_differs_without_it() -> None:
    over_100 = AmountOver({"USD": 99_00})
    two_of_three = RiskPolicy.of(
        replace(
            DEFAULT_POLICY.document,
            rules=(
                Rule(reason="alone", points=60, when=(over_100,)),
                Rule(reason="helps", points=20, when=(over_100,)),
                Rule(reason="adds_nothing", points=5, when=(over_100,)),
                Rule(reason="did_not_fire", points=5, when=(NewCustomer(),)),
            ),
            review_over={"USD": 50_00},
        )
    )

    result = result_of(tally_of(question(candidate=two_of_three), [PASSED]))

    assert [(each.rule, each.kind, each.fired, each.decisive) for each in result.rules] == [
        ("adds_nothing", Kind.GOOD, 1, 0),
        ("alone", Kind.GOOD, 1, 1),
        ("helps", Kind.GOOD, 1, 1),
    ]


def test_evaluation_agrees_with_assess_on_random_payments() -> None:
    for each in random_cases(5, 400):
        payment = each.payment
        if payment.risk is None or payment.failure is FailureReason.METHOD_LIMIT_EXCEEDED:
            continue
        result = result_of(tally_of(question(), [each]))
        expected = assess(
            STRICTER, payment.risk.features, amount=payment.amount, method=payment.method
        )
        for cell in result.matrix:
            assert (cell.candidate is Outcome.BLOCK) == expected.block
            assert (cell.candidate is Outcome.REVIEW) == expected.review
            assert result.candidate.four_eyes == expected.four_eyes
            assert {rule.rule for rule in result.rules} == set(expected.reasons)


def test_review_under_four_eyes_counts_two_decisions() -> None:
    huge = case(initiated(amount=HUGE), processed(amount=HUGE, risk=risk(HUGE, KNOWN)))
    reviews = policy(AmountOver({"USD": 1}), then=Verdict.REVIEW)

    result = result_of(tally_of(question(candidate=reviews), [huge, PASSED]))

    assert (result.candidate.payments, result.candidate.four_eyes) == (2, 1)
    assert (result.candidate.minutes, result.baseline.minutes) == (3 * 6, 0)
