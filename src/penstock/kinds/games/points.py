"""Names of points: numbers as the compiled rules have them, rows and columns, and as GTP says."""

from .compiled.layout import PASS, SIDE

LETTERS = "ABCDEFGHJKLMNOPQRST"  # without I
PASSED = "pass"


def point_at(row: int, column: int) -> int:
    """The point of a row, counted from the top, and a column, from 0."""
    return (row + 1) * SIDE + column + 1


def place_of(point: int) -> tuple[int, int]:
    """Row, from the top, and column of a point that is no pass."""
    return point // SIDE - 1, point % SIDE - 1


def name_point(point: int, size: int) -> str:
    """As Go players say it: `D4` is the fourth column from the left, the fourth row from below."""
    if point == PASS:
        return PASSED
    row, column = place_of(point)
    return f"{LETTERS[column]}{size - row}"


def read_point(text: str, size: int) -> int:
    """The point of a name, in either case.

    Raises:
        ValueError: it is no point of the board.
    """
    name = text.strip().upper()
    if name == PASSED.upper():
        return PASS
    column, number = LETTERS.find(name[:1]), name[1:]
    if column < 0 or not (number.isascii() and number.isdigit() and len(number) <= 2):
        raise ValueError(
            f"{text[:20]!r}: no point; expected a letter and a number, D4 say, or pass"
        )
    row = size - int(number)
    if not name[:1] or column >= size or not 0 <= row < size:
        raise ValueError(f"{text[:20]!r}: not on a board of {size}x{size}")
    return point_at(row, column)


def all_points(size: int) -> list[int]:
    """Every point of a board, row by row from the top."""
    return [point_at(row, column) for row in range(size) for column in range(size)]
