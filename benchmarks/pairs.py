"""Two ways to do the same, measured in turns: what the machine does besides hits both alike."""

import statistics
import time
from collections.abc import Callable

Rate = Callable[[], float]  # does some work; returns how much of it per second


def per_second(count: int, work: Callable[[], object]) -> float:
    """How many a second, if the work does so many."""
    started = time.perf_counter()
    work()
    return count / (time.perf_counter() - started)


def compare(what: str, ours: Rate, other: str, theirs: Rate, unit: str, rounds: int) -> None:
    """Print the median of the ratios of pairs; the two take turns at going first."""
    pairs = []
    for number in range(rounds):
        if number % 2:
            first, second = ours(), theirs()
        else:
            second, first = theirs(), ours()
        pairs.append((first, second))
    ratios = [first / second for first, second in pairs]
    first, second = (statistics.median(column) for column in zip(*pairs, strict=True))
    print(
        f"{what}: {statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f}, "
        f"{rounds} pairs) of {other}: {first:,.0f} against {second:,.0f} {unit}",
        flush=True,
    )
