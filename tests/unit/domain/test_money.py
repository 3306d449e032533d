"""Money: exact amounts in one currency, and strict parsing."""

from datetime import date, timedelta
from decimal import Decimal, localcontext
from typing import Final

import pytest
from babel.core import get_global
from hypothesis import given, strategies as st

from payments.domain.money import (
    CURRENCIES,
    MAX_MINOR,
    RETIRED,
    CurrencyMismatch,
    Money,
    MoneyError,
    exponent,
)

# The active codes of ISO 4217, list one, published 2026-01-01. Funds (IsFund), UYW and the codes
# X.. that belong to no state are left out.
ISO_4217: Final = frozenset(
    """
    AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BHD BIF BMD BND BOB BRL BSD BTN BWP
    BYN BZD CAD CDF CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD
    FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD
    JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK
    MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR
    PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP
    SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VED VES VND VUV WST XAF
    XCD XCG XOF XPF YER ZAR ZMW ZWG
    """.split()  # noqa: SIM905 - a list of codes reads best as text
)
NO_DECIMALS: Final = set(
    """
    BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF
    """.split()  # noqa: SIM905 - a list of codes reads best as text
)
THREE_DECIMALS: Final = {"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"}

currencies: Final = st.sampled_from(sorted(CURRENCIES))
amounts: Final = st.integers(1, MAX_MINOR)


def refused(text: str, currency: str = "USD") -> str:
    with pytest.raises(MoneyError) as caught:
        Money.parse(text, currency)
    return caught.value.code


@pytest.mark.parametrize(
    ("currency", "decimals"),
    [("USD", 2), ("EUR", 2), ("JPY", 0), ("KRW", 0), ("CLP", 0), ("KWD", 3), ("TND", 3)],
)
def test_exponent_depends_on_currency(currency: str, decimals: int) -> None:
    assert exponent(currency) == decimals


@pytest.mark.parametrize(
    ("currency", "decimals"),
    [("RSD", 2), ("ALL", 2), ("AFN", 2), ("LBP", 2), ("MGA", 2), ("MMK", 2), ("IQD", 3)],
)
def test_exponent_follows_iso_4217_not_cldr(currency: str, decimals: int) -> None:
    """CLDR gives currencies without coins no decimals. Amounts would be off by a factor of 100."""
    assert exponent(currency) == decimals
    assert Money.parse("1", currency).minor == 10**decimals


def test_known_currencies_are_active_iso_4217() -> None:
    assert CURRENCIES == ISO_4217
    assert {code for code in ISO_4217 if exponent(code) == 0} == NO_DECIMALS
    assert {code for code in ISO_4217 if exponent(code) == 3} == THREE_DECIMALS
    assert {exponent(code) for code in ISO_4217} == {0, 2, 3}


def test_retired_currency_is_accepted_for_refund_only() -> None:
    """Bulgaria has used the euro since 2026-01-01, but earlier payments in lev can be refunded."""
    assert refused("1.00", "BGN") == "unknown_currency"
    assert str(Money(1_234_56, "BGN")) == "BGN 1,234.56"
    assert Money(1_234_56, "BGN").formatted() == "BGN\u00a01,234.56"
    assert Money.checked(5_00, "BGN", refund=True) == Money.parse("5", "BGN", refund=True)


@pytest.mark.parametrize(
    ("currency", "last", "minor"),
    [
        ("BGN", date(2025, 12, 31), 500),
        ("HRK", date(2022, 12, 31), 500),
        ("ITL", date(2001, 12, 31), 5),
    ],
)
def test_retired_currency_is_accepted_on_day_of_use(currency: str, last: date, minor: int) -> None:
    assert Money.parse("5", currency, on=last).minor == minor
    with pytest.raises(MoneyError) as caught:
        Money.parse("5", currency, on=last + timedelta(days=1))
    assert caught.value.code == "unknown_currency"


