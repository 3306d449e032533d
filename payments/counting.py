"""Numbers of things in what commands print."""


def counted(number: int, thing: str) -> str:
    """Return "1 seal", "2 seals"."""
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"
