"""Read a risk policy that people wrote as JSON, and name each fault by rule and field."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sized
from itertools import filterfalse
from typing import Any, Final, Literal, assert_never, get_args, get_origin

import msgspec
from msgspec import Struct, structs

from payments.domain.card_numbers import holds_card_number
from payments.domain.list_items import is_list_name
from payments.domain.money import KNOWN_CURRENCIES, MAX_MINOR
from payments.domain.risk.conditions import (
    CONDITION_TYPES,
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
    VolumeOver,
)
from payments.domain.risk.policy import NO_LIMIT, PolicyDocument, RiskPolicy, Rule

# More than a policy needs, but so few that the highest possible score fits its database column.
MAX_RULES: Final = 100
MAX_POINTS: Final = 100
MAX_REVIEW_HOURS: Final = 90 * 24
_REASON: Final = re.compile(r"[a-z][a-z0-9_]{0,49}")
_CARD: Final = "It holds something that looks like a card number."
# JSON can hold lone surrogates, which cannot be stored or shown.
_HALF: Final = "It holds half of a character, from \\ud800 to \\udfff. Write the whole character."
_COUNTRY: Final = re.compile(r"[A-Z]{2}")
_TAG: Final = Literal[tuple(CONDITION_TYPES)]


# The steps that lead to a value of the document: ("rules", 0, "when", 1, "limits", "USD").
Path = tuple[str | int, ...]


class Fault(Struct, frozen=True):
    """A fault of the value at `path`. `place` names the value for people who wrote JSON."""

    path: Path
    place: str
    message: str

    def __str__(self) -> str:
        return f"{self.place}: {self.message}" if self.place else self.message


class InvalidPolicy(Exception):
    """The text is not a valid policy. `problems` has a line for each fault."""

    def __init__(self, *faults: Fault) -> None:
        # Messages are shown and logged. Some repeat the input, which may hold a card number.
        self.faults = tuple(
            Fault(each.path, "", _CARD) if holds_card_number(str(each)) else each for each in faults
        )
        self.problems = tuple(map(str, self.faults))
        super().__init__("\n".join(self.problems))


def read(text: bytes | str) -> RiskPolicy:
    """Return the policy that a JSON text describes. Raises InvalidPolicy."""
    try:
        written = json.loads(text, object_pairs_hook=_once)
        json.dumps(written, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise InvalidPolicy(Fault((), "", _HALF)) from error
    except ValueError as error:
        raise InvalidPolicy(Fault((), "", f"It is not JSON: {error}.")) from error
    except RecursionError as error:
        raise InvalidPolicy(Fault((), "", "The JSON is nested too deeply.")) from error
    try:
        document = msgspec.convert(written, PolicyDocument)
    except msgspec.ValidationError as error:
        misfits = ((path, f"{fault}.") for path, fault in _misfits(PolicyDocument, written, ()))
        raise InvalidPolicy(*_named(misfits, written)) from error
    if faults := _named(_document_faults(document), written):
        raise InvalidPolicy(*faults)
    return RiskPolicy.of(document)


def write(policy: RiskPolicy) -> str:
    """Return the policy as indented JSON, which `read` accepts."""
    # Sorted, because PostgreSQL's jsonb does not keep the order of the currencies.
    document = msgspec.json.encode(policy.document, order="deterministic")
    return msgspec.json.format(document, indent=2).decode()


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the pairs as an object. Raises InvalidPolicy if a name occurs twice."""
    for name, times in Counter(name for name, _ in pairs).items():
        if times > 1:
            place = name.encode(errors="backslashreplace").decode()
            raise InvalidPolicy(Fault((), place, f"The name occurs {times} times in one object."))
    return dict(pairs)


def _named(found: Iterable[tuple[Path, str]], written: Any) -> list[Fault]:
    return [Fault(path, _place(path, written), message) for path, message in found]


def _place(path: Path, written: Any) -> str:
    """Return the path for people: "rule 1 (large), when[0].limits, USD"."""
    match path:
        case ():
            return "The policy"
        case ("rules", int(index), *within):
            rule = written["rules"][index]
            place = _title(index, rule.get("reason") if isinstance(rule, dict) else None)
        case (first, *within):
            place = str(first)
    before: str | int = ""
    for step in within:
        match before, step:
            case _, int():
                place += f"[{step}]"
            case int(), _:
                place += f".{step}"
            case _:
                place += f", {step}"
        before = step
    return place


