"""Exact answers from the tables: the best there is, and what a policy is worth.

Sutton and Barto 2018, Reinforcement Learning, chapters 3 and 4. Nothing learns from these: they
stand beside what was learned.
"""

import numpy as np

from .tables import Tables

PATIENT = 0.999  # largest discount: without one, policies that never arrive look as good
CLOSE = 1e-10
MOST_SWEEPS = 100_000


def action_values(tables: Tables, values: np.ndarray, discount: float = 1.0) -> np.ndarray:
    """What each action is worth if states are worth `values` afterwards: (states, actions)."""
    follows = np.where(tables.ended, 0.0, values[tables.next_state])
    worth: np.ndarray = (tables.probability * (tables.reward + discount * follows)).sum(2)
    return worth


def best_returns(tables: Tables) -> np.ndarray:
    """The largest expected return within the limit, from each state (backward induction).

    It may act differently the fewer steps are left, as no policy without a clock can.
    """
    values = np.zeros(tables.states)
    for _ in range(tables.limit):
        values = action_values(tables, values).max(1)
    return values


def policy_returns(tables: Tables, actions: np.ndarray, epsilon: float = 0.0) -> np.ndarray:
    """The expected return of a policy within the limit, from each state.

    Args:
        tables: the environment.
        actions: what it does, shape (periods, states): in each part of an episode.
        epsilon: share of the steps in which it acts at random instead.
    """
    length = period_length(tables.limit, len(actions))
    values, rows = np.zeros(tables.states), np.arange(tables.states)
    for elapsed in reversed(range(tables.limit)):
        worth = action_values(tables, values)
        chosen = worth[rows, actions[min(elapsed // length, len(actions) - 1)]]
        values = (1 - epsilon) * chosen + epsilon * worth.mean(1)
    return values


def value_iteration(tables: Tables, discount: float) -> np.ndarray:
    """What each action is worth without a limit, discounted: (states, actions).

    The discount is PATIENT at most.
    """
    discount = min(discount, PATIENT)
    values = np.zeros(tables.states)
    for _ in range(MOST_SWEEPS):
        better = action_values(tables, values, discount).max(1)
        if np.abs(better - values).max() < CLOSE:
            break
        values = better
    return action_values(tables, values, discount)


def period_length(limit: int, periods: int) -> int:
    """Steps of each part of an episode; the last part may have fewer."""
    return -(-limit // periods)
