"""A game of Go as it is played: position, moves so far, what is legal, the score."""

from dataclasses import dataclass, field
from typing import Self

import numpy as np

from .compiled import layout, rules
from .compiled.layout import BLACK, EMPTY, PASS, SIDE, STONE, TURN, WHITE
from .points import all_points, name_point, place_of, point_at

COLOURS = {BLACK: "black", WHITE: "white"}


def other(colour: int) -> int:
    """The colour of who plays against it."""
    return BLACK + WHITE - colour


@dataclass(frozen=True)
class Rules:
    """What the players agreed on.

    Attributes:
        size: of the board, 2 to 19.
        komi: what is added to white's area.
        superko: whether no position may come again (positional superko), or simple ko alone.
    """

    size: int = 9
    komi: float = 7.5
    superko: bool = True

    def __post_init__(self) -> None:
        """Check the size.

        Raises:
            ValueError: there is no such board.
        """
        if not layout.SMALLEST <= self.size <= layout.LARGEST:
            raise ValueError(
                f"size {self.size}: expected {layout.SMALLEST} to {layout.LARGEST} lines"
            )


@dataclass
class Position:
    """A position that came about by moves, with all that was before it.

    Attributes:
        rules: that hold.
        setup: stones that were there before the first move: (colour, point).
        moves: since: (colour, point).
        state: as the compiled rules have it, int32, (LENGTH,).
        past: a hash of each position there was, this one too.
    """

    rules: Rules = field(default_factory=Rules)
    setup: list[tuple[int, int]] = field(default_factory=list)
    moves: list[tuple[int, int]] = field(default_factory=list)
    state: np.ndarray = field(init=False)
    past: list[int] = field(init=False)

    def __post_init__(self) -> None:
        """Replay what is given.

        Raises:
            ValueError: a stone cannot be put where it is said to be.
        """
        moves, self.moves = self.moves, []
        self.state = rules.empty_board(self.rules.size)
        for colour, point in self.setup:
            if self.state[STONE + point] != EMPTY:
                raise ValueError(f"{self.name(point)}: two stones are set up there")
            if not rules.is_legal(self.state, point, colour):
                raise ValueError(f"{self.name(point)}: a stone is set up without liberties")
            rules.play(self.state, point, colour)
        first = WHITE if self.setup and not any(it == WHITE for it, _ in self.setup) else BLACK
        for name in ("KO", "LAST", "BEFORE_LAST", "PASSES", "MOVES"):
            self.state[getattr(layout, name)] = 0
        self.state[TURN] = first
        self.past = [int(rules.position_hash(self.state))]
        for colour, point in moves:
            self.play(point, colour)

    @property
    def size(self) -> int:
        """Lines of the board."""
        return self.rules.size

    @property
    def turn(self) -> int:
        """Who is to play."""
        return int(self.state[TURN])

    @property
    def is_over(self) -> bool:
        """Whether both have passed, one after the other."""
        return int(self.state[layout.PASSES]) >= 2

    def name(self, point: int) -> str:
        """Of a point, as GTP says it."""
        return name_point(point, self.size)

    def complain(self, point: int, colour: int | None = None) -> str:
        """Why a move is illegal, in a few words; empty if it is legal."""
        colour = self.turn if colour is None else colour
        if point == PASS:
            return ""
        if self.state[STONE + point] != EMPTY:
            return "there is a stone"
        state = self._as_turn_of(colour)
        if point == state[layout.KO]:
            return "ko"
        if not rules.is_legal(state, point, colour):
            return "suicide"
        if self.rules.superko and int(rules.hash_after(state, point, colour)) in self.past:
            return "superko: the position was there before"
        return ""

    def _as_turn_of(self, colour: int) -> np.ndarray:
        """The state; where somebody plays twice, no ko binds."""
        if colour == self.turn:
            return self.state
        state = self.state.copy()
        state[layout.KO] = 0
        state[TURN] = colour
        return state

    def play(self, point: int, colour: int | None = None) -> None:
        """Play a move.

        Raises:
            ValueError: it is illegal, and why.
        """
        colour = self.turn if colour is None else colour
        if reason := self.complain(point, colour):
            raise ValueError(f"{COLOURS[colour]} {self.name(point)}: illegal: {reason}")
        self.state = self._as_turn_of(colour)
        rules.play(self.state, point, colour)
        if point != PASS:
            self.past.append(int(rules.position_hash(self.state)))
        self.moves.append((colour, point))

    def undo(self) -> None:
        """Take the last move back.

        Raises:
            ValueError: there is none.
        """
        if not self.moves:
            raise ValueError("there is no move to take back")
        again = Position(self.rules, self.setup, self.moves[:-1])
        self.state, self.past, self.moves = again.state, again.past, again.moves

    def copy(self) -> Self:
        """The same, to play on elsewhere."""
        twin = type(self)(self.rules)
        twin.setup, twin.moves = list(self.setup), list(self.moves)
        twin.state, twin.past = self.state.copy(), list(self.past)
        return twin

    def legal_points(self, colour: int | None = None) -> list[int]:
        """Where a stone may be put."""
        return [it for it in all_points(self.size) if not self.complain(it, colour)]

    def stones(self) -> np.ndarray:
        """EMPTY, BLACK or WHITE, int32, shape (rows, columns), from the top."""
        return self._on_board(self.state[STONE : STONE + layout.POINTS])

    def _on_board(self, values: np.ndarray) -> np.ndarray:
        grid: np.ndarray = values.reshape(SIDE, SIDE)
        return grid[1 : self.size + 1, 1 : self.size + 1].copy()

    def owners(self) -> np.ndarray:
        """Whose area each point is, all stones taken as alive: as `stones`."""
        owner = np.zeros(layout.POINTS, np.int32)
        rules.score_area(self.state, owner)
        return self._on_board(owner)

    def margin(self) -> float:
        """Black's area less white's and the komi, all stones taken as alive."""
        owner = np.zeros(layout.POINTS, np.int32)
        return float(rules.score_area(self.state, owner)) - self.rules.komi

    def result(self) -> str:
        """As SGF and GTP say it: `B+3.5`, `W+0.5`, `0` for a draw."""
        margin = self.margin()
        return "0" if margin == 0 else f"{'B' if margin > 0 else 'W'}+{abs(margin):g}"

    def past_with_room(self, more: int) -> tuple[np.ndarray, int]:
        """The hashes of what was as int64, with room for more; and how many there are."""
        hashes = np.zeros(len(self.past) + more, np.int64)
        hashes[: len(self.past)] = self.past
        return hashes, len(self.past)


