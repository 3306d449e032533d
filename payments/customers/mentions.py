"""Finding a customer in texts, by the words that it is known by."""

import re
from collections.abc import Iterable
from typing import Final

# Shorter ones would be found in texts that are about something else; so would a number of few digits,
# which is an amount or a year as well.
_SHORTEST: Final = 4
_SHORTEST_NUMBER: Final = 6

_TELEPHONE: Final = re.compile(r"\+\d+")
_SEPARATORS: Final = r"[ ()./-]{0,3}"


def is_telling(word: str) -> bool:
    """Whether the word alone, in a text about anything, means the customer."""
    return len(word) >= (_SHORTEST_NUMBER if word.isdecimal() else _SHORTEST)


def pattern_of(words: Iterable[str]) -> re.Pattern[str]:
    """Finds any of the words as a whole: customer-12 is not in customer-123. Without words, nothing."""
    any_of = "|".join(map(_spellings, sorted(words))) or r"(?!)"
    return re.compile(rf"(?<![\w-])(?:{any_of})(?![\w-])", re.IGNORECASE)


def _spellings(word: str) -> str:
    """As people write it: over the end of a line, and a telephone number in groups."""
    if _TELEPHONE.fullmatch(word):
        return r"\+" + _SEPARATORS.join(word.removeprefix("+"))
    return r"\s+".join(map(re.escape, word.split()))
