"""Write the form's texts as the JSON document of a policy, and find the field for each fault.

`parsing` is the only validator. This module refuses only texts that a document cannot hold:
malformed numbers and amounts.
"""

import json
import re
from collections.abc import Callable
from typing import Any, Final

from payments.domain.money import MAX_MINOR, Money, MoneyError
from payments.domain.risk import parsing
from payments.domain.risk.parsing import InvalidPolicy, Path
from payments.domain.risk.policy import RiskPolicy
from payments.domain.risk.refusals import ListsUnusable
from payments.domain.risk.register import checked_comment, checked_name
from payments.domain.text import TextError
from readmodels.admin.base import amounts
from readmodels.admin.policies.draft import Amount, Condition, Draft, DraftRule
from readmodels.admin.policies.kinds import Kind, fields_of, kind_of
from readmodels.policies.texts import DOCUMENT

_WHOLE_NUMBER: Final = re.compile(r"-?[0-9]{1,18}")
_SHOWN: Final = 40  # characters of a refused text in its message

# The path of a field of the form, and what is wrong with its text.
FieldFault = tuple[Path, str]


def faults_of_lists(draft: Draft, error: ListsUnusable) -> list[FieldFault]:
    """Return a fault for each field that names one of the unusable lists."""
    return [
        (("rules", rule, "when", number, name), str(error))
        for rule, each in enumerate(draft.rules)
        for number, condition in enumerate(each.when)
        for name, annotation in fields_of(condition.tag).items()
        if kind_of(annotation) is Kind.LIST and condition.values[name].strip() in error.lists
    ]


class InvalidDraft(Exception):
    """The texts of the form are not a valid policy."""

    def __init__(self, *faults: FieldFault) -> None:
        super().__init__(*faults)
        self.faults = faults


def policy_of(draft: Draft) -> RiskPolicy:
    """Return the policy that the form describes. Raises InvalidDraft."""
    document, faults = write(draft)
    try:
        policy = parsing.read(json.dumps(document))
    except InvalidPolicy as error:
        # Both this module and `parsing` refuse a text that is not a number. Keep our message.
        known = {_faulty(path) for path, _ in faults}
        also = [(_field_path(draft, each.path), _in_words(each.message)) for each in error.faults]
        faults += [(path, message) for path, message in also if _faulty(path) not in known]
        raise InvalidDraft(*faults) from error
    if faults:
        raise InvalidDraft(*faults)
    return policy


def texts_of(draft: Draft) -> tuple[str, str]:
    """Return the name and the comment as they are stored. Raises InvalidDraft."""
    found: list[str] = []
    faults: list[FieldFault] = []
    checks: list[tuple[str, Callable[[str], str], str]] = [
        ("name", checked_name, draft.name),
        ("comment", checked_comment, draft.comment),
    ]
    for field, check, text in checks:
        try:
            found.append(check(text))
        except TextError as error:
            faults.append(((field,), str(error)))
    if faults:
        raise InvalidDraft(*faults)
    return found[0], found[1]


def write(draft: Draft) -> tuple[dict[str, Any], list[FieldFault]]:
    """Return the document and the faults. The document contains invalid texts as typed."""
    writer = _Writer()
    document: dict[str, Any] = {
        "rules": [writer.rule(("rules", index), rule) for index, rule in enumerate(draft.rules)]
    }
    for name, text in draft.numbers.items():
        if name != "reject_from" or text.strip():
            document[name] = writer.number((name,), text)
    for name, rows in draft.limits.items():
        document[name] = writer.amounts((name,), rows)
    return document, writer.faults


class _Writer:
    def __init__(self) -> None:
        self.faults: list[FieldFault] = []

    def rule(self, path: Path, rule: DraftRule) -> dict[str, Any]:
        then = {"then": rule.then} if rule.then else {}
        return {
            "reason": re.sub(r"[\s-]+", "_", rule.reason.strip()).lower(),
            "points": self.number((*path, "points"), rule.points),
            "when": [
                self.condition((*path, "when", index), condition)
                for index, condition in enumerate(rule.when)
            ],
            **then,
        }

    def condition(self, path: Path, condition: Condition) -> dict[str, Any]:
        kinds = fields_of(condition.tag)
        return {"type": condition.tag} | {
            name: self.value((*path, name), kind_of(annotation), condition.values[name])
            for name, annotation in kinds.items()
        }

    def value(self, path: Path, kind: Kind, typed: Any) -> Any:
        match kind:
            case Kind.AMOUNTS:
                return self.amounts(path, typed)
            case Kind.NUMBER:
                return self.number(path, typed)
            case Kind.TEXTS:
                return [each.strip() for each in typed.split(",") if each.strip()]
            case Kind.JSON:
                try:
                    return json.loads(typed)
                except ValueError:
                    self.faults.append((path, f"{typed[:_SHOWN]!r} is not JSON."))
            case Kind.TEXT | Kind.LIST:
                return typed.strip()
        return typed

    def number(self, path: Path, typed: str) -> int | str:
        text = typed.strip()
        if _WHOLE_NUMBER.fullmatch(text):
            return int(text)
        fault = f"{text[:_SHOWN]!r} is not a whole number." if text else "Enter a whole number."
        self.faults.append((path, fault))
        return typed

    def amounts(self, path: Path, rows: list[Amount]) -> dict[str, int | str]:
        """Return the minor units by currency. Rows without any text are left out."""
        found: dict[str, int | str] = {}
        for index, row in enumerate(rows):
            currency = row.currency.strip().upper()
            if not currency and not row.amount.strip():
                continue
            if currency in found:
                self.faults.append(((*path, index, "currency"), f"{currency} occurs twice."))
                continue
            try:
                found[currency] = _limit(row.amount.strip(), currency)
            except MoneyError as error:
                field = "currency" if error.code == "unknown_currency" else "amount"
                self.faults.append(((*path, index, field), str(error)))
                found[currency] = row.amount
        return found


def _limit(text: str, currency: str) -> int:
    """Return the minor units of a limit. Raises MoneyError."""
    if not currency:
        raise MoneyError("unknown_currency", "Enter a currency, like USD.")
    if not text:
        raise MoneyError("amount_not_a_number", "Enter an amount, or remove the currency.")
    minor = amounts.minor_units(text, currency)
    if not 0 <= minor <= MAX_MINOR:
        highest = Money(MAX_MINOR, currency).formatted()
        raise MoneyError("amount_too_large", f"The limit must be 0 to {highest}.")
    return minor


def _faulty(path: Path) -> Path:
    """Return the path of the row if `path` is in an amount, otherwise `path`."""
    return path[:-1] if path[-1:] in {("currency",), ("amount",)} else path


def _field_path(draft: Draft, path: Path) -> Path:
    """Return the form's path for a path in the document, where the currency identifies amounts."""
    match path:
        case (str(name), str(currency)) if name in draft.limits:
            return _row(path, draft.limits[name], currency)
        case ("rules", int(rule), "when", int(number), str(name), str(currency)):
            return _row(path, draft.rules[rule].when[number].values[name], currency)
    return path


def _row(path: Path, rows: list[Amount], currency: str) -> Path:
    for index, row in enumerate(rows):
        if row.currency.strip().upper() == currency:
            return (*path[:-1], index, "amount")
    return path[:-1]


def _in_words(message: str) -> str:
    """Replace the JSON field names in a message with the form's labels."""
    for name, text in DOCUMENT.items():
        message = message.replace(name, f"“{text.label}”")
    return message
