"""Formats of import files: quotes, line breaks, headers, delimiters, columns."""

import csv
from contextlib import suppress
from pathlib import Path
from typing import Final

import pytest
from django.core.management import CommandError, call_command
from hypothesis import given, strategies as st

from payments.clients.models import Client
from payments.customers.models import Customer
from payments.events.models import Event
from payments.traffic import lines
from payments.traffic.layout import Layout, RowError
from tests.integration.traffic.test_import import HEADER, ROW, run, write

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

COLUMNS: Final = "client,customer_id,amount,currency,method,date,comment\n"
EVIL: Final = "Smug,c666,99999.00,EUR,wallet,2024-01-31,x"
LAST: Final = "Smug,c2,11.00,EUR,wallet,2024-01-31,ok\n"


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def row(comment: str) -> str:
    return f"Smug,c1,10.00,EUR,wallet,2024-01-31,{comment}"


def customers() -> set[str | None]:
    return set(Customer.objects.values_list("reference", flat=True))


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize(
    "comment",
    [
        f'"hello\n{EVIL}"',
        f'"hello\n{EVIL}\n{EVIL}\n\n"',
        f'"hello ""you""\n{EVIL}"',
        f'"\n{EVIL}\n"',
        f' "hello\n{EVIL}"',
    ],
)
def test_quoted_line_break_belongs_to_its_row(comment: str, line_end: str) -> None:
    path = write((COLUMNS + row(comment) + "\n" + LAST).replace("\n", line_end))

    report = run(path, "--strict")

    assert report["in the log"] == "2 EUR 21.00"
    assert customers() == {"c1", "c2"}
    assert run(path, "--strict")["already imported"] == "2"


@pytest.mark.parametrize(
    "comment",
    [
        f'"hello "you"\n{EVIL}"',  # the inner quotes are not doubled
        f'"hello "you", then\n{EVIL}"',
        f'"hello \\"you\n{EVIL}"',  # a backslash before the quote
        f'"hello \\"you\\"\n{EVIL}"',
        f'"hello \\",\n{EVIL}"',
        f'\t"hello\n{EVIL}"',
        f'\u00a0"hello\n{EVIL}"',
        f'\u3000"hello\n{EVIL}"',
        f'\ufeff"hello\n{EVIL}"',
        f'="hello\n{EVIL}"',
        f"hello\\\n{EVIL}",  # as MySQL escapes a line end
        f'"hello"x\n{EVIL}\n"',
        f'"hello\n{EVIL}\n',  # never closed
        f'"{"x" * 70_000}\n{EVIL}"',  # a line of more than 64 KiB
        '"hello\n' + f"{EVIL}\n" * 3_000 + '"',  # a value of more than 64 KiB
        f'"hello ""\n{EVIL}\n',
    ],
)
def test_lines_within_unreadable_quotes_are_refused(comment: str) -> None:
    report = run(write(COLUMNS + LAST + row(comment) + "\n"), "--rejects=refused")

    assert report["accepted"] == "1"
    assert customers() == {"c2"}
    lines_ = Path("refused").read_text().splitlines()
    assert len(lines_) - 1 == int(report["refused"].split()[0].replace(",", ""))
    assert "line 3" in lines_[1]
    assert not any("Smug" in name for name in lines_[0])


def test_rows_after_unreadable_quotes_are_imported() -> None:
    report = run(write(COLUMNS + row('"a "b" c"') + "\n" + row('"a\n"b" c"') + "\n" + LAST))

    assert (report["accepted"], report["refused"].split()[0]) == ("1", "3")


def test_quote_within_an_unquoted_value_is_a_character() -> None:
    report = run(write(COLUMNS + row('a 5" pipe') + "\n" + row('6"') + "\n" + LAST))

    assert report["in the log"] == "3 EUR 31.00"


def test_formula_or_backslash_within_a_line_does_not_affect_other_rows() -> None:
    report = run(write(COLUMNS + row('="00123"') + "\n" + row("C:\\new") + "\n" + LAST))

    assert report["in the log"] == "3 EUR 31.00"


def test_names_of_columns_may_be_in_nfd_or_hold_invisible_characters() -> None:
    text = HEADER.replace("currency", "Wa\u0308hrung").replace("customer_id", "\ufeffcustomer_id")

    report = run(write(text + ROW), "--set=client=Acme", "--map=currency=W\u00e4hrung")

    assert report["accepted"] == "1"


def test_correcting_a_quote_keeps_the_keys_of_other_rows() -> None:
    """A line within an unreadable quoted value is not a row, so an equal row repeats nothing."""
    broken = COLUMNS + row('"a') + "\n" + LAST + 'b "c" d"\n' + LAST
    assert run(write(broken), "--rejects=refused")["accepted"] == "1"

    report = run(write(COLUMNS + row("a") + "\n" + LAST), "--rejects=refused")

    assert (report["already imported"], report["accepted"]) == ("1", "1")


