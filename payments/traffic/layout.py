"""The layout of a file to import: the delimiter, and the column or value of each field."""

import codecs
import csv
import io
import re
from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import Struct

from payments.domain.text import searched
from payments.traffic import lines
from payments.traffic.lines import MAX_BYTES, Line

# None stands for any whitespace.
DELIMITERS: Final = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|", "blanks": None}

_EXCEL_DELIMITER: Final = re.compile(rb'(?:\xef\xbb\xbf)?"?sep=([,;\t|])"?\r?\n', re.IGNORECASE)
_NOT_CSV: Final = {
    b"\xff\xfe": "not UTF-8 text but UTF-16. Save it as UTF-8",
    b"\xfe\xff": "not UTF-8 text but UTF-16. Save it as UTF-8",
    b"PK\x03\x04": "a workbook or an archive. Save it as CSV in UTF-8",
    b"\xd0\xcf\x11\xe0": "an Excel workbook. Save it as CSV in UTF-8",
    b"\x1f\x8b": "compressed. Unpack it first",
}


class LayoutError(ValueError):
    """The file, --map and --set do not match. The message names the field or column."""


class RowError(ValueError):
    """The row is refused."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Fields(Struct, frozen=True):
    """The fields of a kind of row. Each required field needs a column or a constant."""

    required: tuple[str, ...]
    optional: tuple[str, ...]

    @property
    def all(self) -> tuple[str, ...]:
        return (*self.required, *self.optional)


class Layout(Struct, frozen=True):
    """The source of each field: a column, or a constant for all rows."""

    delimiter: str | None
    names: Sequence[str]
    columns: Mapping[str, int]
    constants: Mapping[str, str]
    header_records: int = 1

    @classmethod
    def of(
        cls,
        beginning: bytes,
        fields: Fields,
        mapped: Mapping[str, str],
        constants: Mapping[str, str],
        *,
        delimiter: str | None = "",
    ) -> "Layout":
        """Read the column names, and detect the delimiter if it is "".

        Raises LayoutError.
        """
        _check_fields(fields, mapped, constants)
        _check_text(beginning)
        rest = beginning
        excel = _EXCEL_DELIMITER.match(beginning)
        if excel:
            rest = beginning[excel.end() :]
            delimiter = delimiter if delimiter != "" else excel[1].decode()
        found, names = _header(rest, fields, delimiter, mapped)
        if not any(names):
            blank = rest.removeprefix(codecs.BOM_UTF8).strip()
            raise LayoutError(
                f"The {'first line is blank' if blank else 'file is empty'}:"
                " the first line must contain the column names."
            )
        columns = _columns(names, fields, mapped, constants)
        return cls(found, names, columns, constants, 2 if excel else 1)

    def cells(self, line: Line) -> list[str]:
        """Return the cells of a line. Raises RowError."""
        if line.fault is not None:
            raise RowError(line.fault.code, line.fault.reason)
        try:
            text = line.content.decode()
        except UnicodeDecodeError:
            raise RowError(
                "not_utf8", "The line is not UTF-8 text. Save the file as UTF-8."
            ) from None
        try:
            return _split(text, self.delimiter)
        except csv.Error as error:
            reason = "it has a carriage return outside quotes" if "\r" in text else error
            raise RowError("not_csv", f"The line cannot be read: {reason}.") from None

    def values(self, line: Line) -> dict[str, str]:
        """Return the text of each field. Raises RowError."""
        cells = self.cells(line)
        if len(cells) != len(self.names):
            raise RowError(
                "wrong_width", f"{len(self.names)} columns were expected, not {len(cells)}."
            )
        return {**self.constants, **{name: cells[n] for name, n in self.columns.items()}}


def _check_fields(fields: Fields, mapped: Mapping[str, str], constants: Mapping[str, str]) -> None:
    for option, given in (("--map", mapped), ("--set", constants)):
        if unknown := sorted(given.keys() - set(fields.all)):
            known = ", ".join(fields.all)
            raise LayoutError(f"{option} {unknown[0]}: there is no such field. Fields: {known}.")
    if twice := sorted(mapped.keys() & constants.keys()):
        raise LayoutError(f"{twice[0]} is in both --map and --set. Use one of them.")


def _check_text(beginning: bytes) -> None:
    for mark, what in _NOT_CSV.items():
        if beginning.startswith(mark):
            raise LayoutError(f"The file is {what}.")
    if b"\0" in beginning.partition(b"\n")[0]:
        raise LayoutError("The file is not UTF-8 text: the first line contains NUL characters.")


def _header(
    beginning: bytes, fields: Fields, delimiter: str | None, mapped: Mapping[str, str]
) -> tuple[str | None, list[str]]:
    """Return the delimiter that yields the most fields, and the column names."""
    wanted = {_normalized(mapped.get(field, field)) for field in fields.all}
    found: list[tuple[int, str | None, list[str]]] = []
    faults = []
    for each in _candidates(beginning, delimiter):
        try:
            names = _names(beginning, each)
        except LayoutError as error:
            faults.append(error)
        else:
            found.append((len(wanted & {_normalized(name) for name in names}), each, names))
    if not found:
        raise faults[0]
    _, delimiter, names = max(found, key=lambda each: each[0])
    return delimiter, names


def _candidates(beginning: bytes, delimiter: str | None) -> list[str | None]:
    if delimiter != "":
        return [delimiter]
    line = beginning.partition(b"\n")[0]
    if b'"' in line:
        line = beginning  # a name may continue in the next line
    return [each for each in DELIMITERS.values() if each and each.encode() in line] or [None]


def _names(beginning: bytes, delimiter: str | None) -> list[str]:
    _, content, fault = next(lines.records(io.BytesIO(beginning), delimiter), (1, b"", None))
    if b"\r" in content.replace(b"\r\n", b""):
        raise LayoutError(
            "The lines end with a carriage return alone. Save the file with line feeds (LF or CRLF)."
        )
    if len(content) >= MAX_BYTES:
        raise LayoutError(f"The first line has more than {MAX_BYTES} bytes.")
    if fault is not None:
        raise LayoutError(f"The column names cannot be read. {fault.reason}")
    try:
        return [name.strip() for name in _split(content.decode(), delimiter)]
    except UnicodeDecodeError:
        raise LayoutError("The first line is not UTF-8 text. Save the file as UTF-8.") from None
    except csv.Error as error:
        raise LayoutError(f"The column names cannot be read: {error}.") from None


def _columns(
    names: Sequence[str],
    fields: Fields,
    mapped: Mapping[str, str],
    constants: Mapping[str, str],
) -> dict[str, int]:
    columns, missing, faults = {}, [], []
    for field in (*mapped, *(each for each in fields.all if each not in {*mapped, *constants})):
        name = mapped.get(field, field)
        places = [n for n, each in enumerate(names) if _normalized(each) == _normalized(name)]
        if field in mapped and names.count(name) == 1:
            places = [names.index(name)]
        if len(places) == 1:
            columns[field] = places[0]
        elif places:
            faults.append(f"There are {len(places)} columns {name!r}.")
        elif field in mapped:
            faults.append(f"--map {field}={name}: the columns are {', '.join(names)}.")
        elif field in fields.required:
            missing.append(field)
    if missing:
        faults.append(
            f"No column for {', '.join(missing)}. Add --map FIELD=COLUMN or --set FIELD=VALUE"
            f" for each. The columns are {', '.join(names)}."
        )
    if faults:
        raise LayoutError(" ".join(faults))
    return columns


def _normalized(name: str) -> str:
    """Return the normalized name: "Customer ID" becomes customer_id."""
    return re.sub(r"[\s_-]+", "_", searched(name).casefold())


def _split(text: str, delimiter: str | None) -> list[str]:
    if delimiter is None:
        return text.split()
    if '"' not in text and "\r" not in text:
        return text.split(delimiter)
    reader = csv.reader([text], delimiter=delimiter, strict=True, skipinitialspace=True)
    return next(reader, [])