def test_retired_currencies_were_legal_tender_until_retirement() -> None:
    """CLDR lists the end of circulation, at most some months after the successor's introduction."""
    for code, day in RETIRED.items():
        ends = {
            end
            for history in get_global("territory_currencies").values()
            for each, _, end, tender in history
            if each == code and tender
        } - {None}  # this version of CLDR does not know Bulgaria's change
        end = max((date(*each) for each in ends), default=date(2026, 1, 31))
        assert timedelta(days=-1) <= end - day <= timedelta(days=140), code


@pytest.mark.parametrize(
    "currency",
    [
        "XXX",
        "XTS",
        "XAU",
        "CHE",
        "CLF",
        "USN",
        "UYW",
        "BGN",
        "HRK",
        "ANG",
        "DEM",
        "BTC",
        "usd",
        "US",
        "",
        "USDX",
        "ＵＳＤ",
        "U\x00D",
    ],
)
def test_currency_not_in_use_is_refused(currency: str) -> None:
    with pytest.raises(MoneyError) as caught:
        Money.checked(100, currency)
    assert caught.value.code == "unknown_currency"
    assert refused("1.00", currency) == "unknown_currency"


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("11.77", "USD", 1177),
        ("11.7", "USD", 1170),
        ("11", "USD", 1100),
        ("0.01", "USD", 1),
        ("007.50", "USD", 750),
        ("1500", "JPY", 1500),
        ("1.234", "KWD", 1234),
        ("9999999999.99", "USD", MAX_MINOR),
        ("999999999999", "JPY", MAX_MINOR),
        ("1.10", "USD", 110),
        (".5", "USD", 50),
    ],
)
def test_parse_reads_decimal_exactly(text: str, currency: str, minor: int) -> None:
    assert Money.parse(text, currency) == Money(minor, currency)


@pytest.mark.parametrize(
    ("text", "currency"),
    [
        ("11.777", "USD"),
        ("0.5", "JPY"),
        ("1.2345", "KWD"),
        ("0.001", "USD"),
        # Decimal's default context keeps fewer digits and would round this to USD 1.00.
        ("1.00000000000000000000000000000000000001", "USD"),
        ("0." + "0" * 400 + "1", "USD"),
        # Extra zeros are refused too, because half of Europe writes a thousand like this.
        ("1.000", "EUR"),
        ("12.000", "EUR"),
        ("1.10000", "USD"),
        ("1.000", "JPY"),
        ("1000.00", "JPY"),
        ("5.0", "JPY"),
        ("1.0000", "KWD"),
        ("-1.000", "EUR"),
        ("0.000", "EUR"),
    ],
)
def test_parse_refuses_excess_decimals(text: str, currency: str) -> None:
    assert refused(text, currency) == "amount_too_precise"


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        ".",
        "-",
        "abc",
        "1,5",
        "1.000,00",
        "1.234.567",
        "1 234,56",
        "1'000.00",
        "1,000.00",
        "(5.00)",
        "5-",
        "$5",
        "5 USD",
        "0x10",
        "1.2.3",
        "--1",
    ]
    + ["inf", "-inf", "Infinity", "nan", "sNaN", "NaN123"]
    + ["1e3", "1E-2", "1E+999999999", "1E+999999999999999999999", "0E+999999999", "1E-999999999"]
    # Python accepts most of these as numbers, but no file should write amounts like this.
    + ["1_000", "١٢", "１２", " 5", "5 ", "5\n", "+5", "5.", "\x005", "\ud800", "5\x00"],
)
def test_parse_refuses_anything_but_plain_decimal(text: str) -> None:
    assert refused(text) == "amount_not_a_number"


def test_parse_names_thousands_separator() -> None:
    with pytest.raises(MoneyError, match="Write thousands without a separator"):
        Money.parse("1.000", "EUR")
    with pytest.raises(MoneyError, match=r"such as 1234\.567"):
        Money.parse("1,5", "KWD")


@pytest.mark.parametrize("value", [1.5, 5, True, None, Decimal("1.5"), b"1.5"])
def test_parse_refuses_float(value: object) -> None:
    with pytest.raises(TypeError):
        Money.parse(value, "USD")  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["0", "0.00", "-1", "-0.01", "-0"])
