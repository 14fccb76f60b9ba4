"""From rules and records to questions; how answers are marked."""

import json

import numpy as np
import pandas as pd
import pytest

from penstock.datasets.dataset import Dataset, DatasetWriter
from penstock.kinds.games.compiled.layout import BLACK, WHITE
from penstock.kinds.games.points import read_point
from penstock.kinds.games.position import Position, Rules
from penstock.kinds.games.records import write_record
from penstock.kinds.games.thinking import Thinker
from penstock.messages.errors import PenstockError
from penstock.pipelines.go import expectations, ingest, openings, predict
from penstock.pipelines.go.network import network
from penstock.pipelines.go.params import Patterns
from penstock.pipelines.go.problems import PROBLEMS
from penstock.pipelines.go.questions import exam, outcome, pairings_of
from penstock.pipelines.go.records_table import read_records
from penstock.pipelines.go.rules_file import read_rules
from penstock.settings.explanation import default_params

FEW = {"test_openings": 6, "validation_openings": 3, "train_openings": 4, "opponent_playouts": 20}


def params(model=None, **sections):
    """The defaults, small."""
    whole = default_params("go")
    changed = {name: getattr(whole, name).model_copy(update=it) for name, it in sections.items()}
    data = whole.data.model_copy(update=FEW)
    return whole.model_copy(update={"data": data, "model": model or whole.model, **changed})


def game_of(*names, size=5):
    position = Position(Rules(size, 3.5))
    for name in names:
        position.play(read_point(name, size))
    return write_record(position, result=position.result())


def read(folder, rules="size: 5\nkomi: 3.5\n", files=None, **data) -> Dataset:
    source = folder / "source"
    source.mkdir(parents=True)
    (source / "rules.yaml").write_text(rules)
    for name, content in (files or {}).items():
        (source / name).parent.mkdir(exist_ok=True)
        (source / name).write_bytes(content)
    with DatasetWriter(folder / "dataset") as writer:
        ingest.ingest(source, writer, params(data={**FEW, **data}))
    return Dataset(folder / "dataset")


@pytest.fixture(scope="module")
def five(tmp_path_factory) -> Dataset:
    games = {
        "a.sgf": game_of("C3", "B2", "D2", "C4"),
        "b.sgf": game_of("B2", "C3", "C2", "D3", "B3"),
        "c.sgf": game_of("C3", "C2", "B2", "D2"),
    }
    return read(tmp_path_factory.mktemp("five"), files=games)


def test_openings_differ_are_even_and_sit_in_one_split(five):
    index = five.index
    assert index["split"].value_counts().to_dict() == {"test": 12, "train": 8, "validation": 6}
    by_group = index.groupby("group")
    assert (by_group["opening"].nunique() == 1).all()
    assert (by_group["colour"].agg(set).map(sorted).map(tuple) == ("black", "white")).all()
    assert index["opening"].nunique() == 13
    assert index["seed"].is_unique
    assert index["sha256"].is_unique
    for it in pairings_of(index, Rules(5, 3.5))[::2]:
        share = openings.black_share(Position(Rules(5, 3.5), moves=list(it.opening)), 1)
        assert 0.15 < share < 0.85


def test_the_same_source_makes_the_same_dataset(tmp_path):
    first, second = read(tmp_path / "a"), read(tmp_path / "b")
    assert first.info["digest"] == second.info["digest"]
    other = read(tmp_path / "c", "size: 5\nkomi: 2.5\n")
    assert other.info["digest"] != first.info["digest"]


def test_records_are_taken_or_rejected_with_a_reason(tmp_path):
    suicide = b"(;SZ[5]AB[ab][bc][cb][ba];W[bb])"
    dataset = read(
        tmp_path,
        files={
            "good.sgf": game_of("C3", "B2"),
            "deep/also.SGF": game_of("B2", "C3"),
            "again.sgf": game_of("B2", "C3"),
            "other.sgf": game_of("C3", size=7),
            "broken.sgf": b"(;SZ[5];B[cc]",
            "empty.sgf": b"(;SZ[5])",
            "suicide.sgf": suicide,
            "notes.txt": b"hello",
        },
    )
    assert dataset.table("records")["id"].tolist() == ["again.sgf", "good.sgf"]
    reasons = dataset.rejected.set_index("id")["reason"].to_dict()
    assert reasons["deep/also.SGF"] == "the same game as again.sgf"
    assert reasons["other.sgf"] == "a board of 7x7; expected 5"
    assert reasons["broken.sgf"].startswith("no SGF of Go")
    assert reasons["empty.sgf"] == "a game without moves"
    assert reasons["suicide.sgf"] == "move 1: white B4: illegal: suicide"
    assert reasons["notes.txt"].startswith("no game; expected rules.yaml and NAME.sgf")
    assert dataset.info["records"] == 2
    assert dataset.info["found"] == dataset.info["examples"] + 6


