"""Environments of gymnasium: which one, by a file; and what it does, as tables."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import gymnasium
import numpy as np
from gymnasium.envs.registration import EnvSpec
from pydantic import Field, ValidationError

from ...kinds.folders.yaml_text import parse_yaml
from ...messages.errors import PenstockError
from ...settings.sections import Section
from .maps import MOST_PLACES
from .tables import MOST_STEPS, Tables

FILE = "environment.yaml"
MOST_BYTES = 100_000  # of the file
# Modules of gymnasium whose environments have tables, and the names of their actions.
ACTIONS = {
    "frozen_lake": ("left", "down", "right", "up"),
    "cliffwalking": ("up", "right", "down", "left"),
    "taxi": ("south", "north", "east", "west", "pick up", "drop off"),
}
# What an environment may not be told: its map lies beside the file, and nobody watches it.
KEPT = {
    "desc": "maps are text files beside this one",
    "render_mode": "nobody watches while it learns",
    "fickle_passenger": "what it does then depends on more than the state",
}
Value = bool | int | float | str | list[int | float]


class Settings(Section):
    """What the file says."""

    id: str
    """Name of the environment in gymnasium."""
    max_episode_steps: Annotated[int, Field(ge=1, le=MOST_STEPS)] | None = None
    """Steps after which an episode is cut; without it as many as gymnasium says."""
    arguments: dict[str, Value] = {}
    """What the environment is told: `is_slippery: false` say."""


@dataclass(frozen=True)
class Environment:
    """An environment that is asked for.

    Attributes:
        file: that asks for it.
        spec: what gymnasium says of it.
        kind: which of ACTIONS it is.
        limit: steps after which an episode is cut.
        arguments: what it is told.
    """

    file: Path
    spec: EnvSpec
    kind: str
    limit: int
    arguments: dict[str, Any]

    @property
    def takes_maps(self) -> bool:
        """Whether it can be given a map."""
        return self.kind == "frozen_lake"


def read_environment(file: Path) -> Environment:
    """Read which environment is asked for.

    Raises:
        PenstockError: not there, not YAML, an unknown key or environment, or one without a limit.
    """
    settings = _read(file)
    known = {name: spec for name, spec in gymnasium.registry.items() if _kind(spec) in ACTIONS}
    if settings.id not in known:
        raise PenstockError(
            f"{file}: id: {settings.id}: no environment with finite states that is known here; "
            f"there is: {', '.join(sorted(known))}"
        )
    for name in settings.arguments:
        if name in KEPT:
            raise PenstockError(f"{file}: arguments.{name}: {KEPT[name]}; take it out")
    spec = known[settings.id]
    limit = settings.max_episode_steps or spec.max_episode_steps
    if limit is None:
        raise PenstockError(
            f"{file}: max_episode_steps: missing, and {settings.id} has no limit of its own; "
            "add `max_episode_steps: 200` say"
        )
    return Environment(file, spec, _kind(spec), limit, settings.arguments)


def _kind(spec: EnvSpec) -> str:
    """The module of gymnasium's toy texts that an environment is of, or nothing."""
    entry = str(spec.entry_point)
    inside = entry.startswith("gymnasium.envs.toy_text.")
    return entry.partition(":")[0].rpartition(".")[2] if inside else ""


def _read(file: Path) -> Settings:
    if not file.is_file():
        raise PenstockError(
            f"{file}: not there; expected it to say which environment: `id: FrozenLake-v1` say"
        )
    if file.stat().st_size > MOST_BYTES:
        raise PenstockError(f"{file}: more than {MOST_BYTES:,} bytes; expected a few lines of YAML")
    try:
        content = parse_yaml(file.read_bytes())
    except ValueError as error:
        raise PenstockError(f"{file}: {error}; mend it") from None
    try:
        return Settings.model_validate(content)
    except ValidationError as error:
        problem = error.errors()[0]
        key = ".".join(map(str, problem["loc"]))
        known = ", ".join(Settings.model_fields)
        raise PenstockError(
            f"{file}: {key}: {problem['msg'].lower()}; expected {known}; mend it"
            if key
            else f"{file}: expected {known}, one on each line; mend it"
        ) from None


