"""Learning from games against itself: the same bits each time, and taken up again."""

import numpy as np
import pytest
import torch

from penstock.kinds.games.compiled import features, puct
from penstock.kinds.games.compiled.layout import BLACK, PASS, WHITE
from penstock.kinds.games.points import all_points, read_point
from penstock.kinds.games.position import Position, Rules
from penstock.kinds.games.thinking import Thinker
from penstock.learning import checkpoints
from penstock.pipelines.go.acting import PolicyPlayer, make_player, sensible_places
from penstock.pipelines.go.analysis import analyze, policy_shares
from penstock.pipelines.go.encoding import encode_games, see_moves, see_planes
from penstock.pipelines.go.evaluate import evaluate
from penstock.pipelines.go.guided import GuidedSearch
from penstock.pipelines.go.matches import (
    Pairing,
    both_colours,
    match_table,
    play_games,
    summarize,
    wins_of,
)
from penstock.pipelines.go.network import network, symmetries
from penstock.pipelines.go.params import Patterns, Reinforced, Residual
from penstock.pipelines.go.players import RandomPlayer, SearchPlayer, elo
from penstock.pipelines.go.self_play import Plan, play_by_network, play_by_search
from penstock.stages.train import train_network
from test_games_rules import position_of
from test_go_data import five as five
from test_go_data import params

FIVE = Rules(5, 3.5)
INFO = {"size": 5, "komi": 3.5, "superko": True, "opponent_playouts": 20}
SMALL = {
    **{"max_epochs": 2, "games": 4, "steps": 4, "batch_size": 16, "window": 300},
    **{"playouts": 24, "validation_games": 2, "threads": 1, "learning_rate": 0.01},
}
KINDS = {
    "patterns": Patterns(playouts=30),
    "residual": Residual(channels=8, blocks=1, playouts=6, rollouts=2),
    "mlp": Reinforced(hidden=16),
}


def trained(five, folder, kind, tell=lambda *_: None, **train):
    settings = params(KINDS[kind], train={**SMALL, **train})
    return train_network("go", settings, five, folder, tell)[0]


def test_a_move_has_the_categories_that_describe_it():
    position = position_of(
        ". . . . .",
        ". O X . .",
        "O X . X .",
        ". O O . .",
        ". . . . .",
    )
    found = np.zeros(features.COUNT, np.int64)

    def category(name, group, colour=BLACK):
        features.describe(position.state, read_point(name, 5), colour, found)
        at = features.NAMES.index(group)
        return int(found[at] - features.STARTS[at])

    assert category("C3", "rescue") == 1  # the stone at B3 has one liberty, and then more
    assert category("C3", "friends") == 3
    assert category("C3", "capture", WHITE) == 1
    assert category("E1", "place") == 0
    assert category("E1", "capture") == 0
    assert category("B5", "threat") == 1  # leaves B4 one liberty
    assert category("E5", "threat") == 0
    position.play(read_point("D1", 5))
    assert category("E1", "last") == 2
    assert category("E1", "near") == 1
    assert category("A5", "near") == 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_policy_gives_every_sensible_move_a_share(kind):
    model = network(KINDS[kind], INFO).eval()
    position = position_of(*[". X . O ."] * 5, komi=3.5)
    shares = policy_shares(model, position)
    assert shares.sum() == pytest.approx(1)
    assert ((shares[:-1] > 0) == sensible_places(position)).all()
    thought = analyze(model, position, playouts=20)
    assert thought.shares.sum() == pytest.approx(1, abs=1e-5)
    assert thought.owners.shape == (5, 5)
    if kind != "residual":  # whose owners are learned
        assert thought.owners[:, 0].mean() > thought.owners[:, 4].mean()
    assert 0 <= thought.black_wins <= 1


def test_patterns_do_not_depend_on_how_the_board_lies():
    torch.manual_seed(0)
    model = network(Patterns(), INFO).eval()
    with torch.no_grad():
        model.categories.normal_()
        model.patterns.normal_()
    moves = [read_point(it, 5) for it in ("C3", "B2", "D4", "B3")]
    turned = {}
    for number, turn in enumerate(symmetries(5).tolist()):
        points = all_points(5)
        where = {points[old]: points[new] for new, old in enumerate(turn)}
        position = Position(FIVE, moves=[(1 + it % 2, where[m]) for it, m in enumerate(moves)])
        turned[number] = np.sort(policy_shares(model, position)[:-1])
    for shares in turned.values():
        assert shares == pytest.approx(turned[0], abs=1e-6)