def test_no_records_at_all_are_no_trouble(tmp_path):
    dataset = read(tmp_path)
    assert read_records(dataset, "test") == []
    tables = expectations.tables(dataset)
    assert tables["record_totals"]["share"].tolist() == [0.0]
    assert len(tables["records"]) == 0
    assert 0 < tables["evenness"]["share"].iloc[0] < 1


def test_records_come_back_as_they_were(five):
    games = [it for split in ("test", "validation", "train") for it in read_records(five, split)]
    moves = {tuple(it.replay(Rules(5, 3.5)).moves) for it in games}
    assert len(games) == 3
    assert ((BLACK, read_point("C3", 5)), (WHITE, read_point("B2", 5))) in {it[:2] for it in moves}


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("size: 30\n", "size 30: expected 2 to 19 lines"),
        ("size: [1\n", "expected size: 9"),
        ("[" * 50_000, "expected size: 9"),
        ("board: 9\n", "board: Extra inputs"),
        ("komi: x\n", "komi: Input should be a valid number"),
        ("komi: 3.3\n", "komi 3.3: expected a whole or half"),
        ("komi: .nan\n", "expected a whole or half"),
        ("- 9\n", "expected size, komi"),
        ("size: " + "9" * 70_000, "more than 65,536 bytes"),
    ],
)
def test_rules_that_make_no_game_are_refused_in_a_line(content, told, tmp_path):
    file = tmp_path / "rules.yaml"
    file.write_text(content)
    with pytest.raises(PenstockError) as refused:
        read_rules(file)
    assert told in str(refused.value)
    assert str(refused.value).startswith(str(file))
    assert "\n" not in str(refused.value)


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(PenstockError, match=r"rules\.yaml: nothing there"):
        read_rules(tmp_path / "rules.yaml")
    with pytest.raises(PenstockError, match=r"only \d+ more are found; ask for fewer"):
        read(tmp_path, "size: 2\nkomi: 0.5\n", test_openings=500)


def test_questions_are_answered_and_marked_by_playing_them_again(five):
    model = network(Patterns(playouts=30), five.info).eval()
    asked = exam(five, "test")
    answers = predict.predict(model, asked[list(predict.INPUTS)], five.info, predict.OPTIONS)
    assert (answers["error"] == "").all()
    scores = outcome(answers, asked)
    assert set(scores["won"]) <= {0.0, 0.5, 1.0}
    first = scores.iloc[0]
    signs = {"black": "B", "white": "W"}
    assert (answers["result"][0][0] == signs[first["colour"]]) == (first["won"] == 1)
    again = predict.predict(model, asked[list(predict.INPUTS)], five.info, predict.OPTIONS)
    assert answers["moves"].tolist() == again["moves"].tolist()
    claimed = answers.assign(moves=[["C3"] * 2] * len(answers))
    assert outcome(claimed, asked)["won"].sum() == 0, "an illegal move loses"
    broken = answers.assign(moves=[it[:-1] for it in answers["moves"]])
    assert outcome(broken, asked)["won"].sum() == 0, "a game that is not played to its end is lost"
    assert outcome(answers.assign(moves=None), asked)["won"].sum() == 0


def test_a_position_is_thought_about_and_drawn(five):
    model = network(Patterns(playouts=60), five.info).eval()
    rows = pd.DataFrame({"sgf": [game_of("C3", "B2"), b"nonsense", game_of("C3", size=7)]})
    options = {**predict.OPTIONS, "draw": True, "at": 1}
    answers = predict.predict(model, rows, five.info, options)
    assert answers["error"].tolist()[1].startswith("no SGF of Go")
    assert answers["error"].tolist()[2] == "a board of 7x7; expected 5"
    first = answers.iloc[0]
    assert first["turn"] == "white"
    assert first["move"] == first["moves"][0]
    assert first["black_wins"] == pytest.approx(1 - first["win_probability"])
    assert len(first["ownership"]) == 25
    assert first["picture"].startswith(b"\x89PNG")
    bad = pd.DataFrame(
        {"sgf": [game_of("C3")] * 2, "colour": ["green", "black"], "opponent": [5.0, 0.0]}
    )
    told = predict.predict(model, bad, five.info, predict.OPTIONS)["error"].tolist()
    assert told[0] == "colour green: expected black or white"
    assert told[1].startswith("opponent 0: expected 1 to")


def test_settings_that_leave_nothing_to_choose_by_are_refused():
    whole = default_params("go").model_dump(mode="json")
    whole["train"] |= {"validation_games": 0, "keep": "best"}
    with pytest.raises(ValueError, match="nothing to choose by"):
        type(default_params("go")).model_validate_json(json.dumps(whole))


@pytest.mark.parametrize("size", PROBLEMS)
def test_problems_have_answers_that_long_thought_finds(size):
    assert PROBLEMS[size]
    for problem in PROBLEMS[size]:
        position = problem.position()
        assert position.turn == BLACK
        assert all(position.complain(it) == "" for it in problem.points()), problem.name
        thought = Thinker(1500, seed=3).think(position)
        assert thought.best in problem.points(), problem.name
        assert thought.value > 0.7
        assert np.count_nonzero(position.stones()) >= size
