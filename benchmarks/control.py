"""Control: how the defaults were chosen, what they reach, and how fast environments are played.

    python benchmarks/control.py choose     # by validation episodes
    python benchmarks/control.py compare    # beside the best there is: FrozenLake, cliff, taxi
    python benchmarks/control.py cliff      # the paths of Q-learning and of SARSA
    python benchmarks/control.py speed      # steps a second, beside a loop over env.step

`choose` looks at the return of validation episodes, the mean of all runs, and never asks the test
split. `compare` trains with several seeds; what each gets is exact, by the environment's tables,
for its own distribution of starts.
"""

import argparse
import io
import random
import statistics
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import torch

from hardware import describe_hardware
from pairs import compare as compare_pairs
from pairs import per_second
from penstock import pipeline
from penstock.datasets.dataset import Dataset, DatasetWriter
from penstock.learning.training import fit, seed
from penstock.pipelines.control import exact
from penstock.pipelines.control.ingest import ingest
from penstock.pipelines.control.learner import Chance
from penstock.pipelines.control.network import Actor
from penstock.pipelines.control.tables import read_tables
from penstock.settings.explanation import default_params
from penstock.settings.file import parse_section

Settings = dict[str, dict[str, Any]]

ENVIRONMENTS = {
    "FrozenLake 4x4, 100 steps": "id: FrozenLake-v1\nmax_episode_steps: 100\n",
    "FrozenLake 4x4, 200 steps": "id: FrozenLake-v1\nmax_episode_steps: 200\n",
    "FrozenLake 8x8, 200 steps": "id: FrozenLake8x8-v1\nmax_episode_steps: 200\n",
    "CliffWalking": "id: CliffWalking-v1\nmax_episode_steps: 200\n",
    "Taxi": "id: Taxi-v4\nmax_episode_steps: 200\n",
}
TEXTBOOK: Settings = {
    "model": {"periods": 1},
    "train": {
        "environments": 1,
        "max_epochs": 400,
        "learning_rate": [0.5, 0.5],
        "discount": 0.9,
        "epsilon": [0.1, 0.1],
    },
}
DEEP: Settings = {
    "model": {"kind": "dqn", "hidden": [64, 64], "periods": 5, "runs": 3},
    "train": {
        "environments": 16,
        "max_epochs": 60,
        "learning_rate": [0.003, 0.0003],
        "epsilon": [0.5, 0.1],
        "keep": "best",
    },
}
CANDIDATES: dict[str, Settings] = {
    "default": {},
    "sarsa": {"model": {"kind": "sarsa"}},
    "expected_sarsa": {"model": {"kind": "expected_sarsa"}},
    "double_q": {"model": {"kind": "double_q"}},
    "no clock, discount 0.99": {"model": {"periods": 1}, "train": {"discount": 0.99}},
    "no clock, discount 0.995": {"model": {"periods": 1}, "train": {"discount": 0.995}},
    "2 periods": {"model": {"periods": 2}},
    "10 periods": {"model": {"periods": 10}},
    "20 periods": {"model": {"periods": 20}},
    "50 periods": {"model": {"periods": 50}},
    "20 periods, epsilon 0.3 to 0.2": {
        "model": {"periods": 20},
        "train": {"epsilon": [0.3, 0.2]},
    },
    "20 periods, 64 epochs": {"model": {"periods": 20}, "train": {"max_epochs": 64}},
    "20 periods, 128 environments": {"model": {"periods": 20}, "train": {"environments": 128}},
    "discount 0.999": {"train": {"discount": 0.999}},
    "epsilon 1 to 0.1": {"train": {"epsilon": [1.0, 0.1]}},
    "epsilon 0.3 to 0.05": {"train": {"epsilon": [0.3, 0.05]}},
    "epsilon 0.3 to 0.2": {"train": {"epsilon": [0.3, 0.2]}},
    "learning rate 0.5 to 0.01": {"train": {"learning_rate": [0.5, 0.01]}},
    "learning rate 0.5 to 0.003": {"train": {"learning_rate": [0.5, 0.003]}},
    "learning rate 0.2 to 0.001": {"train": {"learning_rate": [0.2, 0.001]}},
    "128 environments": {"train": {"environments": 128}},
    "2048 environments": {"train": {"environments": 2048}},
    "64 epochs": {"train": {"max_epochs": 64}},
    "dqn": DEEP,
    "dqn, learning rate 0.001 to 0.0001": {
        "model": DEEP["model"],
        "train": {**DEEP["train"], "learning_rate": [0.001, 0.0001]},
    },
    "dqn, no clock": {
        "model": {**DEEP["model"], "periods": 1},
        "train": {**DEEP["train"], "discount": 0.99},
    },
}
CHOSEN_BY = ("FrozenLake 4x4, 100 steps", "FrozenLake 8x8, 200 steps", "Taxi")
LANES = 4096  # environments side by side, where steps are counted