cells: Final = st.text(alphabet='ab ,;"\n\r\t', max_size=8)


@given(
    st.lists(st.lists(cells, min_size=2, max_size=2), max_size=6),
    st.sampled_from(",;\t|"),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
)
def test_output_of_a_csv_writer_is_read_record_by_record(
    table: list[list[str]], delimiter: str, line_end: str, quoting: int
) -> None:
    path = Path("table.csv")
    with path.open("w", newline="") as file:
        writer = csv.writer(file, delimiter=delimiter, lineterminator=line_end, quoting=quoting)  # type: ignore[arg-type]
        writer.writerows([["one", "two"], *table])
    layout = Layout(delimiter, ["one", "two"], {}, {})

    read = [layout.cells(line) for line in lines.read(path, delimiter)]

    assert read == table


comments: Final = st.lists(
    st.sampled_from(['"', "\n", "\r\n", "\\", ",", " ", "a", f"\n{EVIL}\n"]), max_size=8
).map("".join)


@given(written=st.lists(comments, max_size=3), doubled=st.booleans())
def test_line_within_a_value_is_never_a_record(written: list[str], *, doubled: bool) -> None:
    path = Path("table.csv")
    with path.open("w", newline="") as file:
        writer = csv.writer(
            file,
            lineterminator="\n",
            quoting=csv.QUOTE_ALL,
            doublequote=doubled,
            escapechar=None if doubled else "\\",
        )
        writer.writerow(COLUMNS.strip().split(","))
        writer.writerows(row(comment).split(",", 6) for comment in written)
    layout = Layout(",", COLUMNS.strip().split(","), {"customer_id": 1}, {})

    for line in lines.read(path):
        with suppress(RowError):
            assert layout.values(line)["customer_id"] == "c1"


@pytest.mark.parametrize(
    ("beginning", "delimiter"),
    [
        ("sep=;\n", ";"),
        ("SEP=;\r\n", ";"),
        ('"sep=;"\n', ";"),
        ("\ufeffsep=;\n", ";"),
        ("sep=,\n", ","),
        ("sep=\t\n", "\t"),
        ("", "|"),
        ("\ufeff", ","),
    ],
)
def test_delimiter_is_taken_from_the_first_lines(beginning: str, delimiter: str) -> None:
    path = write(beginning + (HEADER + ROW + ROW).replace(",", delimiter))

    report = run(path)

    assert (report["accepted"], report["refused"]) == ("2", "0")
    assert Event.objects.count() == 4


def test_other_delimiters_within_a_column_name_are_text() -> None:
    header = "client;customer_id;amount;currency;method;date;note, if any | other\n"
    path = write(header + row("x").replace(",", ";") + "\n")

    assert run(path)["accepted"] == "1"


def test_delimiter_can_be_given() -> None:
    path = write((HEADER + ROW).replace(",", "|"))

    assert run(path, "--set=client=Acme", "--delimiter=pipe")["accepted"] == "1"
    with pytest.raises(CommandError, match="No column for customer_id, amount"):
        run(path, "--set=client=Acme", "--delimiter=semicolon")


@pytest.mark.parametrize(
    "header",
    [
        HEADER.upper(),
        "Customer ID, Date , Amount,Currency,Method,Reference\n",
        "customer-id,date,amount,currency,method,reference\n",
        '\ufeff"Customer\nID","Date","Amount","Currency","Method","Reference"\n',
    ],
)
def test_column_names_are_compared_without_case_and_separators(header: str) -> None:
    assert run(write(header + ROW))["accepted"] == "1"


def test_map_distinguishes_columns_that_differ_only_by_case() -> None:
    path = write(HEADER.replace("reference", "Amount") + ROW.replace(",\n", ",99.00\n"))

    with pytest.raises(CommandError, match="There are 2 columns 'amount'"):
        run(path)
    report = run(path, "--set=client=Acme", "--map=amount=Amount")

    assert report["in the log"] == "1 USD 99.00"


def test_all_missing_columns_are_named_at_once() -> None:
    missing = "client, customer_id, amount, currency, method, date"
    with pytest.raises(CommandError, match=f"No column for {missing}"):
        call_command("import_payments", str(write("a,b\n")))


