"""Cells of exported tables: no text becomes a formula, and every other text stays as it is."""

import csv
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest

from readmodels.exports import cells


@pytest.mark.parametrize("sign", [*"=+-@", *"\uff1d\uff0b\uff0d\uff20"])
@pytest.mark.parametrize(
    "before", ["", " ", "\u00a0", "\u3000 ", "\t", "\r", "\n", "a;", "a; ", "a\n"]
)
@pytest.mark.parametrize("separator", [",", ";"])
def test_text_becomes_no_formula_whichever_separator_the_spreadsheet_has(
    sign: str, before: str, separator: str
) -> None:
    line = cells.csv_lines([["order-1", f"{before}{sign}1+1", 5]])

    read = [
        cell for row in csv.reader(StringIO(line, newline=""), delimiter=separator) for cell in row
    ]

    # If a program does not treat quotes as special, a cell may begin with one.
    assert not [each for each in read if each.lstrip(' \t\r\n\u00a0\u3000"').startswith(sign)]


@pytest.mark.parametrize(
    "text",
    [
        "order-981",
        "a=b",
        "1-2",
        "x; y",
        "Zo\u00eb M\u00fcller",
        "a\r\nb",
        "",
        "\u201cquoted\u201d",
        "'quoted'",
    ],
)
def test_other_text_stays_as_it_is(text: str) -> None:
    assert cells.safe(text) == text


@pytest.mark.parametrize(
    ("cell", "written"), [(-5, "-5"), (Decimal("-0.01"), "-0.01"), (None, ""), (True, "yes")]
)
def test_negative_numbers_stay_numbers(cell: Any, written: str) -> None:
    assert cells.csv_lines([[cell, "x"]]) == f"{written},x\r\n"
