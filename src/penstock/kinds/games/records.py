"""Records of games: SGF, read and written by sgfmill. The main line counts, no variations."""

from dataclasses import dataclass

from sgfmill import sgf, sgf_moves

from .compiled.layout import BLACK, PASS, WHITE
from .points import place_of, point_at
from .position import Position, Rules

MOST_BYTES = 2**20  # of a file; the longest game has a few thousand
LETTERS = {"b": BLACK, "w": WHITE}
COLOUR_LETTERS = {BLACK: "b", WHITE: "w"}


@dataclass(frozen=True)
class Record:
    """A game as it stands in a file.

    Attributes:
        size: of the board.
        komi: None where the file does not say.
        setup: stones before the first move: (colour, point).
        moves: (colour, point), as they stand there: not all need be legal.
        winner: BLACK, WHITE, or None: a draw, or not recorded.
        result: as it stands there.
        players: black and white, by name.
    """

    size: int
    komi: float | None
    setup: tuple[tuple[int, int], ...]
    moves: tuple[tuple[int, int], ...]
    winner: int | None = None
    result: str = ""
    players: tuple[str, str] = ("", "")

    def replay(self, rules: Rules, up_to: int | None = None) -> Position:
        """The position after all moves, or after so many.

        Raises:
            ValueError: a move is illegal, or the board is another; says which.
        """
        if self.size != rules.size:
            raise ValueError(f"a board of {self.size}x{self.size}; expected {rules.size}")
        position = Position(rules, list(self.setup))
        for number, (colour, point) in enumerate(self.moves[:up_to], 1):
            try:
                position.play(point, colour)
            except ValueError as error:
                raise ValueError(f"move {number}: {error}") from None
        return position


def read_record(content: bytes) -> Record:
    """Read the first game of an SGF file, its main line.

    Raises:
        ValueError: it is no SGF of Go, or too large; in a few words.
    """
    if len(content) > MOST_BYTES:
        raise ValueError(f"{len(content):,} bytes; expected at most {MOST_BYTES:,} for a game")
    try:
        game = sgf.Sgf_game.from_bytes(content)
        root = game.get_root()
        if root.has_property("GM") and root.get_raw("GM").strip() != b"1":
            raise ValueError("a game other than Go (GM)")
        komi = float(root.get("KM")) if root.has_property("KM") else None
        board, plays = sgf_moves.get_setup_and_moves(game)
    except (ValueError, LookupError, UnicodeError, OverflowError, RecursionError) as error:
        raise ValueError(f"no SGF of Go: {' '.join(str(error).split())[:120]}") from None
    if komi is not None and not abs(komi) <= 1000:
        raise ValueError(f"komi {komi:g}: expected a number of points")
    size = board.side
    winner = game.get_winner()
    return Record(
        size=size,
        komi=komi,
        setup=tuple(
            (LETTERS[colour], point_at(size - 1 - row, column))
            for colour, (row, column) in board.list_occupied_points()
        ),
        moves=tuple(
            (LETTERS[colour], PASS if move is None else point_at(size - 1 - move[0], move[1]))
            for colour, move in plays
        ),
        winner=None if winner is None else LETTERS[winner],
        result=_text(root, "RE"),
        players=(_text(root, "PB"), _text(root, "PW")),
    )


def _text(node: sgf.Node, name: str) -> str:
    try:
        return str(node.get(name)).strip()[:200] if node.has_property(name) else ""
    except (ValueError, UnicodeError):
        return ""


def write_record(
    position: Position,
    players: tuple[str, str] = ("", ""),
    result: str = "",
) -> bytes:
    """Write a game as SGF.

    Args:
        position: with its setup and moves.
        players: black and white.
        result: `B+3.5` say.
    """
    size = position.size
    game = sgf.Sgf_game(size, encoding="UTF-8")
    root = game.get_root()
    root.set("KM", position.rules.komi)
    for name, value in (("PB", players[0]), ("PW", players[1]), ("RE", result)):
        if value:
            root.set(name, value)
    if position.setup:
        stones = {
            colour: {_sgfmill_point(point, size) for it, point in position.setup if it == colour}
            for colour in (BLACK, WHITE)
        }
        root.set_setup_stones(stones[BLACK], stones[WHITE])
    for colour, point in position.moves:
        node = game.extend_main_sequence()
        node.set_move(COLOUR_LETTERS[colour], _sgfmill_point(point, size))
    content: bytes = game.serialise()
    return content


def _sgfmill_point(point: int, size: int) -> tuple[int, int] | None:
    """Rows from below, as sgfmill counts; None for a pass."""
    if point == PASS:
        return None
    row, column = place_of(point)
    return size - 1 - row, column
