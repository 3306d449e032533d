"""Free text: readable, storable, and never a card number."""

from datetime import date, time
from typing import Final
from uuid import UUID

import pytest
from hypothesis import example, given, strategies as st

from payments.domain.text import TextError, checked_text, holds_card_number

# The schemes' published test numbers.
VISA: Final = "4111111111111111"
CARDS: Final = [
    VISA,
    "4222222222222",
    "4000000000000000006",
    "5555555555554444",
    "2223003122003222",
    "2720994326581252",
    "378282246310005",
    "30569309025904",
    "3530111333300000",
    "6011111111111117",
    "6304000000000000",
    "5000550000000029",
    "6200000000000005",
    "2200770239097761",
]


def refused(value: str, *, max_length: int = 200, multiline: bool = False) -> str:
    with pytest.raises(TextError) as caught:
        checked_text(value, max_length=max_length, multiline=multiline)
    return caught.value.code


@pytest.mark.parametrize("card", CARDS)
def test_a_card_number_of_any_scheme_is_found(card: str) -> None:
    assert refused(card) == "card_number_refused"


@pytest.mark.parametrize(
    "text",
    [
        "4111 1111 1111 1111",
        "4111-1111-1111-1111",
        "4111.1111.1111.1111",
        "4111_1111_1111_1111",
        "4111/1111/1111/1111",
        "4111–1111–1111–1111",
        "4111  1111 -1111- 1111",
        "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1",
        "3782 822463 10005",
        "41111111-11111111",
        "card 4111111111111111, please",
        "card4111111111111111x",
        # What stands beside a card number on the card or in the message.
        "4111111111111111 12/26",
        "4111 1111 1111 1111 123",
        "4111-1111-1111-1111-12-26-123",
        "order 12 4111111111111111",
        "12-4111 1111 1111 1111",
        "1234567890123456789012 4111111111111111",
        "4111,1111,1111,1111",
        "4111:1111:1111:1111",
        "4111*1111*1111*1111",
        "4111|1111|1111|1111",
        "(4111)(1111)(1111)(1111)",
        "4111 - 1111 - 1111 - 1111",
        "4111   1111   1111   1111",
        "0004111111111111111",
        # Digits of other scripts are digits to whoever reads them.
        "٤١١١١١١١١١١١١١١١",
        "４１１１ １１１１ １１１１ １１１１",
        "४१११ 1111 ११११ 1111",
    ],
)
def test_a_card_number_is_found_however_it_is_written(text: str) -> None:
    assert holds_card_number(text)


@given(st.uuids(version=4), st.booleans())
@example(UUID("42424242-4242-4242-a000-000000000000"), True)
@example(UUID("a4111111-1111-1111-1b00-000000000000"), False)
def test_no_uuid_passes_for_a_card(uuid: UUID, plain: bool) -> None:  # noqa: FBT001
    """One random one in 1,700 did, and its client was refused for no reason that it could see."""
    assert not holds_card_number(uuid.hex if plain else f"customer {uuid}")


def test_a_uuid_hides_no_card_beside_it_or_in_the_shape_of_one() -> None:
    uuid = "6c1fd1b2-4111-4b1e-9111-1111a1111117"
    assert holds_card_number(f"{uuid} 4111111111111111")
    assert holds_card_number(f"4111111111111111-{uuid}")
    assert holds_card_number("41111111-1111-1111-0000-000000000000")
    assert holds_card_number("00000000-0000-0000-4111-111111111111-a")


def test_a_card_number_over_two_lines_is_found() -> None:
    assert refused("4111 1111\n1111 1111", multiline=True) == "card_number_refused"
    assert refused("4111 1111\r\n1111 1111", multiline=True) == "card_number_refused"


@pytest.mark.parametrize(
    "text",
    [
        "4111111111111112",  # the check digit is wrong
        "1111111111111117",  # no scheme begins with 1
        "411111111111",  # too short
        "41111111111111111111",  # too long
        "411111111111111111111111111111111111",
        "+49 30 901820 4711",
        "20261124123045",  # as many shops number their orders
        "20261124-123045-17",
        "2026-11-24 12:30:45.123456",
        "1764072000000",
        "order-981",
        "5000, 4000, 3000, 2001",  # amounts
        "from 09:15 to 17:30, 20 times",
        "2026-11-24 12:30:45 (+01:00)",
        "6c1fd1b2-4111-4b1e-9111-1111a1111117",
        "no digits at all",
    ],
)
def test_other_numbers_are_left_alone(text: str) -> None:
    assert checked_text(text, max_length=200) == text


@given(st.dates(date(1990, 1, 1), date(2199, 12, 31)), st.times(), st.integers(0, 999))
def test_no_order_number_that_begins_with_a_date_passes_for_a_card(
    day: date, at: time, number: int
) -> None:
    order = f"{day:%Y%m%d}{at:%H%M%S}"
    assert not holds_card_number(order)
    assert not holds_card_number(f"{order}{number:03}")


@given(st.text(max_size=60), st.sampled_from(CARDS), st.text(max_size=60))
def test_nothing_around_a_card_number_hides_it_but_more_digits(
    before: str, card: str, after: str
) -> None:
    touched = before[-1:].isdecimal() or after[:1].isdecimal()
    assert touched or holds_card_number(before + card + after)


def test_the_refusal_never_repeats_the_text() -> None:
    with pytest.raises(TextError) as caught:
        checked_text(f"my card {VISA}", max_length=200)
    assert "4111" not in str(caught.value)


def test_looking_for_card_numbers_takes_linear_time() -> None:
    assert not holds_card_number("1 " * 10_000)
    assert not holds_card_number("1" * 100_000)


@pytest.mark.parametrize(
    "text",
    [
        "a\x00b",
        "\x00",
        "a\ud800b",
        "\udfff",
        "a\x1fb",
        "a\x7fb",
        "a\u200bb",
        "a\u202eb",
        "a\ufeffb",
    ],
)
def test_what_cannot_be_printed_is_refused(text: str) -> None:
    """NUL and lone surrogates jsonb refuses too; U+001F would let two keyed digests meet."""
    assert refused(text) == "text_not_printable"
    assert refused(text, multiline=True) == "text_not_printable"


def test_only_a_note_has_lines() -> None:
    assert refused("one\ntwo") == "text_not_printable"
    assert checked_text("one\r\n\ttwo", max_length=20, multiline=True) == "one\r\n\ttwo"


@pytest.mark.parametrize("text", ["", " ", "   "])
def test_text_says_something(text: str) -> None:
    assert refused(text) == "text_empty"


def test_the_length_is_that_of_the_characters() -> None:
    assert checked_text("ä" * 10, max_length=10) == "ä" * 10
    assert refused("ä" * 11, max_length=10) == "text_too_long"


def test_text_of_every_script_is_kept_as_it_is() -> None:
    for text in ("Müller & Söhne", "株式会社", "مرحبا", "Ω≈ç√", "🙂 ok", "O'Brien; DROP TABLE--"):
        assert checked_text(text, max_length=100) == text
