"""Print tables in the output of commands."""

from typing import Final, TextIO, cast

from django.core.management.base import OutputWrapper
from rich.console import Console
from rich.table import Table

# Wide enough that no line wraps in output that another program reads.
_WIDE: Final = 400


def print_table(table: Table, out: OutputWrapper) -> None:
    """Print the table. Its cells are plain text, in which rich interprets no brackets or colons."""
    console = Console(file=cast("TextIO", out), markup=False, emoji=False, highlight=False)
    if not console.is_terminal:
        console.width = _WIDE
    console.print(table)
