"""Synthetic ratings whose best prediction is known: biases, factors of low rank, noise."""

import csv
from pathlib import Path

import numpy as np
from scipy.special import ndtr

USERS, ITEMS, RATINGS, RANK = 360, 300, 54_000, 1
NOISE = 0.8
SPREAD = 0.7
WORDS = (
    ("Silent", "Golden", "Last", "Broken", "Little", "Distant", "Hidden", "Second", "Burning"),
    ("River", "Garden", "Winter", "Station", "Letter", "Island", "Mirror", "Harbour", "Orchard"),
)
GRID = np.arange(0.5, 5.01, 0.5)


def sample(folder: Path) -> None:
    """Write ratings.csv and items.csv: half stars of 400 users for 250 items, long-tailed.

    A rating is a normal variable rounded to a half star; `reference` is its mean, the prediction
    with the least squared error there can be, which knows all but the noise.
    """
    chance = np.random.default_rng(2026)
    popular = 1 / np.arange(1, ITEMS + 1) ** 0.7
    active = chance.lognormal(0, 0.7, USERS)
    users, items = _pairs(chance, active / active.sum(), popular / popular.sum())
    of_users, of_items = chance.normal(0, 0.45, USERS), chance.normal(0, 0.5, ITEMS)
    p, q = (chance.normal(0, SPREAD, (count, RANK)) for count in (USERS, ITEMS))
    centre = 3.4 + of_users[users] + of_items[items] + (p[users] * q[items]).sum(1)
    ratings = _round(centre + chance.normal(0, NOISE, len(users)))
    times = np.sort(chance.integers(1_500_000_000, 1_700_000_000, len(users)))
    with (folder / "ratings.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("user_id", "item_id", "rating", "timestamp", "reference"))
        for row in zip(users, items, ratings, times, _expected(centre), strict=True):
            user, item, rating, time, expected = row
            writer.writerow((f"u{user:04}", 100 + item, rating, time, f"{expected:.4f}"))
    with (folder / "items.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("item_id", "title"))
        for item in range(ITEMS):
            title = f"{WORDS[0][item % 9]} {WORDS[1][item // 9 % 9]} {item // 81 + 1}"
            writer.writerow((100 + item, title))


def _pairs(
    chance: np.random.Generator, active: np.ndarray, popular: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Draw pairs without repetition: the likelier, the more active and the more popular."""
    keys = np.log(np.outer(active, popular)).ravel() + chance.gumbel(size=USERS * ITEMS)
    chosen = chance.permutation(np.argpartition(-keys, RATINGS)[:RATINGS])
    return chosen // ITEMS, chosen % ITEMS


def _round(values: np.ndarray) -> np.ndarray:
    return np.clip(np.round(values * 2) / 2, GRID[0], GRID[-1])


def _expected(centre: np.ndarray) -> np.ndarray:
    """Mean of a normal variable around each centre, rounded to the grid."""
    edges = np.concatenate([[-np.inf], (GRID[1:] + GRID[:-1]) / 2, [np.inf]])
    below = ndtr((edges[None] - centre[:, None]) / NOISE)
    expected: np.ndarray = np.diff(below, axis=1) @ GRID
    return expected
