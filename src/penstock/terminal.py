"""Tables for the person at the terminal, or for a log."""

from rich.console import Console
from rich.table import Table

LOG_WIDTH = 160  # columns where there is no terminal to ask


def make_table(*headings: str) -> Table:
    """A plain table: headings, no lines."""
    return Table(*headings, box=None, pad_edge=False)


def show(table: Table) -> None:
    """Print a table as wide as the terminal, or wide enough for a log."""
    console = Console()
    (console if console.is_terminal else Console(width=LOG_WIDTH)).print(table)
