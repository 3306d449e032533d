"""What free text may hold: characters that people can read, never a card number."""

import re
from typing import Final

# 13 to 19 digits, as ISO/IEC 7812 allows, perhaps grouped by single spaces or hyphens.
_DIGIT_RUN: Final = re.compile(r"(?<!\d)\d(?:[ \-]?\d){12,18}(?!\d)")
# First digits that card schemes use: 2 and 5 Mastercard, 3 Amex, JCB and Diners, 4 Visa, 6 others.
_SCHEME_DIGITS: Final = frozenset({2, 3, 4, 5, 6})


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
    """Whether a run of digits in `text` has a card number's prefix, length and check digit."""
    return any(
        _is_card_number([int(c) for c in run if c.isdecimal()]) for run in _DIGIT_RUN.findall(text)
    )


def _is_card_number(digits: list[int]) -> bool:
    # The Luhn check of ISO/IEC 7812-1, annex B.
    doubled = (sum(divmod(2 * digit, 10)) for digit in digits[-2::-2])
    return digits[0] in _SCHEME_DIGITS and (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0
