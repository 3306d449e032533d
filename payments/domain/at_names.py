"""Names of staff that a note mentions, such as @rita."""

import re
import unicodedata
from typing import Final

# A name has the characters of user names. An @ that follows such a character or a slash is part of
# an e-mail address or a URL.
_AT_NAME: Final = re.compile(r"(?<![\w.@/+-])@([\w.+-]+(?:@[\w.+-]+)?)")
_PUNCTUATION: Final = ".+-"
MOST: Final = 20


def at_names(text: str) -> tuple[str, ...]:
    """Return at most MOST distinct names that follow an @ in the text. Ignores e-mail addresses."""
    found = (name.rstrip(_PUNCTUATION) for name in _AT_NAME.findall(text))
    return tuple(dict.fromkeys(filter(None, found)))[:MOST]


def folded(name: str) -> str:
    """Return the name in the form in which names are compared."""
    return unicodedata.normalize("NFKC", name).casefold()
