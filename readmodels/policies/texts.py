"""The labels, help texts and sentences of a risk policy, for the forms, the pages and the commands."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

from msgspec import Struct, structs

from payments.domain.risk.conditions import AnyCondition, Limits
from payments.domain.risk.policy import PolicyDocument, Rule, Verdict
from readmodels import labels

_HOURS_OF_A_DAY: Final = 24


class FieldText(Struct, frozen=True):
    label: str
    help: str = ""


class ConditionText(Struct, frozen=True):
    """The texts for a type of condition. `sentence` has the fields of the condition in braces."""

    label: str
    help: str
    sentence: str
    fields: Mapping[str, FieldText] = {}


_ONE_LIMIT_PER_CURRENCY: Final = (
    "One limit for each currency that has a limit for review. Amounts like 1234.56."
)
_WINDOW: Final = FieldText("Within", "The period before the payment.")

# Keyed by the tag of the condition. A condition without an entry is shown by its tag and field
# names.
CONDITIONS: Final[Mapping[str, ConditionText]] = {
    "first_card_payment": ConditionText(
        "First card payment",
        "The customer pays by card and has no completed card payment.",
        "it is the customer's first card payment",
    ),
    "new_customer": ConditionText(
        "New customer",
        "It is the customer's first payment with this client.",
        "the customer is new",
    ),
    "customer_blocked": ConditionText(
        "Blocked customer", "Staff have blocked the customer.", "the customer is blocked"
    ),
    "method_in": ConditionText(
        "Payment method",
        "The customer pays with one of the chosen methods.",
        "the method is one of {methods}",
        {"methods": FieldText("Methods")},
    ),
    "country_in": ConditionText(
        "Country",
        "The client sent one of these countries.",
        "the country is one of {countries}",
        {"countries": FieldText("Countries", "Codes of two letters, separated by commas: DE, FR")},
    ),
    "in_list": ConditionText(
        "On a list",
        "The card, customer, country or reference of the payment is on the list.",
        "the payment is on the list {list}",
        {"list": FieldText("List")},
    ),
    "amount_over": ConditionText(
        "Amount",
        "The amount of the payment is over the limit of its currency.",
        "the amount is over {limits}",
        {"limits": FieldText("Over", _ONE_LIMIT_PER_CURRENCY)},
    ),
    "payments_over": ConditionText(
        "Number of payments",
        "The customer has more payments than this within the window, including this one.",
        "the customer has more than {count} payments within {window}",
        {"window": _WINDOW, "count": FieldText("More than", "Payments in all currencies.")},
    ),
    "volume_over": ConditionText(
        "Total of payments",
        "The customer's payments in this currency within the window, including this one, exceed the limit.",
        "the customer's payments within {window} add up to more than {limits}",
        {"window": _WINDOW, "limits": FieldText("Over", _ONE_LIMIT_PER_CURRENCY)},
    ),
    "features_older_than": ConditionText(
        "Customer's history not up to date",
        "Events older than this are not yet counted in the customer's history.",
        "the customer's history is more than {ms} milliseconds old",
        {"ms": FieldText("Milliseconds", "5000 milliseconds are five seconds.")},
    ),
}

RULE: Final[Mapping[str, FieldText]] = {
    "reason": FieldText(
        "Reason",
        "A short code that reviewers and statistics see, like large_wallet_payment.",
    ),
    "points": FieldText("Points", "Added to the score: 0 to 100."),
    "then": FieldText("Decision", "By score, or the same for every payment that meets the rule."),
}

DOCUMENT: Final[Mapping[str, FieldText]] = {
    "medium_from": FieldText("Medium risk", "From this number of points."),
    "high_from": FieldText("High risk", "From this number of points."),
    "review_over": FieldText(
        "High risk held for review",
        "High-risk payments over these amounts wait for review. All payments in other currencies wait, too.",
    ),
    "block_over": FieldText(
        "High risk refused",
        "High-risk payments over these amounts fail. Other currencies are never refused.",
    ),
    "four_eyes_over": FieldText(
        "Two approvals",
        "Reviews over these amounts need a second person. Without any amount, one person is enough.",
    ),
    "reject_from": FieldText(
        "Rejection advised",
        "From this number of points, reviewers are advised to reject. Empty: never.",
    ),
    "review_hours": FieldText("Time to decide", "In hours. After that, the payment expires."),
}

THEN: Final[Mapping[Verdict | None, str]] = {
    None: "By score",
    Verdict.REVIEW: "Hold for review",
    Verdict.BLOCK: "Refuse",
}
# Other values are shown by `labels.label`.
_VALUES: Final = {"1h": "1 hour", "24h": "24 hours"}


def value(of: Any) -> str:
    """Return the value of a condition's field as text."""
    if isinstance(of, Mapping):
        return ", ".join(labels.amount(of[currency], currency) for currency in sorted(of)) or "none"
    if isinstance(of, tuple):
        return ", ".join(map(value, of)) or "none"
    if isinstance(of, StrEnum):
        return choice(of).lower()
    return f"{of:,}" if isinstance(of, int) else str(of)


def choice(of: StrEnum) -> str:
    """Return the label of a value that people choose."""
    return _VALUES.get(of) or labels.label(of)


def condition_text(tag: str) -> ConditionText:
    """Return the texts for a type of condition. If it has none, derive them from its tag."""
    return CONDITIONS.get(tag) or ConditionText(labels.label(tag), "", "")


def field_text(tag: str, field: str) -> FieldText:
    """Return the texts for a condition's field. If it has none, derive them from its name."""
    return condition_text(tag).fields.get(field) or FieldText(labels.label(field))


def tag_of(condition: AnyCondition) -> str:
    return str(condition.__struct_config__.tag)


def sentence(condition: AnyCondition) -> str:
    """Return the condition as a clause: "the amount is over $10,000.00"."""
    tag = tag_of(condition)
    values = {name: value(each) for name, each in structs.asdict(condition).items()}
    text = condition_text(tag)
    if text.sentence:
        return text.sentence.format(**values)
    fields = "; ".join(f"{field_text(tag, name).label}: {each}" for name, each in values.items())
    return f"{text.label} ({fields})" if fields else text.label


def rule(of: Rule) -> str:
    """Return what the rule does, and when: "40 points if the customer is new"."""
    effects = [f"{of.points} points"] if of.points or of.then is None else []
    if of.then is not None:
        effects.append(THEN[of.then].lower())
    return f"{' and '.join(effects)} if {' and '.join(map(sentence, of.when)) or 'always'}"


def consequences(document: PolicyDocument) -> list[tuple[str, str]]:
    """Return the consequences of scores and amounts, as pairs of label and condition."""
    others = ", and always in other currencies"
    found = {
        "medium_from": f"from {document.medium_from} points",
        "high_from": f"from {document.high_from} points",
        "review_over": _over(document.review_over, "always", others),
        "block_over": _over(document.block_over, "never"),
        "four_eyes_over": _over(document.four_eyes_over, "never", others),
        "reject_from": rejection(document.reject_from),
        "review_hours": period(document.review_hours),
    }
    return [(DOCUMENT[name].label, text) for name, text in found.items()]


def rejection(points: int | None) -> str:
    return "never" if points is None else f"from {points} points"


def period(hours: int) -> str:
    days, rest = divmod(hours, _HOURS_OF_A_DAY)
    number, unit = (hours, "hour") if rest or days < 1 else (days, "day")
    return f"{number} {unit}{'' if number == 1 else 's'}"


def _over(limits: Limits, otherwise: str, others: str = "") -> str:
    return f"over {value(limits)}{others}" if limits else otherwise
