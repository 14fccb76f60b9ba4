"""What is served: a state -> what to do, and what each action is worth; a seed -> an episode."""

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd

from ...evaluation.gif import gif
from ...messages.errors import PenstockError
from ...pipeline import Interface, Mean, Score
from .drawing import FRAME, draw_episode
from .episodes import NOTHING, Episodes, draw_chance, draw_starts, follow, play
from .network import Actor
from .tables import Tables, places_of, read_tables
from .world import World

if TYPE_CHECKING:
    from ...datasets.dataset import Dataset

INPUTS = {
    "map": "optional string",
    "state": "optional double",
    "step": "optional double",
    "seed": "optional double",
    "world": "optional binary",
}
OUTPUTS = {
    "action": "string",
    "value": "double",
    "values": "array",
    "return": "double",
    "steps": "double",
    "won": "double",
    "actions": "array",
    "animation": "binary",
    "error": "string",
}
MOST_SEED = 2**53  # that a double holds exactly


def interface(info: dict[str, Any], model: dict[str, Any]) -> Interface:
    """A state of a map -> an action and the values of all; with a seed, an episode from there.

    Numbers are doubles, since any may be left out. `world` is the tables to play in, where they are
    not those that were learned in: so a model is asked about a map that has changed since.
    """
    score = Score("test/return", Mean("return"), span=info["span"])
    return Interface(INPUTS, OUTPUTS, score, {"animation": False})


def predict(
    network: Actor, inputs: pd.DataFrame, info: dict[str, Any], options: dict[str, Any]
) -> pd.DataFrame:
    """Answer questions, a row each.

    Returns:
        Of the state: action, value (of that action) and values (of all, in the order of the
        environment's). Of the episode, if there is a seed: return, steps, won (0 or 1), actions
        (numbers) and, if asked, animation (a GIF). error: what was wrong with a row, whose other
        columns are empty.
    """
    asked = inputs.reset_index(drop=True).reindex(columns=list(INPUTS))
    asked["map"] = asked["map"].where(asked["map"].notna(), "")
    asked["world"] = asked["world"].where(asked["world"].notna(), b"")
    if len(info["maps"]) == 1:
        asked["map"] = asked["map"].replace("", next(iter(info["maps"])))
    answers = pd.DataFrame(index=asked.index, columns=list(OUTPUTS), dtype=object)
    worlds = _worlds(network, info)
    answers["error"] = [_complain(it, worlds) for it in asked.itertuples()]
    good = answers["error"] == ""
    for key, rows in asked[good].groupby(["map", "world"], sort=False):
        name, content = cast("tuple[str, bytes]", key)
        tables = _unpack(content) if content else worlds[name]
        _answer(answers, rows, _Acting(network, info, name, tables), options["animation"])
    numbers = {name: np.float64 for name, kind in OUTPUTS.items() if kind == "double"}
    return answers.where(answers.notna(), None).astype(numbers)


