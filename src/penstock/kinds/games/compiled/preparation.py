"""The first compilation, said while it lasts: later starts take what it left on disk."""

import sys
import time
from functools import cache

import numpy as np

from . import caching, features, layout, patterns, planes, playouts, puct, rules, search


@cache
def prepare() -> None:
    """Have everything compiled; a process that finds nothing on disk says what it does."""
    new = not caching.is_kept()
    started = time.perf_counter()
    for number, (what, compile_it) in enumerate(STEPS, 1):
        if new:
            print(
                f"  compiling for this machine, once: {what} ({number} of {len(STEPS)}, "
                f"{time.perf_counter() - started:.0f} s so far)",
                file=sys.stderr,
                flush=True,
            )
        compile_it()


def _rules() -> None:
    state = rules.empty_board(layout.SMALLEST)
    point = layout.SIDE + 1
    past = np.zeros(1, np.int64)
    rules.is_legal(state, point, layout.BLACK)
    rules.hash_after(state, point, layout.BLACK)
    rules.repeats(state, point, layout.BLACK, past, 1)
    rules.play(state, point, layout.BLACK)
    rules.position_hash(state)
    rules.score_area(state, np.zeros(layout.POINTS, np.int32))


def _playouts() -> None:
    state = rules.empty_board(layout.SMALLEST)
    table = np.zeros(patterns.NUMBERS, np.float32)
    playouts.sample_ends(state, 1, 0, table, np.zeros(1, np.int32))
    found = np.zeros(features.COUNT, np.int64)
    features.describe(state, layout.SIDE + 1, layout.BLACK, found)


def _search() -> None:
    table = np.zeros(patterns.NUMBERS, np.float32)
    links, stats = np.zeros((3, 100), np.int32), np.zeros((7, 100), np.float32)
    search.search(
        rules.empty_board(layout.SMALLEST),
        np.zeros(search.DEEPEST + 2, np.int64),
        1,
        1,
        0,
        links,
        stats,
        np.zeros(search.SETTINGS),
        table,
        np.zeros(0, np.float32),
        np.zeros((2, 1), np.float32),
        table,
        playouts.seed_chance(0),
        np.zeros(layout.POINTS),
    )
    search.keep_subtree(0, links, stats, links.copy(), stats.copy())


def _guided() -> None:
    start = rules.empty_board(layout.SMALLEST)
    leaf, places = start.copy(), layout.SMALLEST**2 + 1
    links, stats = np.zeros((3, 100), np.int32), np.zeros((5, 100), np.float32)
    path, past = np.zeros(puct.DEEPEST + 1, np.int32), np.zeros(puct.DEEPEST + 2, np.int64)
    seen, sensible = np.zeros((planes.PLANES, places - 1), np.float32), np.zeros(places, np.bool_)
    logits, table = np.zeros(places, np.float32), np.zeros(patterns.NUMBERS, np.float32)
    puct.descend(start, past, 1, True, 0.5, links, stats, logits, 0, path, leaf, seen, sensible)
    puct.roll_out(leaf, 1, 0.5, playouts.seed_chance(0), table)
    puct.ascend(path, 0, 0.5, logits, sensible, False, 1, links, stats)
    puct.improve(links, stats, np.zeros(places))


STEPS = (
    ("the rules", _rules),
    ("playouts", _playouts),
    ("search", _search),
    ("search with a network", _guided),
)
