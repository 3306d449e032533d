"""Mask customers' personal data.

Readers can recognize a person whom they know, but not identify another one. Masked texts keep their
first characters, telephone numbers their last digits. In names and e-mail addresses, the number of
stars shows the length of a part, up to eight.
"""

from typing import Final

MASK: Final = "*"
_MOST_STARS: Final = 8
_SHOWN_DIGITS: Final = 2
_SHOWN_OF_REFERENCE: Final = 2


def name(text: str) -> str:
    """Return the first letter of each part: "J*** D**" for "John Doe"."""
    return " ".join(_part(part) for part in text.split())


def email(text: str) -> str:
    """Return the first letter and the domain: "j***@example.com"."""
    local, at, domain = text.rpartition("@")
    return f"{_part(local)}{at}{domain}" if at else _part(text)


def phone(text: str) -> str:
    """Return the last two digits: "***89"."""
    digits = [each for each in text if each.isdecimal()]
    return MASK * 3 + "".join(digits[-_SHOWN_DIGITS:]) if digits else ""


def reference(text: str) -> str:
    """Return the first two characters: "cu***". At most half of a short text is shown."""
    return text[: min(_SHOWN_OF_REFERENCE, len(text) // 2)] + MASK * 3 if text else ""


def _part(text: str) -> str:
    """Return the first character. A text of one character is masked as a whole."""
    if len(text) <= 1:
        return MASK * len(text)
    return text[0] + MASK * min(len(text) - 1, _MOST_STARS)