def handicap_points(size: int, stones: int) -> list[int]:
    """Where handicap stones go by custom (GTP 2, fixed_handicap).

    Raises:
        ValueError: there is no such handicap on this board.
    """
    most = 0 if size < 7 else (4 if size % 2 == 0 or size == 7 else 9)
    if not 2 <= stones <= most:
        raise ValueError(f"handicap {stones}: expected 2 to {most} stones on {size}x{size}")
    low, middle = (2 if size < 13 else 3), size // 2
    high = size - 1 - low
    corners = [(high, low), (low, high), (high, high), (low, low)]
    places = corners[: min(stones, 4)]
    if stones >= 6:
        places += [(middle, low), (middle, high)]
    if stones >= 8:
        places += [(low, middle), (high, middle)]
    if stones in (5, 7, 9):
        places.append((middle, middle))
    return [point_at(row, column) for row, column in places]


def draw_text(position: Position) -> str:
    """The board in letters, as GTP's showboard: X black, O white, the last move in brackets."""
    size = position.size
    stones = position.stones()
    last = place_of(position.moves[-1][1]) if position.moves and position.moves[-1][1] else None
    letters = "   " + " ".join(name_point(point_at(0, it), size)[0] for it in range(size))
    lines = [letters]
    for row in range(size):
        cells = [".XO"[int(it)] for it in stones[row]]
        text = "".join(f" {it}" for it in cells)
        if last and last[0] == row:
            at = 2 * last[1]
            text = text[:at] + "(" + text[at + 1] + ")" + text[at + 3 :]
        lines.append(f"{size - row:2d}{text:<{2 * size + 1}} {size - row:2d}")
    return "\n".join([*lines, letters])
