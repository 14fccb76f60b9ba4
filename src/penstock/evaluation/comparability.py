"""Whether two models may be compared by number: the same questions, which neither learned from."""

from collections.abc import Collection
from typing import Any

import numpy as np
import pandas as pd

from ..datasets.identity import overlap
from ..pipeline import Interface

SHOWN = 5  # classes named in a message


def another_question(ours: Interface, theirs: Interface, asked: Collection[str]) -> str:
    """Why a champion does not answer the questions that a challenger is asked, or nothing.

    Args:
        ours: what the challenger takes and gives.
        theirs: what the champion does.
        asked: columns of the questions.
    """
    lacking = [
        name
        for name, kind in theirs.inputs.items()
        if name not in asked and not kind.startswith("optional ")
    ]
    if lacking:
        return f"it asks for {_few(lacking)}, which there is no more"
    if theirs.score.metric != ours.score.metric:
        return f"it is measured by {theirs.score.metric}, and this model by {ours.score.metric}"
    return ""


def difference(
    ours: dict[str, Any], theirs: dict[str, Any], learned: np.ndarray, tested: np.ndarray
) -> str:
    """Why a champion cannot be compared with a challenger, or nothing.

    Args:
        ours: what the challenger's dataset says of itself.
        theirs: what the champion's did.
        learned: sketch of what the champion learned from.
        tested: identities of the challenger's test examples.
    """
    now, before = ours.get("classes", []), theirs.get("classes", [])
    gained, lost = ([it for it in a if it not in b] for a, b in ((now, before), (before, now)))
    if gained or lost:
        told = [
            f"{len(them)} {how} ({_few(them)})"
            for how, them in (("new to it", gained), ("that are gone", lost))
            if them
        ]
        return f"it knows other classes: {', '.join(told)}"
    ids = [
        name
        for name, digest in ours.get("ids", {}).items()
        if theirs.get("ids", {}).get(name) != digest
    ]
    if ids and ours.get("source") != theirs.get("source"):
        return (
            f"its {' and '.join(ids)} are of another source ({theirs.get('source')}), where the "
            "same id may mean another"
        )
    known, looked = overlap(learned, tested)
    if known:
        return f"it learned from {known:,} of the {looked:,} test examples that were looked at"
    return ""


def in_order(predictions: pd.DataFrame, theirs: list[str], ours: list[str]) -> pd.DataFrame:
    """Predictions with the probabilities of equal classes in another order."""
    if theirs == ours or "probabilities" not in predictions:
        return predictions
    order = [theirs.index(name) for name in ours]
    moved = [
        None if it is None else [it[place] for place in order]
        for it in predictions["probabilities"]
    ]
    return predictions.assign(probabilities=pd.Series(moved, predictions.index, dtype=object))


def _few(names: list[str]) -> str:
    more = ", ..." if len(names) > SHOWN else ""
    return f"{', '.join(map(str, names[:SHOWN]))}{more}"
