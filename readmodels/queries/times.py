"""Parse times and days in ISO 8601. Dates must have hyphens."""

from datetime import UTC, date, datetime


def moment(text: str) -> datetime:
    """Return the time in UTC, because PostgreSQL refuses some offsets of Python. Raises ValueError."""
    try:
        at = datetime.fromisoformat(text)
        _check_date(text[:10], at.date())
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        hint = " In a URL, write the + of an offset as %2B." if " " in text else ""
        raise ValueError(f"Expected a time like 2026-11-23T12:00:00Z, or a date.{hint}") from None


def day(text: str) -> date:
    """Return the day. Raises ValueError."""
    try:
        found = date.fromisoformat(text)
        _check_date(text, found)
    except ValueError:
        raise ValueError("Expected a date like 2026-11-23.") from None
    return found


def _check_date(text: str, found: date) -> None:
    """Raise ValueError for weeks and dates without hyphens, which Python accepts."""
    if text != found.isoformat():
        raise ValueError(text)
