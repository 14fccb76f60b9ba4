"""Text from outside, made safe to show.

A file name, a title or a speaker must not colour a terminal, hide or reverse text, or end a line
of a log that somebody, or a program, reads on.
"""

import unicodedata

JOINERS = "\u200c\u200d"  # invisible, and part of words in Persian and Hindi, and of emoji


def printable(text: str) -> str:
    r"""Write control characters, invisible and direction marks, and line ends as escapes.

    What Unicode counts as control, format, surrogate, private or unassigned (categories C*), or as
    line or paragraph separator: `\x1b`, `\n`, `\u202e`, `\udcff`.
    """
    if text.isprintable():
        return text
    return "".join(map(_escape, text))


def _escape(character: str) -> str:
    category = unicodedata.category(character)
    if character in JOINERS or not (category[0] == "C" or category in ("Zl", "Zp")):
        return character
    return character.encode("unicode_escape").decode("ascii")
