"""Find the end of a CSV record: a line end within quotes does not end it (RFC 4180)."""

import re
from collections.abc import Callable
from enum import Enum, auto
from functools import cache
from typing import Final

ESCAPE: Final = b'\\"'
_BACKSLASH: Final = 0x5C
_UNESCAPED: Final = re.compile(rb'(?<!\\)(?:\\\\)*"')


# Whitespace and invisible characters, in UTF-8.
_BLANK: Final = (
    rb"(?:\s|\xc2[\xa0\xad]|\xe2\x80[\x80-\x8f\xa8\xa9\xaf]|\xe2\x81[\x9f\xa0]"
    rb"|\xe3\x80\x80|\xef\xbb\xbf)"
)


class State(Enum):
    """The state of the quotes after the lines so far."""

    CLOSED = auto()
    OPEN = auto()  # within quotes
    MALFORMED = auto()  # the quotes are ambiguous


class Quotes:
    """Track the quotes of one record, line by line."""

    def __init__(self, delimiter: str | None) -> None:
        self._patterns = _patterns(delimiter)
        self._last = 0
        self._odd: tuple[bool, ...] = (False, False, False)
        self._open = False
        self.line_end_escaped = False
        self.state = State.CLOSED

    @property
    def ended(self) -> bool:
        """Return whether the record has ended under every interpretation of quotes and backslashes.

        A line within a value must not be read as a record. The writer may double quotes, leave them as they
        are, or escape quotes and line ends with a backslash, as MySQL does.
        """
        if self.state is State.MALFORMED:
            return not (any(self._odd) or self._open or self._last == _BACKSLASH)
        return self.state is State.CLOSED

    def add(self, line: bytes) -> None:
        """Process a line, given without its line end."""
        self._count(line)
        if self._last == _BACKSLASH:
            self.line_end_escaped = True
            self.state = State.MALFORMED
        if self.state is State.MALFORMED:
            return
        closed, open_, _, _ = self._patterns
        rest = b'"' + line if self.state is State.OPEN else line
        if ESCAPE in line:
            self.state = State.MALFORMED
        elif closed.fullmatch(rest):
            self.state = State.CLOSED
        elif open_.fullmatch(rest):
            self.state = State.OPEN
        else:
            self.state = State.MALFORMED

    def add_part(self, part: bytes) -> None:
        """Process a part of a line that is too long for a record."""
        self._count(part)
        self.state = State.MALFORMED

    def _count(self, part: bytes) -> None:
        """Count the quotes under each interpretation.

        The first counts all quotes, the second all except those after a backslash, the third all
        except those after an unescaped backslash. The fourth follows only quotes next to a
        delimiter.
        """
        self._last = part[-1] if part else 0
        if b'"' not in part:
            return  # The patterns are slow on megabytes without quotes.
        quotes = part.count(b'"')
        counts = (quotes, quotes - part.count(ESCAPE), len(_UNESCAPED.findall(part)))
        self._odd = tuple(
            odd ^ bool(count & 1) for odd, count in zip(self._odd, counts, strict=True)
        )
        _, _, opens, closes = self._patterns
        place = 0
        while match := (closes if self._open else opens).search(part, place):
            self._open = not self._open
            place = match.end()


def closed_line(delimiter: str | None) -> Callable[[bytes], object]:
    """Return a fast check that a line without escaped quotes is a complete record."""
    return _patterns(delimiter)[0].fullmatch


@cache
def _patterns(delimiter: str | None) -> tuple[re.Pattern[bytes], ...]:
    """Return patterns for a closed line, an open line, an opening quote and a closing quote.

    Spaces may precede a quoted value. As in spreadsheets, a quote inside an unquoted value is an ordinary
    character, except after unusual whitespace or in a formula such as ="00123" that continues on the next
    line. A file without a delimiter has no quotes.
    """
    if delimiter is None:
        return tuple(
            re.compile(each) for each in (rb'[^"]*+', rb"(?!)", rb'(?:^|\s)"', rb'"(?=\s|$)')
        )
    d = re.escape(delimiter.encode())
    inside = rb'[ ]*+"[^"]*+(?:""[^"]*+)*+'
    blanks = rb"(?:(?!%b)%b)*+" % (d, _BLANK)
    plain = rb'(?!%b(?:"|="(?![^"]*+"(?:%b|$))))[^%b]*+' % (blanks, d, d)
    value = rb'(?:%b"|%b)' % (inside, plain)
    return (
        re.compile(rb"%b(?:%b%b)*+" % (value, d, value)),
        re.compile(rb"(?:%b%b)*+%b" % (value, d, inside)),
        re.compile(rb'(?:^|%b)%b=?+"' % (d, blanks)),
        re.compile(rb'"(?=%b|$)' % d),
    )
