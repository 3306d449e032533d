"""The differences between two risk policies, in words and amounts.

Two documents have no differences if and only if they are equal.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, Final

from msgspec import Struct, structs

from payments.domain.risk.conditions import AnyCondition, Limits
from payments.domain.risk.policy import PolicyDocument, Rule
from readmodels import labels
from readmodels.policies import texts

_LIMITS: Final = ("review_over", "block_over", "four_eyes_over")


class Difference(Struct, frozen=True):
    """A changed value. `before` is None for something new, `after` for something removed."""

    what: str
    before: str | None
    after: str | None

    def __str__(self) -> str:
        values = " -> ".join(each for each in (self.before, self.after) if each is not None)
        return f"{self.what}: {values}"


def differences(before: PolicyDocument, after: PolicyDocument) -> list[Difference]:
    """Return what changes if `after` replaces `before`: first the rules, then bands and limits."""
    return [*_of_rules(before.rules, after.rules), *_of_document(before, after)]


def _of_rules(before: tuple[Rule, ...], after: tuple[Rule, ...]) -> Iterator[Difference]:
    # The reasons of a policy are unique.
    old = {rule.reason: rule for rule in before}
    new = {rule.reason: rule for rule in after}
    for reason, rule in new.items():
        if reason in old:
            yield from _of_rule(old[reason], rule)
        else:
            yield Difference(f"New rule {reason}", None, texts.rule(rule))
    for reason, rule in old.items():
        if reason not in new:
            yield Difference(f"Removed rule {reason}", texts.rule(rule), None)
    orders = (
        [reason for reason in old if reason in new],
        [reason for reason in new if reason in old],
    )
    if orders[0] != orders[1]:
        yield Difference("Order of the rules", ", ".join(orders[0]), ", ".join(orders[1]))


def _of_rule(before: Rule, after: Rule) -> Iterator[Difference]:
    title = f"Rule {before.reason}"
    if before.points != after.points:
        yield Difference(f"{title}, points", str(before.points), str(after.points))
    if before.then is not after.then:
        old, new = (texts.THEN[rule.then].lower() for rule in (before, after))
        yield Difference(f"{title}, decision", old, new)
    if before.when == after.when:
        return
    found = list(_of_conditions(title, before.when, after.when))
    if not found:
        old, new = (" and ".join(map(texts.sentence, rule.when)) for rule in (before, after))
        found = [Difference(f"{title}, order of its conditions", old, new)]
    yield from found


def _of_conditions(
    title: str, before: tuple[AnyCondition, ...], after: tuple[AnyCondition, ...]
) -> Iterator[Difference]:
    """Yield the differences. Conditions of the same type are compared in their order."""
    left: dict[str, list[AnyCondition]] = defaultdict(list)
    for condition in before:
        left[texts.tag_of(condition)].append(condition)
    for condition in after:
        if same_type := left[texts.tag_of(condition)]:
            yield from _of_condition(title, same_type.pop(0), condition)
        else:
            yield Difference(f"{title}, new condition", None, texts.sentence(condition))
    for removed in left.values():
        for condition in removed:
            yield Difference(f"{title}, removed condition", texts.sentence(condition), None)


def _of_condition(title: str, before: AnyCondition, after: AnyCondition) -> Iterator[Difference]:
    tag = texts.tag_of(after)
    name = texts.condition_text(tag).label.lower()
    old: dict[str, Any] = structs.asdict(before)
    for field, new in structs.asdict(after).items():
        if old[field] == new:
            continue
        what = f"{title}, {name}, {texts.field_text(tag, field).label.lower()}"
        if isinstance(new, Mapping):
            yield from _of_limits(what, old[field], new)
        else:
            yield Difference(what, texts.value(old[field]), texts.value(new))


def _of_limits(what: str, before: Limits, after: Limits) -> Iterator[Difference]:
    for currency in sorted(before.keys() | after.keys()):
        old, new = (
            labels.amount(limits[currency], currency) if currency in limits else "no limit"
            for limits in (before, after)
        )
        if old != new:
            yield Difference(f"{what} ({currency})", old, new)


def _of_document(before: PolicyDocument, after: PolicyDocument) -> Iterator[Difference]:
    for name, text in texts.DOCUMENT.items():
        if name in _LIMITS:
            yield from _of_amounts(name, before, after)
            continue
        old, new = getattr(before, name), getattr(after, name)
        if old != new:
            yield Difference(text.label, _described(name, old), _described(name, new))


def _described(name: str, number: int | None) -> str:
    if name == "review_hours" and number is not None:
        return texts.period(number)
    return texts.rejection(number)


def _of_amounts(name: str, before: PolicyDocument, after: PolicyDocument) -> Iterator[Difference]:
    currencies = getattr(before, name).keys() | getattr(after, name).keys()
    for currency in sorted(currencies):
        old, new = (_effect(name, document, currency) for document in (before, after))
        if old != new:
            yield Difference(f"{texts.DOCUMENT[name].label} ({currency})", old, new)
    old, new = (_effect(name, document, "") for document in (before, after))
    if old != new:
        yield Difference(f"{texts.DOCUMENT[name].label} (other currencies)", old, new)


def _effect(name: str, document: PolicyDocument, currency: str) -> str:
    """Return which amounts in the currency the limits apply to."""
    limits: Limits = getattr(document, name)
    if currency in limits:
        return f"over {labels.amount(limits[currency], currency)}"
    if name == "block_over" or (name == "four_eyes_over" and not limits):
        return "never"
    return "always"
