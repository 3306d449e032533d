"""The period and the currency for the analytics, as given in the URL."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Final
from urllib.parse import urlencode

from msgspec import Struct

from payments.domain.money import KNOWN_CURRENCIES
from payments.domain.text import searched
from readmodels.admin.base.dates import quoted, read_day
from readmodels.queries.analytics import Period

PERIODS: Final = (7, 30, 90)
_USUAL: Final = 30
_FIELDS: Final = (
    ("from", "From", "2026-11-01"),
    ("to", "To", "2026-11-30"),
    ("currency", "Currency", "EUR"),
)
# Sums over more days would take too long.
_MOST: Final = 366


class Field(Struct, frozen=True, kw_only=True):
    """A field of the form."""

    name: str
    label: str
    example: str
    typed: str
    error: str


class Question(Struct, frozen=True, kw_only=True):
    """The values that were typed, and the `period` they mean, which is None if a value is wrong.

    `days` is the chosen number of days up to today, None for a range of dates.
    """

    typed: Mapping[str, str]
    errors: Mapping[str, str]
    days: int | None
    period: Period | None

    @property
    def fields(self) -> list[Field]:
        return [
            Field(
                name=name,
                label=label,
                example=example,
                typed=self.typed[name],
                error=self.errors.get(name, ""),
            )
            for name, label, example in _FIELDS
        ]

    @property
    def links(self) -> list[tuple[int, str, bool]]:
        """Return the usual periods, each with its query and whether it is the current one."""
        kept = {"currency": self.typed["currency"]} if self.typed["currency"] else {}
        return [(each, urlencode({"days": each, **kept}), each == self.days) for each in PERIODS]


def read(given: Mapping[str, str], *, today: date) -> Question:
    """Return the question. Its errors name each wrong value and the accepted form."""
    typed = {name: given.get(name, "").strip() for name, _, _ in _FIELDS}
    errors: dict[str, str] = {}
    currency = searched(typed["currency"]).upper()
    if currency and currency not in KNOWN_CURRENCIES:
        errors["currency"] = (
            f"{quoted(typed['currency'])} is not a currency code. Write it like EUR."
        )
    days = None if typed["from"] or typed["to"] else _days(given.get("days", ""))
    last = _day(typed, "to", errors) or today
    first = _day(typed, "from", errors) or last - timedelta(days=(days or _USUAL) - 1)
    if last < first:
        errors.setdefault("to", "The range ends before it begins.")
    elif (last - first).days >= _MOST:
        errors.setdefault("from", f"The range has more than {_MOST} days.")
    period = None if errors else Period(first, last, currency or None)
    return Question(typed=typed, errors=errors, days=days, period=period)


def _days(text: str) -> int:
    return next((each for each in PERIODS if text == str(each)), _USUAL)


def _day(typed: Mapping[str, str], name: str, errors: dict[str, str]) -> date | None:
    try:
        return read_day(typed[name]) if typed[name] else None
    except ValueError as error:
        errors[name] = str(error)
        return None
