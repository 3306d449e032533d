"""Read a risk policy that people wrote as JSON, and name each fault by rule and field."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sized
from itertools import filterfalse
from typing import Any, Final, Literal, assert_never, get_args, get_origin

import msgspec
from msgspec import Struct, structs

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

# More than a policy needs. The highest possible score fits its database column.
MAX_RULES: Final = 100
MAX_POINTS: Final = 100
MAX_REVIEW_HOURS: Final = 90 * 24
_REASON: Final = re.compile(r"[a-z][a-z0-9_]{0,49}")
_CARD: Final = "It holds something that looks like a card number."
_COUNTRY: Final = re.compile(r"[A-Z]{2}")
_CONDITIONS: Final[Mapping[str, type[AnyCondition]]] = {
    str(each.__struct_config__.tag): each for each in get_args(AnyCondition)
}
_TAG: Final = Literal[tuple(_CONDITIONS)]


class InvalidPolicy(Exception):
    """The text is not a valid policy. `problems` has a line for each fault."""

    def __init__(self, *problems: str) -> None:
        # Messages are shown and logged, and some repeat the input.
        problems = tuple(_CARD if holds_card_number(each) else each for each in problems)
        super().__init__("\n".join(problems))
        self.problems = problems


def read(text: bytes | str) -> RiskPolicy:
    """Return the policy of a JSON text. Raises InvalidPolicy."""
    try:
        written = json.loads(text, object_pairs_hook=_once)
    except ValueError as error:
        raise InvalidPolicy(f"It is not JSON: {error}.") from error
    except RecursionError as error:
        raise InvalidPolicy("The JSON is nested too deeply.") from error
    try:
        document = msgspec.convert(written, PolicyDocument)
    except msgspec.ValidationError as error:
        misfits = (f"{place}: {fault}." for place, fault in _misfits(PolicyDocument, written, ""))
        raise InvalidPolicy(*misfits) from error
    if problems := list(_problems(document)):
        raise InvalidPolicy(*problems)
    return RiskPolicy.of(document)


def write(policy: RiskPolicy) -> str:
    """Return the policy as indented JSON, which `read` accepts."""
    # Sorted: PostgreSQL's jsonb does not keep the order of the currencies.
    document = msgspec.json.encode(policy.document, order="deterministic")
    return msgspec.json.format(document, indent=2).decode()


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the pairs as an object. Raises InvalidPolicy if a name occurs twice."""
    for name, times in Counter(name for name, _ in pairs).items():
        if times > 1:
            raise InvalidPolicy(f"{name}: The name occurs {times} times in one object.")
    return dict(pairs)


def _misfits(kind: Any, value: Any, place: str) -> Iterator[tuple[str, str]]:
    """Yield the place and the fault of each part of `value` that does not have the type `kind`."""
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        within = [
            misfit
            for part_place, part_kind, part in _parts(kind, value, place)
            for misfit in _misfits(part_kind, part, part_place)
        ]
        # If all parts fit, the fault is in the value itself: its type, or the names of its fields.
        yield from within or [(place or "The policy", str(error))]


def _parts(kind: Any, value: Any, place: str) -> Iterator[tuple[str, Any, Any]]:
    """Yield the place, the type and the value of each part of an object or array."""
    if kind == AnyCondition and isinstance(value, dict) and "type" in value:
        yield f"{place}.type", _TAG, value["type"]
        kind = _CONDITIONS.get(str(value["type"]))
    match value:
        case dict() if isinstance(kind, type) and issubclass(kind, Struct):
            separator = ", " if kind is Rule else "." if place else ""
            for field in structs.fields(kind):
                if field.name in value:
                    yield f"{place}{separator}{field.name}", field.type, value[field.name]
        case dict() if kind == Limits:
            for currency, minor in value.items():
                yield f"{place}, {currency}", int, minor
        case list() if kind == tuple[Rule, ...]:
            for index, rule in enumerate(value):
                reason = rule.get("reason") if isinstance(rule, dict) else None
                yield _title(index, reason), Rule, rule
        case list() if get_origin(kind) is tuple:
            for index, each in enumerate(value):
                yield f"{place}[{index}]", get_args(kind)[0], each