def make(settings: Settings, threads: int) -> Any:
    """Parameters: the defaults, and what differs."""
    section = default_params("control").model_dump(mode="json")
    model = settings.get("model", {})
    section["model"] = model if model.get("kind") == "dqn" else {**section["model"], **model}
    section["train"] |= {"threads": threads, **settings.get("train", {})}
    return parse_section("control", section, Path("benchmark"))


@contextmanager
def ingested(text: str) -> Iterator[Dataset]:
    """The dataset of an environment, in a scratch folder."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "source"
        source.mkdir()
        (source / "environment.yaml").write_text(text)
        with DatasetWriter(Path(folder) / "dataset") as writer, redirect_stdout(io.StringIO()):
            ingest(source, writer, default_params("control"))
        yield Dataset(Path(folder) / "dataset")


def train(dataset: Dataset, params: Any) -> tuple[Actor, float]:
    """Train; answer what acts, and the seconds it took."""
    seed(params.train)
    network = pipeline.load("control", "network").network(params.model, dataset.info)
    module = pipeline.load("control", "train")
    learner = module.learner(network, params, dataset)
    sources = (module.source(dataset, (split,), params) for split in ("train", "validation"))
    with tempfile.TemporaryDirectory() as folder, redirect_stdout(io.StringIO()):
        done = fit(learner, *sources, params.train, Path(folder), lambda *_: None, 2**30)
    return network, done.seconds


def expected(network: Actor, dataset: Dataset, epsilon: float = 0.0) -> list[float]:
    """The exact return of each run from the environment's own starts."""
    tables = read_tables(dataset)
    policies = network.values().argmax(3)
    found = (exact.policy_returns(tables, it, epsilon) for it in policies)
    return [float(tables.initial @ it) for it in found]


def choose(threads: int, on: str, only: str) -> None:
    """Return of validation episodes, by settings: the mean of all runs, and the least."""
    for title in (it for it in CHOSEN_BY if on in it):
        with ingested(ENVIRONMENTS[title]) as dataset:
            print(title, flush=True)
            for name, settings in CANDIDATES.items():
                if only and only not in name:
                    continue
                network, seconds = train(dataset, make(settings, threads))
                last = network.curve[int(network.points) - 1]
                print(
                    f"  {name:36} {last.mean():8.4f}  worst run {last.min():8.4f}  "
                    f"{seconds:5.1f} s",
                    flush=True,
                )


def compare(threads: int, seeds: int, on: str, only: str) -> None:
    """What is reached, beside the best there is: the median of seeds, and all of them."""
    presets = {"default": {}, "textbook, q_learning": TEXTBOOK, "dqn": DEEP}
    for title, text in ENVIRONMENTS.items():
        if on not in title:
            continue
        with ingested(text) as dataset:
            tables = read_tables(dataset)
            best = float(tables.initial @ exact.best_returns(tables))
            print(f"{title}: the best there is {best:.4f}", flush=True)
            for name, settings in presets.items():
                if only and only not in name:
                    continue
                returns, seconds = [], []
                for number in range(seeds):
                    changed = {**settings.get("train", {}), "seed": number}
                    params = make({**settings, "train": changed}, threads)
                    network, took = train(dataset, params)
                    returns.append(expected(network, dataset)[int(network.kept)])
                    seconds.append(took)
                median = statistics.median(returns)
                told = ", ".join(f"{it:.4f}" for it in sorted(returns))
                print(
                    f"  {name:22} {median:9.4f} ({told}); regret {best - median:.4f}, "
                    f"{(best - median) / abs(best):.2%} of the best; "
                    f"{statistics.median(seconds):.1f} s ({max(seconds):.1f} at most)",
                    flush=True,
                )


