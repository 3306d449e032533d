"""Imported dates and amounts are accepted only if they are unambiguous."""

from pathlib import Path
from typing import Any, Final

import pytest

from payments.events.models import Event
from tests.integration.traffic.test_import import HEADER, rejects, run, write

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def amounts() -> list[Any]:
    events = Event.objects.filter(event_type="payment.initiated")
    return [event.data["amount"] for event in events]


@pytest.mark.parametrize(
    "date",
    ["190131", "200229", "202411", "2024111", "24-01-31", "31.01.2024", "31/01/2024", "01/31/24"]
    + [
        "45321",
        "45321.5",
        "1706659200",
        "1706659200000",
        "2024-1-31",
        "2024-01",
        "2024",
        "31012024",
    ]
    + ["2024-W05-3", "2024W053", "2024-031", "2024-01-31T10", "2024-01-31x10:00", "２０２４-01-31"]
    + [
        "20240131T1",
        "2024-01-31T24:01",
        "2024-01-31 10:00 CET",
        "2024-01-31T10:00+25:00",
        "00000000",
    ],
)
def test_ambiguous_date_is_refused(date: str) -> None:
    run(write(HEADER + f"ann,{date},11.77,USD,wallet,\n"), status=1)

    assert rejects()[0].startswith("2,unknown_date,")


@pytest.mark.parametrize(
    "date",
    ["0001-01-01", "19000101", "1899-12-30T00:00:00", "1970-01-01", "1970-01-01T01:00+01:00"],
)
def test_placeholder_for_a_missing_date_is_refused(date: str) -> None:
    run(write(HEADER + f"ann,{date},11.77,USD,wallet,\n"), status=1)

    assert rejects()[0].startswith("2,date_too_early,")


@pytest.mark.parametrize("date", ["9999-12-31", "99991231", "9999-12-31T23:59:59Z"])
def test_far_future_placeholder_is_refused(date: str) -> None:
    run(write(HEADER + f"ann,{date},11.77,USD,wallet,\n"), status=1)

    assert rejects()[0].startswith("2,in_the_future,")


@pytest.mark.parametrize(
    ("date", "at"),
    [
        ("2024-01-31", "2024-01-31T00:00:00"),
        ("20240131", "2024-01-31T00:00:00"),
        ("2024-01-31T23:30:00-05:00", "2024-02-01T04:30:00"),
        ("2024-01-31 10:00", "2024-01-31T10:00:00"),
        ("2024-01-31T10:00:00.123456Z", "2024-01-31T10:00:00.123456"),
        ("20240131T101500+0100", "2024-01-31T09:15:00"),
        ("2024-01-31 01:30:00 +0200", "2024-01-30T23:30:00"),
        ("2024-01-30 23:30:00 UTC", "2024-01-30T23:30:00"),
    ],
)
def test_complete_date_is_read_in_utc(date: str, at: str) -> None:
    run(write(HEADER + f"ann,{date},11.77,USD,wallet,\n"))

    assert Event.objects.all()[0].occurred_at.isoformat() == f"{at}+00:00"


AMOUNTS: Final = {
    # (amount, currency): value by default, with --decimal point, with --decimal comma
    ("1234.56", "EUR"): ("1,234.56", "1,234.56", None),
    ("1.234,56", "EUR"): (None, None, "1,234.56"),
    ("1234,56", "EUR"): (None, None, "1,234.56"),
    ("1 234,56", "EUR"): (None, None, "1,234.56"),
    ("1\u202f234,56", "EUR"): (None, None, "1,234.56"),
    ("1'234.56", "CHF"): (None, "1,234.56", None),
    ("1,234.56", "EUR"): (None, "1,234.56", None),
    ("12.000", "EUR"): (None, None, "12,000.00"),
    ("1.000", "JPY"): (None, None, "1,000"),
    ("1000.00", "JPY"): (None, None, None),
    ("1,000", "JPY"): (None, "1,000", None),
    ("1.234.567", "EUR"): (None, None, "1,234,567.00"),
    ("1.234", "KWD"): ("1.234", "1.234", "1,234.000"),
    ("0.123", "KWD"): ("0.123", "0.123", None),
    ("1000", "EUR"): ("1,000.00", "1,000.00", "1,000.00"),
    **{
        (text, "EUR"): (None, None, None)
        for text in (
            "-5",
            "(5.00)",
            "1e3",
            "+5",
            "5-",
            "１２",
            "1.23.456",
            "1 23",
            "€5",
            "5 EUR",
            "1,2,3",
        )
    },
}


@pytest.mark.parametrize(("amount", "currency"), AMOUNTS)
@pytest.mark.parametrize("option", [None, "point", "comma"])
def test_amount_is_read_with_the_given_decimal_sign(
    amount: str, currency: str, option: str | None
) -> None:
    expected = AMOUNTS[amount, currency][(None, "point", "comma").index(option)]
    options = ["--set=client=Acme", *([f"--decimal={option}"] if option else [])]
    path = write(HEADER + f'ann,2024-01-31,"{amount}",{currency},bank_transfer,\n')

    report = run(path, *options, status=0 if expected else 1)

    assert report.get("in the log") == (f"1 {currency} {expected}" if expected else None)


@pytest.mark.parametrize(
    "sign_of_commas",
    [
        'ann,2024-01-31,"1.234,56",EUR,wallet,\n',
        'ann,2024-01-31,"12,50",KWD,wallet,\n',
        "ann,2024-01-31,12.000,EUR,wallet,\n",
        "ann,2024-01-31,1.000,JPY,wallet,\n",
    ],
)
def test_three_decimals_are_refused_where_other_amounts_have_decimal_commas(
    sign_of_commas: str,
) -> None:
    """In a German file, 1.234 means 1234, and only later rows show the decimal comma."""
    dinars = "ann,2024-01-31,1.234,KWD,wallet,\n"
    path = write(HEADER + dinars + sign_of_commas)

    run(path, status=1)

    assert rejects()[0].startswith("2,amount_ambiguous,")
    run(path, "--set=client=Other", "--decimal=comma")
    assert {"minor": 1_234_000, "currency": "KWD"} in amounts()
    assert run(write(HEADER + dinars))["in the log"] == "1 KWD 1.234"


def test_three_decimals_are_refused_where_semicolons_separate_columns() -> None:
    run(write((HEADER + "ann,2024-01-31,1.234,KWD,wallet,\n").replace(",", ";")), status=1)

    assert rejects()[0].startswith("2;amount_ambiguous;")
