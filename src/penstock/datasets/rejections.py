"""Why inputs were not taken, in few words: reasons that differ in a number only are one."""

import re
from collections import Counter
from collections.abc import Iterable

SHOWN = 3  # reasons, and inputs
VALUES = re.compile(r"'[^']*'|\d[\d,.]*")


def summarize(rejected: Iterable[tuple[str, str]]) -> str:
    """The most frequent reasons, each with how often and one input it was given for.

    Args:
        rejected: input and reason.
    """
    counts: Counter[str] = Counter()
    first: dict[str, tuple[str, str]] = {}
    for name, reason in rejected:
        kind = VALUES.sub("#", reason)
        counts[kind] += 1
        first.setdefault(kind, (name, reason))
    told = [
        f"{_times(count)}: {first[kind][1]} ({first[kind][0]}{', ...' if count > 1 else ''})"
        for kind, count in counts.most_common(SHOWN)
    ]
    more = sum(counts.values()) - sum(count for _, count in counts.most_common(SHOWN))
    return "; ".join([*told, *([f"{more:,} for other reasons"] if more else [])])


def _times(count: int) -> str:
    return f"{count:,} times" if count > 1 else "once"