class _Acting:
    """A model on one of its maps."""

    def __init__(self, network: Actor, info: dict[str, Any], name: str, tables: Tables) -> None:
        self.tables = tables
        self.info = info
        self.lines = info["maps"][name]["lines"]
        self.values = network.values()[int(network.kept)][:, places_of(info, name)]
        self.length = network.length

    def play(self, starts: np.ndarray, seeds: np.ndarray) -> Episodes:
        """Play episodes by the best actions."""
        chance = draw_chance(seeds, self.tables.limit + 1)[:, 1:]
        by = follow(self.values.argmax(2)[None], self.length, np.zeros(len(seeds), np.int64))
        return play(World(self.tables), by, starts, chance)

    def at(self, state: int, step: int) -> np.ndarray:
        """The values of all actions in a state, after so many steps."""
        values: np.ndarray = self.values[min(step // self.length, len(self.values) - 1), state]
        return values


def _worlds(network: Actor, info: dict[str, Any]) -> dict[str, Tables]:
    """The tables of each map that was learned in."""
    whole = network.tables()
    return {name: whole.part(places_of(info, name)) for name in info["maps"]}


@lru_cache(maxsize=8)
def _unpack(content: bytes) -> Tables:
    return Tables.from_bytes(content)


def _complain(row: Any, worlds: dict[str, Tables]) -> str:
    """What is wrong with a question, or nothing."""
    if row.map not in worlds:
        named = f"map {row.map}: not learned" if row.map else "no map"
        return f"{named}; there is: {', '.join(worlds)}"
    tables = worlds[row.map]
    if row.world:
        try:
            other = _unpack(row.world)
        except ValueError as error:
            return f"world: {error}"
        ours, theirs = (it.reward.shape[:2] for it in (tables, other))
        if ours != theirs:
            return (
                f"map {row.map}: {theirs[0]} states and {theirs[1]} actions; {ours[0]} and "
                f"{ours[1]} when it was learned"
            )
    for name, value, most in (
        ("state", row.state, tables.states - 1),
        ("step", row.step, tables.limit - 1),
        ("seed", row.seed, MOST_SEED),
    ):
        if not pd.isna(value) and not (0 <= value <= most and value == int(value)):
            return f"{name} {value:g}: expected a whole number from 0 to {most}"
    return "" if not pd.isna(row.state) or not pd.isna(row.seed) else "no state and no seed"


def _answer(answers: pd.DataFrame, rows: pd.DataFrame, acting: _Acting, animated: bool) -> None:
    """Fill in what is asked in some rows of one map."""
    states = rows["state"].to_numpy(np.float64, copy=True)
    seeded = rows["seed"].notna().to_numpy()
    seeds = rows["seed"].to_numpy(np.float64)[seeded].astype(np.int64)
    drawn = np.isnan(states[seeded])
    starts = states[seeded].copy()
    if drawn.any():
        chance = draw_chance(seeds[drawn], 1)[:, 0]
        starts[drawn] = draw_starts(acting.tables.initial, chance)
    states[seeded] = starts
    names = acting.info["actions"]
    steps = rows["step"].fillna(0).to_numpy(np.int64)
    for row, state, step in zip(
        rows.index, states.astype(int).tolist(), steps.tolist(), strict=True
    ):
        values = acting.at(state, step)
        answers.at[row, "action"] = names[values.argmax()]
        answers.at[row, "value"] = float(values.max())
        answers.at[row, "values"] = values.tolist()
    if not seeded.any():
        return
    played = acting.play(starts.astype(np.int64), seeds)
    for place, row in enumerate(rows.index[seeded]):
        actions = played.actions[place][: played.steps[place]]
        answers.at[row, "return"] = float(played.returns[place])
        answers.at[row, "steps"] = float(len(actions))
        answers.at[row, "won"] = float(played.won[place])
        answers.at[row, "actions"] = actions.astype(float).tolist()
        if animated:
            answers.at[row, "animation"] = animate(acting.info, acting.lines, played, place)


def animate(info: dict[str, Any], lines: list[str], played: Episodes, place: int) -> bytes:
    """A GIF of one episode."""
    return gif(draw_episode(info, lines, played, place), FRAME)


def exam(dataset: "Dataset", split: str) -> pd.DataFrame:
    """The questions of a split, with the tables of their map as they are now."""
    examples = dataset.examples(split)
    whole = read_tables(dataset.array, dataset.info["limit"])
    parts = {name: whole.part(places_of(dataset.info, name)) for name in dataset.info["maps"]}
    packed = {name: part.to_bytes() for name, part in parts.items()}
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
        tables = _unpack(content)
        played = replay(tables, rows, list(given[rows.index]))
        missing = np.where(played.over, 0, tables.limit - played.steps)
        marked.loc[rows.index, "return"] = played.returns + missing * tables.worst
        marked.loc[rows.index, "steps"] = played.steps.astype(np.float64)
        marked.loc[rows.index, "won"] = played.won.astype(np.float64)
    return marked


def replay(tables: Tables, rows: pd.DataFrame, given: list[Any]) -> Episodes:
    """Play the episodes of some questions by the actions that were given."""
    actions = np.full((len(rows), tables.limit), NOTHING, np.int64)
    for row, those in enumerate(given):
        if those is not None:
            known = np.asarray(those, np.float64)[: tables.limit]
            actions[row, : len(known)] = known
    by = _by_list(actions)
    chance = draw_chance(rows["seed"].to_numpy(np.int64), tables.limit + 1)[:, 1:]
    return play(World(tables), by, rows["state"].to_numpy(np.int64), chance)


def _by_list(actions: np.ndarray) -> Any:
    import torch

    listed = torch.from_numpy(actions)
    return lambda _, elapsed: listed[:, elapsed]


def read_input(file: Path, info: dict[str, Any]) -> pd.DataFrame:
    """Read questions from a CSV file: columns map, state, step and seed, as far as needed.

    A row with a value that is no number has an `error` that says so.

    Raises:
        PenstockError: not a table, or without a column that asks for anything.
    """
    try:
        table = pd.read_csv(file, dtype=str, keep_default_na=False)
    except (ValueError, UnicodeDecodeError) as error:
        raise PenstockError(
            f"{file}: not a table ({error}); expected CSV with a column state or seed"
        ) from None
    if "state" not in table and "seed" not in table:
        raise PenstockError(
            f"{file}: no column state or seed; found {', '.join(map(str, table))}; expected state, "
            "seed or both, and map and step if they matter"
        )
    errors = pd.Series("", table.index)
    for name in ("state", "step", "seed"):
        text = table[name].str.strip() if name in table else pd.Series("", table.index)
        numbers = pd.to_numeric(text, errors="coerce")
        bad = numbers.isna() & (text != "") & (errors == "")
        errors = errors.mask(bad, f"{name} " + text + ": expected a whole number")
        table[name] = numbers.astype(np.float64)
    table["map"] = table["map"].str.strip() if "map" in table else ""
    return table.assign(world=None, error=errors)
