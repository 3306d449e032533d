"""Read days and times of day in the forms that people type, if they are unambiguous."""

import re
from datetime import MAXYEAR, MINYEAR, date, time
from typing import Final

_MONTHS: Final = (
    "jan",
    "feb",
    "mar",
    "apr",
    "may",
    "jun",
    "jul",
    "aug",
    "sep",
    "oct",
    "nov",
    "dec",
)
_LONG_MONTHS: Final = (
    *("january", "february", "march", "april", "may", "june", "july", "august", "september"),
    *("october", "november", "december"),
)
_YEAR_FIRST: Final = re.compile(
    r"(?P<y>\d{4})([-/.])(?P<m>\d{1,2})\2(?P<d>\d{1,2})|(?P<whole>\d{8})"
)
_WITH_POINTS: Final = re.compile(r"(?P<d>\d{1,2})\. ?(?P<m>\d{1,2})\. ?(?P<y>\d{4})")
_WITH_A_NAME: Final = re.compile(
    r"(?P<d>\d{1,2})(?:st|nd|rd|th)?\.?[ -](?P<name>[a-z]+)\.?,?[ -](?P<y>\d{4})"
    r"|(?P<name2>[a-z]+)\.? (?P<d2>\d{1,2})(?:st|nd|rd|th)?,? (?P<y2>\d{4})"
)
_EITHER_WAY: Final = re.compile(r"(?P<a>\d{1,2})([-/])(?P<b>\d{1,2})\2(?P<y>\d{4})")
_TIME: Final = re.compile(
    r"(?P<h>\d{1,2})(?:[:.h](?P<min>\d{2})(?::(?P<s>\d{2})(?:\.\d{1,6})?)?)? ?(?P<half>am|pm)?"
    r" ?(?:utc|z)?"
)
_SHOWN: Final = 40
_NOON: Final = 12


def read_day(text: str) -> date:
    """Return the day that `text` names. Raises ValueError, whose message shows the accepted form."""
    given = " ".join(text.casefold().split())
    if (found := _fullmatch(_YEAR_FIRST, given)) and found["whole"]:
        whole = found["whole"]
        return _day(whole[:4], whole[4:6], whole[6:])
    if found:
        return _day(found["y"], found["m"], found["d"])
    if found := _fullmatch(_WITH_POINTS, given):
        return _day(found["y"], found["m"], found["d"])
    if found := _fullmatch(_WITH_A_NAME, given):
        name = found["name"] or found["name2"]
        for names in (_MONTHS, _LONG_MONTHS):
            if name in names:
                year, day = found["y"] or found["y2"], found["d"] or found["d2"]
                return _day(year, names.index(name) + 1, day)
    if found := _fullmatch(_EITHER_WAY, given):
        return _either_way(text, int(found["a"]), int(found["b"]), int(found["y"]))
    raise ValueError(f"{quoted(text)} is not a date. Write it like 2026-11-29.")


def read_time(text: str) -> time:
    """Return the time of day in UTC. Raises ValueError, whose message shows the accepted form."""
    found = _fullmatch(_TIME, " ".join(text.casefold().split()))
    # A number alone may be an unfinished time.
    if found and (found["min"] or found["half"]):
        hour = int(found["h"])
        if found["half"] and not 1 <= hour <= _NOON:
            hour = -1
        elif found["half"]:
            hour = hour % _NOON + (_NOON if found["half"] == "pm" else 0)
        try:
            return time(hour, int(found["min"] or 0), int(found["s"] or 0))
        except ValueError:
            pass
    raise ValueError(f"{quoted(text)} is not a time. Write it like 09:30 or 21:30:00, in UTC.")


def _fullmatch(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    return pattern.fullmatch(text) if text.isascii() else None


def _either_way(text: str, a: int, b: int, year: int) -> date:
    """Return the day if only one order of day and month is valid, or both give the same day."""
    orders = {each for each in ((a, b), (b, a)) if _exists(year, each[1], each[0])}
    if len(orders) > 1:
        one, other = sorted(f"{year:04}-{month:02}-{day:02}" for day, month in orders)
        raise ValueError(f"{quoted(text)} is an ambiguous date. Write {one} or {other}.")
    if not orders:
        raise ValueError(f"There is no day {quoted(text)}. Write it like 2026-11-29.")
    [(day, month)] = orders
    return _day(year, month, day)


def _day(year: int | str, month: int | str, day: int | str) -> date:
    if not _exists(year, month, day):
        raise ValueError(f"There is no day {year}-{month}-{day}. Write it like 2026-11-29.")
    return date(int(year), int(month), int(day))


def _exists(year: int | str, month: int | str, day: int | str) -> bool:
    # Exclude the first and the last year: the end of such a day could be out of range.
    try:
        return MINYEAR < date(int(year), int(month), int(day)).year < MAXYEAR
    except ValueError:
        return False


def quoted(text: str) -> str:
    """Return the typed text in quotation marks, cut to 40 characters, for an error message."""
    return f"“{text if len(text) <= _SHOWN else text[: _SHOWN - 1] + '…'}”"
