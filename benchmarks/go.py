"""Go: how fast and how strong its search is, what learning adds, and how settings were chosen.

    python benchmarks/go.py speed                  # playouts a second, and the second start
    python benchmarks/go.py gnugo --games 200      # classical search against GNU Go, levels 1, 10
    python benchmarks/go.py learn --kind patterns --minutes 60 --keep weights/  # strength in time
    python benchmarks/go.py learn --kind residual --minutes 60 --keep weights/
    python benchmarks/go.py strength --kind residual --weights weights/   # against others, again
    python benchmarks/go.py compare --weights weights/      # against classical, at equal time
    python benchmarks/go.py choose --weights weights/       # settings, by validation openings
    python benchmarks/go.py twogtp --black "..." --white "..."   # two programs that speak GTP

Openings are random but even, each is played with both colours, and no two games have one seed.
`choose` and `learn` play from validation openings, the others from test openings.
"""

import argparse
import io
import json
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hardware import describe_hardware
from penstock import pipeline
from penstock.datasets.dataset import Dataset, DatasetWriter
from penstock.kinds.games.compiled import playouts
from penstock.kinds.games.position import Position, Rules
from penstock.kinds.games.thinking import Learned, Thinker, hand_made
from penstock.learning.training import fit, seed
from penstock.learning.weights import load_weights, save_weights
from penstock.pipelines.go.acting import make_player
from penstock.pipelines.go.gnugo import GtpProgram, gnu_go
from penstock.pipelines.go.ingest import SEEDS, ingest
from penstock.pipelines.go.matches import (
    Pairing,
    both_colours,
    play_games,
    summarize,
    wins_of,
)
from penstock.pipelines.go.openings import draw_openings
from penstock.pipelines.go.players import Player, RandomPlayer, SearchPlayer
from penstock.settings.explanation import default_params
from penstock.settings.file import parse_section

RULES = Rules(9, 7.5)
OPENING_MOVES = 2
PRESETS: dict[str, dict[str, dict[str, Any]]] = {
    "patterns": {
        "model": {"kind": "patterns", "playouts": 1000, "visits": 60.0},
        "train": {"games": 32, "steps": 200, "playouts": 600, "learning_rate": 0.01},
    },
    "residual": {
        "model": {
            **{"kind": "residual", "channels": 32, "blocks": 4},
            **{"playouts": 200, "rollouts": 8, "rollout_share": 0.5},
        },
        "train": {
            "games": 64,
            "steps": 300,
            "playouts": 32,
            "search_rounds": 20,
            "window": 40_000,
        },
    },
    "mlp": {
        "model": {"kind": "mlp", "hidden": 128},
        "train": {"games": 64, "steps": 10, "learning_rate": 0.001},
    },
}


