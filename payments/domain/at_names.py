"""Names of staff that a note mentions, such as @rita."""

import re
import unicodedata
from typing import Final

# The characters of user names. Before the @, they make an e-mail address or the path of an address.
_AT_NAME: Final = re.compile(r"(?<![\w.@/+-])@([\w.+-]+(?:@[\w.+-]+)?)")
_PUNCTUATION: Final = ".+-"
MOST: Final = 20


def at_names(text: str) -> tuple[str, ...]:
    """Return the first names after an @ in the text, without repetition and without e-mail addresses."""
    found = (name.rstrip(_PUNCTUATION) for name in _AT_NAME.findall(text))
    return tuple(dict.fromkeys(filter(None, found)))[:MOST]


def folded(name: str) -> str:
    """Return the name in the form in which names are compared."""
    return unicodedata.normalize("NFKC", name).casefold()
