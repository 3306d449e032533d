"""Reads a risk policy that people wrote as JSON, and says everything that is wrong, by rule and field."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Sized
from itertools import filterfalse
from typing import Any, Final, assert_never

import msgspec

from payments.domain.card_numbers import holds_card_number
from payments.domain.money import KNOWN_CURRENCIES, MAX_MINOR
from payments.domain.risk.conditions import (
    AmountOver,
    AnyCondition,
    CountryIn,
    CustomerBlocked,
    FeaturesOlderThan,
    FirstCardPayment,
    Limits,
    MethodIn,
    NewCustomer,
    PaymentsOver,
    VolumeOver,
)
from payments.domain.risk.policy import NO_LIMIT, PolicyDocument, RiskPolicy, Rule

# Far more than a policy needs, and few enough for any score to fit where scores are kept.
MAX_RULES: Final = 100
MAX_POINTS: Final = 100
MAX_REVIEW_HOURS: Final = 90 * 24
_REASON: Final = re.compile(r"[a-z][a-z0-9_]{0,49}")
_CARD: Final = "It holds something that looks like a card number."
_COUNTRY: Final = re.compile(r"[A-Z]{2}")
_PATH: Final = re.compile(r" - at `\$(.*)`$")
_RULE: Final = re.compile(r"\.rules\[(\d+)\]\.?")


class InvalidPolicy(Exception):
    """A policy that is not taken. `problems` has a line for each thing that is wrong."""

    def __init__(self, *problems: str) -> None:
        # Messages are shown and written down, and some repeat what was given.
        problems = tuple(_CARD if holds_card_number(each) else each for each in problems)
        super().__init__("\n".join(problems))
        self.problems = problems


def read(text: bytes | str) -> RiskPolicy:
    """Return the policy that `text` is. Raises InvalidPolicy."""
    try:
        written = json.loads(text, object_pairs_hook=_once)
    except ValueError as error:
        raise InvalidPolicy(f"It is not JSON: {error}.") from error
    except RecursionError as error:
        raise InvalidPolicy("It is not JSON that can be read: it is nested too deeply.") from error
    try:
        document = msgspec.convert(written, PolicyDocument)
    except msgspec.ValidationError as error:
        raise InvalidPolicy(_located(str(error), written)) from error
    if problems := list(_problems(document)):
        raise InvalidPolicy(*problems)
    return RiskPolicy.of(document)


def write(policy: RiskPolicy) -> str:
    """Return the policy as people edit and compare it, which `read` takes back."""
    # The database keeps the currencies of limits in an order of its own.
    document = msgspec.json.encode(policy.document, order="deterministic")
    return msgspec.json.format(document, indent=2).decode()


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object, if each name is there once: of two limits only one could hold."""
    for name, times in Counter(name for name, _ in pairs).items():
        if times > 1:
            raise InvalidPolicy(f"{name}: It is given {times} times in one object.")
    return dict(pairs)


def _located(message: str, written: Any) -> str:
    """Msgspec's message, with the rule by its reason in the place of its number."""
    path = _PATH.search(message)
    place, fault = (path[1], message[: path.start()]) if path else ("", message)
    if rule := _RULE.match(place):
        index, field = int(rule[1]), place[rule.end() :]
        # Msgspec has seen that there is such a rule; what is wrong may be just its reason.
        found = written["rules"][index]
        title = _title(index, found.get("reason") if isinstance(found, dict) else None)
        return f"{title}{f', {field}' if field else ''}: {fault}."
    return f"{place.removeprefix('.') or 'The policy'}: {fault}."