@pytest.mark.parametrize("blank", [",,,,,", ";;;;;", "", "   ", " , ,\t,,,", "\r"])
def test_empty_rows_are_not_refused(blank: str) -> None:
    text = HEADER + ROW + blank + "\n" + ROW + blank
    if ";" in blank:
        text = text.replace(",", ";")

    report = run(write(text), "--strict", "--set=client=Acme")

    assert (report["accepted"], report["refused"]) == ("2", "0")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ((HEADER + ROW).encode("utf-16"), "not UTF-8 text but UTF-16. Save it as UTF-8"),
        (b"\xfe\xff" + (HEADER + ROW).encode("utf-16-be"), "UTF-16"),
        ((HEADER + ROW).encode("utf-16-le"), "NUL characters"),
        (HEADER.replace("date", "d\u00e4te").encode("latin-1"), "not UTF-8 text"),
        (b"PK\x03\x04" + b"\0" * 50, "a workbook or an archive"),
        (b"\xd0\xcf\x11\xe0" + b"\0" * 50, "an Excel workbook"),
        (b"\x1f\x8b\x08" + b"\0" * 50, "compressed"),
        ((HEADER + ROW).replace("\n", "\r").encode(), "carriage return alone"),
        ((HEADER + ROW * 5_000).replace("\n", "\r").encode(), "carriage return alone"),
        (
            (HEADER.replace("amount", '"amount') + ROW).encode(),
            "opens a quote that is never closed",
        ),
        ((HEADER.replace("date", '"date"x') + ROW).encode(), "a quote that is not doubled"),
        (b"x" * 100_000, "The first line has more than 65536 bytes"),
        (b'"' + b"x\n" * 100_000, "The column names cannot be read"),
        (b"sep=;\n", "The file is empty"),
        (b"\xef\xbb\xbf", "The file is empty"),
    ],
)
def test_unreadable_first_line_is_explained(content: bytes, complaint: str) -> None:
    path = Path("past.csv")
    path.write_bytes(content)

    with pytest.raises(CommandError, match=complaint):
        run(path)


def test_import_fails_if_all_rows_are_refused_and_says_why() -> None:
    text = HEADER + ROW.replace("credit_card", "card") * 2 + ROW.replace("1997-01-31", "x")

    report = run(write(text), status=1)

    assert report["refused"].startswith("3")
    assert report["most often"].startswith(
        "2 unknown_method: 'card' is not a payment method. Valid: credit"
    )
    assert run(write(text + ROW))["accepted"] == "1"
    assert run(write(text + ROW))["already imported"] == "1"
    assert run(write(HEADER))["accepted"] == "0"


def test_rows_may_have_a_currency_that_was_in_use_on_their_day() -> None:
    rows = "ann,2025-12-31,5.00,BGN,wallet,\nann,2026-01-01,6.00,BGN,wallet,\n"
    rows += "ann,2001-12-31,7000,ITL,wallet,\nann,2022-12-31T23:30:00-01:00,8.00,HRK,wallet,\n"
    path = write(HEADER + rows)

    report = run(path, "--set=client=Acme", "--rejects=refused")

    assert (report["accepted"], report["refused"][0]) == ("2", "2")
    assert "BGN has not been accepted for payments since 2026-01-01." in Path("refused").read_text()
    path = write(HEADER.replace("date,", "").replace("currency,", "") + "ann,1.00,wallet,\n")
    with pytest.raises(CommandError, match="--set currency: BGN has not been accepted"):
        run(path, "--set=client=Acme,currency=BGN,date=2026-01-01")
    assert run(path, "--set=client=Acme,currency=BGN,date=2025-12-31")["accepted"] == "1"


@pytest.mark.parametrize(
    ("constant", "complaint"),
    [
        ("method=card", "--set method: 'card' is not a payment method. Valid: credit_card"),
        ("currency=usd", "--set currency: 'usd' is not an ISO 4217 currency"),
        ("currency=XAU", "--set currency: 'XAU' is not an ISO 4217 currency"),
        ("amount=1.000", "--set amount: 1.000 has more than the 2 decimals of USD"),
        ("date=190131", "--set date: '190131' is not a date such as"),
        ("customer_id=" + "x" * 256, "--set customer_id: customer_id: The text must have"),
    ],
)
def test_constants_are_checked_before_the_first_row(constant: str, complaint: str) -> None:
    columns = {"customer_id": "ann", "date": "1997-01-31", "amount": "1.00", "method": "wallet"}
    constants = {"client": "Acme", "currency": "USD"} | dict([constant.split("=")])
    given = {name: value for name, value in columns.items() if name not in constants}
    path = write(",".join(given) + "\n" + ",".join(given.values()) + "\n")

    with pytest.raises(CommandError, match=complaint):
        run(path, *(f"--set={name}={value}" for name, value in constants.items()))

    assert Client.objects.count() == 0
    assert list(Path().iterdir()) == [path]
