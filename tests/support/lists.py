"""Create and change lists and their entries as an operator."""

from datetime import datetime
from typing import Any, Final

from msgspec.structs import replace

from payments.application import lists
from payments.application.lists import Author
from payments.domain.list_items import Item, ListName
from payments.domain.risk.conditions import InList
from payments.domain.risk.policy import DEFAULT_POLICY, RiskPolicy, Rule, Verdict
from tests.support.examples import NOON, OPERATOR

STOLEN: Final = ListName("stolen-cards")
AUTHOR: Final = Author(by=OPERATOR, at=NOON, note="Case 12")


def create(name: ListName = STOLEN, item: Item = Item.COUNTRY) -> None:
    lists.create(name, item, AUTHOR)


def add(
    *values: str, name: ListName = STOLEN, author: Author = AUTHOR, **given: Any
) -> tuple[str, ...]:
    return lists.add(name, values, author, **given)


def remove(value: str, name: ListName = STOLEN) -> None:
    lists.remove(name, value, AUTHOR)


def archive(name: ListName = STOLEN) -> None:
    lists.archive(name, AUTHOR)


def at(moment: datetime) -> Author:
    return replace(AUTHOR, at=moment)


def noted(note: str) -> Author:
    return replace(AUTHOR, note=note)


def policy_using(*names: ListName) -> RiskPolicy:
    """Return the built-in policy with a rule for each list that sends its payments to review."""
    rules = tuple(
        Rule(reason=f"on_list_{number}", points=0, when=(InList(name),), then=Verdict.REVIEW)
        for number, name in enumerate(names)
    )
    document = DEFAULT_POLICY.document
    return RiskPolicy.of(replace(document, rules=(*document.rules, *rules)))
