"""Check texts, by kind, and write times as text.

Every entry point (API, forms, commands, imports, searches) applies these rules to texts.

All kinds are stored in Unicode's normalization form C (NFC), with plain spaces only. Characters
without a meaning of their own are removed: soft hyphen, zero-width space, word joiner, byte order
mark. Joiners, variation selectors and emoji sequences are kept. Refused in all kinds are:

* control characters, lone surrogates, private-use characters and noncharacters
* characters that reverse or hide text: bidi embeddings, overrides and isolates, annotations, and
  tags outside the emoji of a flag
* card numbers
* text without a visible character

If a character is refused, the message names it and its position in the input. The kinds differ:

* Identifiers (customer ids, references, tokens, device ids), `checked_identifier`: one line, from
  which directional marks are removed. Outer blanks are refused, because identifiers that differ
  only in them look alike. Imports and searches, where people paste, remove outer blanks first.
* Names, reasons and other lines, `checked_text`: one line, from which directional marks and outer
  blanks are removed.
* Notes, `checked_text(multiline=True)`: several lines with tabs and directional marks. Outer blanks
  are removed.
* Searches, `searched`: like identifiers. Refused characters are removed, as stored text has none.

A code point that this Python's Unicode does not know may be a new emoji. It is refused only if Unicode
reserves it to be invisible.
"""

import re
import unicodedata
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated, Final, overload

from msgspec import Meta

from payments.domain.card_numbers import holds_card_number, is_card_number, token_holds_card_number

_SPACES: Final = dict.fromkeys((0xA0, 0x1680, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000), " ")
_DROPPED: Final = dict.fromkeys((0xAD, 0x200B, 0x2060, 0xFEFF, *range(0x2061, 0x2065)))
_DIRECTIONAL_MARKS: Final = dict.fromkeys((0x200E, 0x200F, 0x61C))
_SEPARATED: Final = {0x2028: " ", 0x2029: " "}  # line and paragraph separators
_ONE_LINE: Final = _SPACES | _DROPPED | _DIRECTIONAL_MARKS | _SEPARATED
_LINES: Final = _SPACES | _DROPPED | {0x2028: "\n", 0x2029: "\n"}

# Bidi embeddings, overrides and isolates; deprecated formatting; annotations; reserved invisible ones.
_MISLEADING: Final = re.compile(
    "[\u202a-\u202e\u2065-\u206f\ufff0-\ufffb\U000e0000-\U000e00ff\U000e01f0-\U000e0fff]"
)
# The flags of England, Scotland and Wales: a black flag, the region's letters as tags, an end tag.
_FLAG: Final = re.compile("\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{1,6}\U000e007f")
_REFUSED_CATEGORIES: Final = {"Cc", "Cs", "Co"}
_PLANES: Final = range(0, 0x110000, 0x10000)
_NONCHARACTER: Final = re.compile(
    f"[\ufdd0-\ufdef{''.join(chr(plane + last) for plane in _PLANES for last in (0xFFFE, 0xFFFF))}]"
)
_LONGEST_SPELLING: Final = 4  # code points that NFC may join to one character
_LONGEST_SEARCH: Final = 1_000  # characters: far more than any stored identifier or name has
# Letters and symbols without a visible glyph.
_INKLESS: Final = frozenset("\u115f\u1160\u2800\u3164\uffa0")


