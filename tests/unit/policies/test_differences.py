"""Differences between two policies are described in words and amounts."""

from typing import Any, Final, get_args

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from msgspec import structs
from msgspec.structs import replace

from payments.domain.risk import parsing
from payments.domain.risk.conditions import (
    AmountOver,
    AnyCondition,
    CountryIn,
    NewCustomer,
    PaymentsOver,
    Window,
)
from payments.domain.risk.policy import DEFAULT_POLICY, PolicyDocument, RiskPolicy, Rule, Verdict
from readmodels.policies import texts
from readmodels.policies.differences import differences
from tests.support.policy_documents import documents

RULE: Final = Rule(
    reason="large",
    points=40,
    when=(AmountOver({"USD": 1_000_00, "EUR": 900_00}), PaymentsOver(Window.HOUR, 20)),
)
BEFORE: Final = PolicyDocument(
    rules=(RULE, Rule(reason="new", points=5, when=(NewCustomer(),))),
    medium_from=40,
    high_from=70,
    review_over={"USD": 10_000_00, "JPY": 1_500_000},
)


def changed(rule: Rule = RULE, **fields: Any) -> PolicyDocument:
    return replace(BEFORE, rules=(replace(rule, **fields), *BEFORE.rules[1:]))


@pytest.mark.parametrize(
    ("after", "lines"),
    [
        (BEFORE, []),
        (changed(points=60), ["Rule large, points: 40 -> 60"]),
        (changed(then=Verdict.BLOCK), ["Rule large, decision: by score -> refuse"]),
        (
            changed(when=(AmountOver({"USD": 800_00, "GBP": 1}), RULE.when[1])),
            [
                "Rule large, amount, over (EUR): €900.00 -> no limit",
                "Rule large, amount, over (GBP): no limit -> £0.01",
                "Rule large, amount, over (USD): $1,000.00 -> $800.00",
            ],
        ),
        (
            changed(when=(RULE.when[0], PaymentsOver(Window.DAY, 20))),
            ["Rule large, number of payments, within: 1 hour -> 24 hours"],
        ),
        (
            changed(when=(RULE.when[0], CountryIn(("DE", "FR")))),
            [
                "Rule large, new condition: the country is one of DE, FR",
                (
                    "Rule large, removed condition: the customer has more than 20 payments"
                    " within 1 hour"
                ),
            ],
        ),
        (
            replace(
                BEFORE,
                rules=(
                    RULE,
                    Rule(reason="de", points=0, then=Verdict.REVIEW, when=(CountryIn(("DE",)),)),
                ),
            ),
            [
                "New rule de: hold for review if the country is one of DE",
                "Removed rule new: 5 points if the customer is new",
            ],
        ),
        (
            replace(BEFORE, rules=BEFORE.rules[::-1]),
            ["Order of the rules: large, new -> new, large"],
        ),
        (replace(BEFORE, high_from=80), ["High risk: from 70 points -> from 80 points"]),
        (
            replace(BEFORE, review_over={"USD": 8_000_00, "EUR": 8_000_00}),
            [
                "High risk held for review (EUR): always -> over €8,000.00",
                "High risk held for review (JPY): over ¥1,500,000 -> always",
                "High risk held for review (USD): over $10,000.00 -> over $8,000.00",
            ],
        ),
        (replace(BEFORE, block_over={"USD": 1}), ["High risk refused (USD): never -> over $0.01"]),
        (
            replace(BEFORE, four_eyes_over={"USD": 1}),
            [
                "Two approvals (USD): never -> over $0.01",
                "Two approvals (other currencies): never -> always",
            ],
        ),
        (replace(BEFORE, reject_from=90), ["Rejection advised: never -> from 90 points"]),
        (replace(BEFORE, review_hours=25), ["Time to decide: 7 days -> 25 hours"]),
    ],
)
def test_differences_name_the_change_in_words_and_amounts(
    after: PolicyDocument, lines: list[str]
) -> None:
    assert [str(each) for each in differences(BEFORE, after)] == lines


def test_swapped_conditions_are_a_difference() -> None:
    (found,) = differences(BEFORE, changed(when=RULE.when[::-1]))

    assert found.what == "Rule large, order of its conditions"


@settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(documents(), documents())
def test_two_policies_have_no_differences_only_if_they_are_equal(
    before: PolicyDocument, after: PolicyDocument
) -> None:
    assert bool(differences(before, after)) == (before != after)


@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow])
@given(documents())
def test_policy_has_no_differences_from_itself(document: PolicyDocument) -> None:
    policy = RiskPolicy.of(document)

    assert differences(document, parsing.read(parsing.write(policy)).document) == []


@pytest.mark.parametrize("kind", get_args(AnyCondition), ids=lambda kind: kind.__name__)
def test_condition_and_its_fields_have_texts(kind: Any) -> None:
    """Add the texts of a new condition to readmodels/policies/texts.py."""
    text = texts.CONDITIONS[kind.__struct_config__.tag]
    names = [field.name for field in structs.fields(kind)]

    assert sorted(text.fields) == sorted(names)
    assert all(f"{{{name}}}" in text.sentence for name in names)


def test_policy_and_its_rules_have_texts_for_every_field() -> None:
    document = {field.name for field in structs.fields(PolicyDocument)}

    assert {*texts.DOCUMENT, "rules"} == document
    assert {*texts.RULE, "when"} == {field.name for field in structs.fields(Rule)}
    assert set(texts.THEN) == {None, *Verdict}


def test_condition_without_texts_is_shown_by_its_names() -> None:
    class Moon(msgspec.Struct, frozen=True, tag="full_moon"):
        phase: int
        colors: tuple[str, ...]

    moon: Any = Moon(phase=4, colors=("red", "blue"))

    assert texts.sentence(moon) == "Full moon (Phase: 4; Colors: red, blue)"


def test_rules_of_the_built_in_policy_are_sentences() -> None:
    assert [texts.rule(rule) for rule in DEFAULT_POLICY.document.rules][0:3] == [
        "100 points and refuse if the customer is blocked",
        (
            "80 points if it is the customer's first card payment and the amount is over"
            " €10,000.00, £8,000.00, ¥1,500,000, $10,000.00"
        ),
        "40 points if the customer has more than 20 payments within 1 hour",
    ]
