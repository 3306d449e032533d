"""Recognize card numbers (PANs), which are never stored.

There are two rules, because texts and identifiers differ:

* Free text (names, notes, reasons): consecutive digits, in any grouping, with the prefix, the length and
  the check digit of a card. IBANs, telephone numbers, UUIDs and hex digests are not cards.
  An IBAN is recognized by structure and mod 97, a telephone number by the metadata of `phonenumbers`.
* Identifiers (customer ids, references, idempotency keys): 15 or 16 digits that one of the big schemes
  could have issued, alone or as a separate group (card-4111111111111111, or four groups of four).
  One in 43 random ids of 16 digits is refused, and one in 500 of 15 digits. Digits next to letters and
  numbers of other lengths are accepted. In a card's token, letters may be next to the digits.
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from string import ascii_letters
from typing import Final

import phonenumbers
from msgspec import Struct
from stdnum import iban

_SHORTEST, _LONGEST = 14, 19  # digits; 13-digit Visa numbers are no longer issued
# Prefixes and lengths are checked too, because one number in ten passes the check digit by chance.
_VISA_16: Final = r"4\d{15}"
_MASTERCARD: Final = r"(?:5[1-5]\d\d|222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)\d{12}"
_AMERICAN_EXPRESS: Final = r"3[47]\d{13}"
_DISCOVER_16: Final = r"(?:6011|64[4-9]\d|65\d\d)\d{12}"
_JCB_16: Final = r"35(?:2[89]|[3-8]\d)\d{12}"
_UNIONPAY_16: Final = r"62\d{14}"
_CARD_IN_TEXT: Final = re.compile(
    "|".join(
        (
            _VISA_16 + r"(?:\d{3})?",
            _MASTERCARD,
            _AMERICAN_EXPRESS,
            _JCB_16 + r"\d{0,3}",
            r"3(?:0[0-5]\d|095|[689]\d\d)\d{10}(?:\d{2,5})?",  # Diners Club
            r"220[0-4]\d{12,15}",  # Mir
            r"(?:5[06-8]|6\d|81)\d{14,17}",  # Maestro, Discover, UnionPay, RuPay
        )
    ),
    re.ASCII,
)
_CARD_AS_IDENTIFIER: Final = re.compile(
    f"{_VISA_16}|{_MASTERCARD}|{_AMERICAN_EXPRESS}|{_DISCOVER_16}|{_JCB_16}|{_UNIONPAY_16}",
    re.ASCII,
)
# A group of digits within an identifier, as in card-4111111111111111. No letter or digit may be next to it.
# No other group of digits may be next to a card number that is written in several groups.
_CARD_IN_IDENTIFIER: Final = re.compile(
    r"(?<![^\W_])\d{15,16}(?![^\W_])"
    r"|(?<![^\W_])(?<!\d[\W_])(?:\d{4}([\W_])\d{4}\1\d{4}\1\d{4}|\d{4}([\W_])\d{6}\2\d{5})(?![\W_]?\d|[^\W_])"
)
_LETTERS: Final = re.compile(r"[^\W\d_]+")
_WORDS: Final = re.compile(r"\b[^\W\d_]+[\s:=#()]+|[\s:=#()]+[^\W\d_]+\b")
_SHORTEST_AS_IDENTIFIER: Final = 15

_MANY_DIGITS: Final = re.compile(r"\d(?:\D{0,12}\d){13}")
# Digits in groups, as people write them: up to four separators of any kind between groups. A comma, a
# semicolon or a colon before a blank separates two numbers.
_GROUPS: Final = re.compile(r"\d+(?:(?![,;:] )[\W_]{1,4}\d+)*")
_GROUP: Final = re.compile(r"\d+")
_NOT_DIGITS: Final = re.compile(r"\D+")
_BLANKS: Final = re.compile(r"[^\S\n]+")
_LINE_END: Final = re.compile(r" ?[\n\u2028\u2029] ?")
_NO_WIDTH: Final = "\0"
_BETWEEN_DIGITS: Final = re.compile(r"(?<=\d)\0+(?=\d)")
_HALF: Final = 8
_PAIR, _SHORT, _LONG = 2, range(1, 4), range(13, 16)
_PRINTED: Final = {(4, 6, 5), (4, 6, 4), (6, 13)}
_DATE: Final = re.compile(
    r"(?<![\d-])(?:19|20)\d\d-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])(?![\d-])"
    r"|(?<![\d./])(?:0?[1-9]|[12]\d|3[01])([./])(?:0?[1-9]|1[0-2])\1(?:19|20)\d\d(?![\d./])",
    re.ASCII,
)
# Ids are ignored, because one random UUID in 1,700 and one SHA-256 in 970 holds the digits of a
# card. An id without letters is still examined: it hardly ever occurs at random, but people could
# type it.
_HEX_ID: Final = re.compile(
    r"\b(?:[\da-f]{8}(?:-?[\da-f]{4}){3}-?[\da-f]{12}|[\da-f]{40}|[\da-f]{64}|[\da-f]{128})\b",
    re.ASCII | re.IGNORECASE,
)
_IBAN_START: Final = re.compile(
    r"(?:(?<![A-Z\d])|(?<=\bIBAN))[A-Z]{2} ?\d\d", re.ASCII | re.IGNORECASE
)
_IBAN_REST: Final = re.compile(r"[ .-]?[A-Z\d]+", re.ASCII | re.IGNORECASE)
_SHORTEST_IBAN, _LONGEST_IBAN = 15, 34
_LETTER_VALUES: Final = str.maketrans({letter: str(int(letter, 36)) for letter in ascii_letters})
_DOUBLED: Final = str.maketrans("0123456789", "0246813579")  # the digit sum of twice the digit
_SHORTEST_PHONE, _LONGEST_PHONE = 7, 15  # digits, the longest by ITU-T E.164
_IN_PHONE: Final = re.compile(r"[ ()./\-\u2010-\u2015]{1,3}")
_CALLED: Final = re.compile(r"\+\(?$")
# The regions whose national numbers are recognized. Such numbers begin with 0, card numbers do not.
_REGIONS: Final = (
    "DE", "AT", "ID", "FR", "GB", "CH", "IT", "NL", "BE", "SE", "AU", "JP", "KR", "IN", "TR", "ZA",
)  # fmt: skip
_ANOTHER: Final = 4  # digits that may precede or follow a telephone number
_UNMARKED: Final = 11  # digits; a group this long or longer may lack the plus of its country code
_MOST_PHONES: Final = 32  # examined per text, to bound the time


def holds_card_number(text: str) -> bool:
    """Return whether free text holds a card number, in any grouping and script."""
    if not text.isascii():
        text = _normalized(text)
    if len(text) < _SHORTEST or not _MANY_DIGITS.search(text):
        return False
    text = _HEX_ID.sub(_without_id, _LINE_END.sub("|", _BLANKS.sub(" ", text)))
    if not any(_cards(text)) and not any(_cards(_unprefixed(text))):
        return False
    text = _DATE.sub(_masked, _without_ibans(text))
    return any(_unexplained(each) for each in (text, _unprefixed(text)))


def is_card_number(identifier: str) -> bool:
    """Return whether an identifier is a card number of a big scheme, ignoring words around it."""
    if len(identifier) < _SHORTEST_AS_IDENTIFIER:
        return False
    groups = (found[0] for found in _CARD_IN_IDENTIFIER.finditer(identifier))
    return any(map(_is_bare_card, (*groups, *_WORDS.split(identifier))))


def token_holds_card_number(token: str) -> bool:
    """Return whether a token contains a card number of one of the big schemes."""
    return any(map(_is_bare_card, _LETTERS.split(token)))


def _is_bare_card(text: str) -> bool:
    if len(text) < _SHORTEST_AS_IDENTIFIER or _LETTERS.search(text):
        return False
    digits = "".join(_GROUP.findall(text if text.isascii() else _normalized(text)))
    return _CARD_AS_IDENTIFIER.fullmatch(digits) is not None and _has_check_digit(digits)


class _Candidate(Struct, frozen=True):
    """Groups of digits that may form a card number, as pairs of start and end."""

    groups: tuple[tuple[int, int], ...]

    @property
    def sizes(self) -> tuple[int, ...]:
        return tuple(end - start for start, end in self.groups)

    @property
    def is_two_numbers(self) -> bool:
        """Return whether the groups are a long number next to a short one."""
        sizes = self.sizes
        return len(sizes) == _PAIR and min(sizes) in _SHORT and max(sizes) in _LONG

    @property
    def looks_like_card(self) -> bool:
        """Return whether the digits are grouped like a card number.

        All groups except a shorter last one have one size, or the sizes are those printed on cards.
        """
        sizes = self.sizes
        alike = len(set(sizes[:-1])) <= 1 and sizes[-1] <= sizes[0] <= _HALF
        return alike or len(sizes) == 1 or sizes in _PRINTED


def _normalized(text: str) -> str:
    """Return the text with ASCII digits and spaces.

    Characters without a width are removed, except between digits, where they become separators.
    """
    text = "".join(map(_normalized_character, text))
    return _BETWEEN_DIGITS.sub("|", text).replace(_NO_WIDTH, "")


@lru_cache(maxsize=1024)
def _normalized_character(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Nd":
        return str(unicodedata.decimal(character))
    if category in {"Cf", "Mn", "Me", "Cn"}:
        return _NO_WIDTH
    if category == "Zs":
        return " "
    # A circled or superscript digit does not belong to the digits next to it.
    meant = unicodedata.normalize("NFKC", character)
    return f"{_NO_WIDTH}{meant}{_NO_WIDTH}" if meant != character else character


def _without_id(found: re.Match[str]) -> str:
    return found[0] if found[0].replace("-", "").isdigit() else _masked(found)


def _masked(found: re.Match[str]) -> str:
    return "x" * len(found[0])  # the same length keeps all other positions valid


def _unprefixed(text: str) -> str:
    """Mask possible beginnings of IBANs, which could hide a card number that follows."""
    return _IBAN_START.sub(_masked, text)


def _unexplained(text: str) -> bool:
    phones = _Phones(text)
    return not all(map(phones.explain, _cards(text)))


def _cards(text: str) -> Iterator[_Candidate]:
    for run in _GROUPS.finditer(text):
        groups = [each.span() for each in _GROUP.finditer(text, *run.span())]
        for first, (beginning, after) in enumerate(groups):
            if not text[beginning:after].strip("0"):
                continue  # a card does not begin with zeros, and skipping them bounds the time
            digits = ""
            for last in range(first, len(groups)):
                start, end = groups[last]
                digits = (digits + text[start:end]).lstrip("0")
                if len(digits) > _LONGEST:
                    break
                if _is_card(digits):
                    card = _Candidate(tuple(groups[first : last + 1]))
                    if not card.is_two_numbers:
                        yield card


def _is_card(digits: str) -> bool:
    return (
        len(digits) >= _SHORTEST
        and _CARD_IN_TEXT.fullmatch(digits) is not None
        and _has_check_digit(digits)
    )


def _has_check_digit(digits: str) -> bool:
    # The Luhn check of ISO/IEC 7812-1, annex B.
    return sum(map(int, digits[-1::-2] + digits[-2::-2].translate(_DOUBLED))) % 10 == 0


def _without_ibans(text: str) -> str:
    parts: list[str] = []
    done = 0
    for start in _IBAN_START.finditer(text):
        if start.start() < done:
            continue
        written, end = start[0].replace(" ", ""), start.end()
        while len(written) <= _LONGEST_IBAN and (part := _IBAN_REST.match(text, end)):
            written, end = written + part[0].lstrip(" .-"), part.end()
            if _has_iban_check(written) and iban.is_valid(written, check_country=False):
                parts += (text[done : start.start()], "x" * (end - start.start()))
                done = end
                break
    return "".join((*parts, text[done:]))


def _has_iban_check(written: str) -> bool:
    """Return whether the check digits are right, which is a faster check than `iban.is_valid`."""
    if len(written) < _SHORTEST_IBAN:
        return False
    return int((written[4:] + written[:4]).translate(_LETTER_VALUES)) % 97 == 1


class _Phone(Struct, frozen=True):
    """A valid telephone number and its place in the text."""

    begin: int
    end: int
    # An international number, with the country code as a separate group or all digits in one group.
    international: bool


class _Phones:
    """The telephone numbers of a text, parsed only where digits might be a card number."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._runs = [
            [each.span() for each in _GROUP.finditer(text, *run.span())]
            for run in _GROUPS.finditer(text)
        ]
        self._known: dict[int, list[_Phone]] = {}

    def explain(self, card: _Candidate) -> bool:
        """Return whether the digits of `card` belong to telephone numbers.

        If they are grouped like a card number, they must belong to several telephone numbers with a
        distinct separator between them.
        """
        start, end = card.groups[0][0], card.groups[-1][1]
        groups = next(run for run in self._runs if run[0][0] <= start <= run[-1][1])
        phones = [
            phone
            for begin, _ in groups
            if begin < end
            for phone in self._from(begin, groups)
            if phone.end > start
        ]
        if any(self._begins_anew(phone) for phone in phones if phone.begin > start):
            return True
        if not card.looks_like_card and any(
            phone.international or self._overlap(phone, card) >= sum(card.sizes) - _ANOTHER
            for phone in phones
        ):
            return True
        return any(
            self._reaches(phone, end, groups, alike=card.looks_like_card)
            for phone in phones
            if phone.begin <= start and phone.end < end
        )

    def _begins_anew(self, phone: _Phone) -> bool:
        return phone.international and self._text.endswith((" +", "(+"), 0, phone.begin)

    def _overlap(self, phone: _Phone, card: _Candidate) -> int:
        return sum(
            end - start for start, end in card.groups if phone.begin <= start and end <= phone.end
        )

    def _reaches(
        self, phone: _Phone, end: int, groups: list[tuple[int, int]], *, alike: bool
    ) -> bool:
        """Return whether this number and the ones that directly follow it cover the text up to `end`."""
        if phone.end >= end:
            return True
        following = next(start for start, _ in groups if start >= phone.end)
        between = self._text[phone.end : following]
        if alike and between in _NOT_DIGITS.findall(self._text, phone.begin, phone.end):
            return False
        return any(
            self._reaches(each, end, groups, alike=alike) for each in self._from(following, groups)
        )

    def _from(self, begin: int, groups: list[tuple[int, int]]) -> list[_Phone]:
        if begin not in self._known:
            enough = len(self._known) >= _MOST_PHONES
            self._known[begin] = [] if enough else list(self._read(begin, groups))
        return self._known[begin]

    def _read(self, begin: int, groups: list[tuple[int, int]]) -> Iterator[_Phone]:
        """Yield the valid telephone numbers that begin with the group at `begin`."""
        text = self._text
        groups = [each for each in groups if each[0] >= begin]
        first_end = groups[0][1]
        prefix = 0
        if text[begin] == "0":
            prefix = 2 if text.startswith("00", begin) else 1
        elif not _CALLED.search(text, 0, begin):
            if first_end - begin < _UNMARKED:
                return
            groups = groups[:1]
        for (_, previous), (start, end) in zip([(0, begin), *groups], groups, strict=False):
            if start != begin and not _IN_PHONE.fullmatch(text, previous, start):
                return
            written = text[begin:end]
            digits = sum(map(str.isdigit, written)) - prefix
            if digits > _LONGEST_PHONE:
                return
            if digits < _SHORTEST_PHONE:
                continue
            if prefix == 1:
                if any(_country_code(written, region) for region in _REGIONS):
                    yield _Phone(begin, end, international=False)
            elif code := _country_code("+" + written[prefix:]):
                alone = text[begin + prefix : first_end] in {code, ""}
                yield _Phone(begin, end, international=alone or end == first_end)


def _country_code(written: str, region: str | None = None) -> str | None:
    """Return the country code if the number is valid, otherwise None."""
    try:
        number = phonenumbers.parse(written, region)
    except phonenumbers.NumberParseException:
        return None
    return str(number.country_code) if phonenumbers.is_valid_number(number) else None