def test_the_search_weighs_moves_as_the_network_does():
    torch.manual_seed(1)
    model = network(Patterns(visits=10_000.0), INFO).eval()
    with torch.no_grad():
        model.categories.normal_()
        model.patterns.normal_()
    position = Position(FIVE)
    for name in ("C3", "B2", "D2", "C4"):
        position.play(read_point(name, 5))
    shares = policy_shares(model, position)[:-1]
    thought = Thinker(1, learned=model.learned()).think(position)
    assert thought.best == all_points(5)[int(shares.argmax())]


def test_planes_say_what_lies_there():
    position = position_of(". X O . .", "X O . . .", ". . . . .", ". . . . .", ". . . . .")
    position.play(read_point("E1", 5))
    seen, sensible = see_planes(position)
    board = seen.reshape(-1, 5, 5)
    assert board[0].sum() == 2  # white's, who is to play
    assert board[1].sum() == 3
    assert board[2:5].sum() == 2
    assert board[8, 0, 0] == 0  # white takes there
    assert board[9, 4, 4] == 1
    assert board[10].sum() == 0
    assert board[12].all()
    assert sensible[-1]


def test_symmetries_are_eight_and_turn_back():
    turns = symmetries(4)
    assert len({tuple(it.tolist()) for it in turns}) == 8
    assert all(sorted(it.tolist()) == list(range(16)) for it in turns)


def test_sequential_halving_looks_at_all_then_at_the_better_half():
    plan = puct.visit_plan(4, 16)
    assert len(plan) == 16
    assert plan[:4].tolist() == [0, 0, 0, 0]
    assert plan.max() >= 4
    assert puct.visit_plan(1, 3).tolist() == [0, 1, 2]
    assert len(puct.visit_plan(16, 5)) == 5


def test_a_guided_search_finds_what_wins_without_having_learned():
    """By playouts from what it looks at; the network itself knows nothing yet."""
    torch.manual_seed(0)
    model = network(Residual(channels=4, blocks=1, rollouts=16, rollout_share=1.0), INFO).eval()
    position = position_of(
        ". X O . .",
        "X X O O .",
        "X . O . O",
        "X X O O .",
        "X . X O .",
    )
    assert position.turn == BLACK
    noises = np.zeros((2, 26))
    search = GuidedSearch(model)
    found = search.think([position] * 2, [60, 60], noises, [1, 1])
    assert found[0].move == found[1].move
    assert found[0].visits.sum() == 60
    assert found[0].policy.sum() == pytest.approx(1, abs=1e-5)
    generous = Position(Rules(5, -60.5), position.setup)
    generous.state[:] = position.state
    hopeful = search.think([generous], [60], noises[:1], [1])[0]
    assert hopeful.value > found[0].value, "the komi of the position counts"
    alone = search.think([position], [60], noises[:1], [1])[0]
    assert alone.visits.sum() == 60


@pytest.mark.parametrize("kind", ["patterns", "residual"])
def test_games_against_itself_are_the_same_for_the_same_seed(kind):
    torch.manual_seed(0)
    model = network(KINDS[kind], INFO).eval()
    plan = Plan(FIVE, [((BLACK, read_point("C3", 5)),)], 3, 16, 0.5)

    def play(seed):
        if kind == "patterns":
            return play_by_search(plan, seed, model.learned())
        return play_by_network(plan, seed, GuidedSearch(model))

    first, again, other = play(1), play(1), play(2)
    assert [it.game.moves for it in first] == [it.game.moves for it in again]
    assert [it.game.moves for it in first] != [it.game.moves for it in other]
    rows, same = encode_games(model, first), encode_games(model, again)
    assert all((rows[name] == same[name]).all() for name in rows)
    learned = rows["weight"] > 0
    assert learned.any()
    assert rows["policy"][learned].sum(1) == pytest.approx(1, abs=1e-4)


def test_threads_change_no_game():
    plan = Plan(FIVE, [], 4, 16, 0.5)
    one = [it.game.moves for it in play_by_search(plan, 3)]
    torch.set_num_threads(2)
    two = [it.game.moves for it in play_by_search(plan, 3)]
    torch.set_num_threads(1)
    assert one == two


