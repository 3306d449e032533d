"""What free text may hold: characters that people can read, never a card number."""

import re
from collections.abc import Iterator
from typing import Final

# Digits in groups, as people write a card's number: up to three separators between groups. A comma and a
# blank are between numbers, not within one.
_GROUPS: Final = re.compile(r"\d+(?:(?!, )[ .,:*|()+\-_/\u2010-\u2015]{1,3}\d+)*")
_GROUP: Final = re.compile(r"\d+")
# One random id in 1,700 would have the digits of a card by chance. One without a letter is still looked at:
# chance makes none in millions, people might.
_UUID: Final = re.compile(
    r"\b[\da-f]{8}(?:-?[\da-f]{4}){3}-?[\da-f]{12}\b", re.ASCII | re.IGNORECASE
)
_SHORTEST, _LONGEST = 13, 19  # digits of a card number, by ISO/IEC 7812
# What the schemes issue. The first digits and lengths matter: without them one order number in ten
# that begins with a date would pass for a card.
_CARD: Final = re.compile(
    r"""4\d{12}(?:\d{3}){0,2}                                             # Visa
      | (?:5[1-5]\d\d | 222[1-9] | 22[3-9]\d | 2[3-6]\d\d | 27[01]\d | 2720)\d{12}  # Mastercard
      | 220[0-4]\d{12,15}                                                 # Mir
      | 3[47]\d{13}                                                      # American Express
      | 3(?:0[0-5] | [689]\d)\d{11,16}                                   # Diners Club
      | 35(?:2[89] | [3-8]\d)\d{12,15}                                   # JCB
      | (?:5[06-8] | 6\d)\d{11,17}                                       # Maestro, Discover, UnionPay
    """,
    re.VERBOSE | re.ASCII,
)


class TextError(ValueError):
    """Text that is not stored.

    `code` is stable, the message is for people and never repeats the text.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def checked_text(value: str, *, max_length: int, multiline: bool = False) -> str:
    """Return `value` if it may be stored. Raises TextError."""
    if len(value) > max_length:
        raise TextError("text_too_long", f"The text must have at most {max_length} characters.")
    if not value.strip():
        raise TextError("text_empty", "The text must not be empty.")
    # isprintable() is false for control characters, NUL and lone surrogates, which jsonb refuses.
    readable = value.translate({10: " ", 13: " ", 9: " "}) if multiline else value
    if not readable.isprintable():
        raise TextError("text_not_printable", "The text holds a character that cannot be printed.")
    if holds_card_number(readable):
        raise TextError(
            "card_number_refused",
            "The text looks as if it held a card number. Send a token instead.",
        )
    return value


def holds_card_number(text: str) -> bool:
    """Whether digits in `text` have a card number's prefix, length and check digit.

    UUIDs with a letter have none. The digits are one group or several that follow each other: what
    comes before or after them, such as an expiry date, does not hide them.
    """
    text = _UUID.sub(_without_id, text)
    if len(text) < _SHORTEST:
        return False
    return any(
        _CARD.fullmatch(digits.lstrip("0")) is not None and _has_check_digit(digits)
        for groups in _GROUPS.findall(text)
        for digits in _neighbours(_GROUP.findall(groups))
    )


def _without_id(uuid: re.Match[str]) -> str:
    return uuid[0] if uuid[0].replace("-", "").isdigit() else "id"


def _neighbours(groups: list[str]) -> Iterator[str]:
    """Yield the digits of every few groups that follow each other, in ASCII."""
    for first in range(len(groups)):
        digits = ""
        for group in groups[first:]:
            digits += "".join(str(int(digit)) for digit in group[: _LONGEST + 1])
            if len(digits) > _LONGEST:
                break
            if len(digits) >= _SHORTEST:
                yield digits


def _has_check_digit(digits: str) -> bool:
    # The Luhn check of ISO/IEC 7812-1, annex B.
    values = [int(digit) for digit in digits]
    doubled = (sum(divmod(2 * value, 10)) for value in values[-2::-2])
    return (sum(values[-1::-2]) + sum(doubled)) % 10 == 0
