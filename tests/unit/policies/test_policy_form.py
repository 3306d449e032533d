"""The policy form turns a document into texts and back. These tests use no browser."""

from typing import Any, Final, get_args

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from msgspec import structs
from msgspec.structs import replace

from payments.domain.list_items import ListName
from payments.domain.risk import conditions
from payments.domain.risk.conditions import AnyCondition, Condition, Limits, PaymentsOver, Window
from payments.domain.risk.policy import DEFAULT_POLICY, PolicyDocument, RiskPolicy, Rule
from readmodels.admin.policies import draft as drafts
from readmodels.admin.policies.draft import Draft
from readmodels.admin.policies.fields import ConditionFields, Field, FormFields
from readmodels.admin.policies.kinds import Kind, kind_of
from readmodels.admin.policies.writing import InvalidDraft, policy_of, write
from tests.support.policy_documents import documents


def sent(draft: Draft) -> dict[str, str]:
    """Return what a browser sends for the form of the draft."""
    found: dict[str, str] = {}
    for part in FormFields(draft).parts.values():
        match part:
            case ConditionFields(name=name, tag=tag):
                found[f"{name}-type"] = tag
            case Field(kind="choices"):
                found |= {f"{part.name}-{each}": "on" for each, _, chosen in part.choices if chosen}
            case Field(kind="select"):
                (found[part.name],) = [each for each, _, chosen in part.choices if chosen]
            case Field():
                found[part.name] = part.value
    return found


def draft(**fields: str) -> Draft:
    """Return a draft of the built-in policy in whose form these texts were typed."""
    names = {name.replace("__", "-"): text for name, text in fields.items()}
    return drafts.read(sent(drafts.draft_of(DEFAULT_POLICY.document)) | names)


def faults(draft: Draft) -> dict[str, str]:
    with pytest.raises(InvalidDraft) as refused:
        policy_of(draft)
    return {drafts.field_name(path): message for path, message in refused.value.faults}


@settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(documents())
def test_document_survives_the_form(document: PolicyDocument) -> None:
    draft = drafts.draft_of(document, name="A name", comment="A\ncomment")

    again = drafts.read(sent(draft))

    assert again == draft
    assert policy_of(again) == RiskPolicy.of(document)


@given(st.dictionaries(st.from_regex(r"[a-z0-9_-]{0,30}", fullmatch=True), st.text(max_size=9)))
def test_any_fields_are_read(fields: dict[str, str]) -> None:
    drafts.read(fields)


@settings(max_examples=50)
@given(st.text(), st.text(), st.text())
def test_texts_that_are_no_numbers_are_refused_and_kept(points: str, hours: str, usd: str) -> None:
    typed = draft(rules__0__points=points, review_hours=hours, review_over__0__amount=usd)

    document, found = write(typed)
    paths = {path for path, _ in found}

    assert (("review_hours",) in paths) == (document["review_hours"] == hours)
    assert (("rules", 0, "points") in paths) == (document["rules"][0]["points"] == points)
    assert FormFields(typed, found).parts["review_over", 0, "amount"].value == usd  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("typed", "field", "message"),
    [
        ({"medium_from": "x"}, "medium_from", "'x' is not a whole number."),
        ({"medium_from": ""}, "medium_from", "Enter a whole number."),
        ({"medium_from": "70"}, "high_from", "It must be more than “Medium risk”, 70."),
        ({"rules__1__points": "101"}, "rules-1-points", "It must be 0 to 100."),
        (
            {"rules__1__reason": "customer_blocked"},
            "rules-1-reason",
            "Another rule has the same reason.",
        ),
        (
            {"rules__1__when__1__limits__0__amount": "1,000"},
            "rules-1-when-1-limits-0-amount",
            "'1,000' is ambiguous in EUR. Write 1000 or 1,000.00.",
        ),
        (
            {"rules__1__when__1__limits__2__amount": "100.50"},
            "rules-1-when-1-limits-2-amount",
            "100.50 has decimals, but JPY has none.",
        ),
        (
            {"rules__1__when__1__limits__0__currency": "XXY"},
            "rules-1-when-1-limits-0-currency",
            "'XXY' is not an ISO 4217 currency in use.",
        ),
        (
            {"rules__1__when__1__limits__0__currency": ""},
            "rules-1-when-1-limits-0-currency",
            "Enter a currency, like USD.",
        ),
        (
            {"review_over__0__currency": "CHF"},
            "rules-1-when-1-limits",
            "CHF is missing, for which “High risk held for review” has a limit.",
        ),
        ({"review_over__0__currency": "gbp"}, "review_over-1-currency", "GBP occurs twice."),
        ({"review_over__0__amount": ""}, "review_over-0-amount", "Enter an amount"),
        (
            {"review_over__0__amount": "-1"},
            "review_over-0-amount",
            "The limit must be 0 to €9,999,999,999.99.",
        ),
        (
            {"block_over__0__currency": "USD", "block_over__0__amount": "9999.99"},
            "block_over-0-amount",
            "It is below “High risk held for review”, so no payment would be reviewed.",
        ),
        ({"rules__2__when__0__count": "0"}, "rules-2-when-0-count", "It must be at least 1."),
        ({"rules__2__when__0__window": "2h"}, "rules-2-when-0-window", "Invalid enum value '2h'."),
    ],
)
def test_fault_stands_at_its_field(typed: dict[str, str], field: str, message: str) -> None:
    found = faults(draft(**typed))

    assert found[field].startswith(message)


