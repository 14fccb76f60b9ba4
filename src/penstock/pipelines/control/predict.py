"""What is served: a state -> what to do, and what each action is worth; a seed -> an episode."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd

from ...evaluation.gif import gif
from ...messages.errors import PenstockError
from ...pipeline import Interface, Mean, Score
from .drawing import FRAME, draw_episode
from .episodes import draw_chance, draw_starts, follow, play
from .network import Actor
from .questions import exam as exam
from .questions import outcome as outcome
from .tables import Tables, places_of, unpack
from .world import World

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
    for name, nothing in (("map", ""), ("world", b"")):
        asked[name] = asked[name].where(asked[name].notna(), nothing)
    if len(info["maps"]) == 1:
        asked["map"] = asked["map"].replace("", next(iter(info["maps"])))
    whole, values = network.tables(), network.values()[int(network.kept)]
    known = {name: whole.part(places_of(info, name)) for name in info["maps"]}
    answers = pd.DataFrame(index=asked.index, columns=list(OUTPUTS), dtype=object)
    answers["error"] = [_complain(it, known) for it in asked.itertuples()]
    for key, rows in asked[answers["error"] == ""].groupby(["map", "world"], sort=False):
        name, content = cast("tuple[str, bytes]", key)
        acting = _Acting(
            unpack(content) if content else known[name],
            values[:, places_of(info, name)],
            network.length,
            info,
            name,
        )
        starts = _find_starts(rows, acting.tables)
        acting.tell_values(answers, rows, starts)
        seeded = rows["seed"].notna().to_numpy()
        acting.tell_episodes(answers, rows[seeded], starts[seeded], options["animation"])
    numbers = {name: np.float64 for name, kind in OUTPUTS.items() if kind == "double"}
    return answers.where(answers.notna(), None).astype(numbers)


def _find_starts(rows: pd.DataFrame, tables: Tables) -> np.ndarray:
    """The state of each question; where none is given, that in which gymnasium starts its seed."""
    states = rows["state"].to_numpy(np.float64, copy=True)
    drawn = np.isnan(states)
    if drawn.any():
        chance = draw_chance(rows["seed"].to_numpy(np.float64)[drawn], 1)[:, 0]
        states[drawn] = draw_starts(tables.initial, chance)
    return states.astype(np.int64)


@dataclass(frozen=True)
class _Acting:
    """What a model does on one of its maps.

    Attributes:
        tables: what is played in.
        values: of all actions, (periods, states, actions).
        length: steps of a period.
        info: of the dataset that it learned from.
        name: of the map.
    """

    tables: Tables
    values: np.ndarray
    length: int
    info: dict[str, Any]
    name: str

    def tell_values(self, answers: pd.DataFrame, rows: pd.DataFrame, states: np.ndarray) -> None:
        """Fill in what to do in the states of some questions, and what each action is worth."""
        period = rows["step"].fillna(0).to_numpy(np.int64) // self.length
        worth = self.values[np.minimum(period, len(self.values) - 1), states]
        for row, values in zip(rows.index, worth, strict=True):
            answers.at[row, "action"] = self.info["actions"][values.argmax()]
            answers.at[row, "value"] = float(values.max())
            answers.at[row, "values"] = values.tolist()

    def tell_episodes(
        self, answers: pd.DataFrame, rows: pd.DataFrame, starts: np.ndarray, animated: bool
    ) -> None:
        """Play the episodes of some questions by the best actions, and fill in how they went."""
        if rows.empty:
            return
        chance = draw_chance(rows["seed"].to_numpy(np.float64), self.tables.limit + 1)[:, 1:]
        by = follow(self.values.argmax(2)[None], self.length, np.zeros(len(rows), np.int64))
        played = play(World(self.tables), by, starts, chance)
        lines = self.info["maps"][self.name]["lines"]
        for place, row in enumerate(rows.index):
            actions = played.actions[place][: played.steps[place]]
            answers.at[row, "return"] = float(played.returns[place])
            answers.at[row, "steps"] = float(len(actions))
            answers.at[row, "won"] = float(played.won[place])
            answers.at[row, "actions"] = actions.astype(float).tolist()
            if animated:
                frames = draw_episode(self.info, lines, played, place)
                answers.at[row, "animation"] = gif(frames, FRAME)


def _complain(row: Any, worlds: dict[str, Tables]) -> str:
    """What is wrong with a question, or nothing."""
    if row.map not in worlds:
        named = f"map {row.map}: not learned" if row.map else "no map"
        return f"{named}; there is: {', '.join(worlds)}"
    tables = worlds[row.map]
    if row.world:
        try:
            other = unpack(row.world)
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
    if pd.isna(row.state) and pd.isna(row.seed):
        return "no state and no seed"
    if row.step > 0 and not pd.isna(row.seed):
        return f"step {row.step:g}: an episode of a seed has no steps behind it; leave one out"
    return ""


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