def cliff(threads: int) -> None:
    """Return and path of the kinds, with a tenth of the actions at random always."""
    bold = {
        "environments": 64,
        "max_epochs": 40,
        "learning_rate": [0.5, 0.01],
        "epsilon": [0.1, 0.1],
        "discount": 0.99,
    }
    with ingested(ENVIRONMENTS["CliffWalking"]) as dataset:
        for kind in ("q_learning", "sarsa", "expected_sarsa", "double_q"):
            settings = {"model": {"kind": kind, "periods": 1}, "train": bold}
            network, _ = train(dataset, make(settings, threads))
            kept = int(network.kept)
            print(
                f"{kind}: return {expected(network, dataset)[kept]:.2f}, and "
                f"{expected(network, dataset, 0.1)[kept]:.2f} with a tenth of the actions at random"
            )
            print("\n".join(f"    {line}" for line in path_of(network, dataset)), flush=True)


def path_of(network: Actor, dataset: Dataset) -> list[str]:
    """The map, with the way from the start where there is no chance."""
    tables = read_tables(dataset)
    policy = network.values()[int(network.kept), 0].argmax(1)
    (about,) = dataset.info["maps"].values()
    letters = [list(line) for line in about["lines"]]
    state = int(tables.initial.argmax())
    for _ in range(dataset.info["limit"]):
        state = int(tables.next_state[state, policy[state], 0])
        row, column = divmod(state, len(letters[0]))
        if letters[row][column] == "G":
            break
        letters[row][column] = "o"
    return ["".join(line) for line in letters]


def speed(threads: int, rounds: int) -> None:
    """Steps a second: of learning side by side, learning included, and of a loop over env.step."""
    torch.set_num_threads(threads)
    for title in ("FrozenLake 4x4, 100 steps", "Taxi"):
        with ingested(ENVIRONMENTS[title]) as dataset:
            limit, name = dataset.info["limit"], dataset.info["environment"]
            environment = gymnasium.make(name, max_episode_steps=limit)
            params = make({"model": {"runs": 1}, "train": {"environments": LANES}}, threads)
            network = pipeline.load("control", "network").network(params.model, dataset.info)
            learner = pipeline.load("control", "train").learner(network, params, dataset)
            chance = np.random.default_rng(0)

            def learn(learner: Any = learner, chance: Any = chance, steps: int = 300) -> float:
                def work() -> None:
                    sums = torch.zeros(3, dtype=torch.float64)
                    for _ in range(steps):
                        drawn = chance.random((len(Chance._fields), LANES), np.float32)
                        learner.learn(Chance(*torch.from_numpy(drawn)), 0.0, sums)

                return per_second(steps * LANES, work)

            def loop(environment: Any = environment, steps: int = 100_000) -> float:
                actions = [random.randrange(environment.action_space.n) for _ in range(steps)]

                def work() -> None:
                    environment.reset(seed=0)
                    for action in actions:
                        _, _, ended, cut, _ = environment.step(action)
                        if ended or cut:
                            environment.reset()

                return per_second(steps, work)

            what = f"{title}: {LANES:,} environments side by side, learning"
            other = "a loop over env.step that learns nothing"
            compare_pairs(what, learn, other, loop, "steps/s", rounds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=["choose", "compare", "cliff", "speed"])
    parser.add_argument("--seeds", type=int, default=5, help="trainings of each")
    parser.add_argument("--rounds", type=int, default=5, help="pairs of measurements")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--on", default="", help="environments whose name has this")
    parser.add_argument("--only", default="", help="settings whose name has this")
    arguments = parser.parse_args()
    print(describe_hardware(), flush=True)
    if arguments.what == "choose":
        choose(arguments.threads, arguments.on, arguments.only)
    elif arguments.what == "compare":
        compare(arguments.threads, arguments.seeds, arguments.on, arguments.only)
    elif arguments.what == "cliff":
        cliff(arguments.threads)
    else:
        speed(arguments.threads, arguments.rounds)


if __name__ == "__main__":
    main()