def test_each_text_is_refused_once() -> None:
    typed = draft(medium_from="x", review_over__0__currency="", rules__1__points="?")

    assert sorted(faults(typed)) == ["medium_from", "review_over-0-currency", "rules-1-points"]


def test_reason_may_be_typed_as_a_sentence() -> None:
    typed = draft(rules__1__reason=" Large first-payment ")

    assert policy_of(typed).document.rules[1].reason == "large_first_payment"


def test_rows_without_text_are_left_out() -> None:
    typed = draft(block_over__0__currency=" ", block_over__0__amount="")

    assert policy_of(typed) == DEFAULT_POLICY


def test_rules_conditions_and_amounts_are_added_and_removed() -> None:
    typed = draft()

    assert drafts.add(typed, ("rules",)) == ("rules", 5)
    typed.rules[5].adding = "payments_over"
    assert drafts.add(typed, ("rules", 5, "when")) == ("rules", 5, "when", 0)
    assert drafts.add(typed, ("block_over",)) == ("block_over", 0)
    for path in (("rules", 0), ("rules", 0, "when", 1, "limits", 0), ("review_over", 3)):
        assert drafts.remove(typed, path)

    again = drafts.read(sent(typed))
    assert [rule.reason for rule in again.rules][-1] == ""
    assert again.rules[-1].when[0].values == {"window": "1h", "count": ""}
    assert [each.currency for each in again.limits["review_over"]] == ["EUR", "GBP", "JPY"]
    assert [each.currency for each in again.rules[0].when[1].values["limits"]] == [
        "GBP",
        "JPY",
        "USD",
    ]


@pytest.mark.parametrize(
    "path",
    [
        (),
        ("rules", 9),
        ("rules", "x"),
        ("name",),
        ("rules", 0, "when", 7),
        ("rules", 0, "points", 0),
    ],
)
def test_unknown_part_is_neither_added_nor_removed(path: Any) -> None:
    typed = draft()

    assert not drafts.remove(typed, path)
    assert drafts.add(typed, (*path, "x")) is None
    assert typed == draft()


def test_every_field_of_every_condition_has_a_kind() -> None:
    """Add a kind to readmodels/admin/policies/kinds.py for a new type of field."""
    unknown = [
        (condition.__name__, field.name)
        for condition in get_args(AnyCondition)
        for field in structs.fields(condition)
        if kind_of(field.type) is Kind.JSON
    ]

    assert unknown == []


class FullMoon(Condition, frozen=True, tag="full_moon"):
    """A condition with every kind of field, and one of an unknown type."""

    windows: tuple[Window, ...]
    window: Window
    limits: Limits
    phase: int
    name: str
    names: tuple[str, ...]
    list: ListName
    odd: dict[str, bool]


MOON: Final = FullMoon(
    (Window.DAY,), Window.HOUR, {"JPY": 5}, 3, "Blue", ("a", "b"), ListName("watched"), {"x": True}
)


def test_new_condition_appears_in_the_form(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(conditions.CONDITION_TYPES, "full_moon", FullMoon)
    moon: Any = MOON
    rule = Rule(reason="moon", points=1, when=(moon,))
    typed = drafts.draft_of(replace(DEFAULT_POLICY.document, rules=(rule,)))

    form = FormFields(typed)
    document, found = write(drafts.read(sent(typed)))

    assert ("full_moon", "Full moon", False) in form.rules[0].adding.choices
    assert [each.kind for each in form.rules[0].conditions[0].fields] == [
        "choices",
        "select",
        "amounts",
        "number",
        "text",
        "text",
        "select",
        "text",
    ]
    assert found == []
    assert document["rules"][0]["when"] == [
        {
            "type": "full_moon",
            "windows": ["24h"],
            "window": "1h",
            "limits": {"JPY": 5},
            "phase": 3,
            "name": "Blue",
            "names": ["a", "b"],
            "list": "watched",
            "odd": {"x": True},
        }
    ]


def test_sentence_of_a_rule_shows_while_it_is_complete() -> None:
    rule = Rule(reason="busy", points=5, when=(PaymentsOver(Window.DAY, 7),))
    complete = drafts.draft_of(replace(DEFAULT_POLICY.document, rules=(rule,)))
    broken = drafts.read(sent(complete) | {"rules-0-points": "many"})

    assert FormFields(complete).rules[0].sentence == (
        "5 points if the customer has more than 7 payments within 24 hours"
    )
    assert FormFields(broken).rules[0].sentence == ""
