"""Read times and days in ISO 8601, in one form only."""

from datetime import UTC, date, datetime


def moment(text: str) -> datetime:
    """Return the time in UTC: PostgreSQL refuses offsets that Python takes. Raises ValueError."""
    try:
        at = datetime.fromisoformat(text)
        _check_date(text[:10], at.date())
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        hint = " In an address the + of an offset is written %2B." if " " in text else ""
        raise ValueError(f"A time like 2026-11-23T12:00:00Z or a date is needed.{hint}") from None


def day(text: str) -> date:
    """Return the day. Raises ValueError."""
    try:
        found = date.fromisoformat(text)
        _check_date(text, found)
    except ValueError:
        raise ValueError("A date like 2026-11-23 is needed.") from None
    return found


def _check_date(text: str, found: date) -> None:
    """Raise ValueError for weeks and dates without hyphens, which Python takes."""
    if text != found.isoformat():
        raise ValueError(text)
