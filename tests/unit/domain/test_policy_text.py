"""Reading a policy that a person wrote. Faults are named with their rule and field."""

import json
from typing import Any, Final

import pytest

from payments.domain.risk import parsing
from payments.domain.risk.parsing import InvalidPolicy
from payments.domain.risk.policy import DEFAULT_POLICY

RULE: Final = {
    "reason": "large",
    "points": 80,
    "when": [{"type": "amount_over", "limits": {"USD": 100}}],
}


def written(rule: dict[str, Any] | None = None, **changes: Any) -> str:
    document = {"rules": [RULE | (rule or {})], "medium_from": 40, "high_from": 70}
    return json.dumps(document | {"review_over": {"USD": 100}} | changes)


def condition(**fields: Any) -> dict[str, Any]:
    return {"when": [fields]}


def test_read_accepts_what_write_returns() -> None:
    assert parsing.read(parsing.write(DEFAULT_POLICY)) == DEFAULT_POLICY


def test_read_ignores_layout_of_text() -> None:
    plain = written()
    assert parsing.read(plain) == parsing.read(json.dumps(json.loads(plain), indent=7))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "It is not JSON: Expecting value: line 1 column 1 (char 0)."),
        ("[" * 100_000, "The JSON is nested too deeply."),
        (b"\xff", "It is not JSON: 'utf-8'"),
        ("[]", "The policy: Expected `object`, got `array`."),
        ("{}", "The policy: Object missing required field `rules`."),
        ('{"rules": [], "rules": []}', "rules: The name occurs 2 times in one object."),
        ('{"rules": [3]}', "rule 1: Expected `object`, got `int`."),
        (written(limits={}), "The policy: Object contains unknown field `limits`."),
        (written({"points": "80"}), "rule 1 (large), points: Expected `int`, got `str`."),
        (written({"points": True}), "rule 1 (large), points: Expected `int`, got `bool`."),
        (written({"reason": 3}), "rule 1, reason: Expected `str`, got `int`."),
        (written({"score": 3}), "rule 1 (large): Object contains unknown field `score`."),
        (written({"then": "pass"}), "rule 1 (large), then: Invalid enum value 'pass'."),
        (written({"then": "\ud800"}), r"It holds half of a character, from \ud800 to \udfff."),
        (b'{"\xed\xa0\x80": 3}', "It holds half of a character"),
        (r'{"\ud800": 3, "\ud800": 3}', r"\ud800: The name occurs 2 times in one object."),
        (
            written(condition(type="full_moon")),
            "rule 1 (large), when[0].type: Invalid enum value 'full_moon'.",
        ),
        (
            written(condition(type="new_customer", days=3)),
            "rule 1 (large), when[0]: Object contains unknown field `days`.",
        ),
        (
            written(condition(type="payments_over", window="2h", count=1)),
            "rule 1 (large), when[0].window: Invalid enum value '2h'.",
        ),
        (
            written({"reason": "Large one"}),
            "rule 1 (Large one), reason: It must begin with a lower-case letter",
        ),
        (written({"reason": "no_limit_for_currency"}), "is reserved."),
        (
            written({"reason": "bin_4111111111111111"}),
            "reason: It looks like a card number",
        ),
        (written({"points": -1}), "rule 1 (large), points: It must be 0 to 100."),
        (written({"points": 101}), "rule 1 (large), points: It must be 0 to 100."),
        (written({"when": []}), "rule 1 (large), when: It is empty"),
        (
            written(condition(type="method_in", methods=[])),
            "rule 1 (large), when[0].methods: It is empty.",
        ),
        (
            written(condition(type="country_in", countries=["de"])),
            "rule 1 (large), when[0].countries: 'de' is not a code of two capital letters.",
        ),
        (
            written(condition(type="in_list", list="Stolen cards")),
            "rule 1 (large), when[0].list: 'Stolen cards' is not the name of a list.",
        ),
        (
            written(condition(type="in_list", list="bin-4111111111111111")),
            "It holds something that looks like a card number.",
        ),
        (
            written(condition(type="payments_over", window="1h", count=0)),
            "rule 1 (large), when[0].count: It must be at least 1.",
        ),
        (
            written(condition(type="features_older_than", ms=-1)),
            "rule 1 (large), when[0].ms: It must be at least 0.",
        ),
        (
            written(condition(type="volume_over", window="24h", limits={"USD": 1, "XXY": 1})),
            "rule 1 (large), when[0].limits, XXY: It is not an ISO 4217 currency in use.",
        ),
        (
            written(review_over={"USD": 100, "EUR": 100}),
            "rule 1 (large), when[0].limits: EUR is missing, for which review_over has a limit.",
        ),
        (written(rules=[RULE, RULE]), "rule 2 (large), reason: Another rule has the same reason."),
        (
            written(rules=[RULE | {"reason": f"r{n}"} for n in range(101)]),
            "rules: There are 101. At most 100 are accepted.",
        ),
        (written(medium_from=70), "high_from: It must be more than medium_from, 70."),
        (written(medium_from=0), "medium_from: It must be at least 1."),
        (written(review_over={}), "review_over: It names no currency"),
        (written(review_over={"USD": -1}), "review_over, USD: The limit must be 0 to"),
        (written(block_over={"USD": 99}), "block_over, USD: It is below review_over"),
        (written(four_eyes_over={"USD": -1}), "four_eyes_over, USD: The limit must be 0 to"),
        (written(four_eyes_over={"EUR": 1}), "four_eyes_over: USD is missing, for which"),
        (written(reject_from=0), "reject_from: It must be at least 1"),
        (written(review_hours=0), "review_hours: It must be 1 to 2160."),
        (written(review_hours=2161), "review_hours: It must be 1 to 2160."),
    ],
)
def test_read_names_fault_by_rule_and_field(text: str | bytes, problem: str) -> None:
    with pytest.raises(InvalidPolicy) as refused:
        parsing.read(text)
    assert problem in str(refused.value)


@pytest.mark.parametrize(
    ("text", "places"),
    [
        (
            written({"points": -1, "when": []}, medium_from=0),
            ["medium_from", "rule 1 (large), points", "rule 1 (large), when"],
        ),
        (
            written({"points": "1", "then": 3}, medium_from=None, review_over={"USD": "1"}),
            [
                "medium_from",
                "review_over, USD",
                "rule 1 (large), points",
                "rule 1 (large), then",
            ],
        ),
    ],
)
def test_read_names_every_fault_at_once(text: str, places: list[str]) -> None:
    with pytest.raises(InvalidPolicy) as refused:
        parsing.read(text)

    assert sorted(each.partition(": ")[0] for each in refused.value.problems) == places


@pytest.mark.parametrize(
    ("text", "path"),
    [
        (written(medium_from=0), ("medium_from",)),
        (written(review_over={"USD": -1}), ("review_over", "USD")),
        (written(review_over={"USD": "1"}), ("review_over", "USD")),
        (written({"points": "80"}), ("rules", 0, "points")),
        (written({"then": "pass"}), ("rules", 0, "then")),
        (written({"when": []}), ("rules", 0, "when")),
        (
            written(condition(type="amount_over", limits={"USD": -1})),
            ("rules", 0, "when", 0, "limits", "USD"),
        ),
        (
            written(condition(type="method_in", methods=["wallet", "gold"])),
            ("rules", 0, "when", 0, "methods", 1),
        ),
        ("[]", ()),
    ],
)
def test_fault_has_path_to_its_value(text: str, path: parsing.Path) -> None:
    with pytest.raises(InvalidPolicy) as refused:
        parsing.read(text)

    assert [each.path for each in refused.value.faults] == [path]
