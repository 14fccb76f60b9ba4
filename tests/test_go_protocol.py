"""GTP 2: what programs that show a board say, and what comes back, also to nonsense."""

import re

import pytest

from penstock.kinds.games.compiled.layout import BLACK, WHITE
from penstock.kinds.games.points import name_point, read_point
from penstock.kinds.games.position import Position, Rules
from penstock.kinds.games.records import read_record, write_record
from penstock.pipelines.go.gtp import Engine
from penstock.pipelines.go.network import network
from penstock.pipelines.go.params import Patterns, Reinforced, Residual

INFO = {"size": 5, "komi": 3.5, "superko": True, "opponent_playouts": 20}


def talk(*lines, model=None):
    """Responses to commands."""
    settings = model or Patterns(playouts=40)
    engine = Engine(network(settings, INFO).eval())
    said = list(engine.answer(f"{it}\n" for it in lines))
    assert all(re.fullmatch(r"[=?]\d*( [^\n]*)?\n(.+\n)*\n", it) for it in said), said
    return [it.removesuffix("\n\n") for it in said]


def test_a_game_is_played_to_its_score():
    said = talk(
        "1 protocol_version", "2 name", "boardsize 5", "komi 3.5", *["genmove b", "genmove w"]
    )
    assert said[:4] == ["=1 2", "=2 Penstock", "= ", "= "]
    first, second = (read_point(it[2:], 5) for it in said[4:])
    assert first != second
    lines = ["genmove b", "genmove w"] * 40
    said = talk("boardsize 5", *lines, "final_score")
    assert said[-1][2] in "BW0"
    assert any(it in ("= pass", "= resign") for it in said)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("play b Z9", "? invalid vertex"),
        ("play b I5", "? invalid vertex"),
        ("play b", "? syntax error: expected a colour and a vertex"),
        ("play green C3", "? invalid color"),
        ("boardsize 30", "? unacceptable size"),
        ("boardsize x", "? boardsize not an integer"),
        ("boardsize", "? boardsize not an integer"),
        ("komi nan", "? komi not a number"),
        ("komi 1e9", "? komi out of range"),
        ("undo", "? cannot undo"),
        ("fixed_handicap 99", "? invalid number of stones"),
        ("set_free_handicap A1 A1", "? bad vertex list"),
        ("time_settings 1 2", "? syntax error: expected main time, byo yomi time and stones"),
        ("time_left b x 1", "? time not a number"),
        ("loadsgf /nowhere/at/all", "? cannot load file: No such file or directory"),
        ("genmove", "? syntax error: expected a colour"),
        ("dance", "? unknown command"),
        ("12 dance", "?12 unknown command"),
        ("7", "?7 unknown command"),
        ("known_command genmove", "= true"),
        ("known_command dance", "= false"),
        ("known_command", "= false"),
        ("final_score", "= W+3.5"),
        ("name # a remark", "= Penstock"),
        ("\x01na\x07me", "= Penstock"),
        ("play b " + "A" * 20_000, "? line too long"),
    ],
)
def test_each_line_has_its_response(line, said):
    assert talk(line) == [said]


def test_empty_lines_and_remarks_have_none_and_quit_ends():
    assert talk("", "   ", "# hello", "3 quit", "name") == ["=3 "]


def test_illegal_moves_are_refused_and_nothing_changes():
    assert talk("boardsize 3", "play b B2", "play w B2", "showboard")[2:] == [
        "? illegal move",
        talk("boardsize 3", "play b B2", "showboard")[-1],
    ]
    suicide = [f"play b {it}" for it in ("A2", "B3", "B1", "C2")]
    assert talk("boardsize 3", *suicide, "play w B2")[-1] == "? illegal move"
    ko = ["play b B4", "play b A3", "play b B2", "play w C4", "play w D3", "play w C2", "play w B3"]
    taken_back = talk("boardsize 4", *ko, "play b C3", "play w B3")
    assert taken_back[-1] == "? illegal move"
    passed = talk("boardsize 4", *ko, "play b C3", "play w pass", "play b pass", "play w B3")
    assert passed[-1] == "? illegal move"  # superko


def test_handicap_komi_and_undo():
    said = talk(
        "boardsize 9", "fixed_handicap 2", "fixed_handicap 2", "play w E5", "undo", "genmove w"
    )
    assert said[1] == "= G7 C3" or set(said[1].split()[1:]) == {"C3", "G7"}
    assert said[2] == "? board not empty"
    assert said[4] == "= "
    assert talk("boardsize 9", "place_free_handicap 30")[1].count(" ") == 9
    assert talk("boardsize 5", "set_free_handicap A1 B2", "final_score")[1:] == ["= ", "= B+21.5"]


def test_a_game_is_loaded_and_printed(tmp_path):
    position = Position(Rules(5, 2.5))
    for name in ("C3", "B2", "D2"):
        position.play(read_point(name, 5))
    file = tmp_path / "game.sgf"
    file.write_bytes(write_record(position))
    said = talk(f"loadsgf {file}", "printsgf", f"loadsgf {file} 2", "printsgf", f"loadsgf {file} 0")
    assert said[0] == "= white"
    assert len(read_record(said[1][2:].encode()).moves) == 3
    assert said[2] == "= white"
    assert len(read_record(said[3][2:].encode()).moves) == 1
    assert said[4].startswith("? syntax error")
    file.write_bytes(b"(;SZ[5];B[cc]")
    assert talk(f"loadsgf {file}")[0].startswith("? cannot load file: no SGF of Go")
    file.write_bytes(b"(;SZ[5]C[" + b"x" * (10 * 2**20) + b"])")
    assert talk(f"loadsgf {file}")[0] == "? cannot load file: too large"


def test_time_is_kept_to():
    said = talk(
        "time_settings 1 0 0", "time_left b 1 0", "genmove b", "time_settings 0 1 0", "genmove w"
    )
    assert all(it.startswith("=") for it in said)
    engine = Engine(network(Patterns(), INFO))
    list(engine.answer(iter(["time_settings 30 10 5\n", "time_left b 8 2\n"])))
    assert engine._seconds(BLACK) == pytest.approx(0.9 * 4)
    assert 0 < engine._seconds(WHITE) < 10


@pytest.mark.parametrize(
    "model", [Residual(channels=4, blocks=1, playouts=4), Reinforced(hidden=8)]
)
def test_networks_play_on_the_board_they_learned_on(model):
    said = talk(
        "boardsize 5",
        "boardsize 9",
        "genmove b",
        "genmove w",
        "time_settings 1 0 0",
        "genmove b",
        model=model,
    )
    assert said[1] == "? unacceptable size"
    names = {name_point(it, 5) for it in range(500) if it > 21 and 0 < it % 21 < 6 and it // 21 < 6}
    assert {it[2:] for it in (said[2], said[3], said[5])} <= names | {"pass"}


def test_playing_for_the_other_side_is_as_if_it_had_passed():
    said = talk("genmove w", "genmove w", "showboard")
    assert said[2].count("O") >= 2
