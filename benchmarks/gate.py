"""How often the gate promotes a model that is worse, and one that is better: by simulation.

Scores of two models are drawn with a known difference, and the gate's comparison is asked whether
a loss above the tolerance is ruled out. Beside it stand two bootstraps (percentiles): one of
examples, which takes those of a unit for independent, and one of whole units, which is too sure of
itself where units are few or agree by luck. Where the true loss is the tolerance or more, 2.5 % may
be promoted; where there is a gain, the more the better.

    python benchmarks/gate.py [--rounds 500]
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np

from hardware import describe_hardware
from penstock.evaluation.comparison import paired_difference
from penstock.project.workspace import Workspace
from penstock.settings.explanation import default_params
from penstock.stages.decision import decide

TOLERANCE = 0.005
RESAMPLES = 200
Draw = Callable[[np.random.Generator], tuple[np.ndarray, np.ndarray]]  # differences, their units


def main() -> None:
    """Print shares of promotions, the way of a champion downhill, and what NaN does."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=500, help="simulated pairs for each number")
    rounds = parser.parse_args().rounds
    print(describe_hardware())
    print(f"\npromoted, in %, at a tolerance of {TOLERANCE} ({rounds} rounds):")
    print(f"{'':44} {'true loss':>9} {'examples':>9} {'units':>6} {'gate':>6}")
    for title, draws in scenarios().items():
        for loss, draw in draws.items():
            shares = promoted(draw, rounds)
            print(f"{title:44} {loss:9.3f} {shares[0]:9.1f} {shares[1]:6.1f} {shares[2]:6.1f}")
    print("\n100 models in turn, each right on 0.2 % fewer than the champion it is made from:")
    for title, best_too in (("against the latest champion only", False), ("and the best", True)):
        lost = downhill(np.random.default_rng(0), best_too)
        print(f"{title:44} lost in the end: {lost:.4f}")
    print("\nNaN:")
    workspace = Workspace(Path(), "mnist", default_params("mnist"), Path())
    decided = decide(workspace, None, None, None, {"test/accuracy": np.nan}, None, None)  # type: ignore[arg-type]
    print(f"a metric: {decided['decision']}: {decided['reason']}")
    scores = np.ones(1000)
    scores[7] = np.nan
    found = paired_difference(scores, np.zeros(1000), np.arange(1000))
    print(f"a score: {'champion' if found.low >= -TOLERANCE else 'challenger'}: {found}")


def scenarios() -> dict[str, dict[float, Draw]]:
    """What is drawn: by title, and by the loss that is true of it."""
    losses = (0.03, TOLERANCE, -0.03)
    made: dict[str, dict[float, Draw]] = {
        f"{units} units of {size}, alike": {it: alike(units, size, it) for it in losses}
        for units, size in ((6, 20), (20, 20), (50, 20))
    }
    made["1,000 examples on their own, 1 % differ"] = {
        it: alike(1000, 1, it, 0.0, 0.01) for it in (TOLERANCE, 0.0)
    }
    made["400 examples on their own, 0.5 % differ"] = {TOLERANCE: alike(400, 1, TOLERANCE, 0, 0.0)}
    for units in (6, 20, 100):
        made[f"{units} units of 20, 1 in 10 loses 0.3"] = {0.03: rare(units)}
    for units in (6, 100, 1000):
        made[f"{units} units of 20, equal scores"] = {0.0: equal(units)}
    return made


def alike(units: int, size: int, loss: float, spread: float = 0.1, differ: float = 0.1) -> Draw:
    """Right or wrong: a share of the examples differs by chance, and a unit's by what it shares."""

    def draw(chance: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        lost = np.repeat(chance.normal(loss, spread, units), size)
        luck = chance.uniform(size=units * size)
        worse = luck < differ / 2 + np.maximum(lost, 0)
        better = luck > 1 - differ / 2 - np.maximum(-lost, 0)
        return better * 1.0 - worse, np.repeat(np.arange(units), size)

    return draw


def rare(units: int, size: int = 20) -> Draw:
    """Most units are as before; a few, of a kind of their own, lose much."""

    def draw(chance: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        hit = np.repeat(chance.uniform(size=units) < 0.1, size)
        worse = hit & (chance.uniform(size=units * size) < 0.3)
        return -1.0 * worse, np.repeat(np.arange(units), size)

    return draw


def equal(units: int, size: int = 20) -> Draw:
    """Two models that differ on no example of the test split."""
    return lambda _: (np.zeros(units * size), np.repeat(np.arange(units), size))


def promoted(draw: Draw, rounds: int) -> np.ndarray:
    """Promotions in %: by a bootstrap of examples, by one of units, and by the gate."""
    passed = np.zeros(3)
    for seed in range(rounds):
        chance = np.random.default_rng(seed)
        differences, units = draw(chance)
        lows = (
            bootstrap(differences, np.arange(len(units)), chance),
            bootstrap(differences, units, chance),
            paired_difference(differences, np.zeros(len(units)), units).low,
        )
        passed += [low >= -TOLERANCE for low in lows]
    return 100 * passed / rounds


def bootstrap(differences: np.ndarray, units: np.ndarray, chance: np.random.Generator) -> float:
    """Lower end of the 95 % percentile interval, resampling units of one size."""
    means = np.bincount(units, differences) / np.bincount(units)
    drawn = means[chance.integers(len(means), size=(RESAMPLES, len(means)))].mean(1)
    return float(np.quantile(drawn, 0.025))


def downhill(chance: np.random.Generator, best_too: bool) -> float:
    """The share of 4,000 examples that 100 models in turn lose to the first champion."""
    first = champion = best = chance.uniform(size=4000) < 0.95
    for _ in range(100):
        model = champion.copy()
        model[chance.choice(np.flatnonzero(champion), 12, replace=False)] = False
        model[chance.choice(np.flatnonzero(~champion), 4, replace=False)] = True
        if all(no_worse(model, rival) for rival in ([champion, best] if best_too else [champion])):
            champion = model
            best = model if model.mean() > best.mean() else best
    return float(first.mean() - champion.mean())


def no_worse(model: np.ndarray, rival: np.ndarray) -> bool:
    """Whether the gate rules out a loss."""
    return paired_difference(model * 1.0, rival * 1.0, np.arange(len(model))).low >= -TOLERANCE


if __name__ == "__main__":
    main()
