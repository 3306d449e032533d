"""The fields of a policy's form for templates, with their labels, values, choices and errors.

The structs of conditions determine their fields: `kinds` has the kind of each, `texts` its label.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from payments.domain.money import CURRENCIES, MoneyError
from payments.domain.risk.conditions import CONDITION_TYPES
from payments.domain.risk.parsing import Path
from payments.domain.risk.policy import Rule
from readmodels import labels
from readmodels.admin.policies.draft import Amount, Condition, Draft, DraftRule, field_name
from readmodels.admin.policies.kinds import Kind, choices_of, fields_of, kind_of
from readmodels.admin.policies.writing import FieldFault, write
from readmodels.policies import texts
from readmodels.policies.texts import FieldText


@dataclass
class Part:
    """A part of the form that can have errors. `title` names it in the list of all errors."""

    path: Path
    title: str
    errors: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        return field_name(self.path)


@dataclass
class Field(Part):
    label: str = ""
    help: str = ""
    kind: str = "text"
    value: str = ""
    # Value, label, and whether it is chosen.
    choices: list[tuple[str, str, bool]] = field(default_factory=list)

    @property
    def described_by(self) -> str:
        ids = [f"{self.name}_error"] if self.errors else []
        return " ".join(ids + ([f"{self.name}_helptext"] if self.help else []))


@dataclass
class AmountFields(Part):
    currency: Any = None
    amount: Any = None


@dataclass
class AmountsFields(Part):
    """The amounts of a limit, with one row for each currency."""

    label: str = ""
    help: str = ""
    kind: str = "amounts"
    rows: list[AmountFields] = field(default_factory=list)


@dataclass
class ConditionFields(Part):
    tag: str = ""
    label: str = ""
    help: str = ""
    fields: list[Field | AmountsFields] = field(default_factory=list)


@dataclass
class RuleFields(Part):
    """A rule. `open` is whether its fields are shown, not only its sentence."""

    label: str = ""
    sentence: str = ""
    open: bool = False
    fields: list[Field] = field(default_factory=list)
    when: Any = None
    conditions: list[ConditionFields] = field(default_factory=list)
    adding: Any = None


class FormFields:
    """All fields of a draft. `lists` are the names of the lists in use.

    `focus` is the path of the part that gets the keyboard focus. For a button that adds to a list,
    the path is "add" and the path of the list.
    """

    def __init__(
        self,
        draft: Draft,
        faults: Iterable[FieldFault] = (),
        *,
        focus: Path | None = None,
        lists: Sequence[str] = (),
    ) -> None:
        self.lists = lists
        self.parts: dict[Path, Part] = {}
        self.focus = None if focus is None else field_name(focus)
        self.currencies = sorted(CURRENCIES)
        self.texts = [
            self._field(
                ("name",),
                FieldText("Name", "What this policy is for. No personal data."),
                draft.name,
            ),
            self._field(
                ("comment",),
                FieldText("Comment", "Why it should replace the active policy. No personal data."),
                draft.comment,
                kind="textarea",
            ),
        ]
        self.document = [
            self._of_document(draft, name, text) for name, text in texts.DOCUMENT.items()
        ]
        self.all_rules = self._add(Part(("rules",), "Rules"))
        written = write(draft)[0]["rules"]
        self.rules = [
            self._rule(("rules", index), rule, written[index])
            for index, rule in enumerate(draft.rules)
        ]
        order = {path: number for number, path in enumerate(self.parts)}
        placed = [(self._closest(path), message) for path, message in faults]
        placed.sort(key=lambda each: order.get(each[0], -1))
        self.errors = [self._place(path, message) for path, message in placed]
        shown = {path[:2] for path, part in self.parts.items() if part.errors}
        if focus is not None:
            shown.add((focus[1:] if focus[0] == "add" else focus)[:2])
        for each in self.rules:
            each.open = each.path in shown

    def _closest(self, path: Path) -> Path:
        """Return the path of the nearest part that can show an error, or () if there is none."""
        while path and path not in self.parts:
            path = path[:-1]
        return path

    def _place(self, path: Path, message: str) -> tuple[str, str, str]:
        """Add the error to the part at `path`. Return the part's name, its title, the message."""
        if path not in self.parts:
            return "", "", message
        part = self.parts[path]
        part.errors.append(message)
        return part.name, part.title, message

    def _add(self, part: Any) -> Any:
        self.parts[part.path] = part
        return part

    def _field(
        self, path: Path, text: FieldText, value: str, *, title: str = "", kind: str = "text"
    ) -> Field:
        found: Field = self._add(
            Field(
                path,
                title + text.label,
                label=text.label,
                help=text.help,
                kind=kind,
                value=value,
            )
        )
        return found

    def _of_document(self, draft: Draft, name: str, text: FieldText) -> Field | AmountsFields:
        if name in draft.limits:
            return self._amounts((name,), text, draft.limits[name])
        return self._field((name,), text, draft.numbers[name], kind="number")

    def _amounts(
        self, path: Path, text: FieldText, amounts: list[Amount], *, title: str = ""
    ) -> AmountsFields:
        title += text.label
        found: AmountsFields = self._add(
            AmountsFields(path, title, label=text.label, help=text.help)
        )
        for index, each in enumerate(amounts):
            row = (*path, index)
            of = f"{title}, {each.currency or f'currency {index + 1}'}"
            currency = self._field((*row, "currency"), FieldText(f"{of}: currency"), each.currency)
            amount = self._field((*row, "amount"), FieldText(f"{of}: amount"), each.amount)
            found.rows.append(AmountFields(row, of, currency=currency, amount=amount))
        return found

    def _rule(self, path: Path, rule: DraftRule, written: dict[str, Any]) -> RuleFields:
        number = int(path[-1]) + 1
        title = f"Rule {number}, "
        fields = [
            self._field((*path, "reason"), texts.RULE["reason"], rule.reason, title=title),
            self._field(
                (*path, "points"), texts.RULE["points"], rule.points, title=title, kind="number"
            ),
            self._field((*path, "then"), texts.RULE["then"], rule.then, title=title, kind="select"),
        ]
        fields[-1].choices = [
            (then or "", label, (then or "") == rule.then) for then, label in texts.THEN.items()
        ]
        found: RuleFields = self._add(
            RuleFields(
                path,
                f"Rule {number}",
                label=labels.label(written["reason"]) or f"Rule {number}",
                sentence=_sentence(written),
                fields=fields,
            )
        )
        found.when = self._add(Part((*path, "when"), f"{title}conditions"))
        found.conditions = [
            self._condition((*path, "when", index), condition, title)
            for index, condition in enumerate(rule.when)
        ]
        found.adding = self._adding((*path, "adding"), rule, title)
        return found

    def _adding(self, path: Path, rule: DraftRule, title: str) -> Field:
        found = self._field(
            path, FieldText("Another condition"), rule.adding, title=title, kind="select"
        )
        types = [(tag, texts.condition_text(tag).label) for tag in CONDITION_TYPES]
        found.choices = [("", "Choose a condition", not rule.adding)]
        found.choices += [(tag, label, tag == rule.adding) for tag, label in types]
        return found

    def _condition(self, path: Path, condition: Condition, title: str) -> ConditionFields:
        text = texts.condition_text(condition.tag)
        found: ConditionFields = self._add(
            ConditionFields(
                path, title + text.label, tag=condition.tag, label=text.label, help=text.help
            )
        )
        for name, annotation in fields_of(condition.tag).items():
            found.fields.append(
                self._of_condition(
                    (*path, name),
                    texts.field_text(condition.tag, name),
                    annotation,
                    condition.values[name],
                    title=f"{title}{text.label}, ",
                )
            )
        return found

    def _of_condition(
        self, path: Path, text: FieldText, annotation: Any, value: Any, *, title: str
    ) -> Field | AmountsFields:
        match kind := kind_of(annotation):
            case Kind.AMOUNTS:
                return self._amounts(path, text, value, title=title)
            case Kind.CHOICE:
                found = self._field(path, text, value, title=title, kind="select")
                found.choices = [
                    (each, texts.choice(each), each == value) for each in choices_of(annotation)
                ]
            case Kind.LIST:
                found = self._field(path, text, value, title=title, kind="select")
                # A chosen list stays in the choices even if it is archived. An error explains this.
                names = dict.fromkeys(["", value, *self.lists])
                found.choices = [(each, each or "Choose a list", each == value) for each in names]
            case Kind.CHOICES:
                found = self._field(path, text, "", title=title, kind="choices")
                found.choices = _chosen_first(annotation, value)
            case _:
                number = "number" if kind is Kind.NUMBER else "text"
                found = self._field(path, text, value, title=title, kind=number)
        return found


def _chosen_first(annotation: Any, chosen: list[str]) -> list[tuple[str, str, bool]]:
    """Return the choices, chosen ones first. Their order is kept: the policy's id depends on it."""
    known = {str(each): each for each in choices_of(annotation)}
    first = [each for each in chosen if each in known]
    rest = [each for each in known if each not in first]
    return [(each, texts.choice(known[each]), each in first) for each in first + rest]


def _sentence(written: dict[str, Any]) -> str:
    """Return a sentence about what the rule does, or "" while the rule is incomplete."""
    try:
        return texts.rule(msgspec.convert(written, Rule))
    except (msgspec.ValidationError, MoneyError):
        return ""
