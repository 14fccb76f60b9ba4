"""The first compilation, said while it lasts: later starts take what it left on disk."""

import sys
import time
from collections.abc import Callable
from functools import cache

import numpy as np

from .compiled import (
    caching,
    features,
    layout,
    patterns,
    planes,
    playouts,
    puct,
    rules,
    search,
)

Steps = tuple[tuple[str, Callable[[], None]], ...]


@cache
def prepare() -> None:
    """Have rules, playouts and search compiled; say so where that is done for the first time."""
    _compile(BASICS, "search.search")


@cache
def prepare_guided() -> None:
    """Likewise what a network's search needs besides."""
    prepare()
    _compile(GUIDED, "puct.descend")


def _compile(steps: Steps, last: str) -> None:
    new = not caching.is_kept(last)
    started = time.perf_counter()
    for number, (what, compile_it) in enumerate(steps, 1):
        if new:
            print(
                f"  compiling for this machine, once: {what} ({number} of {len(steps)}, "
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


BASICS: Steps = (("the rules", _rules), ("playouts", _playouts), ("search", _search))
GUIDED: Steps = (("search with a network", _guided),)
