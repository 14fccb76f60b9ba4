"""Small problems of life, death and capture, made for this: one move saves or kills, others do not.

Whole boards, on which all else is settled, so that who misses the move loses the game.
"""

from dataclasses import dataclass

from ...kinds.games.compiled.layout import BLACK, TURN, WHITE
from ...kinds.games.points import point_at, read_point
from ...kinds.games.position import Position, Rules

STONES = {"X": BLACK, "O": WHITE}


@dataclass(frozen=True)
class Problem:
    """A position with black (X) to play.

    Attributes:
        name: what is to be done.
        board: rows from the top.
        answers: moves that do it.
    """

    name: str
    board: tuple[str, ...]
    answers: tuple[str, ...]

    def position(self) -> Position:
        """The position; the komi makes it a close game, which the problem decides."""
        size = len(self.board)
        setup = [
            (STONES[letter], point_at(row, column))
            for row, line in enumerate(self.board)
            for column, letter in enumerate(line)
            if letter in STONES
        ]
        position = Position(Rules(size, 0.5), setup)
        position.state[TURN] = BLACK
        return position

    def points(self) -> set[int]:
        """Where the answers are."""
        return {read_point(it, len(self.board)) for it in self.answers}


PROBLEMS: dict[int, tuple[Problem, ...]] = {
    5: (
        Problem("take three stones", ("X.OO.", ".XOOX", "XOXXX", ".OXXX", "O.OOO"), ("B1",)),
        Problem("take four stones", ("..XO.", "OOXOX", ".XOOX", ".OXX.", "....."), ("E5",)),
        Problem("take one stone, and live", ("OO...", "O.O..", "XOXX.", "XXO..", ".O..."), ("B4",)),
        Problem("take five stones", ("XOOOX", "XOOXX", "X.XXO", "XXXOO", ".OOO."), ("B3",)),
        Problem(
            "the point that both need",
            (".X.X.", "OXXXO", "OOXOO", ".XOO.", "X.XO."),
            ("A5",),
        ),
        Problem("kill at the edge", (".O.O.", "XOOXX", "XOXX.", "XXOOX", ".O..."), ("D1",)),
    ),
    9: (
        Problem(
            "save three stones, and with them the group",
            (
                "..O.OX.X.",
                "..OOOXX.O",
                ".XO.OOOXX",
                "XXXO...O.",
                "..XOOO.OO",
                "XXOOOXOO.",
                ".XX.OXXOO",
                "...XXO.X.",
                ".........",
            ),
            ("G2",),
        ),
        Problem(
            "take one stone, and cut",
            (
                ".OXXXO.OO",
                "OO.XXXOO.",
                "XXXX.XXOO",
                "OOX.XXOOO",
                "OOOXXXXOO",
                ".OOOOXOOO",
                "OO.OXOOXO",
                ".OOXXOXXX",
                "OO.X.XXX.",
            ),
            ("G9",),
        ),
        Problem(
            "take one stone, and the group",
            (
                "..XXOOO.O",
                "XXXOO.OOO",
                "XOXOOOXXX",
                "OOOOOOX.X",
                "OOOOXXXX.",
                "XOXXOOOOX",
                "XXXOO.OX.",
                "X.XXOOXXX",
                ".OXOO.OX.",
            ),
            ("F1",),
        ),
        Problem(
            "take eight stones before four are lost",
            (
                ".........",
                ".........",
                "......XXX",
                "....XXOOO",
                "OOXXOOOXO",
                "..OXOXXX.",
                ".OOOXOOO.",
                "OO..X....",
                "OXX......",
            ),
            ("J4",),
        ),
    ),
}