def _problems(document: PolicyDocument) -> Iterator[str]:
    if not 1 <= document.medium_from < document.high_from:
        yield "medium_from, high_from: The bands must begin at 1 or more, and high after medium."
    if not document.review_over:
        yield "review_over: It names no currency, so every payment would wait for review."
    yield from (f"review_over, {fault}" for fault in _faults(document.review_over))
    yield from (f"block_over, {fault}" for fault in _faults(document.block_over))
    for currency in sorted(document.review_over.keys() & document.block_over.keys()):
        if document.block_over[currency] < document.review_over[currency]:
            yield f"block_over, {currency}: It is below review_over, which would never be reached."
    yield from (f"four_eyes_over, {fault}" for fault in _faults(document.four_eyes_over))
    if document.four_eyes_over:
        for currency in sorted(document.review_over.keys() - document.four_eyes_over.keys()):
            yield f"four_eyes_over: {currency} is missing, for which review_over has a limit."
    if document.reject_from is not None and document.reject_from < 1:
        yield "reject_from: It must be at least 1, or everything would be advised against."
    if not 1 <= document.review_hours <= MAX_REVIEW_HOURS:
        yield f"review_hours: They must be 1 to {MAX_REVIEW_HOURS}."
    if len(document.rules) > MAX_RULES:
        yield f"rules: There are {len(document.rules)}, at most {MAX_RULES} are taken."
    reasons = Counter(rule.reason for rule in document.rules)
    for index, rule in enumerate(document.rules):
        title = _title(index, rule.reason)
        if reasons[rule.reason] > 1:
            yield f"{title}, reason: Another rule has the same."
        yield from (f"{title}, {fault}" for fault in _rule_faults(rule, document.review_over))


def _rule_faults(rule: Rule, reviewed: Limits) -> Iterator[str]:
    if not _REASON.fullmatch(rule.reason) or rule.reason == NO_LIMIT:
        yield (
            "reason: It must be lower-case letters, digits and _, begin with a letter and have"
            f" at most 50 of them; {NO_LIMIT} is taken."
        )
    if holds_card_number(rule.reason):
        yield "reason: It looks as if it held a card number."
    if not 0 <= rule.points <= MAX_POINTS:
        yield f"points: They must be 0 to {MAX_POINTS}."
    if not rule.when:
        yield "when: Without a condition the rule would fire for every payment."
    for index, condition in enumerate(rule.when):
        yield from (f"when[{index}]{fault}" for fault in _condition_faults(condition, reviewed))


def _condition_faults(condition: AnyCondition, reviewed: Limits) -> Iterator[str]:
    match condition:
        case FirstCardPayment() | NewCustomer() | CustomerBlocked():
            pass
        case MethodIn(methods=methods):
            yield from _none(".methods", methods)
        case CountryIn(countries=countries):
            yield from _none(".countries", countries)
            for country in filterfalse(_COUNTRY.fullmatch, countries):
                yield f".countries: {country!r} is no code of two capital letters."
        case AmountOver(limits=limits) | VolumeOver(limits=limits):
            # Payments in other currencies all wait for review, in these the rule would be silent.
            for currency in sorted(reviewed.keys() - limits.keys()):
                yield f".limits: {currency} is missing, for which review_over has a limit."
            yield from (f".limits, {fault}" for fault in _faults(limits))
        case PaymentsOver(count=count):
            yield from _too_small(".count", count, 1)
        case FeaturesOlderThan(ms=ms):
            yield from _too_small(".ms", ms, 0)
        case _:
            assert_never(condition)


def _none(field: str, names: Sized) -> Iterator[str]:
    if not names:
        yield f"{field}: It names none."


def _too_small(field: str, number: int, least: int) -> Iterator[str]:
    if number < least:
        yield f"{field}: It must be at least {least}."


def _faults(limits: Limits) -> Iterator[str]:
    for currency, minor in limits.items():
        if currency not in KNOWN_CURRENCIES:
            yield f"{currency}: It is no currency in use."
        if not 0 <= minor <= MAX_MINOR:
            yield f"{currency}: The limit must be 0 to {MAX_MINOR}, in minor units."


def _title(index: int, reason: object) -> str:
    if isinstance(reason, str) and not holds_card_number(reason):
        return f"rule {index + 1} ({reason})"
    return f"rule {index + 1}"
