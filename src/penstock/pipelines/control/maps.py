"""Maps of one's own: text files, a letter for each place."""

from pathlib import Path

from ...messages.errors import PenstockError, raise_if_temporary
from ...messages.printable import printable

LETTERS = {"S": "start", "F": "frozen", "H": "hole", "G": "goal"}
MOST_PLACES = 10_000
SUFFIX = ".txt"


def read_map(file: Path) -> list[str]:
    """Read the lines of a map.

    Raises:
        PenstockError: no letters, another letter, a line that is longer or shorter than the first,
            no start or no goal, or too large.
    """
    lines = [line.rstrip() for line in _text(file).rstrip().splitlines()]
    expected = ", ".join(f"{letter} ({what})" for letter, what in LETTERS.items())
    if not lines:
        raise PenstockError(f"{file}: empty; expected lines of {expected}")
    for number, line in enumerate(lines, 1):
        for column, letter in enumerate(line, 1):
            if letter not in LETTERS:
                raise PenstockError(
                    f"{file}: line {number}, column {column}: {letter!r}; expected {expected}"
                )
        if len(line) != len(lines[0]):
            raise PenstockError(
                f"{file}: line {number} has {len(line)} letters; expected {len(lines[0])}, as in "
                "line 1; make all lines equally long"
            )
    for letter in "SG":
        if not any(letter in line for line in lines):
            raise PenstockError(f"{file}: no {LETTERS[letter]}; expected a letter {letter}; add it")
    return lines


def _text(file: Path) -> str:
    try:
        size = file.stat().st_size
        if size > 2 * MOST_PLACES:
            raise PenstockError(
                f"{file}: {size:,} bytes; expected a map of at most {MOST_PLACES:,} letters"
            )
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise PenstockError(f"{file}: not UTF-8; expected a text map; save it as one") from None
    except OSError as error:
        raise_if_temporary(error, file)
        raise PenstockError(
            f"{file}: cannot be read ({error.strerror}); expected a text map; check its permissions"
        ) from None


def check_map_name(file: Path) -> None:
    """Refuse a name that cannot be shown as it is: questions name their map."""
    if printable(file.stem) != file.stem:
        raise PenstockError(f"{file}: its name has characters that cannot be shown; rename it")
