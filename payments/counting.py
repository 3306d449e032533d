"""Format counts for the output of commands."""


def counted(number: int, thing: str) -> str:
    """Return the number and the noun in singular or plural: "1 seal", "2 seals"."""
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"
