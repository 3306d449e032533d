"""Which texts are stored in which form, and which texts are refused."""

import re
from typing import Final

import pytest
from hypothesis import given, strategies as st

from payments.domain.text import TextError, checked_identifier, checked_text, searched

VISA: Final = "4111111111111111"


def refused(value: str, *, max_length: int = 200, multiline: bool = False) -> str:
    with pytest.raises(TextError) as caught:
        checked_text(value, max_length=max_length, multiline=multiline)
    return caught.value.code


def test_refusal_never_repeats_text() -> None:
    with pytest.raises(TextError) as caught:
        checked_text(f"my card {VISA}", max_length=200)
    assert "4111" not in str(caught.value)


REFUSED: Final = [
    ("a\x00b", "U+0000 at position 2"),
    ("a\ud800b", "U+D800 at position 2"),
    ("\udfff", "U+DFFF at position 1"),
    ("a\x1fb", "U+001F at position 2"),
    ("a\x7fb", "U+007F at position 2"),
    ("a\x85b", "U+0085 at position 2"),
    ("Motif\u202e :", "U+202E RIGHT-TO-LEFT OVERRIDE at position 6"),
    ("a\u2066b", "U+2066 LEFT-TO-RIGHT ISOLATE at position 2"),
    ("\ufff9", "U+FFF9 INTERLINEAR ANNOTATION ANCHOR at position 1"),
    ("\ue000", "U+E000 at position 1"),
    ("a\ufdd0", "U+FDD0 at position 2"),
    ("a\U0002ffff", "U+2FFFF at position 2"),
    ("hidden \U000e0061", "U+E0061 TAG LATIN SMALL LETTER A at position 8"),
    ("a\U000e0fff", "U+E0FFF at position 2"),  # reserved for invisible characters
]


@pytest.mark.parametrize(("text", "named"), REFUSED)
def test_refusal_names_character_and_position(text: str, named: str) -> None:
    """jsonb would refuse NUL and lone surrogates. U+001F could make two keyed digests equal."""
    for check in (checked_text, checked_identifier):
        with pytest.raises(TextError, match=re.escape(named)) as caught:
            check(text, max_length=200)
        assert caught.value.code == "text_not_printable"
    assert refused(text, multiline=True) == "text_not_printable"


# Input, and its stored form as a note, as a name or reason, and as an identifier.
NORMAL: Final = {
    "plain": ("plain",) * 3,
    "Motif\u00a0: 1\u202f500\u00a0€": ("Motif : 1 500 €",) * 3,
    "山田\u3000太郎": ("山田 太郎",) * 3,
    "a\u1680b\u2009c\u205fd": ("a b c d",) * 3,
    "می\u200cخواهد": ("می\u200cخواهد",) * 3,
    "श्री\u200dमान": ("श्री\u200dमान",) * 3,
    "👨\u200d👩\u200d👧 🏳️\u200d🌈 ❤️ 1️⃣": ("👨\u200d👩\u200d👧 🏳️\u200d🌈 ❤️ 1️⃣",) * 3,
    "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f": (
        "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",
    )
    * 3,
    "葛\U000e0100城": ("葛\U000e0100城",) * 3,
    "שלום\u200f!": ("שלום\u200f!", "שלום!", "שלום!"),
    "\u200e29.11.2026": ("\u200e29.11.2026", "29.11.2026", "29.11.2026"),
    "Silben\u00adtrennung": ("Silbentrennung",) * 3,
    "\ufefffrom\u200b a\u2060 chat": ("from a chat",) * 3,
    "Re\u0301f": ("Réf",) * 3,
    "\u1112\u1161\u11ab": ("한",) * 3,
    "株式会社 ｶﾌﾞ": ("株式会社 ｶﾌﾞ",) * 3,
    "O'Brien; DROP TABLE--": ("O'Brien; DROP TABLE--",) * 3,
    "\U0001f9ff\U0001faff\U0001fbff": ("\U0001f9ff\U0001faff\U0001fbff",)
    * 3,  # some need a newer Unicode version
}


@pytest.mark.parametrize("text", NORMAL)
def test_text_is_stored_in_normal_form(text: str) -> None:
    note, name, identifier = NORMAL[text]

    assert checked_text(text, max_length=200, multiline=True) == note
    assert checked_text(text, max_length=200) == name
    assert checked_identifier(text, max_length=200) == identifier
    assert searched(text) == identifier


def test_note_keeps_lines() -> None:
    assert checked_text("one\r\n\ttwo\u2028three\r\n", max_length=20, multiline=True) == (
        "one\n\ttwo\nthree"
    )


def test_name_with_line_break_is_refused() -> None:
    assert refused("one\ntwo") == "text_not_printable"
    assert checked_text("\tpasted from a sheet\r\n", max_length=30) == "pasted from a sheet"


@pytest.mark.parametrize("blank", [" ", "\u00a0", "\u3000", " \u200b", "\ufeff "])
def test_identifier_with_outer_blanks_is_refused(blank: str) -> None:
    for text in (f"{blank}ord-1", f"ord-1{blank}"):
        with pytest.raises(TextError) as caught:
            checked_identifier(text, max_length=20)
        assert caught.value.code == "text_has_outer_blanks"
        assert checked_identifier(text, max_length=20, pasted=True) == "ord-1"
        assert checked_text(text, max_length=20) == "ord-1"
        assert searched(text) == "ord-1"


@pytest.mark.parametrize("text", ["", " ", "   ", "\u3000", "\u200b", "\u200d", "\u3164", "\ufe0f"])
def test_text_without_visible_character_is_refused(text: str) -> None:
    assert refused(text) == "text_empty"
    with pytest.raises(TextError) as caught:
        checked_identifier(text, max_length=20)
    assert caught.value.code == "text_empty"


def test_length_counts_stored_characters() -> None:
    assert checked_text("ä" * 10, max_length=10) == "ä" * 10
    assert checked_text("a\u0308" * 10, max_length=10) == "ä" * 10
    assert refused("ä" * 11, max_length=10) == "text_too_long"


def test_identifier_may_contain_digits_refused_in_free_text() -> None:
    assert checked_identifier(f"order{VISA}", max_length=50) == f"order{VISA}"
    assert refused(f"order{VISA}") == "card_number_refused"
    with pytest.raises(TextError) as caught:
        checked_identifier(VISA, max_length=50)
    assert caught.value.code == "card_number_refused"


@given(st.text(st.characters(codec=None), max_size=20))
def test_stored_text_is_stable_and_found_by_search(text: str) -> None:
    try:
        stored = checked_identifier(text, max_length=100, pasted=True)
    except TextError:
        return

    assert checked_identifier(stored, max_length=100) == stored
    assert searched(text) == stored == searched(f"\u202a {stored}\n")


@given(st.text(st.characters(codec=None), max_size=20))
def test_searched_accepts_any_text_and_is_valid_for_database(text: str) -> None:
    term = searched(text)
    assert "\0" not in term
    term.encode()
