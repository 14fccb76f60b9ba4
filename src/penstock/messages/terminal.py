"""Tables for the person at the terminal, or for a log."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from .printable import printable

LOG_WIDTH = 160  # columns where there is no terminal to ask


def make_table(*headings: str) -> Table:
    """A plain table: headings, no lines. It is indented: no cell that wraps begins a line."""
    return Table(*headings, box=None)


def add_row(table: Table, *cells: str | Sequence[str]) -> None:
    """Add a row of plain text, as it is: no markup, nothing that moves the cursor.

    Several texts in a cell stand below each other.
    """
    lines = [[cell] if isinstance(cell, str) else cell for cell in cells]
    table.add_row(*(Text("\n".join(map(printable, cell))) for cell in lines))


def show(table: Table) -> None:
    """Print a table as wide as the terminal, or wide enough for a log."""
    console = Console()
    (console if console.is_terminal else Console(width=LOG_WIDTH)).print(table)
