"""Episodes: many at once, each by the chance of its seed, step by step as gymnasium has them."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch

from .world import World

Choose = Callable[[torch.Tensor, int], torch.Tensor]  # states, steps so far -> actions

NOTHING = -1  # no action: the episode was over


class Episodes(NamedTuple):
    """What was played, a row an episode.

    Attributes:
        states: int64, shape (episodes, longest + 1); after the end the last one goes on.
        actions: int64, shape (episodes, longest); NOTHING after the end.
        returns: sum of the rewards, float64.
        steps: how many there were.
        won: whether it ended at a goal.
        over: whether it ended, or reached the limit: else no action was given.
    """

    states: np.ndarray
    actions: np.ndarray
    returns: np.ndarray
    steps: np.ndarray
    won: np.ndarray
    over: np.ndarray


def draw_chance(seeds: np.ndarray, numbers: int) -> np.ndarray:
    """The first random numbers of each seed, as gymnasium draws them: (seeds, numbers), float64.

    The first says where an episode starts, the others what each step leads to.
    """
    drawn = np.empty((len(seeds), numbers))
    for row, seed in enumerate(seeds):
        np.random.default_rng(int(seed)).random(out=drawn[row])
    return drawn


def draw_starts(initial: np.ndarray, chance: np.ndarray) -> np.ndarray:
    """Where episodes start, by the share of each state, shape (states,), and a random number."""
    starts: np.ndarray = (np.cumsum(initial) > chance[:, None]).argmax(1)
    return starts


def follow(policies: np.ndarray, length: int, run: np.ndarray) -> Choose:
    """Do what policies say.

    Args:
        policies: actions, (runs, periods, states).
        length: steps of a period.
        run: which of them acts in each episode.
    """
    acting, of = torch.from_numpy(policies), torch.from_numpy(run)

    def choose(state: torch.Tensor, elapsed: int) -> torch.Tensor:
        return acting[of, min(elapsed // length, acting.shape[1] - 1), state]

    return choose


def repeat(actions: np.ndarray) -> Choose:
    """Do what was done before, (episodes, limit)."""
    done = torch.from_numpy(actions)
    return lambda _, elapsed: done[:, elapsed]


@torch.inference_mode()
def play(world: World, choose: Choose, starts: np.ndarray, chance: np.ndarray) -> Episodes:
    """Play episodes to their end, or to the limit.

    Args:
        world: on the CPU.
        choose: says what to do in each episode; NOTHING ends it.
        starts: a state for each episode.
        chance: of each episode and step, shape (episodes, limit).
    """
    state = torch.from_numpy(starts.astype(np.int64))
    numbers = torch.from_numpy(np.ascontiguousarray(chance.T))
    playing = torch.ones(len(state), dtype=torch.bool)
    won, over = torch.zeros_like(playing), torch.zeros_like(playing)
    returns = torch.zeros(len(state), dtype=torch.float64)
    states, actions = [state], []
    for elapsed in range(world.limit):
        action = choose(state, elapsed)
        playing &= (action >= 0) & (action < world.actions)
        if not playing.any():
            break
        step = world.step(state, action.clamp(0, world.actions - 1), numbers[elapsed])
        state = torch.where(playing, step.state, state)
        returns += torch.where(playing, step.reward, 0.0)
        won |= playing & step.won
        over |= playing & (step.ended | (elapsed + 1 == world.limit))
        states.append(state)
        actions.append(torch.where(playing, action, NOTHING))
        playing = playing & ~over
    done = torch.stack(actions, 1).numpy() if actions else np.zeros((len(state), 0), np.int64)
    return Episodes(
        torch.stack(states, 1).numpy(),
        done,
        returns.numpy(),
        (done != NOTHING).sum(1),
        won.numpy(),
        over.numpy(),
    )
