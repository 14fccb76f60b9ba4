"""What an environment does, as tables: where each action leads from each state, how likely."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

if TYPE_CHECKING:
    from ...datasets.dataset import Dataset

ARRAYS = {
    "next_state": np.int32,
    "probability": np.float64,
    "reward": np.float64,
    "ended": np.bool_,
    "won": np.bool_,
}
INITIAL = "initial"
MOST_BYTES = 2**26  # of tables that are unpacked
MOST_STEPS = 10_000  # of an episode


@dataclass(frozen=True)
class Tables:
    """A finite Markov decision process whose episodes are cut after some steps.

    Arrays have the shape (states, actions, outcomes). Where an action has fewer outcomes than
    others, the rest have the probability 0.

    Attributes:
        next_state: where an outcome leads.
        probability: of each outcome; those of an action add up to 1.
        reward: what it is worth.
        ended: whether the episode ends with it (gymnasium's `terminated`).
        won: whether it ends so at a goal.
        initial: share of the episodes that start in each state, shape (states,).
        limit: steps after which an episode is cut (gymnasium's `truncated`).
    """

    next_state: np.ndarray
    probability: np.ndarray
    reward: np.ndarray
    ended: np.ndarray
    won: np.ndarray
    initial: np.ndarray
    limit: int

    @property
    def states(self) -> int:
        """How many states there are."""
        return len(self.reward)

    @property
    def worst(self) -> float:
        """The least reward that a step can have."""
        return float(self.reward[self.probability > 0].min())

    def entered(self) -> np.ndarray:
        """Which states an episode can be in, before it is over: bool, shape (states,)."""
        there = self.initial > 0
        goes_on = (self.probability > 0) & ~self.ended
        fresh = there
        while fresh.any():
            after = np.zeros_like(there)
            after[self.next_state[fresh][goes_on[fresh]]] = True
            fresh = after & ~there
            there = there | fresh
        return there

    def part(self, places: slice) -> Self:
        """The tables of some states, which lead to none but these."""
        arrays = {name: getattr(self, name)[places] for name in (*ARRAYS, INITIAL)}
        arrays["next_state"] = arrays["next_state"] - places.start
        return replace(self, **arrays)

    def counting_wins(self) -> Self:
        """The same, where nothing but a good end is worth something."""
        return replace(self, reward=self.won.astype(np.float64))

    def to_bytes(self) -> bytes:
        """As bytes, the same ones each time."""
        arrays = {name: getattr(self, name).astype(kind) for name, kind in ARRAYS.items()}
        more = {INITIAL: self.initial, "limit": np.array(self.limit)}
        return zlib.compress(save({**arrays, **more}))

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Read what `to_bytes` wrote.

        Raises:
            ValueError: it is something else.
        """
        try:
            unpacked = zlib.decompressobj().decompress(content, MOST_BYTES)
            arrays = load(unpacked)
            limit = int(arrays.pop("limit"))
            tables = cls(**arrays, limit=limit)
        except (zlib.error, SafetensorError, TypeError, ValueError, KeyError):
            raise ValueError("no tables of an environment") from None
        return tables._checked()

    def _checked(self) -> Self:
        """Refuse tables that lead out of themselves, or go on for ever."""
        shape = self.reward.shape
        fits = len(shape) == 3 and all(
            getattr(self, name).shape == shape and getattr(self, name).dtype == kind
            for name, kind in ARRAYS.items()
        )
        fits = fits and self.initial.shape == shape[:1] and self.initial.dtype == np.float64
        fits = fits and 1 <= self.limit <= MOST_STEPS
        if not fits or not ((self.next_state >= 0) & (self.next_state < len(self.reward))).all():
            raise ValueError("no tables of an environment")
        return self


def join(parts: Sequence[Tables]) -> Tables:
    """Put the tables of several environments, with equal actions, into one, states in order."""
    offsets = np.cumsum([0, *(it.states for it in parts)])
    arrays = {name: np.concatenate([getattr(it, name) for it in parts]) for name in ARRAYS}
    arrays["next_state"] = np.concatenate(
        [it.next_state + np.int32(offset) for it, offset in zip(parts, offsets, strict=False)]
    )
    arrays[INITIAL] = np.concatenate([it.initial for it in parts])
    return Tables(**arrays, limit=parts[0].limit)


@lru_cache(maxsize=8)
def unpack(content: bytes) -> Tables:
    """Read tables that were packed; those that are asked for often are kept."""
    return Tables.from_bytes(content)


def read_tables(dataset: "Dataset") -> Tables:
    """The tables of a dataset, of all its maps."""
    arrays = {name: np.array(dataset.array(name)) for name in (*ARRAYS, INITIAL)}
    return Tables(**arrays, limit=dataset.info["limit"])


def map_tables(dataset: "Dataset") -> dict[str, Tables]:
    """The tables of each map of a dataset."""
    whole = read_tables(dataset)
    return {name: whole.part(places_of(dataset.info, name)) for name in dataset.info["maps"]}


def places_of(info: dict[str, Any], name: str) -> slice:
    """Where the states of a map are among those of all maps."""
    first = 0
    for other, about in info["maps"].items():
        if other == name:
            break
        first += about["states"]
    return slice(first, first + info["maps"][name]["states"])
