"""Counts in the output of commands."""


def counted(number: int, thing: str) -> str:
    """Return the number with the thing, such as "1 seal" or "2 seals"."""
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"
