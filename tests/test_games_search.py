"""Search by playouts: it finds what is to be found, is the same each time, and is kept compiled."""

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

from penstock.kinds.games import thinking
from penstock.kinds.games.compiled import caching, layout, patterns, playouts, rules, tactics
from penstock.kinds.games.compiled.layout import BLACK, PASS, WHITE
from penstock.kinds.games.points import all_points, name_point, place_of, read_point
from penstock.kinds.games.position import Position, Rules
from penstock.kinds.games.thinking import Thinker, hand_made
from test_games_rules import position_of

ATARI = position_of(
    ". . . . .",
    ". . X . .",
    ". X O . .",
    ". . X . .",
    ". . . . .",
)


def test_playouts_end_with_nothing_left_but_eyes():
    margins = np.zeros(200, np.int32)
    state = rules.empty_board(9)
    playouts.sample_ends(state, 200, 1, hand_made(), margins)
    assert len(set(margins.tolist())) > 20
    assert abs(margins.mean()) < 15
    assert (state == rules.empty_board(9)).all()
    owner = np.zeros(layout.POINTS, np.int32)
    played = np.zeros(layout.POINTS, np.int32)
    playouts.play_out(state, playouts.seed_chance(3), hand_made(), played)
    assert state[layout.PASSES] == 2
    assert playouts.score_end(state, owner) == rules.score_area(state, owner)


def test_liberties_after_a_move_are_those_it_has():
    chance = np.random.default_rng(1)
    position = Position(Rules(7, 0))
    for _ in range(120):
        legal = position.legal_points()
        if not legal:
            break
        point = int(chance.choice(legal))
        told = int(tactics.liberties_after(position.state, point, position.turn))
        before = position.copy()
        position.play(point)
        taken = position.stones().astype(bool).sum() != before.stones().astype(bool).sum() + 1
        head = int(position.state[layout.HEAD + point])
        if not taken:
            assert told == int(tactics.chain_liberties(position.state, head)), position.name(point)
        else:
            assert told >= 1


def test_patterns_are_the_same_turned_mirrored_and_in_either_colour():
    table = patterns.worthy_patterns()
    classes, count = patterns.pattern_classes()
    assert 0 < table.sum() < patterns.NUMBERS
    worth = np.zeros(count)
    np.maximum.at(worth, classes, table)
    assert (worth[classes] == table).all()
    position = position_of("O X O", ". . .", ". . .")
    number = int(patterns.pattern_at(position.state, read_point("B2", 3), BLACK))
    assert table[number] == 1  # hane, enclosing


@pytest.mark.parametrize("turn", [BLACK, WHITE])
def test_the_move_that_takes_or_saves_a_stone_is_found(turn):
    position = ATARI.copy()
    position.state[layout.TURN] = turn
    thought = Thinker(400, seed=1).think(position)
    assert name_point(thought.best, 5) == "D3"
    assert thought.visits[0] == thought.visits.max()
    assert 0 <= thought.value <= 1


def test_the_same_seed_plays_the_same_game():
    def play(seed):
        position, thinker = Position(Rules(5, 0.5)), Thinker(200, seed=seed)
        while not position.is_over and len(position.moves) < 60:
            position.play(thinker.choose(position))
        return position

    first, again, other = play(1), play(1), play(2)
    assert first.moves == again.moves != other.moves
    assert len(first.moves) < 60


def test_what_was_found_is_used_again_a_move_later():
    position, thinker = Position(Rules(7)), Thinker(1000, seed=0)
    thought = thinker.think(position)
    position.play(thought.best)
    position.play(int(thinker.think(position).moves[0]))
    again = thinker.think(position, playouts=128)
    assert again.playouts > again.spent
    thinker.forget()
    anew = thinker.think(position, playouts=128)
    assert anew.playouts == anew.spent


def test_where_there_is_no_time_something_is_found_all_the_same():
    thought = Thinker(seconds=0.0).think(Position(Rules(9)))
    assert thought.spent > 0
    assert thought.best in all_points(9)


def test_thinking_by_time_ends_and_has_looked():
    thought = Thinker(seconds=0.05).think(Position(Rules(9)))
    assert thought.spent > 0
    assert set(thought.moves) <= {*all_points(9), PASS}


def test_a_full_tree_is_played_out_from(monkeypatch):
    monkeypatch.setattr(thinking, "MOST_NODES", 100)
    thought = Thinker(1000, seed=0).think(Position(Rules(9)))
    assert thought.spent > 300
    assert thought.visits.sum() == thought.spent


def test_a_won_game_is_ended_when_the_other_passes():
    position = position_of(". X .", "X X X", ". X .", komi=0.5)
    position.state[layout.TURN] = WHITE
    position.play(PASS, WHITE)
    assert Thinker(50).choose(position) == PASS


def test_superko_is_kept_in_the_search():
    position = Position(Rules(2, 0.5))
    thinker = Thinker(100)
    for _ in range(40):
        if position.is_over:
            break
        position.play(thinker.choose(position))
    assert position.is_over


def test_search_owns_what_it_wins():
    owners = Thinker(500).think(position_of(*[". . X . O . ."] * 7)).owners
    assert owners[:, :3].min() > 0.5
    assert owners[:, 4:].max() < -0.5


STARTS = """
import sys
sys.path.insert(0, {path!r})
from {package}.kinds.games.thinking import Thinker
from {package}.kinds.games.position import Position
assert Thinker(20).think(Position()).spent == 20
from {package}.kinds.games.compiled import search
print(sum(search.search.stats.cache_hits.values()), sum(search.search.stats.cache_misses.values()))
"""


def test_a_copy_under_another_name_takes_what_was_compiled(tmp_path):
    """A registered model has a copy of the code, in a package named after its content."""
    Thinker(20).think(Position())
    source = caching.HERE.parent.parent.parent
    for part in ("", "kinds", "kinds/games"):
        (tmp_path / "penstock_copy" / part).mkdir(parents=True)
        for file in (source / part).glob("*.py"):
            shutil.copy(file, tmp_path / "penstock_copy" / part / file.name)
    shutil.copytree(caching.HERE, tmp_path / "penstock_copy/kinds/games/compiled")
    code = STARTS.format(path=str(tmp_path), package="penstock_copy")
    done = subprocess.run(
        [sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["1", "0"]
    assert "compiling" not in done.stderr


def test_without_a_place_to_write_it_compiles_each_time(tmp_path):
    nowhere = tmp_path / "file"
    nowhere.write_text("")
    code = (
        "from penstock.kinds.games.compiled import caching, rules\n"
        "print(rules.empty_board(2)[0], caching.is_kept('search.search'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "XDG_CACHE_HOME": str(nowhere)},
    )
    assert done.stdout.split() == ["3", "False"]


def test_places_and_points_agree():
    assert [place_of(it) for it in all_points(2)] == [(0, 0), (0, 1), (1, 0), (1, 1)]
