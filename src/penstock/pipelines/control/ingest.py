"""From an environment and its maps to tables of what it does, and questions."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ...datasets.dataset import DatasetWriter
from ...messages.errors import PenstockError
from .environment import (
    ACTIONS,
    FILE,
    Environment,
    check_size,
    make_tables,
    own_map,
    read_environment,
)
from .episodes import draw_chance, draw_starts
from .maps import SUFFIX, check_map_name, read_map
from .params import Data, Params
from .tables import ARRAYS, INITIAL, Tables, join

FIRST_SEEDS = {"test": 0, "validation": 1_000_000, "train": 2_000_000}


def ingest(source: Path, writer: DatasetWriter, params: Params) -> None:
    """Read the environment; make the tables of each map, and the questions asked on it."""
    environment = read_environment(source / FILE)
    maps = _read_maps(source, environment, writer)
    own = not maps
    if own:
        name, lines = own_map(environment)
        maps = {name: lines}
    parts = {
        name: make_tables(environment, None if own else lines, f"{source / name}{SUFFIX}")
        for name, lines in maps.items()
    }
    tables = join(list(parts.values()))
    for name in (*ARRAYS, INITIAL):
        writer.array(name, getattr(tables, name))
    writer.info = _describe(environment, maps, parts)
    first_state = 0
    for name, part in parts.items():
        writer.add(_questions(name, part, first_state, params.data), {})
        first_state += part.states
    print(f"  {environment.spec.id}: {len(maps)} {'map' if len(maps) == 1 else 'maps'}, ", end="")
    print(f"{tables.states:,} states, episodes of at most {environment.limit} steps")


def _read_maps(
    source: Path, environment: Environment, writer: DatasetWriter
) -> dict[str, list[str]]:
    """The lines of each map that lies in the source, by name; other files are rejected."""
    maps = {}
    for file in sorted(it for it in source.rglob("*") if it.is_file()):
        if file == source / FILE:
            continue
        if file.parent != source or file.suffix != SUFFIX:
            reason = f"no map; expected {FILE} and NAME{SUFFIX}, in no folder"
            writer.reject(file.relative_to(source).as_posix(), reason)
            continue
        if not environment.takes_maps:
            raise PenstockError(
                f"{file}: a map, but {environment.spec.id} takes none; take it out, or set id in "
                f"{FILE} to FrozenLake-v1"
            )
        check_map_name(file)
        maps[file.stem] = read_map(file)
    check_size(sum(len(it) * len(it[0]) for it in maps.values()), source)
    return maps


def _describe(
    environment: Environment, maps: dict[str, list[str]], parts: dict[str, Tables]
) -> dict[str, Any]:
    """What dataset.json says of the environment."""
    return {
        "environment": environment.spec.id,
        "kind": environment.kind,
        "arguments": environment.arguments,
        "limit": environment.limit,
        "actions": list(ACTIONS[environment.kind]),
        "maps": {name: {"lines": it, "states": parts[name].states} for name, it in maps.items()},
        "span": max(_span(part) for part in parts.values()),
    }


def _span(tables: Tables) -> float:
    """How far apart the returns of two models that make any sense can be in an episode.

    From the best there can be, with luck, to an episode that gets the most usual reward to the end.
    """
    rewards, counts = np.unique(tables.reward[tables.probability > 0], return_counts=True)
    idle = tables.limit * rewards[counts.argmax()]
    lucky = np.zeros(tables.states)
    for _ in range(tables.limit):
        follows = np.where(tables.ended, 0.0, lucky[tables.next_state])
        lucky = np.where(tables.probability > 0, tables.reward + follows, -np.inf).max((1, 2))
    return float(max(abs(lucky[tables.initial > 0] - idle).max(), 1e-9))


def _questions(name: str, tables: Tables, first_state: int, data: Data) -> pd.DataFrame:
    """A row for each seed: where its episode starts."""
    counts = {
        "test": data.test_episodes,
        "validation": data.validation_episodes,
        "train": data.train_episodes,
    }
    seeds = np.concatenate([FIRST_SEEDS[it] + np.arange(count) for it, count in counts.items()])
    starts = draw_starts(tables.initial, draw_chance(seeds, 1)[:, 0])
    content = tables.to_bytes()
    return pd.DataFrame(
        {
            "id": [f"{name}/{seed}" for seed in seeds],
            "split": np.repeat(list(counts), list(counts.values())),
            "map": name,
            "seed": seeds,
            "state": starts,
            "row": first_state + starts,
            "sha256": [hashlib.sha256(content + str(seed).encode()).hexdigest() for seed in seeds],
        }
    )