def own_map(environment: Environment) -> tuple[str, list[str]]:
    """The name and the lines of the map that an environment has of itself."""
    made = _make(environment, None)
    if environment.kind == "cliffwalking":
        rows, columns = made.shape
        return "cliff", [*["." * columns] * (rows - 1), f"S{'C' * (columns - 2)}G"]
    lines = [b"".join(row).decode() for row in made.desc]
    told = {**environment.spec.kwargs, **environment.arguments}
    return str(told.get("map_name", environment.kind)), lines


def make_tables(environment: Environment, lines: list[str] | None, name: str) -> Tables:
    """What the environment does on a map, by its own transitions, `P`.

    Args:
        environment: that is asked for.
        lines: of a map of one's own, if there is one.
        name: of the map, for messages.

    Raises:
        PenstockError: it does not take its arguments, or from a start no goal can be reached.
    """
    made = _make(environment, lines)
    outcomes = {
        (state, action): found
        for state, actions in made.P.items()
        for action, found in actions.items()
    }
    shape = len(made.P), len(ACTIONS[environment.kind]), max(map(len, outcomes.values()))
    next_state = np.zeros(shape, np.int32)
    probability, reward = np.zeros(shape), np.zeros(shape)
    ended = np.ones(shape, bool)
    for (state, action), found in outcomes.items():
        for place, (chance, following, worth, over) in enumerate(found):
            at = state, action, place
            probability[at], next_state[at], reward[at], ended[at] = chance, following, worth, over
    if not _are_shares(probability) or not np.isfinite(reward).all():
        raise PenstockError(
            f"{environment.file}: arguments: they make probabilities outside 0 to 1, or rewards "
            "that are not finite; expected success_rate from 0 to 1, say"
        )
    initial = np.asarray(made.initial_state_distrib, np.float64)
    won = ended & (probability > 0)
    if environment.takes_maps:  # a hole ends an episode too
        won &= (made.desc == b"G").ravel()[next_state]
    tables = Tables(next_state, probability, reward, ended, won, initial, environment.limit)
    _check_reachable(tables, name, lines)
    return tables


def _make(environment: Environment, lines: list[str] | None) -> Any:
    told = dict(environment.arguments)
    if lines is not None:
        if "map_name" in told:
            raise PenstockError(
                f"{environment.file}: arguments.map_name: there are maps beside this file; take it "
                "or them out"
            )
        told |= {"map_name": None, "desc": lines}
    try:
        return gymnasium.make(environment.spec, disable_env_checker=True, **told).unwrapped
    except (TypeError, ValueError, KeyError, IndexError) as error:
        raise PenstockError(
            f"{environment.file}: arguments: {environment.spec.id} does not take them: {error}; "
            "mend them"
        ) from None


def _are_shares(probability: np.ndarray) -> bool:
    inside = ((probability >= 0) & (probability <= 1)).all()
    return bool(inside and np.allclose(probability.sum(2), 1))


def _check_reachable(tables: Tables, name: str, lines: list[str] | None) -> None:
    """Refuse a start from which no actions ever lead to a goal."""
    possible = tables.probability > 0
    reaches = np.zeros(tables.states, bool)
    for _ in range(tables.states):
        onward = possible & (tables.won | (~tables.ended & reaches[tables.next_state]))
        found = onward.any(axis=(1, 2))
        if (found == reaches).all():
            break
        reaches = found
    stuck = np.flatnonzero((tables.initial > 0) & ~reaches)
    if len(stuck):
        where = f"state {stuck[0]}"
        if lines is not None:
            row, column = divmod(int(stuck[0]), len(lines[0]))
            where = f"line {row + 1}, column {column + 1}"
        raise PenstockError(
            f"{name}: no goal can be reached from the start in {where}; open a way to one"
        )


def check_size(places: int, source: Path) -> None:
    """Refuse more places than can be learned in one table."""
    if places > MOST_PLACES:
        raise PenstockError(
            f"{source}: maps of {places:,} places together; expected at most {MOST_PLACES:,}; "
            "take some out"
        )
