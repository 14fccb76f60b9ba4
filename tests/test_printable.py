"""Names and titles are shown so that they cannot pass for anything else."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from penstock.messages.errors import PenstockError, TemporaryError
from penstock.messages.printable import printable
from penstock.messages.terminal import add_row, make_table


@given(st.text(st.characters()))
def test_nothing_is_left_that_moves_the_cursor_or_hides(text):
    shown = printable(text)
    assert not any(unicodedata.category(it) in ("Cc", "Cs", "Zl", "Zp") for it in shown)
    assert not any("\u202a" <= it <= "\u202e" or "\u2066" <= it <= "\u2069" for it in shown)
    shown.encode("utf-8")  # a log can take it
    assert printable(shown) == shown


@given(st.text(st.characters(categories=["L", "N", "P", "S", "Zs", "M"])))
def test_ordinary_text_is_left_as_it_is(text):
    assert printable(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\nb\r\x1e", "a\\nb\\r\\x1e"),
        ("\u202egpj.exe", "\\u202egpj.exe"),
        ("\udcff", "\\udcff"),
        ("\u2028", "\\u2028"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("肿瘤 a\u3000b", "肿瘤 a\u3000b"),
    ],
)
def test_examples(text, shown):
    assert printable(text) == shown


@pytest.mark.parametrize("kind", [PenstockError, TemporaryError])
def test_a_name_in_an_error_does_not_end_its_line(kind):
    assert str(kind("a\npenstock: error: forged: no such file")).count("\n") == 0
    assert str(kind("log:", "  one\x1b[0m", "  two")) == "log:\n  one\\x1b[0m\n  two"


def test_a_table_shows_markup_as_text():
    table = make_table("name")
    name = "[red]a[/red] [link=http://a.example]b[/link] \x1b]0;title\x07 :smile:\nforged"
    add_row(table, name)
    add_row(table, ["one", "two"])
    console = Console(width=200, force_terminal=True, color_system="truecolor")
    with console.capture() as capture:
        console.print(table)
    lines = [line.strip() for line in capture.get().splitlines()]
    shown = r"[red]a[/red] [link=http://a.example]b[/link] \x1b]0;title\x07 :smile:\nforged"
    assert shown in lines
    assert lines[-2:] == ["one", "two"]
