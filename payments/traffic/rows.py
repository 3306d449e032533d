"""A line of a file of past payments as the payment that it tells of, or why it tells of none."""

import csv
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from msgspec import Struct

from payments.domain.methods import Method
from payments.domain.money import Money, MoneyError
from payments.domain.text import TextError, checked_identifier, checked_text
from payments.traffic.lines import MAX_BYTES, Line

REQUIRED: Final = ("client", "customer_id", "amount", "currency", "method", "date")
OPTIONAL: Final = ("reference",)
FIELDS: Final = (*REQUIRED, *OPTIONAL)

_COMPACT_DATE: Final = "%Y%m%d"
_DELIMITERS: Final = (",", ";", "\t")


class LayoutError(ValueError):
    """The file, --map and --set do not fit each other; the message says which name."""


class RowError(ValueError):
    """A row that is refused."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class PastPayment(Struct, frozen=True):
    """What a row says, checked."""

    client: str
    customer_reference: str
    amount: Money
    method: Method
    at: datetime
    reference: str | None


class Layout(Struct, frozen=True):
    """Where each field comes from: a column, or the same value for all rows."""

    delimiter: str | None  # None: any whitespace
    width: int
    columns: Mapping[str, int]
    constants: Mapping[str, str]

    @classmethod
    def of(cls, header: bytes, mapped: Mapping[str, str], constants: Mapping[str, str]) -> "Layout":
        """Raises LayoutError."""
        _check_fields(mapped, constants)
        try:
            text = header.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise LayoutError("The first line is not UTF-8 text.") from None
        delimiter = next((each for each in _DELIMITERS if each in text), None)
        names = [name.strip() for name in _split(text, delimiter)]
        if not any(names):
            raise LayoutError("The file is empty: a first line with the columns' names is needed.")
        # Those of --map first: a wrong name there is what has to be told.
        fields = [*mapped, *(each for each in FIELDS if each not in mapped)]
        found = {field: _column(names, field, mapped) for field in fields if field not in constants}
        columns = {field: number for field, number in found.items() if number is not None}
        return cls(delimiter, len(names), columns, constants)

    def read(self, line: Line, *, now: datetime) -> PastPayment:
        """Raises RowError."""
        values = self._values(line)
        try:
            reference = values.get("reference", "").strip()
            return PastPayment(
                client=_text("client", values["client"], 200),
                customer_reference=_text("customer_id", values["customer_id"], 255),
                amount=Money.parse(values["amount"].strip(), values["currency"].strip()),
                method=_method(values["method"].strip()),
                at=_past(_time(values["date"].strip()), now),
                reference=_text("reference", reference, 255) if reference else None,
            )
        except MoneyError as error:
            raise RowError(error.code, str(error)) from error

    def _values(self, line: Line) -> dict[str, str]:
        if line.too_long:
            raise RowError("line_too_long", f"The line has more than {MAX_BYTES} bytes.")
        try:
            text = line.content.decode()
        except UnicodeDecodeError:
            raise RowError("not_utf8", "The line is not UTF-8 text.") from None
        try:
            cells = _split(text, self.delimiter)
        except csv.Error as error:
            raise RowError("not_csv", f"The line cannot be read: {error}.") from None
        if len(cells) != self.width:
            raise RowError("wrong_width", f"{self.width} columns were expected, not {len(cells)}.")
        return {**self.constants, **{name: cells[n] for name, n in self.columns.items()}}


def _check_fields(mapped: Mapping[str, str], constants: Mapping[str, str]) -> None:
    for option, given in (("--map", mapped), ("--set", constants)):
        if unknown := sorted(given.keys() - set(FIELDS)):
            known = ", ".join(FIELDS)
            raise LayoutError(f"{option} {unknown[0]}: there is no such field. Known: {known}.")
    if twice := sorted(mapped.keys() & constants.keys()):
        raise LayoutError(f"{twice[0]} stands in --map and in --set.")


def _column(names: Sequence[str], field: str, mapped: Mapping[str, str]) -> int | None:
    """The number of the field's column, None for an optional one that is not there."""
    name = mapped.get(field, field)
    if names.count(name) > 1:
        raise LayoutError(f"There are {names.count(name)} columns {name!r}.")
    if name in names:
        return names.index(name)
    columns = ", ".join(names)
    if field in mapped:
        raise LayoutError(f"--map {field}={name}: the columns are {columns}.")
    if field in REQUIRED:
        raise LayoutError(
            f"No column says the {field}. Add --map {field}=COLUMN or --set {field}=VALUE."
            f" The columns are {columns}."
        )
    return None


def _split(text: str, delimiter: str | None) -> Sequence[str]:
    if delimiter is None:
        return text.split()
    return next(csv.reader([text], delimiter=delimiter, strict=True), [])


def _text(field: str, value: str, max_length: int) -> str:
    try:
        if field == "client":
            return checked_text(value, max_length=max_length)
        return checked_identifier(value, max_length=max_length, pasted=True)
    except TextError as error:
        raise RowError(error.code, f"{field}: {error}") from error


def _method(value: str) -> Method:
    try:
        return Method(value)
    except ValueError:
        known = ", ".join(Method)
        raise RowError("unknown_method", f"{value[:40]!r} is no method. Known: {known}.") from None


def _past(at: datetime, now: datetime) -> datetime:
    if at > now:
        raise RowError("in_the_future", f"{at:%Y-%m-%d} is in the future.")
    return at


def _time(value: str) -> datetime:
    """A date, or a time with or without an offset; without one it is UTC."""
    try:
        if value.isascii() and value.isdigit():
            return datetime.strptime(value, _COMPACT_DATE).replace(tzinfo=UTC)
        at = datetime.fromisoformat(value)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        raise RowError("unknown_date", f"{value[:40]!r} is no date like 1997-01-31.") from None