@pytest.mark.parametrize("kind", KINDS)
def test_a_training_broken_off_goes_on_to_the_same_bits(kind, five, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(checkpoints, "EVERY", 0)

    def stop(epoch, _):
        if epoch["epoch"] == 2:
            raise KeyboardInterrupt

    whole = trained(five, tmp_path / "a", kind, max_epochs=3).state_dict()
    with pytest.raises(KeyboardInterrupt):
        trained(five, tmp_path / "b", kind, stop, max_epochs=3)
    same = trained(five, tmp_path / "b", kind, max_epochs=3).state_dict()
    assert "goes on after epoch 1/3" in capsys.readouterr().out
    assert all(torch.equal(whole[name], same[name]) for name in whole)
    other = trained(five, tmp_path / "c", kind, max_epochs=3, seed=1).state_dict()
    assert not all(torch.equal(whole[name], other[name]) for name in whole)


def test_a_budget_of_positions_ends_the_training(five, tmp_path, capsys):
    trained(five, tmp_path, "patterns", max_epochs=50, positions=400)
    said = capsys.readouterr().out
    assert 1 < said.count("games/s") < 50
    assert "positions so far" in said


def test_patterns_learn_what_the_search_prefers(five, tmp_path):
    told = []
    trained(
        five, tmp_path, "patterns", lambda epoch, _: told.append(epoch),
        max_epochs=3, games=8, steps=60, playouts=60,
    )  # fmt: skip
    assert told[-1]["train/loss"] < told[0]["train/loss"]
    assert told[-1]["train/agreed"] > 0.3
    assert all(0 <= it["val/lost"] <= 1 for it in told)


def test_a_network_can_start_from_classical_games_and_records(five, tmp_path, capsys):
    trained(five, tmp_path, "residual", search_rounds=1, max_epochs=1, steps=2)
    assert "round 1: 4 games" in capsys.readouterr().out


def test_a_match_pairs_openings_and_colours():
    opening = ((BLACK, read_point("C3", 5)),)
    pairings = both_colours([opening, ()], 5)
    assert [it.colour for it in pairings] == [BLACK, WHITE, BLACK, WHITE]
    assert len({it.seed for it in pairings}) == 4
    games = play_games(FIVE, pairings, SearchPlayer(60), RandomPlayer())
    assert all(it.is_over for it in games)
    assert all(
        it.moves[: len(p.opening)] == list(p.opening) for it, p in zip(games, pairings, strict=True)
    )
    wins = wins_of(games, pairings)
    assert wins.mean() > 0.5
    again = play_games(FIVE, pairings, SearchPlayer(60), RandomPlayer())
    assert [it.moves for it in games] == [it.moves for it in again]


def test_wins_are_counted_for_the_first_player():
    black, white = Position(Rules(3, 0)), Position(Rules(3, 0))
    for colour, point in ((BLACK, read_point("B2", 3)), (WHITE, PASS), (BLACK, PASS)):
        black.play(point, colour)
    white.play(PASS, BLACK)
    pairings = [Pairing((), BLACK, 0), Pairing((), WHITE, 0), Pairing((), BLACK, 0)]
    assert wins_of([black, black, white], pairings).tolist() == [1.0, 0.0, 0.5]


def test_elo_and_its_interval():
    assert elo(0.5) == 0
    assert elo(0.76) == pytest.approx(200, abs=1)
    assert elo(1.0) == float("inf")
    told = summarize(np.array([1.0] * 15 + [0.0] * 5))
    assert told["win_rate_low"] < 0.75 < told["win_rate_high"]
    assert told["elo_low"] < told["elo"] < told["elo_high"]
    table = match_table({"x": np.ones(10)})
    assert table["Elo"].tolist() == ["more"]


def test_a_policy_player_draws_or_takes_the_likeliest():
    model = network(KINDS["mlp"], INFO).eval()
    position = Position(FIVE)
    likely = PolicyPlayer(model)
    likely.begin([1])
    assert likely.choose([0], [position]) == likely.choose([0], [position])
    drawing = PolicyPlayer(model, draws=True)
    drawing.begin([1])
    assert len({drawing.choose([0], [position])[0] for _ in range(20)}) > 5


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_evaluated(kind, five):
    torch.manual_seed(0)
    model = network(KINDS[kind], five.info).eval()
    settings = params(KINDS[kind], evaluate={"games": 4, "gnugo_level": None})
    answer = evaluate(model, five, settings)
    assert 0 <= answer.metrics["test/win_rate"] <= 1
    assert answer.metrics["test/examples"] == len(answer.scores) == 12
    titles = [it.title for it in answer.exhibits]
    assert titles[:2] == ["Matches", "A game"]
    assert ("test/search_win_rate" in answer.metrics) == (kind != "mlp")


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_a_player(kind):
    player = make_player(network(KINDS[kind], INFO).eval())
    player.begin([0, 1])
    moves = player.choose([0, 1], [Position(FIVE), Position(FIVE)])
    assert all(it in all_points(5) for it in moves)


def test_a_row_of_moves_says_where_none_is():
    position = position_of(*["X X X"] * 2, ". . .")
    categories, _ = see_moves(position)
    assert (categories[:6] < 0).all()
