"""The rules of Go, held to known numbers and to an independent implementation."""

import numpy as np
import pytest
from numba import njit
from sgfmill import boards

from penstock.kinds.games.compiled import layout, rules
from penstock.kinds.games.compiled.layout import BLACK, PASS, WHITE
from penstock.kinds.games.points import all_points, name_point, place_of, point_at, read_point
from penstock.kinds.games.position import Position, Rules, draw_text, handicap_points

LETTERS = {"b": BLACK, "w": WHITE}
NAMES = {BLACK: "b", WHITE: "w", 0: None}


def position_of(*rows: str, komi: float = 0.0) -> Position:
    """A position drawn in letters: X black, O white."""
    setup = [
        ({"X": BLACK, "O": WHITE}[letter], point_at(row, column))
        for row, line in enumerate(rows)
        for column, letter in enumerate(line.split())
        if letter != "."
    ]
    return Position(Rules(len(rows), komi), setup)


def reachable_positions(size: int) -> int:
    """How many positions moves lead to from the empty board; both colours play anywhere."""
    found, waiting = {bytes(size * size)}, [rules.empty_board(size)]
    points = all_points(size)
    while waiting:
        state = waiting.pop()
        for colour in (BLACK, WHITE):
            for point in points:
                after = state.copy()
                after[layout.KO] = 0
                if not rules.is_legal(after, point, colour):
                    continue
                rules.play(after, point, colour)
                key = after[points].astype(np.uint8).tobytes()
                if key not in found:
                    found.add(key)
                    waiting.append(after)
    return len(found)


@pytest.mark.parametrize(("size", "legal"), [(2, 57), (3, 12_675)])
def test_moves_reach_every_legal_position_and_no_other(size, legal):
    """The numbers of Tromp and Farneback 2007, "Combinatorics of Go"."""
    assert reachable_positions(size) == legal


@njit
def _breathes(board):
    """Whether every stone is linked to an empty point by stones of its colour."""
    size = len(board)
    safe = board == 0
    changed = True
    while changed:
        changed = False
        for row in range(size):
            for column in range(size):
                for down, right in ((0, 1), (1, 0), (0, -1), (-1, 0)):
                    near, beside = row + down, column + right
                    if safe[row, column] or not (0 <= near < size and 0 <= beside < size):
                        continue
                    other = board[near, beside]
                    if safe[near, beside] and (other == 0 or other == board[row, column]):
                        safe[row, column] = changed = True
    return safe.all()


@njit
def _find_legal(size):
    """Which boards are legal; one is the number that its points are the digits of, to base 3."""
    places = size * size
    found = np.zeros(3**places, np.bool_)
    board = np.zeros(places, np.int32)
    for number in range(3**places):
        rest = number
        for place in range(places):
            board[place] = rest % 3
            rest //= 3
        found[number] = _breathes(board.reshape(size, size))
    return found


@njit
def _number_of(state, points):
    number = 0
    for place in range(len(points) - 1, -1, -1):
        number = number * 3 + state[points[place]]
    return number


@njit
def _copy(state, copy, size):
    """Copy a position without the rows of larger boards: all of it takes four times as long."""
    rows = (size + 2) * layout.SIDE
    for field in range(0, layout.KO, layout.POINTS):
        copy[field : field + rows] = state[field : field + rows]
    copy[layout.KO :] = state[layout.KO :]


@njit
def _walk(size, points, legal, empty, is_legal, play):
    """Set up every board by legal moves, place by place, as far as nothing is taken.

    Returns:
        How many were set up, and how often they, or a move from one of them, are not as `legal` is.
    """
    places = len(points)
    states = np.empty((places + 2, len(empty)), empty.dtype)
    states[0] = empty
    chosen = np.full(places, -1)
    count, wrong, place = 0, 0, 0
    while place >= 0:
        if place == places:
            count += 1
            wrong += _count_wrong(size, points, legal, states[-2], states[-1], is_legal, play)
            place -= 1
            continue
        chosen[place] += 1
        if chosen[place] == 3:
            chosen[place] = -1
            place -= 1
            continue
        after = states[place + 1]
        _copy(states[place], after, size)
        if chosen[place]:
            after[layout.KO] = 0
            if not is_legal(after, points[place], chosen[place]):
                continue
            if play(after, points[place], chosen[place]):
                continue
        place += 1
    return count, wrong


@njit
def _count_wrong(size, points, legal, state, after, is_legal, play):
    """How many moves are allowed and should not be, or the other way; each capture is played."""
    number = _number_of(state, points)
    wrong = int(not legal[number])
    state[layout.KO] = 0
    for colour in (1, 2):
        for place in range(len(points)):
            if state[points[place]]:
                continue
            allowed = is_legal(state, points[place], colour)
            if legal[number + colour * 3**place]:
                wrong += not allowed
            elif allowed:  # something must be taken
                _copy(state, after, size)
                play(after, points[place], colour)
                wrong += not legal[_number_of(after, points)]
    return wrong


@pytest.mark.real
@pytest.mark.long
def test_legal_positions_on_four_by_four():
    """What remains of a legal position without some stones is legal: any order sets it up."""
    legal = _find_legal(4)
    points = np.array(all_points(4), np.int64)
    walked = _walk(4, points, legal, rules.empty_board(4), rules.is_legal, rules.play)
    assert walked == (24_318_165, 0)
    assert legal.sum() == 24_318_165


