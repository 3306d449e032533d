"""Parse dates. Only complete dates with a single meaning are accepted."""

import re
from datetime import UTC, datetime
from typing import Final

# fromisoformat() also accepts weeks, and any separator before the time. strptime() also accepts
# one-digit months.
_ACCEPTED: Final = re.compile(
    r"""\d{4}-\d\d-\d\d (?:[T ]\d\d:\d\d (?: :\d\d (?:[.,]\d+)? )? (?: Z|[ ]UTC|[ ]?[+-]\d\d(?::?\d\d)? )? )?
      | \d{8} (?:T\d{4} (?:\d\d)? (?: Z|[+-]\d\d(?::?\d\d)? )? )?""",
    re.ASCII | re.VERBOSE,
)
_OFFSET: Final = re.compile(r" ([+-])")
# Programs write 0001-01-01, 1900-01-01 or 1970-01-01 for a missing date.
EARLIEST: Final = datetime(1970, 1, 2, tzinfo=UTC)


class DateError(ValueError):
    """The date is refused. `code` is stable, the message is for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def parse(text: str, *, now: datetime) -> datetime:
    """Parse a date or time, which is in UTC if it has no offset. Raises DateError."""
    at = moment(text)
    if at > now:
        raise DateError("in_the_future", f"{text[:40]} is in the future.")
    return at


def moment(text: str) -> datetime:
    """Parse a date or time, which may be in the future. Raises DateError."""
    at = _at(text)
    if at < EARLIEST:
        raise DateError("date_too_early", f"{text[:40]} is before {EARLIEST:%Y-%m-%d}.")
    return at


def _at(text: str) -> datetime:
    try:
        if _ACCEPTED.fullmatch(text):
            # Ruby writes the offset after a space: 1997-01-31 13:45:00 +0100, or UTC.
            at = datetime.fromisoformat(_OFFSET.sub(r"\1", text.replace(" UTC", "Z")))
            return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise DateError(
        "unknown_date",
        f"{text[:40]!r} is not a date such as 1997-01-31, 19970131 or 1997-01-31T13:45:00+01:00.",
    )
