"""How good it acts: episodes that it plays, and what can be said exactly."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ...datasets.dataset import Dataset
from ...evaluation import exhibits
from ...evaluation.metrics import mean_interval, proportion_interval
from ...pipeline import Evaluation
from .drawing import FRAME, draw_episode
from .exact import best_returns, policy_returns, value_iteration
from .figures import learning_curve, place_maps, town_maps
from .network import DECIMALS, Actor
from .params import Params
from .predict import INPUTS, predict
from .questions import exam as ask
from .questions import outcome, replay
from .tables import Tables, map_tables, places_of, read_tables

SHOWN_MAPS = 4


@dataclass(frozen=True)
class OnMap:
    """What is exactly so on one map; returns are those to expect from each state.

    Attributes:
        name: of the map.
        tables: the environment on it.
        starts: states that the test episodes start in.
        values: that were learned: (runs, periods, states, actions).
        best: the largest return within the limit.
        returns: of each run, (runs, states).
        wins: share of the episodes that are won, of the run that acts.
        exploring: return of the run that acts, if it tries something at times.
        timeless: return of what value iteration finds, which knows no limit.
        random: return of actions at random.
    """

    name: str
    tables: Tables
    starts: np.ndarray
    values: np.ndarray
    best: np.ndarray
    returns: np.ndarray
    wins: np.ndarray
    exploring: np.ndarray
    timeless: np.ndarray
    random: np.ndarray


def evaluate(network: Actor, dataset: Dataset, params: Params) -> Evaluation:
    """Play the test episodes, and set what can be expected beside what is best."""
    questions = ask(dataset, "test")
    answers = predict(network, questions[list(INPUTS)], dataset.info, {"animation": False})
    scores = outcome(answers, questions)
    kept = int(network.kept)
    maps = _look_exactly(network, dataset, questions, params)
    epsilon = params.train.epsilon[1]
    expected = {
        "random": _mean(maps, [it.random for it in maps]),
        "exploring": _mean(maps, [it.exploring for it in maps]),
        "expected": _mean(maps, [it.returns[kept] for it in maps]),
        "timeless": _mean(maps, [it.timeless for it in maps]),
        "best": _mean(maps, [it.best for it in maps]),
    }
    returns = scores["return"].to_numpy()
    metrics = {
        "test/return": float(returns.mean()),
        **_interval(returns),
        **_success(scores["won"].to_numpy()),
        "test/steps": float(scores["steps"].mean()),
        "test/expected_return": expected["expected"],
        "test/best_return": expected["best"],
        "test/regret": expected["best"] - expected["expected"],
        "test/best_timeless_return": expected["timeless"],
        "test/exploring_return": expected["exploring"],
        "test/random_return": expected["random"],
        "test/gain_over_random": float(returns.mean()) - expected["random"],
        "test/examples": len(scores),
    }
    shown = [
        _curve(network, dataset),
        *_maps(maps, dataset, kept),
        *_motion(answers, questions, scores, dataset),
        _returns(metrics, _mean(maps, [it.wins for it in maps]), epsilon),
        _runs(network, maps, expected["best"]),
    ]
    if len(maps) > 1:
        shown.append(_by_map(maps, scores, kept))
    meanings = {
        "test/best_return": f"exact, within {dataset.info['limit']} steps",
        "test/best_timeless_return": "exact, of what value iteration finds",
        "test/exploring_return": f"exact, with {epsilon:g} of the actions at random",
        "test/expected_return": "exact, of the same starts",
    }
    return Evaluation(metrics, scores, shown, {"curve": _points(network)}, meanings)


def _look_exactly(
    network: Actor, dataset: Dataset, questions: pd.DataFrame, params: Params
) -> list[OnMap]:
    values, kept, found = network.values(), int(network.kept), []
    for name, tables in map_tables(dataset).items():
        learned = values[:, :, places_of(dataset.info, name)]
        actions = learned.argmax(3)
        swept = value_iteration(tables, params.train.discount).round(DECIMALS)
        anything = policy_returns(tables, actions[0], epsilon=1.0)
        found.append(
            OnMap(
                name,
                tables,
                questions["state"][questions["map"] == name].to_numpy(np.int64),
                learned,
                best_returns(tables),
                np.stack([policy_returns(tables, it) for it in actions]),
                policy_returns(tables.counting_wins(), actions[kept]),
                policy_returns(tables, actions[kept], params.train.epsilon[1]),
                policy_returns(tables, swept.argmax(1)[None]),
                anything,
            )
        )
    return found


def _mean(maps: list[OnMap], by_state: list[np.ndarray]) -> float:
    """The mean over the test episodes of what is to expect from where they start."""
    return float(
        np.concatenate([it[on.starts] for on, it in zip(maps, by_state, strict=True)]).mean()
    )


def _interval(returns: np.ndarray) -> dict[str, float]:
    """95 % interval of the mean return; none where all are alike, as without chance."""
    if returns.min() == returns.max():
        return {}
    low, high = mean_interval(returns)
    return {"test/return_low": low, "test/return_high": high}


def _success(won: np.ndarray) -> dict[str, float]:
    low, high = proportion_interval(int(won.sum()), len(won))
    name = "test/success"
    return {name: float(won.mean()), f"{name}_low": low, f"{name}_high": high}


def _points(network: Actor) -> pd.DataFrame:
    """The learning curve: steps, and the return on validation of each run."""
    count = int(network.points)
    returns = network.curve[:count].cpu().numpy()
    named = {f"run_{run}": returns[:, run] for run in range(network.runs)}
    return pd.DataFrame({"steps": network.curve_steps[:count].cpu().numpy(), **named})


def _curve(network: Actor, dataset: Dataset) -> exhibits.Picture:
    points = _points(network)
    tables = read_tables(dataset)
    rows = dataset.columns("row")["row"][dataset.rows("validation")]
    best = float(best_returns(tables)[rows].mean())
    runs = f"{network.runs} runs" if network.runs > 1 else "one run"
    return exhibits.figure(
        "Learning curve",
        learning_curve(points["steps"].to_numpy(), points.drop(columns="steps").to_numpy(), best),
        f"Return of validation episodes by the best actions, of {runs}: the median, and from the "
        "worst to the best. Dotted: the largest return to expect, by backward induction.",
    )


def _maps(maps: list[OnMap], dataset: Dataset, kept: int) -> list[exhibits.Exhibit]:
    """What was learned of each place, for the start of an episode."""
    actions = dataset.info["actions"]
    if dataset.info["kind"] == "taxi":
        drawn = town_maps(maps[0].values[kept, 0], actions)
        note = (
            "Values (the lighter, the better) and the action chosen; a ring: pick up, or drop off."
        )
        return [exhibits.figure("Values and policy", drawn, note)]
    shown: list[exhibits.Exhibit] = []
    for on in maps[:SHOWN_MAPS]:
        lines, lost = dataset.info["maps"][on.name]["lines"], on.best - on.returns[kept]
        drawn = place_maps(lines, on.tables, on.values[kept, 0], lost, actions)
        shown.append(
            exhibits.figure(
                f"Values and policy of {on.name}",
                drawn,
                "At the start of an episode: the value of each place and the action chosen there "
                "(what is tried, where the ground is slippery); and how much less than the best "
                "is to be expected from there.",
            )
        )
    return shown


def _motion(
    answers: pd.DataFrame, questions: pd.DataFrame, scores: pd.DataFrame, dataset: Dataset
) -> list[exhibits.Exhibit]:
    """The first test episode that is won, and the first that is not, in motion."""
    shown: list[exhibits.Exhibit] = []
    for title, of in (("An episode that is won", 1), ("An episode that is not won", 0)):
        rows = np.flatnonzero(scores["won"] == of)[:1]
        if not len(rows):
            continue
        asked = questions.iloc[rows]
        name = asked["map"].iloc[0]
        tables = map_tables(dataset)[name]
        played = replay(tables, asked, [answers["actions"].iloc[rows[0]]])
        frames = draw_episode(dataset.info, dataset.info["maps"][name]["lines"], played, 0)
        note = f"Map {name}, seed {asked['seed'].iloc[0]:.0f}: the first of its kind."
        shown.append(exhibits.animation(title, frames, FRAME, note))
    return shown


def _returns(metrics: dict[str, float], wins: float, epsilon: float) -> exhibits.Table:
    rows = [
        ("actions at random", metrics["test/random_return"]),
        (f"this model, {epsilon:g} of the actions at random", metrics["test/exploring_return"]),
        (f"this model, as played: {metrics['test/success']:.4g} won", metrics["test/return"]),
        (f"this model, exactly: {wins:.4g} won", metrics["test/expected_return"]),
        ("best without a clock, by value iteration", metrics["test/best_timeless_return"]),
        ("best within the limit, by backward induction", metrics["test/best_return"]),
    ]
    return exhibits.Table(
        "Returns beside the best",
        pd.DataFrame(rows, columns=["what acts", "mean return"]),
        "Of the test episodes' starts. All but what is played follows exactly from the tables of "
        "the environment, which nothing learned from.",
    )


def _runs(network: Actor, maps: list[OnMap], best: float) -> exhibits.Table:
    found = [_mean(maps, [it.returns[run] for it in maps]) for run in range(network.runs)]
    last = network.curve[max(0, int(network.points) - 1)].cpu().numpy()
    table = pd.DataFrame(
        {
            "run": range(network.runs),
            "acts": ["yes" if it == int(network.kept) else "" for it in range(network.runs)],
            "return on validation": last,
            "expected return": found,
            "regret": [best - it for it in found],
        }
    )
    return exhibits.Table(
        "Runs",
        table,
        "Each learned by chance of its own; the one that did best on validation acts.",
    )


def _by_map(maps: list[OnMap], scores: pd.DataFrame, kept: int) -> exhibits.Table:
    rows = [
        {
            "map": on.name,
            "episodes": len(own := scores[scores["map"] == on.name]),
            "return": own["return"].mean(),
            "won": own["won"].mean(),
            "best return": float(on.best[on.starts].mean()),
            "regret": float((on.best - on.returns[kept])[on.starts].mean()),
        }
        for on in maps
    ]
    return exhibits.Table("Maps", pd.DataFrame(rows), "Each map beside the best there is on it.")
