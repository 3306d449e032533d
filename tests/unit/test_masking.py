"""Masked personal data show their first characters only, and exported text is never a formula."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from readmodels import masking
from readmodels.exports import cells


@pytest.mark.parametrize(
    ("mask", "text", "masked"),
    [
        (masking.name, "John Doe", "J*** D**"),
        (masking.name, "Wolfeschlegelsteinhausen", "W********"),
        (masking.name, "X", "*"),
        (masking.name, "", ""),
        (masking.email, "john@example.com", "j***@example.com"),
        (masking.email, "j@example.com", "*@example.com"),
        (masking.email, "", ""),
        (masking.phone, "+4915112345689", "***89"),
        (masking.phone, "", ""),
        (masking.reference, "customer-123", "cu***"),
        (masking.reference, "ab", "a***"),
        (masking.reference, "7", "***"),
        (masking.reference, "", ""),
    ],
)
def test_mask_keeps_the_beginning_only(mask: object, text: str, masked: str) -> None:
    assert mask(text) == masked  # type: ignore[operator]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "  =1", "\u00a0=1"])
def test_text_that_looks_like_a_formula_gets_an_apostrophe(text: str) -> None:
    assert cells.safe(text) == f"'{text}"
    assert cells.safe(f"a{text}") == f"a{text}"


def test_csv_has_plain_numbers_iso_times_and_quoted_texts() -> None:
    at = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
    row: list[cells.Cell] = [at, Decimal("-19.99"), -3, True, None, 'a "b", c', "=1"]

    assert cells.csv_lines([row]) == (
        '2026-01-05T12:00:00.000000Z,-19.99,-3,yes,,"a ""b"", c",\'=1\r\n'
    )


@pytest.mark.parametrize(
    ("minor", "currency", "written"),
    [(1999, "EUR", "19.99"), (1500, "JPY", "1500"), (0, "EUR", "0.00"), (1, "BHD", "0.001")],
)
def test_amount_is_decimal_with_the_digits_of_the_currency(
    minor: int, currency: str, written: str
) -> None:
    assert str(cells.amount(minor, currency)) == written