def make_pairings(games: int, split: str) -> list[Pairing]:
    """Openings of a split, each with both colours, with seeds of their own."""
    known: set = set()
    openings = draw_openings(RULES, OPENING_MOVES, (games + 1) // 2, SEEDS[split] + 77, known)
    return both_colours(openings, SEEDS[split])[:games]


def match(first: Player, second: Player, pairings: Sequence[Pairing], told: str = "") -> float:
    """Play games one at a time, tell the result, and how long both thought about a move."""
    clocks = {"first": Clock(first), "second": Clock(second)}
    wins, ended, disagree = [], set(), 0
    for it in pairings:
        (game,) = play_games(RULES, [it], clocks["first"], clocks["second"])
        wins += wins_of([game], [it]).tolist()
        ended.add(tuple(game.moves))
        if isinstance(second, GtpProgram):
            disagree += second.score(game)[:1] != game.result()[:1]
    about = summarize(np.array(wins))
    print(
        f"{told or first.name} against {second.name}: {sum(wins):g} of {len(wins)}, "
        f"{about['win_rate']:.3f} ({about['win_rate_low']:.3f} to {about['win_rate_high']:.3f}), "
        f"Elo {about['elo']:+.0f} ({about['elo_low']:+.0f} to {about['elo_high']:+.0f}); "
        f"{clocks['first'].mean():.3f} and {clocks['second'].mean():.3f} s a move; "
        f"{len(ended)} games differ; counted otherwise by the other: {disagree}",
        flush=True,
    )
    return about["win_rate"]


class Clock:
    """A player whose thinking is timed."""

    def __init__(self, player: Player) -> None:
        self.player, self.name = player, player.name
        self.seconds, self.moves = 0.0, 0

    def begin(self, seeds: Sequence[int]) -> None:
        """Pass it on."""
        self.player.begin(seeds)

    def choose(self, games: Sequence[int], positions: Sequence[Position]) -> list[int]:
        """Pass it on, and time it."""
        started = time.perf_counter()
        chosen = self.player.choose(games, positions)
        self.seconds += time.perf_counter() - started
        self.moves += len(chosen)
        return chosen

    def mean(self) -> float:
        """Seconds a move."""
        return self.seconds / max(1, self.moves)


def speed(seconds: float) -> None:
    """Playouts a CPU second, without and with a tree; and how long a second start takes."""
    thinker = Thinker(100)
    thinker.think(Position(RULES))
    state, margins = Position(RULES).state, np.zeros(2000, np.int32)
    for what in ("playouts alone", "search from the empty board, 10,000 a move"):
        done, started = 0, time.process_time()
        while time.process_time() - started < seconds:
            if what.startswith("playouts"):
                playouts.sample_ends(state, len(margins), done, hand_made(), margins)
                done += len(margins)
            else:
                done += Thinker(10_000, seed=done).think(Position(RULES)).spent
        print(f"{what}: {done / (time.process_time() - started):,.0f} a CPU second", flush=True)
    code = (
        "import time; t = time.perf_counter()\n"
        "from penstock.kinds.games.thinking import Thinker\n"
        "from penstock.kinds.games.position import Position\n"
        "Thinker(1).think(Position()); print(time.perf_counter() - t)"
    )
    again = [
        float(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)
        for _ in range(3)
    ]
    print(f"a start with compiled code on disk: {min(again):.2f} s, imports and all")


def against_gnugo(games: int, only: int | None) -> None:
    """Classical search against GNU Go: 3,000 playouts a move at level 1, 10,000 at level 10."""
    for level, count in ((1, 3000), (10, 10_000)):
        program = gnu_go(level)
        if program is None:
            print("GNU Go is not installed: no games against it")
            return
        if only in (None, level):
            with program:
                match(SearchPlayer(count), program, make_pairings(games, "test"))


def make_settings(kind: str, threads: int, changed: dict[str, dict[str, Any]]) -> Any:
    """Parameters: the defaults, the preset of a kind, and what differs."""
    section = default_params("go").model_dump(mode="json")
    preset = PRESETS[kind]
    section["model"] = {**preset["model"], **changed.get("model", {})}
    section["train"] |= {"threads": threads, **preset["train"], **changed.get("train", {})}
    return parse_section("go", section, Path("benchmark"))


@contextmanager
def ingested() -> Iterator[Dataset]:
    """The dataset of 9x9, without recorded games, in a scratch folder."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "source"
        source.mkdir()
        (source / "rules.yaml").write_text(f"size: {RULES.size}\nkomi: {RULES.komi}\n")
        with DatasetWriter(Path(folder) / "dataset") as writer, redirect_stdout(io.StringIO()):
            ingest(source, writer, default_params("go"))
        yield Dataset(Path(folder) / "dataset")


def learn(
    kind: str, minutes: float, threads: int, keep: Path, games: int, changed: dict[str, Any]
) -> None:
    """Train, and tell over time how many games of validation it wins; keep the weights."""
    changed.setdefault("train", {}).update({"minutes": minutes, "max_epochs": 10_000})
    params = make_settings(kind, threads, changed)
    started = time.perf_counter()
    with ingested() as dataset, tempfile.TemporaryDirectory() as scratch:
        seed(params.train)
        network = pipeline.load("go", "network").network(params.model, dataset.info)
        module = pipeline.load("go", "train")
        learner = module.learner(network, params, dataset)
        sources = [module.source(dataset, (split,), params) for split in ("train", "validation")]

        def tell(epoch: Any, _: Any) -> None:
            told = {name: round(value, 4) for name, value in epoch.items()}
            print(f"{(time.perf_counter() - started) / 60:.2f} min", json.dumps(told), flush=True)
            save_weights(network, folder)

        folder = keep / kind
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "model.json").write_text(params.model.model_dump_json())
        (folder / "dataset.json").write_text(json.dumps(dataset.info))
        fit(learner, *sources, params.train, Path(scratch), tell, 2**30)
        network.eval()
        save_weights(network, folder)
    if games:
        strength(network, games)


def strength(network: Any, games: int, playouts: int | None = None) -> None:
    """A model against random moves, classical search and GNU Go, from test openings."""
    pairings = make_pairings(games, "test")
    match(make_player(network, playouts), RandomPlayer(), pairings)
    match(make_player(network, playouts), SearchPlayer(1000), pairings)
    program = gnu_go(1)
    if program is None:
        print("GNU Go is not installed: no games against it")
        return
    with program:
        match(make_player(network, playouts), program, pairings)


def load(folder: Path) -> Any:
    """A model that `learn` kept, ready to play."""
    model = json.loads((folder / "model.json").read_text())
    changed = {"model": model}
    params = make_settings(model["kind"], 1, changed)
    info = json.loads((folder / "dataset.json").read_text())
    network = pipeline.load("go", "network").network(params.model, info)
    load_weights(network, folder)
    return network.eval()


def compare(weights: Path, games: int, seconds: float) -> None:
    """Learned against classical search, at equal time a move."""
    for folder in sorted(it.parent for it in weights.glob("*/model.json")):
        network = load(folder)
        classical = SearchPlayer(1000, seconds=seconds, name=f"search, {seconds:g} s")
        match(
            make_player(network, seconds=seconds),
            classical,
            make_pairings(games, "test"),
            f"{folder.name}, {seconds:g} s",
        )


def choose(weights: Path, games: int, count: int, only: str) -> None:
    """How many visits the learned policy counts as, by validation openings, at equal time."""
    learned = load(weights / "patterns").learned()
    pairings = make_pairings(games, "validation")
    rate = playouts_a_second(None, count)
    for visits in (15.0, 30.0, 60.0, 120.0, 240.0):
        name = f"{visits:g} visits"
        if only and only not in name:
            continue
        changed = Learned(learned.weights, learned.tables, visits)
        own = int(count * playouts_a_second(changed, count) / rate)
        player = SearchPlayer(own, changed, name=f"{name}, {own} playouts")
        match(player, SearchPlayer(count), pairings)


def playouts_a_second(learned: Learned | None, count: int) -> float:
    """How fast a search is, in CPU time, from the empty board and from a game's middle."""
    middle = Position(RULES)
    guide = Thinker(200, seed=5)
    for _ in range(24):
        middle.play(guide.choose(middle))
    spent, started = 0, time.process_time()
    for number in range(6):
        for position in (Position(RULES), middle):
            spent += Thinker(count, seed=number, learned=learned).think(position).spent
    return spent / (time.process_time() - started)


def two_programs(black: str, white: str, games: int) -> None:
    """A match of two programs that speak GTP: the first is black in every other game."""
    with (
        GtpProgram(shlex.split(black), black) as first,
        GtpProgram(shlex.split(white), white) as second,
    ):
        match(first, second, make_pairings(games, "test"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "what",
        choices=["speed", "gnugo", "learn", "strength", "compare", "choose", "twogtp"],
    )
    parser.add_argument("--games", type=int, default=20)
    parser.add_argument("--level", type=int, help="of GNU Go, one of 1 and 10")
    parser.add_argument("--kind", choices=list(PRESETS), default="patterns")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seconds", type=float, default=0.2, help="a move, or of a measurement")
    parser.add_argument("--playouts", type=int, help="a move, of a model or of classical search")
    parser.add_argument("--weights", "--keep", type=Path, default=Path("weights"))
    parser.add_argument("--set", default="{}", help="other settings, as JSON")
    parser.add_argument("--only", default="", help="settings whose name has this")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--black", default="")
    parser.add_argument("--white", default="")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    print(describe_hardware(), flush=True)
    if arguments.what == "speed":
        speed(arguments.seconds)
    elif arguments.what == "gnugo":
        against_gnugo(arguments.games, arguments.level)
    elif arguments.what == "learn":
        learn(
            arguments.kind,
            arguments.minutes,
            arguments.threads,
            arguments.weights,
            arguments.games,
            json.loads(arguments.set),
        )
    elif arguments.what == "strength":
        strength(load(arguments.weights / arguments.kind), arguments.games, arguments.playouts)
    elif arguments.what == "compare":
        compare(arguments.weights, arguments.games, arguments.seconds)
    elif arguments.what == "choose":
        choose(arguments.weights, arguments.games, arguments.playouts or 1000, arguments.only)
    else:
        two_programs(arguments.black, arguments.white, arguments.games)


if __name__ == "__main__":
    main()
