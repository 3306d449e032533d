"""Print the tables of commands."""

from typing import Final, TextIO, cast

from django.core.management.base import OutputWrapper
from rich.console import Console
from rich.table import Table

# Wide enough to keep lines whole for programs.
_WIDE: Final = 400


def print_table(table: Table, out: OutputWrapper) -> None:
    """Print the table. Its cells are text: brackets and colons in them are not rich's markup."""
    console = Console(file=cast("TextIO", out), markup=False, emoji=False, highlight=False)
    if not console.is_terminal:
        console.width = _WIDE
    console.print(table)
