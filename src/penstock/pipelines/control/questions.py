"""What a model is asked, and how its answers are marked: by playing its actions once more."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from .episodes import NOTHING, Episodes, draw_chance, play, repeat
from .tables import map_tables, unpack
from .world import World

if TYPE_CHECKING:
    from ...datasets.dataset import Dataset
    from .tables import Tables


def exam(dataset: "Dataset", split: str) -> pd.DataFrame:
    """The questions of a split, with the tables of their map as they are now."""
    examples = dataset.examples(split)
    packed = {name: it.to_bytes() for name, it in map_tables(dataset).items()}
    return pd.DataFrame(
        {
            **{name: examples[name] for name in ("id", "sha256", "map")},
            **{name: examples[name].astype(np.float64) for name in ("state", "seed")},
            "step": 0.0,
            "world": examples["map"].map(packed),
        }
    )


def outcome(predictions: pd.DataFrame, exam: pd.DataFrame) -> pd.DataFrame:
    """Mark answers by playing their actions once more, in the world of the exam.

    A step without an action, up to the limit, counts as the worst that there is.

    Returns:
        id, map, return, steps, won (0 or 1).
    """
    marked = pd.DataFrame({name: exam[name].to_numpy() for name in ("id", "map")})
    marked = marked.assign(**{"return": 0.0, "steps": 0.0, "won": 0.0})
    given = predictions["actions"].reset_index(drop=True)
    for content, rows in exam.reset_index(drop=True).groupby("world", sort=False):
        tables = unpack(content)
        played = replay(tables, rows, list(given[rows.index]))
        missing = np.where(played.over, 0, tables.limit - played.steps)
        marked.loc[rows.index, "return"] = played.returns + missing * tables.worst
        marked.loc[rows.index, "steps"] = played.steps.astype(np.float64)
        marked.loc[rows.index, "won"] = played.won.astype(np.float64)
    return marked


def replay(tables: "Tables", rows: pd.DataFrame, given: list[Any]) -> Episodes:
    """Play the episodes of some questions by the actions that were given, or None."""
    actions = np.full((len(rows), tables.limit), NOTHING, np.int64)
    for row, those in enumerate(given):
        if those is not None:
            known = np.asarray(those, np.float64)[: tables.limit]
            actions[row, : len(known)] = known
    chance = draw_chance(rows["seed"].to_numpy(np.int64), tables.limit + 1)[:, 1:]
    starts = rows["state"].to_numpy(np.int64)
    return play(World(tables), repeat(actions), starts, chance)
