"""A policy as typed in the form: texts that may be invalid.

A path such as ("rules", 0, "when", 1, "limits", 2, "amount") leads to a text. Joined with hyphens,
it is the name of the form's field.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
from msgspec import structs

from payments.domain.money import Money
from payments.domain.risk.conditions import AnyCondition, Limits
from payments.domain.risk.parsing import Path
from payments.domain.risk.policy import PolicyDocument, Rule
from readmodels.admin.policies.kinds import Kind, choices_of, fields_of, kind_of
from readmodels.policies.texts import tag_of

LIMITS: Final = ("review_over", "block_over", "four_eyes_over")
NUMBERS: Final = ("medium_from", "high_from", "reject_from", "review_hours")


@dataclass
class Amount:
    currency: str = ""
    amount: str = ""


@dataclass
class Condition:
    """A condition. A value is a text, a list of texts for choices, or a list of amounts."""

    tag: str
    values: dict[str, Any]


@dataclass
class DraftRule:
    """A rule. `adding` is the type of condition that was chosen but not yet added."""

    reason: str = ""
    points: str = ""
    then: str = ""
    when: list[Condition] = field(default_factory=list)
    adding: str = ""


@dataclass
class Draft:
    name: str
    comment: str
    numbers: dict[str, str]
    limits: dict[str, list[Amount]]
    rules: list[DraftRule]


def field_name(path: Path) -> str:
    return "-".join(map(str, path))


def draft_of(document: PolicyDocument, *, name: str = "", comment: str = "") -> Draft:
    """Return the form's texts for an existing document."""
    numbers = {each: getattr(document, each) for each in NUMBERS}
    return Draft(
        name=name,
        comment=comment,
        numbers={each: "" if number is None else str(number) for each, number in numbers.items()},
        limits={each: _amounts(getattr(document, each)) for each in LIMITS},
        rules=[_rule(rule) for rule in document.rules],
    )


def _rule(rule: Rule) -> DraftRule:
    return DraftRule(
        reason=rule.reason,
        points=str(rule.points),
        then=rule.then or "",
        when=[_condition(condition) for condition in rule.when],
    )


def _condition(condition: AnyCondition) -> Condition:
    tag = tag_of(condition)
    values = structs.asdict(condition)
    kinds = fields_of(tag)
    return Condition(tag, {name: _text(kind_of(kinds[name]), values[name]) for name in kinds})


def _text(kind: Kind, value: Any) -> Any:
    match kind:
        case Kind.AMOUNTS:
            return _amounts(value)
        case Kind.CHOICES:
            return [str(each) for each in value]
        case Kind.TEXTS:
            return ", ".join(value)
        case Kind.JSON:
            return msgspec.json.encode(value).decode()
        case _:
            return str(value)


def _amounts(limits: Limits) -> list[Amount]:
    return [
        Amount(currency, f"{Money(minor, currency).decimal:f}")
        for currency, minor in sorted(limits.items())
    ]


def read(sent: Mapping[str, str]) -> Draft:
    """Return the draft from the sent form. Unknown fields are ignored."""
    tree = _tree(sent)
    return Draft(
        name=_leaf(tree, "name"),
        comment=_leaf(tree, "comment"),
        numbers={each: _leaf(tree, each) for each in NUMBERS},
        limits={each: _read_amounts(tree.get(each)) for each in LIMITS},
        rules=[_read_rule(each) for each in _items(tree.get("rules"))],
    )


def _tree(sent: Mapping[str, str]) -> dict[str, Any]:
    """Return the fields as nested dictionaries, keyed by the parts of their names."""
    tree: dict[str, Any] = {}
    for name, value in sent.items():
        *parents, last = name.split("-")
        node = tree
        for part in parents:
            below = node.setdefault(part, {})
            node = below if isinstance(below, dict) else {}
        node[last] = value
    return tree


def _leaf(node: Mapping[str, Any], name: str) -> str:
    found = node.get(name, "")
    return found if isinstance(found, str) else ""


def _items(node: Any) -> list[dict[str, Any]]:
    """Return the numbered children in the order in which the form sent them."""
    found = node.values() if isinstance(node, dict) else ()
    return [each for each in found if isinstance(each, dict)]


def _read_rule(node: dict[str, Any]) -> DraftRule:
    return DraftRule(
        reason=_leaf(node, "reason"),
        points=_leaf(node, "points"),
        then=_leaf(node, "then"),
        when=[_read_condition(each) for each in _items(node.get("when"))],
        adding=_leaf(node, "adding"),
    )


def _read_condition(node: dict[str, Any]) -> Condition:
    tag = _leaf(node, "type")
    values: dict[str, Any] = {}
    for name, annotation in fields_of(tag).items():
        match kind_of(annotation):
            case Kind.AMOUNTS:
                values[name] = _read_amounts(node.get(name))
            case Kind.CHOICES:
                values[name] = list(node[name]) if isinstance(node.get(name), dict) else []
            case _:
                values[name] = _leaf(node, name)
    return Condition(tag, values)


def _read_amounts(node: Any) -> list[Amount]:
    return [Amount(_leaf(each, "currency"), _leaf(each, "amount")) for each in _items(node)]


def add(draft: Draft, path: Path) -> Path | None:
    """Add an item to the list at `path`. Return the item's path, None if there is no such list."""
    found = _list_at(draft, path)
    match path:
        case _ if found is None:
            return None
        case ("rules",):
            found.append(DraftRule())
        case ("rules", int(index), "when"):
            rule = draft.rules[index]
            if not rule.adding:
                return None
            found.append(new_condition(draft, rule.adding))
            rule.adding = ""
        case _:
            found.append(Amount())
    return (*path, len(found) - 1)


def remove(draft: Draft, path: Path) -> bool:
    """Remove the item at `path` from its list. Return whether it was there."""
    found = _list_at(draft, path[:-1])
    match path[-1:]:
        case (int(index),) if found is not None and index < len(found):
            found.pop(index)
            return True
    return False


def new_condition(draft: Draft, tag: str) -> Condition:
    """Return a condition with empty texts, and a row for each currency that needs a limit."""
    currencies = [each.currency for each in draft.limits["review_over"]]
    values: dict[str, Any] = {}
    for name, annotation in fields_of(tag).items():
        match kind_of(annotation):
            case Kind.AMOUNTS:
                values[name] = [Amount(currency) for currency in currencies]
            case Kind.CHOICES:
                values[name] = []
            case Kind.CHOICE:
                values[name] = str(choices_of(annotation)[0])
            case _:
                values[name] = ""
    return Condition(tag, values)


def _list_at(draft: Draft, path: Path) -> list[Any] | None:
    match path:
        case ("rules",):
            return draft.rules
        case (str(name),):
            return draft.limits.get(name)
        case ("rules", int(index), *within) if index < len(draft.rules):
            rule = draft.rules[index]
            match within:
                case ["when"]:
                    return rule.when
                case ["when", int(number), str(name)] if number < len(rule.when):
                    condition = rule.when[number]
                    kind = kind_of(fields_of(condition.tag).get(name))
                    return condition.values[name] if kind is Kind.AMOUNTS else None
    return None