def _misfits(kind: Any, value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    """Yield the path and the fault of each part of `value` that does not have the type `kind`."""
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        within = [
            misfit
            for step, part_kind, part in _parts(kind, value)
            for misfit in _misfits(part_kind, part, (*path, step))
        ]
        # If all parts fit, the fault is in the value itself: its type, or the names of its fields.
        yield from within or [(path, str(error))]


def _parts(kind: Any, value: Any) -> Iterator[tuple[str | int, Any, Any]]:
    """Yield the step, the type and the value of each part of an object or array."""
    if kind == AnyCondition and isinstance(value, dict) and "type" in value:
        yield "type", _TAG, value["type"]
        kind = CONDITION_TYPES.get(str(value["type"]))
    match value:
        case dict() if isinstance(kind, type) and issubclass(kind, Struct):
            for field in structs.fields(kind):
                if field.name in value:
                    yield field.name, field.type, value[field.name]
        case dict() if kind == Limits:
            for currency, minor in value.items():
                yield currency, int, minor
        case list() if get_origin(kind) is tuple:
            for index, each in enumerate(value):
                yield index, get_args(kind)[0], each


def _document_faults(document: PolicyDocument) -> Iterator[tuple[Path, str]]:
    if document.medium_from < 1:
        yield ("medium_from",), "It must be at least 1."
    if document.high_from <= document.medium_from:
        yield ("high_from",), f"It must be more than medium_from, {document.medium_from}."
    if not document.review_over:
        yield ("review_over",), "It names no currency, so every payment would need a review."
    yield from _faults(("review_over",), document.review_over)
    yield from _faults(("block_over",), document.block_over)
    for currency in sorted(document.review_over.keys() & document.block_over.keys()):
        if document.block_over[currency] < document.review_over[currency]:
            below = "It is below review_over, so no payment would be reviewed."
            yield ("block_over", currency), below
    yield from _faults(("four_eyes_over",), document.four_eyes_over)
    if document.four_eyes_over:
        for currency in sorted(document.review_over.keys() - document.four_eyes_over.keys()):
            missing = f"{currency} is missing, for which review_over has a limit."
            yield ("four_eyes_over",), missing
    if document.reject_from is not None and document.reject_from < 1:
        lowest = "It must be at least 1. With 0, every review would advise to reject."
        yield ("reject_from",), lowest
    if not 1 <= document.review_hours <= MAX_REVIEW_HOURS:
        yield ("review_hours",), f"It must be 1 to {MAX_REVIEW_HOURS}."
    if len(document.rules) > MAX_RULES:
        yield ("rules",), f"There are {len(document.rules)}. At most {MAX_RULES} are accepted."
    reasons = Counter(rule.reason for rule in document.rules)
    for index, rule in enumerate(document.rules):
        path = ("rules", index)
        if reasons[rule.reason] > 1:
            yield (*path, "reason"), "Another rule has the same reason."
        yield from _rule_faults(path, rule, document.review_over)


def _rule_faults(path: Path, rule: Rule, reviewed: Limits) -> Iterator[tuple[Path, str]]:
    reason = (*path, "reason")
    if not _REASON.fullmatch(rule.reason) or rule.reason == NO_LIMIT:
        yield (
            reason,
            "It must begin with a lower-case letter and have at most 50 lower-case letters, digits"
            f" and _. {NO_LIMIT} is reserved.",
        )
    if holds_card_number(rule.reason):
        yield reason, "It looks like a card number."
    if not 0 <= rule.points <= MAX_POINTS:
        yield (*path, "points"), f"It must be 0 to {MAX_POINTS}."
    if not rule.when:
        yield (*path, "when"), "It is empty, so the rule would fire for every payment."
    for index, condition in enumerate(rule.when):
        yield from _condition_faults((*path, "when", index), condition, reviewed)


def _condition_faults(
    path: Path, condition: AnyCondition, reviewed: Limits
) -> Iterator[tuple[Path, str]]:
    match condition:
        case FirstCardPayment() | NewCustomer() | CustomerBlocked():
            pass
        case MethodIn(methods=methods):
            yield from _empty((*path, "methods"), methods)
        case CountryIn(countries=countries):
            field = (*path, "countries")
            yield from _empty(field, countries)
            for country in filterfalse(_COUNTRY.fullmatch, countries):
                yield field, f"{country!r} is not a code of two capital letters."
        case InList(list=name):
            if not is_list_name(name):
                yield (*path, "list"), f"{name!r} is not the name of a list."
        case AmountOver(limits=limits) | VolumeOver(limits=limits):
            # If a currency of review_over had no limit here, the rule would never fire for it.
            # Payments in other currencies are reviewed anyway.
            for currency in sorted(reviewed.keys() - limits.keys()):
                missing = f"{currency} is missing, for which review_over has a limit."
                yield (*path, "limits"), missing
            yield from _faults((*path, "limits"), limits)
        case PaymentsOver(count=count):
            yield from _too_small((*path, "count"), count, 1)
        case FeaturesOlderThan(ms=ms):
            yield from _too_small((*path, "ms"), ms, 0)
        case _:
            assert_never(condition)


def _empty(path: Path, values: Sized) -> Iterator[tuple[Path, str]]:
    if not values:
        yield path, "It is empty."


def _too_small(path: Path, number: int, least: int) -> Iterator[tuple[Path, str]]:
    if number < least:
        yield path, f"It must be at least {least}."


def _faults(path: Path, limits: Limits) -> Iterator[tuple[Path, str]]:
    for currency, minor in limits.items():
        if currency not in KNOWN_CURRENCIES:
            yield (*path, currency), "It is not an ISO 4217 currency in use."
        if not 0 <= minor <= MAX_MINOR:
            yield (*path, currency), f"The limit must be 0 to {MAX_MINOR}, in minor units."


def _title(index: int, reason: object) -> str:
    if isinstance(reason, str) and not holds_card_number(reason):
        return f"rule {index + 1} ({reason})"
    return f"rule {index + 1}"
