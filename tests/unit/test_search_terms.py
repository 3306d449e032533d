"""The search box accepts any text and recognizes what kind of term it is."""

from uuid import UUID

import pytest
from hypothesis import given, strategies as st

from payments.domain.money import MAX_MINOR
from readmodels.queries.search import amounts
from readmodels.queries.search.terms import (
    Amount,
    Email,
    IdStart,
    LastFour,
    Name,
    Phone,
    Reference,
    recognize,
)


def kinds(text: str) -> set[str]:
    return {term.kind for term in recognize(text)}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Moretti", {"email", "reference", "name"}),
        ("maria garcía", {"reference", "name"}),
        ("太郎", {"reference", "name"}),
        ("4242", {"card", "amount", "phone", "reference"}),
        ("•••• 4242", {"card", "reference"}),
        ("Visa ending in 4242", {"card", "reference", "name"}),
        ("18,900.00", {"amount", "reference"}),
        ("$18,900", {"amount", "reference"}),
        ("order-27626", {"email", "reference", "name"}),
        ("25b2a1c0", {"id", "email", "reference", "name"}),
        ("giulia@", {"email", "reference", "name"}),
        ("+49 151 234-567", {"phone", "reference"}),
        ("(0)151/234567", {"phone", "reference"}),
        ("18900", {"amount", "phone", "reference"}),
        ("%", {"reference"}),
        ("\\", {"reference"}),
        ("😀", {"reference"}),
        ("a\0b", {"reference", "name"}),
        ("\u202e\u202c \ud800", set()),
        ("", set()),
    ],
)
def test_text_is_read_as_each_kind_that_it_can_be(text: str, expected: set[str]) -> None:
    assert kinds(text) == expected


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("18,900.00", "USD", 1_890_000),
        ("18900", "USD", 1_890_000),
        ("18900", "JPY", 18_900),
        ("18,900", "KWD", 18_900_000),
        ("18,900", "KWD", 18_900),
        ("18,900.00", "JPY", 18_900),
        ("EUR 1.250,50", "EUR", 125_050),
        ("1.250,50 €", "EUR", 125_050),
        ("€1250.5", "EUR", 125_050),
        ("chf 1'250.50", "CHF", 125_050),
        ("1’250", "CHF", 125_000),
        ("1 250,50", "SEK", 125_050),
        ("1\u202f250,50", "EUR", 125_050),
        ("1,00,000", "INR", 10_000_000),
        ("١٨٬٩٠٠٫٥٠", "EGP", 1_890_050),
        ("KWD 1.250", "KWD", 1_250),
        ("1.250", "EUR", 125_000),
        ("500 kr", "SEK", 50_000),
        ("£5", "GBP", 500),
    ],
)
def test_amount_is_read_in_any_notation(text: str, currency: str, minor: int) -> None:
    typed = [term.typed for term in recognize(text) if isinstance(term, Amount)]

    assert (currency, minor) in typed[0].minor_units


@pytest.mark.parametrize(
    "text",
    [
        "0",
        "0.00",
        "1.2345",
        "1,2,3",
        "12.34.56",
        "XXX 5",
        "EUR 5 EUR",
        "-5",
        "1e3",
        "9" * 30,
        "5 USD 6",
    ],
)
def test_text_is_no_amount(text: str) -> None:
    assert amounts.read(text) is None


def test_amount_with_a_sign_has_one_currency() -> None:
    typed = amounts.read("$18,200.00")

    assert typed is not None
    assert typed.minor_units == (("USD", 1_820_000),)
    assert str(typed) == "18,200.00 in USD"


@pytest.mark.parametrize("decorated", ["{}", "{{{}}}", "urn:uuid:{}"])
def test_id_is_read_in_any_case_and_notation(decorated: str) -> None:
    payment_id = UUID("25b2a1c0-4d5e-5f60-8a7b-0123456789ab")
    text = decorated.format(payment_id)

    for typed in (text, text.upper()):
        assert IdStart(payment_id.hex) in recognize(typed)


@pytest.mark.parametrize("length", [6, 7, 8, 9, 12, 18, 30, 35])
def test_beginning_of_an_id_contains_the_id(length: int) -> None:
    payment_id = UUID("25b2a1c0-4d5e-5f60-8a7b-0123456789ab")

    for typed in (str(payment_id)[:length], payment_id.hex[: min(length, 32)].upper()):
        (found,) = (term for term in recognize(typed) if isinstance(term, IdStart))
        first, last = found.range
        assert first <= payment_id <= last


@pytest.mark.parametrize("text", ["25b2", "25b2a1-c0", "25b2a1c-0", "------", "25b2g1c0"])
def test_text_is_no_beginning_of_an_id(text: str) -> None:
    assert "id" not in kinds(text)


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("+49 151 23456789", "4915123456789"),
        ("0049 151 23456789", "4915123456789"),
        ("+49 (0)151 23456789", "4915123456789"),
        ("0151/234 567-89", "15123456789"),
        ("(0151) 23456789", "15123456789"),
        ("٠١٥١ ٢٣٤٥٦٧٨٩", "15123456789"),
        ("6789", "6789"),
    ],
)
def test_telephone_number_is_read_in_any_spelling(text: str, digits: str) -> None:
    assert Phone(digits) in recognize(text)


@pytest.mark.parametrize(
    "text", ["4242", "**** **** **** 4242", "xxxx-4242", "Visa 4242", "CARD …4242"]
)
def test_last_four_digits_are_read(text: str) -> None:
    assert LastFour("4242") in recognize(text)


def test_same_name_in_any_case_and_accent_is_the_same_query() -> None:
    queries = {
        term.query
        for text in ("José Núñez", "JOSE NUNEZ", "jose\u0301  nunez", "José\u00a0Nuñez")
        for term in recognize(text)
        if isinstance(term, Name)
    }

    assert len(queries) == 1


@given(st.text(max_size=300) | st.text("0123456789.,' +-()xX*%_\\\"€$@abcdef\0\ud800", max_size=60))
def test_any_text_is_recognized(text: str) -> None:
    for term in recognize(text):
        assert str(term)
        match term:
            case Amount(typed=typed):
                assert all(0 < minor <= MAX_MINOR for _, minor in typed.minor_units)
            case IdStart():
                assert term.range[0] <= term.range[1]
            case Email(text=typed_text) | Reference(text=typed_text):
                typed_text.encode()
            case Name(query=query):
                query.encode()
