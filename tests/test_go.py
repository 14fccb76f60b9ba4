"""Go through all stages, by the commands users type; and a match by GTP against the champion."""

import json
import sys

import pytest

from penstock.kinds.games.compiled.layout import BLACK
from penstock.kinds.games.position import Position, Rules
from penstock.pipelines.go.gnugo import GtpProgram, find_gnugo, gnu_go
from penstock.pipelines.go.matches import both_colours, play_games, wins_of
from penstock.pipelines.go.players import RandomPlayer, SearchPlayer
from projects import finish_once

QUICK = {
    "data": {"test_openings": 12, "validation_openings": 10, "train_openings": 10},
    "train": {"max_epochs": 2, "games": 8, "steps": 20, "validation_games": 4},
    "evaluate": {"games": 10},
    "register": {"tolerance": 0.5},
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return finish_once(tmp_path_factory, "go", **QUICK)


@pytest.mark.pipeline
def test_go_is_learned_registered_and_shown(finished):
    folder = finished.root / "data" / "go"
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["test/random_win_rate"] > 0.6
    assert 0 < metrics["test/win_rate"] < 1
    assert metrics["test/win_rate_low"] < metrics["test/win_rate"] < metrics["test/win_rate_high"]
    assert 0 < metrics["test/moves_first"] < metrics["test/moves_in_five"] <= 1
    receipt = json.loads((folder / "receipt.json").read_text())
    assert receipt["decision"] == "champion"
    assert receipt["score"] == "test/win_rate"
    page = (folder / "report.html").read_text()
    for title in ("Matches", "A game", "Problems"):
        assert title in page


@pytest.mark.pipeline
def test_the_champion_looks_at_a_game_and_draws_it(finished, tmp_path):
    game = finished.root / "data" / "samples" / "go" / "game-00.sgf"
    bad = tmp_path / "bad.sgf"
    bad.write_text("(;SZ[5];B[cc]")
    done = finished.run(
        "penstock", "predict", "go", str(game), str(bad), str(game), "--json", "-o", "at=6",
        "--save", str(tmp_path / "out"), check=False,
    )  # fmt: skip
    assert done.returncode == 1
    first, second, again = map(json.loads, done.stdout.splitlines())
    assert again == first, "whatever is asked beside it"
    assert first["move"] == first["moves"][0]
    assert 0 <= first["win_probability"] <= 1
    assert len(first["ownership"]) == 25
    assert sorted(first["stones"]).count(1) == sorted(first["stones"]).count(-1) == 3
    assert second["error"].startswith("no SGF of Go")
    drawn = {it.name for it in (tmp_path / "out").iterdir()}
    assert drawn == {"game-00.picture.png", "game-00-2.picture.png"}


@pytest.mark.pipeline
def test_what_would_be_read_can_be_looked_at(finished):
    said = finished.run("penstock", "look", "go").stdout
    assert "5x5, komi 3.5: 32 openings, 12 recorded games" in said
    assert "records: 12, such as game-00.sgf" in said


@pytest.mark.pipeline
def test_another_model_is_compared_on_the_same_openings(finished, tmp_path, monkeypatch):
    project = finished.copy(tmp_path / "project")
    project.set("go", train={"seed": 1})
    project.run("penstock", "run", "go")
    receipt = json.loads((project.root / "data" / "go" / "receipt.json").read_text())
    (comparison,) = receipt["comparisons"]
    assert receipt["version"] == 2
    assert comparison["low"] <= comparison["difference"] <= comparison["high"]
    for name, value in {**project.environment(), **project.warm}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(project.root)
    gtp = [sys.executable, "-m", "penstock", "gtp"]
    with GtpProgram([*gtp, "--version", "2"], "v2") as one, GtpProgram(gtp, "champion") as other:
        (game,) = play_games(Rules(5, 3.5), both_colours([()], 1)[:1], one, other)
        assert one.score(game) == other.score(game) == game.result()
    done = project.run("penstock", "gtp", "--version", "3", check=False)
    assert "go v3: no such version" in done.stderr


@pytest.mark.pipeline
def test_a_script_plays_the_champion_by_gtp(finished, monkeypatch):
    """As gogui-twogtp does: a referee of our own, and a program behind a pipe."""
    for name, value in {**finished.environment(), **finished.warm}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(finished.root)
    rules = Rules(5, 3.5)
    pairings = both_colours([()], 1)
    with GtpProgram([sys.executable, "-m", "penstock", "gtp"], "champion") as champion:
        assert champion.tell("name") == "Penstock"
        assert champion.tell("known_command genmove") == "true"
        games = [play_games(rules, [it], champion, RandomPlayer())[0] for it in pairings]
        for game in games:
            assert champion.score(game) == game.result()
    assert wins_of(games, pairings).sum() >= 1
    assert {it.moves[0][0] for it in games} == {BLACK}


@pytest.mark.pipeline
def test_without_a_champion_gtp_says_what_to_do(tmp_path, fresh_project):
    project = fresh_project.copy(tmp_path / "project")
    project.keep("mnist")
    done = project.run("penstock", "gtp", "mnist", check=False)
    assert done.returncode == 1
    assert "mnist: no champion in the registry" in done.stderr


@pytest.mark.skipif(find_gnugo() is None, reason="GNU Go is not installed")
def test_gnu_go_and_these_rules_agree():
    rules = Rules(7, 0.5)
    with gnu_go(1) as program:
        (game,) = play_games(rules, both_colours([()], 3)[:1], SearchPlayer(100), program)
        assert program.score(game) == game.result()


def test_a_program_that_is_no_go_player_is_told_of():
    with GtpProgram(["true"], "true") as program:
        program.begin([0])
        with pytest.raises(RuntimeError, match="true: "):
            program.choose([0], [Position(Rules(5))])
