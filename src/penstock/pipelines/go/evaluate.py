"""How well it plays: matches, moves of recorded games, problems; and what it thinks of a game."""

from typing import Any

import numpy as np
import pandas as pd

from ...datasets.dataset import Dataset
from ...evaluation import exhibits
from ...evaluation.metrics import proportion_interval
from ...kinds.games.compiled.layout import PASS
from ...kinds.games.points import all_points, read_point
from ...kinds.games.position import Position
from ...pipeline import Evaluation
from .acting import make_player
from .analysis import analyze, policy_shares
from .drawing import draw_game
from .gnugo import gnu_go
from .matches import both_colours, match_table, play_games, summarize, wins_of
from .network import DensePolicy, GoModel
from .params import Params
from .players import Player, RandomPlayer, SearchPlayer
from .predict import INPUTS, OPTIONS, predict
from .problems import PROBLEMS
from .questions import exam as ask
from .questions import outcome, pairings_of
from .records_table import read_records

MOST_POSITIONS = 2000  # of held-out games, whose moves are foretold
SEED = 50_000_000  # of games that are no questions


def evaluate(network: GoModel, dataset: Dataset, params: Params) -> Evaluation:
    """Play the test openings; play others; foretell held-out games; solve problems."""
    questions = ask(dataset, "test")
    answers = predict(network, questions[list(INPUTS)], dataset.info, OPTIONS)
    scores = outcome(answers, questions)
    wins = {_opponent(dataset): scores["won"].to_numpy()}
    metrics = {f"test/{name}": value for name, value in summarize(scores["won"].to_numpy()).items()}
    metrics["test/examples"] = metrics.pop("test/games")
    others, notes = _matches(network, dataset, params)
    for name, (title, won) in others.items():
        wins[title] = won
        told = summarize(won)
        for part in ("win_rate", "win_rate_low", "win_rate_high"):
            metrics[f"test/{name}_{part}"] = told[part]
    metrics = {name: it for name, it in metrics.items() if np.isfinite(it)}
    metrics |= _foretell(network, dataset)
    solved, table = _solve(network)
    metrics |= solved
    shown: list[exhibits.Exhibit] = [
        exhibits.Table(
            "Matches",
            match_table(wins),
            " ".join(["From test openings, each with both colours; area scoring.", *notes]),
        ),
        _game(network, dataset, answers, scores),
    ]
    if table is not None:
        shown.append(table)
    meanings = {
        "test/win_rate": f"against {_opponent(dataset)}",
        "test/random_win_rate": "against random moves",
        "test/search_win_rate": "against classical search, as many playouts a move",
        "test/moves_first": "of held-out games: how often its policy's likeliest move was played",
    }
    known = {name: it for name, it in meanings.items() if name in metrics}
    return Evaluation(metrics, scores, exhibits=shown, meanings=known)


def _opponent(dataset: Dataset) -> str:
    return f"classical search, {dataset.info['opponent_playouts']:,} playouts"


def _matches(
    network: GoModel, dataset: Dataset, params: Params
) -> tuple[dict[str, tuple[str, np.ndarray]], list[str]]:
    """Wins against others, by a short name with a title; and what is to be said besides."""
    rules, wanted = network.rules, params.evaluate
    openings = [it.opening for it in pairings_of(dataset.examples("test"), rules)[::2]]
    found: dict[str, tuple[str, np.ndarray]] = {}
    notes = []

    def play(name: str, other: Player, games: int, together: bool = True) -> None:
        pairings = both_colours(openings[: (games + 1) // 2], SEED)
        player = make_player(network)
        if not pairings:
            return
        groups = [pairings] if together else [[it] for it in pairings]
        won = [wins_of(play_games(rules, it, player, other), it) for it in groups]
        found[name] = other.name, np.concatenate(won)

    play("random", RandomPlayer(), wanted.games)
    if not isinstance(network, DensePolicy):
        play("search", SearchPlayer(network.model.playouts), wanted.games)
    if wanted.gnugo_level is not None and wanted.gnugo_games:
        gnugo = gnu_go(wanted.gnugo_level)
        if gnugo is None:
            notes.append("GNU Go is not installed here: no games against it.")
        elif rules.size < 5:
            notes.append("GNU Go plays no boards below 5x5.")
        else:
            with gnugo:
                play("gnugo", gnugo, wanted.gnugo_games, together=False)
    return found, notes


def _foretell(network: GoModel, dataset: Dataset) -> dict[str, float]:
    """How often the policy's first move, and its first five, have the move of a recorded game."""
    first, five, count = 0, 0, 0
    for record in read_records(dataset, "test"):
        position = Position(network.rules, list(record.setup))
        places = {it: place for place, it in enumerate((*all_points(position.size), PASS))}
        for colour, point in record.moves:
            if point != PASS and colour == position.turn and count < MOST_POSITIONS:
                order = np.argsort(-policy_shares(network, position), kind="stable")[:5]
                first += int(order[0] == places[point])
                five += int(places[point] in order)
                count += 1
            position.play(point, colour)
    if not count:
        return {}
    low, high = proportion_interval(first, count)
    return {
        "test/moves_first": first / count,
        "test/moves_first_low": low,
        "test/moves_first_high": high,
        "test/moves_in_five": five / count,
        "test/moves": count,
    }


def _solve(network: GoModel) -> tuple[dict[str, float], exhibits.Table | None]:
    """Which problems it solves, by its search and by its policy alone."""
    problems = PROBLEMS.get(network.rules.size, ())
    rows = []
    for problem in problems:
        position = problem.position()
        shares = policy_shares(network, position)[:-1]
        likeliest = all_points(position.size)[int(shares.argmax())]
        best = int(analyze(network, position).moves[0])
        rows.append(
            {
                "problem": problem.name,
                "answer": " or ".join(problem.answers),
                "played": position.name(best),
                "solved": "yes" if best in problem.points() else "no",
                "policy alone": "yes" if likeliest in problem.points() else "no",
            }
        )
    if not rows:
        return {}, None
    table = pd.DataFrame(rows)
    solved = float((table["solved"] == "yes").mean())
    note = "Whole boards with one move that wins, black to play; made for this."
    return {"test/problems_solved": solved}, exhibits.Table("Problems", table, note)


def _game(
    network: GoModel, dataset: Dataset, answers: pd.DataFrame, scores: pd.DataFrame
) -> exhibits.Picture:
    """The first test game, with what it thinks of it at a third and at two thirds."""
    question: Any = dataset.examples("test").iloc[0]
    pairing = pairings_of(dataset.examples("test")[:1], network.rules)[0]
    game = Position(network.rules, moves=list(pairing.opening))
    for name in answers["moves"].iloc[0]:
        game.play(read_point(name, game.size))
    moves = len(game.moves)
    before = [Position(network.rules, moves=game.moves[:it]) for it in range(moves)]
    thought = [analyze(network, it, playouts=100) for it in before]
    hopes = [it.black_wins for it in thought]
    margin = game.margin()
    hopes.append(0.5 if margin == 0 else float(margin > 0))
    shown = [(it, before[it], thought[it]) for it in (moves // 3, 2 * moves // 3)]
    won = {1.0: "won", 0.0: "lost", 0.5: "drawn"}[float(scores["won"].iloc[0])]
    return exhibits.figure(
        "A game",
        draw_game(game, shown, np.array(hopes)),
        f"The first test game, as {question['colour']} against {_opponent(dataset)}: {won}. Moves "
        "that its search looks at, who it thinks will own what, and the chance of black over the "
        "moves.",
    )
