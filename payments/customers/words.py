"""Compute the words by which staff find a customer, without case, accents or variants of letters.

PostgreSQL stores the words in a text search vector, whose index finds the customers that have
several given words. PostgreSQL's own parsers and dictionaries are not used, because they depend on
the installation.
"""

import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from itertools import groupby
from typing import Final

from payments.domain.text import searched

# Increase this with each change to the result of `lexemes`, and add a migration that calls
# `refilling.refill`.
VERSION: Final = 1

_LONGEST: Final = 64  # characters: PostgreSQL refuses words of more than 2,046 bytes
_LONGEST_ADDRESS: Final = 254
_LONGEST_FOLDED: Final = 1_000  # a ligature of one character may become 18
MOST_WORDS: Final = 8
FEWEST_DIGITS: Final = 4

# Letters that Unicode does not decompose, and what people type instead of them.
_ALIKE: Final = str.maketrans(
    {
        "ø": "o",
        "ł": "l",
        "đ": "d",
        "ð": "d",
        "ħ": "h",
        "ŧ": "t",
        "ı": "i",
        "þ": "th",
        "æ": "ae",
        "œ": "oe",
        # Persian and Urdu forms of Arabic letters, and letters that look alike.
        "\u0671": "\u0627",
        "\u06a9": "\u0643",
        "\u0649": "\u064a",
        "\u06cc": "\u064a",
        "\u0629": "\u0647",
        "\u06c1": "\u0647",
        "\u06d5": "\u0647",
        "\N{ARABIC TATWEEL}": "",
        # Katakana become hiragana.
        **{chr(code): chr(code - 0x60) for code in range(0x30A1, 0x30F7)},
    }
)
# Scripts without spaces between words. Names in these scripts have no spaces between their parts.
_UNSPACED: Final = tuple(
    range(first, last + 1)
    for first, last in (
        (0x0E00, 0x0EFF),  # Thai, Lao
        (0x1000, 0x109F),  # Myanmar
        (0x1780, 0x17FF),  # Khmer
        (0x3005, 0x3007),
        (0x3041, 0x30FF),  # kana
        (0x31F0, 0x31FF),
        (0x3400, 0x4DBF),  # Han
        (0x4E00, 0x9FFF),
        (0xAC00, 0xD7AF),  # Hangul
        (0xF900, 0xFAFF),
        (0x20000, 0x3FFFF),
    )
)


def fold(text: str) -> str:
    """Return the text without case, accents and other differences of spelling."""
    spelled = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    # Vowel signs of Indic scripts are not accents: their combining class is 0.
    plain = "".join(each for each in spelled if not unicodedata.combining(each))
    return unicodedata.normalize("NFC", plain.translate(_ALIKE))[:_LONGEST_FOLDED]


def lexemes(*, name: str, email: str, phone: str) -> list[str]:
    """Return the words by which the customer is found, sorted and without repetitions."""
    found = {f"n:{word}" for word in _words(name)}
    if email:
        found.add(f"e:{fold(email)[:_LONGEST_ADDRESS]}")
    if phone:
        found.add(f"p:{_reversed_digits(phone)}")
    return sorted(found)


def vector(*, name: str, email: str, phone: str) -> str | None:
    """Return the text search vector that is stored with the customer, None if nothing is known."""
    return " ".join(map(_quoted, lexemes(name=name, email=email, phone=phone))) or None


def name_query(text: str) -> str | None:
    """Return the text search query for names that match each typed word, None if there is no word.

    A typed word matches the beginning of a word in a name. In a script without spaces, it matches
    anywhere in a name.
    """
    asked = []
    for chunk in fold(searched(text)).split():
        parts = [part for part, _ in _parts(chunk)][:MOST_WORDS]
        alternatives = [" & ".join(_begins("n", part) for part in parts)] if parts else []
        if len(parts) > 1:  # O'Connor is also OConnor
            alternatives.append(_begins("n", "".join(parts)))
        if alternatives:
            asked.append(f"({' | '.join(alternatives)})")
    return " & ".join(asked[:MOST_WORDS]) or None


def email_query(text: str) -> str:
    """Return the text search query for e-mail addresses that begin with the text."""
    return _begins("e", fold(searched(text)), longest=_LONGEST_ADDRESS)


def phone_query(digits: str) -> str:
    """Return the text search query for telephone numbers that end with the digits."""
    return _begins("p", _reversed_digits(digits))


def _words(text: str) -> Iterator[str]:
    for chunk in fold(searched(text)).split():
        parts = list(_parts(chunk))
        # Words continue across punctuation, so that Moretti-O'Connor is found by each part and by
        # OConnor.
        letters = "".join(part for part, _ in parts)
        begin = 0
        for part, is_unspaced in parts:
            end = begin + len(part)
            for start in range(begin, end) if is_unspaced else (begin,):
                yield letters[start : start + _LONGEST]
            begin = end


def _parts(chunk: str) -> Iterator[tuple[str, bool]]:
    """Yield the words of a text without spaces, and whether their script is written without spaces."""
    for is_unspaced, characters in groupby(chunk, key=_is_unspaced):
        if is_unspaced is not None:
            yield "".join(characters), is_unspaced


@lru_cache(maxsize=4096)
def _is_unspaced(character: str) -> bool | None:
    """Return whether the letter belongs to a script without spaces, None for punctuation and symbols."""
    if unicodedata.category(character)[0] not in "LMN":
        return None
    return any(ord(character) in each for each in _UNSPACED)


def _begins(kind: str, beginning: str, *, longest: int = _LONGEST) -> str:
    return f"{_quoted(f'{kind}:{beginning[:longest]}')}:*"


def _quoted(word: str) -> str:
    return "'" + word.replace("\\", "\\\\").replace("'", "''") + "'"


def _reversed_digits(text: str) -> str:
    return "".join(filter(str.isdigit, reversed(text)))