def played_by_oracle(board: boards.Board, point: int, colour: int) -> boards.Board | None:
    """The board after a move by sgfmill; None where that is suicide."""
    after = board.copy()
    row, column = place_of(point)
    after.play(board.side - 1 - row, column, NAMES[colour])
    return after if after.get(board.side - 1 - row, column) else None


def test_a_thousand_random_games_agree_with_sgfmill():
    chance = np.random.default_rng(0)
    for number in range(1000):
        size = 3 + number % 7
        position, board = Position(Rules(size, komi=0)), boards.Board(size)
        before = {str(board.list_occupied_points())}
        for _ in range(int(chance.integers(5, 2 * size * size))):
            colour = int(chance.integers(1, 3)) if number % 3 == 0 else position.turn
            point = int(chance.choice(all_points(size)))
            row, column = place_of(point)
            if board.get(size - 1 - row, column):
                assert position.complain(point, colour) == "there is a stone"
                continue
            after = played_by_oracle(board, point, colour)
            stones = after and str(sorted(after.list_occupied_points()))
            said = position.complain(point, colour)
            assert bool(said) == (after is None or stones in before), (number, said)
            if said:
                continue
            position.play(point, colour)
            board = after
            before.add(stones)
        ours = {
            (NAMES[int(it)], (size - 1 - row, column))
            for (row, column), it in np.ndenumerate(position.stones())
            if it
        }
        assert ours == set(board.list_occupied_points())
        assert position.margin() == board.area_score()


def test_ko_forbids_to_take_back_at_once():
    position = position_of(". X O .", "X . X O", ". X O .", ". . . .")
    position = position_of(". X O .", "X O . O", ". X O .", ". . . .")
    position.play(read_point("C3", 4), BLACK)
    assert position.complain(read_point("B3", 4)) == "ko"
    position.play(PASS)
    position.play(PASS)
    assert "superko" in position.complain(read_point("B3", 4), WHITE)
    assert Rules().superko
    simple = Position(Rules(4, 0, superko=False), position.setup, position.moves)
    assert simple.complain(read_point("B3", 4), WHITE) == ""


def test_suicide_is_forbidden_and_a_capture_is_none():
    alone = position_of(". X .", "X . .", ". . .")
    assert alone.complain(read_point("A3", 3), WHITE) == "suicide"
    taking = position_of(". X O", "X O .", "O . .")
    assert taking.complain(read_point("A3", 3), WHITE) == ""
    taking.play(read_point("A3", 3), WHITE)
    assert taking.stones()[0, 1] == 0
    assert taking.stones()[1, 0] == 0


def test_positional_superko_ends_a_cycle_of_three_kos():
    """Without superko some games never end; with it each position comes once."""
    chance = np.random.default_rng(3)
    position = Position(Rules(2, 0))
    while legal := position.legal_points():
        position.play(int(chance.choice(legal)))
    assert len(set(position.past)) == len(position.past)


def test_area_counts_stones_and_what_they_alone_reach():
    position = position_of(". X . O", "X X . O", ". X . O", ". X . O")
    assert position.margin() == 8 - 4
    assert position.owners()[0, 0] == BLACK
    assert position.owners()[0, 2] == 0
    assert Position(Rules(9, 7.5)).result() == "W+7.5"


def test_undo_is_as_if_it_had_not_been_played():
    position = Position(Rules(5))
    position.play(read_point("C3", 5))
    before = position.state.copy()
    position.play(read_point("C2", 5))
    position.undo()
    assert (position.state == before).all()
    position.undo()
    with pytest.raises(ValueError, match="no move"):
        position.undo()


@pytest.mark.parametrize("size", [2, 9, 19])
def test_points_have_the_names_that_gtp_gives_them(size):
    for point in [*all_points(size), PASS]:
        assert read_point(name_point(point, size), size) == point
    assert name_point(point_at(size - 1, 0), size) == "A1"
    assert (name_point(point_at(0, 8), size) == "J9") if size == 9 else True


@pytest.mark.parametrize(
    "text", ["", "I5", "K1", "A0", "A10", "A", "5", "A1x", "A٣", "\x00", "A-1"]
)
def test_what_is_no_point_is_refused(text):
    with pytest.raises(ValueError):
        read_point(text, 9)


def test_stones_are_set_up_with_liberties_and_once():
    with pytest.raises(ValueError, match="liberties"):
        position_of(". X", "X O")
    with pytest.raises(ValueError, match="two stones"):
        Position(Rules(5), [(BLACK, point_at(0, 0)), (WHITE, point_at(0, 0))])
    with pytest.raises(ValueError, match="2 to 19"):
        Rules(20)


def test_handicap_stones_lie_where_custom_has_them():
    names = {name_point(it, 9) for it in handicap_points(9, 5)}
    assert names == {"C3", "G7", "G3", "C7", "E5"}
    assert {name_point(it, 19) for it in handicap_points(19, 2)} == {"D4", "Q16"}
    with pytest.raises(ValueError, match="2 to 4"):
        handicap_points(8, 5)
    white_first = Position(Rules(9), [(BLACK, it) for it in handicap_points(9, 2)])
    assert white_first.turn == WHITE


def test_the_board_is_drawn_with_the_last_move_in_brackets():
    position = Position(Rules(3))
    position.play(read_point("B2", 3))
    assert draw_text(position).splitlines()[2] == " 2 .(X).   2"