def test_parse_refuses_zero_and_less(text: str) -> None:
    assert refused(text) == "amount_not_positive"


@pytest.mark.parametrize("minor", [0, -1, -(2**63)])
def test_checked_refuses_zero_and_less(minor: int) -> None:
    with pytest.raises(MoneyError) as caught:
        Money.checked(minor, "USD")
    assert caught.value.code == "amount_not_positive"


@pytest.mark.parametrize("minor", [MAX_MINOR + 1, 2**63, 10**40])
def test_checked_refuses_more_than_twelve_digits(minor: int) -> None:
    with pytest.raises(MoneyError) as caught:
        Money.checked(minor, "USD")
    assert caught.value.code == "amount_too_large"


@pytest.mark.parametrize("text", ["10000000000.00", "9" * 5_000, "1" * 30 + ".00"])
def test_parse_reports_amount_too_large(text: str) -> None:
    assert refused(text) == "amount_too_large"


def test_parse_ignores_decimal_context() -> None:
    with localcontext() as context:
        context.prec = 3
        assert Money.parse("12345.67", "USD") == Money(1_234_567, "USD")
        assert Money(1_234_567, "USD").decimal == Decimal("12345.67")


@pytest.mark.parametrize(
    "operation", ["__add__", "__sub__", "__lt__", "__le__", "__gt__", "__ge__"]
)
def test_operation_on_two_currencies_is_refused(operation: str) -> None:
    with pytest.raises(CurrencyMismatch):
        getattr(Money(100, "USD"), operation)(Money(100, "EUR"))


def test_money_of_other_currency_is_not_equal() -> None:
    assert Money(100, "USD") != Money(100, "EUR")


@given(amounts, amounts, currencies)
def test_subtraction_reverses_addition(left: int, right: int, currency: str) -> None:
    one, other = Money(left, currency), Money(right, currency)
    assert one + other - other == one
    assert one + other == other + one


@given(amounts, amounts, currencies)
def test_money_is_ordered_by_minor_units(left: int, right: int, currency: str) -> None:
    one, other = Money(left, currency), Money(right, currency)
    assert (one < other, one <= other) == (left < right, left <= right)
    assert (one > other, one >= other) == (left > right, left >= right)


@given(amounts, currencies)
def test_parse_reads_formatted_decimal(minor: int, currency: str) -> None:
    money = Money(minor, currency)
    assert Money.parse(f"{money.decimal:f}", currency) == money


@given(st.text(max_size=40), currencies)
def test_parse_reads_any_text_exactly_or_raises(text: str, currency: str) -> None:
    try:
        money = Money.parse(text, currency)
    except MoneyError as error:
        assert error.code.startswith("amount_")
    else:
        assert money.decimal == Decimal(text)


@pytest.mark.parametrize(
    ("money", "locale", "written"),
    [
        (Money(199_900, "USD"), "en_US", "$1,999.00"),
        (Money(1_999, "JPY"), "en_US", "¥1,999"),
        (Money(1_500, "KWD"), "en_US", "KWD\u00a01.500"),
        # With CLDR's decimals, part of the amount would be missing.
        (Money(1_550, "RSD"), "en_US", "RSD\u00a015.50"),
        (Money(199_950, "EUR"), "de_DE", "1.999,50\u00a0€"),
        (Money(1_234_500, "CHF"), "en_US", "CHF\u00a012,345.00"),
        (Money(100, "XCG"), "en_US", "Cg.\u00a01.00"),
        # A currency sign touches the digits, even if it begins with a letter.
        (Money(100, "CAD"), "en_US", "CA$1.00"),
        (Money(100, "PLN"), "de_DE", "1,00\u00a0PLN"),
    ],
)
def test_formatted_shows_all_decimals(money: Money, locale: str, written: str) -> None:
    assert money.formatted(locale) == written


def test_str_begins_with_currency() -> None:
    assert str(Money(1_234_567, "USD")) == "USD 12,345.67"
    assert str(Money(1_234_567, "JPY")) == "JPY 1,234,567"
