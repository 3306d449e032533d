"""Finding a customer in texts, by the words that it is known by."""

import re
import unicodedata
from collections.abc import Callable, Iterable
from typing import Final

# Shorter ones would be found in texts that are about something else; so would a number of few digits,
# which is an amount or a year as well.
_SHORTEST: Final = 4
_SHORTEST_NUMBER: Final = 6

_TELEPHONE: Final = re.compile(r"\+\d+")
# Also what typesetting makes of a space and a hyphen, and the zero that is dialled within the country.
_SEPARATORS: Final = r"(?:[\s()./\u2010-\u2015-]|\(0\)){0,3}"

Mentions = Callable[[str], bool]


def is_telling(word: str) -> bool:
    """Whether the word alone, in a text about anything, means the customer."""
    return len(word) >= (_SHORTEST_NUMBER if word.isdecimal() else _SHORTEST)


def finder(words: Iterable[str]) -> Mentions:
    """Finds any of the words as a whole: customer-12 is not in customer-123. Without words, nothing."""
    any_of = "|".join(_spellings(_composed(word)) for word in sorted(words)) or r"(?!)"
    pattern = re.compile(rf"(?<![\w-])(?:{any_of})(?![\w-])", re.IGNORECASE)
    return lambda text: pattern.search(_composed(text)) is not None


def _composed(text: str) -> str:
    """An accent may be a character of its own, or not."""
    return unicodedata.normalize("NFC", text)


def _spellings(word: str) -> str:
    """As people write it: over the end of a line, and a telephone number in groups."""
    if _TELEPHONE.fullmatch(word):
        return r"\+" + _SEPARATORS.join(word.removeprefix("+"))
    return r"\s+".join(map(re.escape, word.split()))