def _problems(document: PolicyDocument) -> Iterator[str]:
    if not 1 <= document.medium_from < document.high_from:
        yield "medium_from, high_from: medium_from must be at least 1, and high_from more than medium_from."
    if not document.review_over:
        yield "review_over: It names no currency, so every payment would need a review."
    yield from (f"review_over, {fault}" for fault in _faults(document.review_over))
    yield from (f"block_over, {fault}" for fault in _faults(document.block_over))
    for currency in sorted(document.review_over.keys() & document.block_over.keys()):
        if document.block_over[currency] < document.review_over[currency]:
            yield f"block_over, {currency}: It is below review_over, so no payment would be reviewed."
    yield from (f"four_eyes_over, {fault}" for fault in _faults(document.four_eyes_over))
    if document.four_eyes_over:
        for currency in sorted(document.review_over.keys() - document.four_eyes_over.keys()):
            yield f"four_eyes_over: {currency} is missing, for which review_over has a limit."
    if document.reject_from is not None and document.reject_from < 1:
        yield "reject_from: It must be at least 1. With 0, every review would advise to reject."
    if not 1 <= document.review_hours <= MAX_REVIEW_HOURS:
        yield f"review_hours: It must be 1 to {MAX_REVIEW_HOURS}."
    if len(document.rules) > MAX_RULES:
        yield f"rules: There are {len(document.rules)}. At most {MAX_RULES} are accepted."
    reasons = Counter(rule.reason for rule in document.rules)
    for index, rule in enumerate(document.rules):
        title = _title(index, rule.reason)
        if reasons[rule.reason] > 1:
            yield f"{title}, reason: Another rule has the same reason."
        yield from (f"{title}, {fault}" for fault in _rule_faults(rule, document.review_over))


def _rule_faults(rule: Rule, reviewed: Limits) -> Iterator[str]:
    if not _REASON.fullmatch(rule.reason) or rule.reason == NO_LIMIT:
        yield (
            "reason: It must begin with a lower-case letter and have at most 50 lower-case letters,"
            f" digits and _. {NO_LIMIT} is reserved."
        )
    if holds_card_number(rule.reason):
        yield "reason: It looks like a card number."
    if not 0 <= rule.points <= MAX_POINTS:
        yield f"points: It must be 0 to {MAX_POINTS}."
    if not rule.when:
        yield "when: It is empty, so the rule would fire for every payment."
    for index, condition in enumerate(rule.when):
        yield from (f"when[{index}]{fault}" for fault in _condition_faults(condition, reviewed))


def _condition_faults(condition: AnyCondition, reviewed: Limits) -> Iterator[str]:
    match condition:
        case FirstCardPayment() | NewCustomer() | CustomerBlocked():
            pass
        case MethodIn(methods=methods):
            yield from _empty(".methods", methods)
        case CountryIn(countries=countries):
            yield from _empty(".countries", countries)
            for country in filterfalse(_COUNTRY.fullmatch, countries):
                yield f".countries: {country!r} is not a code of two capital letters."
        case AmountOver(limits=limits) | VolumeOver(limits=limits):
            # Payments in other currencies are always reviewed. In these, the rule would never fire.
            for currency in sorted(reviewed.keys() - limits.keys()):
                yield f".limits: {currency} is missing, for which review_over has a limit."
            yield from (f".limits, {fault}" for fault in _faults(limits))
        case PaymentsOver(count=count):
            yield from _too_small(".count", count, 1)
        case FeaturesOlderThan(ms=ms):
            yield from _too_small(".ms", ms, 0)
        case _:
            assert_never(condition)


def _empty(field: str, values: Sized) -> Iterator[str]:
    if not values:
        yield f"{field}: It is empty."


def _too_small(field: str, number: int, least: int) -> Iterator[str]:
    if number < least:
        yield f"{field}: It must be at least {least}."


def _faults(limits: Limits) -> Iterator[str]:
    for currency, minor in limits.items():
        if currency not in KNOWN_CURRENCIES:
            yield f"{currency}: It is not an ISO 4217 currency in use."
        if not 0 <= minor <= MAX_MINOR:
            yield f"{currency}: The limit must be 0 to {MAX_MINOR}, in minor units."


def _title(index: int, reason: object) -> str:
    if isinstance(reason, str) and not holds_card_number(reason):
        return f"rule {index + 1} ({reason})"
    return f"rule {index + 1}"
