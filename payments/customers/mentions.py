"""Find mentions of a customer in texts, by its name, reference, e-mail address and telephone number.

Texts and identifiers are folded before they are compared. Folding ignores width, case (ß is ss,
dotless i is i), and variants of apostrophes and dashes. It turns underscores into spaces. It drops
characters without a width, and Arabic and Hebrew points. It unites the Arabic and Persian forms of
one letter. It drops Greek accents, which capitals do not have, but keeps other accents.

An identifier must be a separate word only in scripts that separate words with spaces. In Han, Kana,
Hangul, Thai and others, letters may follow without a space. Arabic and Hebrew words may have
prefixes. A hyphen may follow a name. A false match costs a note, but a missed match breaks the
promise to erase.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Final

import phonenumbers

# Shorter identifiers occur in unrelated texts, and short numbers are also amounts or years. A character of
# Han, Kana or Hangul counts twice.
_SHORTEST: Final = 4
_SHORTEST_NUMBER: Final = 6

_NO_DIGITS: Final = re.compile(r"\D+")
_LONGEST_BORDER: Final = 6  # characters, the longest lookbehind before a word
_TELEPHONE: Final = re.compile(r"\+\d+")
_PARTS: Final = re.compile(r"[\s・]+")
_BETWEEN_DIGITS: Final = r"[\s()./·–-]{0,3}"
_BETWEEN_NAMES: Final = r"[\s.·・/+-]{1,3}"

_HAN_KANA_HANGUL: Final = (
    "\u1100-\u11ff\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3031-\u3035\u3038-\u303b\u3040-\u30ff"
    "\u3100-\u318f\u31a0-\u31bf\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97f\uac00-\ud7ff"
    "\uf900-\ufaff\U0001aff0-\U0001b16f\U00020000-\U0003ffff"
)
# Thai, Lao, Tibetan, Burmese, Khmer, Tai, Balinese, Javanese, Cham, Yi.
_OTHERS_WITHOUT_SPACES: Final = (
    "\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u1950-\u19ff\u1a20-\u1aaf\u1b00-\u1b7f\ua000-\ua4cf"
    "\ua980-\ua9ff\uaa00-\uaa7f"
)
_TOUCHING: Final = re.compile(f"[{_HAN_KANA_HANGUL}{_OTHERS_WITHOUT_SPACES}]")
_WIDE: Final = re.compile(f"[{_HAN_KANA_HANGUL}]")
_LETTER: Final = rf"[^\W{_HAN_KANA_HANGUL}{_OTHERS_WITHOUT_SPACES}]"  # of other scripts, or a digit
# Particles that are written together with the next word, such as "and", "in" and "the".
_ARABIC: Final = re.compile("[\u0620-\u06ff\u0750-\u077f]")
_ARABIC_PREFIX: Final = "[وفبكلسا]{0,4}"
_HEBREW: Final = re.compile("[\u05d0-\u05ea]")
_HEBREW_PREFIX: Final = "[ובכלמהש]{0,4}"

_FOLDED: Final = {
    **dict.fromkeys(map(ord, "‘’‚‛ʹʻʼʽˈ´`＇′"), "'"),
    **dict.fromkeys((0x2010, 0x2011, 0x2043), "-"),
    # Dashes, unlike hyphens, end a word.
    **dict.fromkeys((0x2012, 0x2014, 0x2015, 0x2212), "–"),
    ord("ı"): "i",
    ord("İ"): "i",
    ord("_"): " ",
    # Arabic and Persian keyboards differ in yeh and kaf. A hamza on or under alef is often omitted.
    **dict(zip(map(ord, "يىكةأإآٱ"), "ییکهاااا", strict=True)),
    **dict(zip(map(ord, "άέήίϊΐόύϋΰώ"), "αεηιιιουυυω", strict=True)),
    # Tatweel, vowel signs and points of Arabic, then of Hebrew.
    **dict.fromkeys((0x640, 0x670, *range(0x64B, 0x660), *range(0x610, 0x61B))),
    **dict.fromkeys((*range(0x591, 0x5BE), 0x5BF, 0x5C1, 0x5C2, 0x5C4, 0x5C5, 0x5C7)),
    # Format characters and variation selectors, which have no width.
    **dict.fromkeys((0xAD, 0x34F, 0x61C, 0x180E, 0xFEFF, *range(0x200B, 0x2010))),
    **dict.fromkeys((*range(0x202A, 0x202F), *range(0x2060, 0x2070), *range(0xFE00, 0xFE10))),
}
_FOLDABLE: Final = re.compile(f"[{''.join(map(re.escape, map(chr, _FOLDED)))}]")
_SUPPLEMENTARY: Final = re.compile("[\U000e0000-\U000e01ff]")  # more variation selectors, and tags
_OTHER_DIGITS: Final = re.compile(r"[^\D0-9]")
_DOTTED: Final = "i\u0307"  # the lower case of İ

Mentions = Callable[[str], bool]


def is_distinctive(word: str) -> bool:
    """Return whether the identifier is long enough to be searched for in arbitrary texts."""
    word = _PARTS.sub(" ", fold(word)).strip()
    return len(word) + len(_WIDE.findall(word)) >= (
        _SHORTEST_NUMBER if word.isdecimal() else _SHORTEST
    )


def finder(identifiers: Iterable[str]) -> Mentions:
    """Return a function that returns whether a text mentions any of the identifiers.

    customer-12 does not match customer-123.
    """
    finders = [
        _finder(each.strip()) for each in sorted(map(fold, identifiers)) if _PARTS.sub("", each)
    ]

    def mentioned(text: str) -> bool:
        folded = fold(text)
        return any(find(folded) for find in finders)

    return mentioned


def fold(text: str) -> str:
    """Return the folded text, the form in which texts are compared."""
    if text.isascii():
        return text.lower().replace("_", " ").replace("`", "'")
    # Replace characters before NFKC, which would turn some apostrophes into a space and an accent.
    text = unicodedata.normalize("NFKC", _replaced(text)).casefold()
    text = unicodedata.normalize("NFC", text.replace(_DOTTED, "i"))
    return _SUPPLEMENTARY.sub("", _OTHER_DIGITS.sub(_decimal, _replaced(text)))


def _replaced(text: str) -> str:
    return text.translate(_FOLDED) if _FOLDABLE.search(text) else text


def _decimal(found: re.Match[str]) -> str:
    return str(unicodedata.decimal(found[0]))


def _finder(word: str) -> Mentions:
    """Return a finder for a folded identifier in folded texts, with the word borders of its script."""
    if (number := _telephone(word)) is not None:
        return _telephone_finder(number)
    # A hyphen may join a name to another name. An id that is followed by a hyphen is part of
    # another, longer id.
    more = " " not in word or any(map(str.isdecimal, word))
    before = after = ""
    if not _TOUCHING.match(word[0]):
        before = f"(?<!{_LETTER})" + (f"(?<!{_LETTER}-)" if more else "")
        if _ARABIC.match(word[0]):
            before += _ARABIC_PREFIX
        elif _HEBREW.match(word[0]):
            before += _HEBREW_PREFIX
    if not _TOUCHING.match(word[-1]):
        after = f"(?!{'-?' if more else ''}{_LETTER})"
    # The border before the word is a separate pattern, because a pattern that begins with a literal
    # is ten times as fast.
    spelled, border = re.compile(_spellings(word) + after), re.compile(rf"{before}\Z")

    def find(text: str) -> bool:
        return any(
            border.search(text[max(0, found.start() - _LONGEST_BORDER) : found.start()])
            for found in spelled.finditer(text)
        )

    return find


def _telephone_finder(number: phonenumbers.PhoneNumber) -> Mentions:
    """Return a finder for the number in any grouping, in its international and national forms.

    A number that is short within its country is found in its international form only.
    """
    code = str(number.country_code)
    national = phonenumbers.national_significant_number(number)
    region = phonenumbers.region_code_for_country_code(number.country_code or 0)
    trunk = phonenumbers.ndd_prefix_for_region(region, strip_non_digits=True) or ""
    optional = "" if len(national) < _SHORTEST_NUMBER else "?"
    international = rf"(?:(?:00|011)?{_BETWEEN_DIGITS}{_grouped(code)}{_BETWEEN_DIGITS}){optional}"
    spelled = re.compile(
        rf"(?<!\d){international}(?:{trunk}{_BETWEEN_DIGITS})?{_grouped(national)}(?!\d)"
    )

    def find(text: str) -> bool:
        return national in _NO_DIGITS.sub("", text) and spelled.search(text) is not None

    return find


def _grouped(digits: str) -> str:
    return _BETWEEN_DIGITS.join(digits)


def _telephone(word: str) -> phonenumbers.PhoneNumber | None:
    if _TELEPHONE.fullmatch(word):
        with suppress(phonenumbers.NumberParseException):
            return phonenumbers.parse(word)
    return None


def _spellings(word: str) -> str:
    """Return a pattern for the identifier's spellings, such as across lines or in file names."""
    parts = [_part(part) for part in _PARTS.split(word) if part]
    between = r"[\s.·・-]{0,3}" if _TOUCHING.search(word) else _BETWEEN_NAMES
    return between.join(parts)


def _part(part: str) -> str:
    between = r"\s?" if _WIDE.search(part) else ""
    return between.join(r"[\s–-]{1,3}" if each in "-–" else re.escape(each) for each in part)