class TextError(ValueError):
    """The text is refused.

    `code` is stable, the message is for people and never repeats the text.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def checked_identifier(
    value: str, *, max_length: int, pasted: bool = False, token: bool = False
) -> str:
    """Return the identifier as it is stored and compared. Raises TextError."""
    if not (value.isascii() and value.isprintable()):
        _refuse_length(value, max_length)
        _refuse_characters(value)
        value = _normal(value, _ONE_LINE)
    if pasted:
        value = value.strip()
    elif value.strip() not in {"", value}:
        raise TextError(
            "text_has_outer_blanks", "It begins or ends with a blank. Send it without outer blanks."
        )
    _check_length(value, max_length)
    if token_holds_card_number(value) if token else is_card_number(value):
        raise TextError(
            "card_number_refused",
            "It looks like a card number, which is never stored. Send another id of yours.",
        )
    return value


def checked_text(value: str, *, max_length: int, multiline: bool = False) -> str:
    """Return a name, a reason or (with `multiline`) a note as it is stored. Raises TextError."""
    if not (value.isascii() and value.isprintable()):
        _refuse_length(value, max_length)
        _refuse_characters(value, multiline=multiline)
        value = value.replace("\r\n", "\n").replace("\r", "\n")
        value = _normal(value, _LINES if multiline else _ONE_LINE)
    value = value.strip()
    _check_length(value, max_length)
    if holds_card_number(value):
        raise TextError(
            "card_number_refused",
            "The text seems to contain a card number. Leave it out: the last four digits are enough.",
        )
    return value


def searched(value: str) -> str:
    """Return a search term, as typed or pasted, in the spelling of stored identifiers and names."""
    value = value[:_LONGEST_SEARCH]
    if not (value.isascii() and value.isprintable()):
        refused = {character for _, character in _refused(value, multiline=True)}
        value = _normal("".join(each for each in value if each not in refused), _ONE_LINE)
    return " ".join(value.splitlines()).replace("\t", " ").strip()


def _normal(value: str, replaced: dict[int, str | None]) -> str:
    return unicodedata.normalize("NFC", value.translate(replaced))


def _refuse_length(value: str, max_length: int) -> None:
    # Checked first, because normalizing a text that is far too long takes long.
    if len(value) > _LONGEST_SPELLING * max_length:
        _check_length(value, max_length)


def _check_length(value: str, max_length: int) -> None:
    if len(value) > max_length:
        raise TextError("text_too_long", f"The text must have at most {max_length} characters.")
    if not value.strip() or not (value.isascii() or any(map(_has_ink, value))):
        raise TextError("text_empty", "The text must not be empty.")


def _has_ink(character: str) -> bool:
    return unicodedata.category(character)[0] in "LNPS" and character not in _INKLESS


def _refuse_characters(value: str, *, multiline: bool = False) -> None:
    for place, character in _refused(value, multiline=multiline):
        name = unicodedata.name(character, "")
        raise TextError(
            "text_not_printable",
            f"It has the character U+{ord(character):04X}{f' {name}' if name else ''} at position"
            f" {place + 1}, which is not accepted. Remove it.",
        )


def _refused(value: str, *, multiline: bool) -> Iterator[tuple[int, str]]:
    """Yield the index and the character for each character that is refused."""
    # Line ends and tabs around a text are removed with its outer blanks.
    begin, end = len(value) - len(value.lstrip()), len(value.rstrip())
    flags = {place for found in _FLAG.finditer(value) for place in range(*found.span())}
    for place, character in enumerate(value):
        if not _is_refused(character) or place in flags:
            continue
        if character in "\n\r\t" and (multiline or not begin <= place < end):
            continue
        yield place, character


@lru_cache(maxsize=1024)
def _is_refused(character: str) -> bool:
    category = unicodedata.category(character)
    return (
        category in _REFUSED_CATEGORIES
        or _MISLEADING.match(character) is not None
        # Other unassigned code points may be characters of a newer Unicode.
        or (category == "Cn" and _NONCHARACTER.match(character) is not None)
    )


# A str, because msgspec omits the fraction of a datetime if it is zero. For example:
# 2026-11-23T12:00:00.000000Z.
Moment = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]


@overload
def rfc3339(at: datetime) -> str: ...
@overload
def rfc3339(at: None) -> None: ...
def rfc3339(at: datetime | None) -> str | None:
    """Return the time in UTC in the form of RFC 3339, always with microseconds."""
    if at is None:
        return None
    return f"{at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='microseconds')}Z"
