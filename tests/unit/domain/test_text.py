"""Free text: readable, storable, and never a card number."""

from typing import Final

import pytest

from payments.domain.text import TextError, checked_text

VISA: Final = "4111111111111111"


def refused(value: str, *, max_length: int = 200, multiline: bool = False) -> str:
    with pytest.raises(TextError) as caught:
        checked_text(value, max_length=max_length, multiline=multiline)
    return caught.value.code


def test_the_refusal_never_repeats_the_text() -> None:
    with pytest.raises(TextError) as caught:
        checked_text(f"my card {VISA}", max_length=200)
    assert "4111" not in str(caught.value)


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
