"""The proof of a packaged model: it predicts what `evaluate` measured, from raw inputs."""

from pathlib import Path

import numpy as np
import pandas as pd

from .. import pipeline
from ..messages.errors import PenstockError
from ..tracking.packaging import predict_fresh

TOLERANCE = 1e-4  # between numbers computed in batches of different sizes
TIES = 1e-3  # share of the test examples whose answer may flip, where two are as likely


def prove(
    folder: Path,
    exam: pd.DataFrame,
    module: pipeline.PredictModule,
    interface: pipeline.Interface,
    scores: pd.DataFrame,
) -> int:
    """Check that the packaged model predicts what `evaluate` measured, on every test example.

    It is given raw inputs, so that a fault in its decoding shows.

    Returns:
        How many ties flipped: examples whose numbers agree, but not the answer that is chosen by
        them. At most a share of TIES may.
    """
    predictions = predict_fresh(folder, exam[list(interface.inputs)])
    if "error" in predictions and (failed := predictions["error"].astype(bool)).any():
        raise PenstockError(
            f"the packaged model cannot read {failed.sum()} of {len(failed)} test inputs: "
            f"{exam['id'].iloc[int(failed.argmax())]}: {predictions['error'][failed].iloc[0]}; "
            "ingest again, or mend decode or predict"
        )
    again = module.outcome(predictions, exam)
    ties = np.zeros(len(again), bool)
    for column in again:
        ours, theirs = scores[column].to_numpy(), again[column].to_numpy()
        differ = _differ(str(column), scores, theirs)
        if column not in exam and not _is_number(ours, theirs):
            ties |= differ
            if ties.mean() <= TIES:
                continue
        if differ.any():
            first = int(np.flatnonzero(differ)[0])
            raise PenstockError(
                f"the packaged model differs from what evaluate measured on {differ.sum()} of "
                f"{len(differ)} test examples: {column} of {scores['id'].iloc[first]} is "
                f"{theirs[first]}, was {ours[first]}; evaluate again, or mend decode or predict"
            )
    return int(ties.sum())


def _differ(column: str, scores: pd.DataFrame, theirs: np.ndarray) -> np.ndarray:
    """On which examples two models differ in a column of their scores."""
    ours = scores[column].to_numpy()
    if any(isinstance(it, np.ndarray) for it in ours):
        return np.array([not _alike(*pair) for pair in zip(ours, theirs, strict=True)])
    if not np.issubdtype(ours.dtype, np.floating):
        return ours != theirs
    _refuse_nan(column, scores)
    return ~np.isclose(ours, theirs, rtol=TOLERANCE, atol=TOLERANCE)


def _alike(ours: np.ndarray, theirs: np.ndarray) -> bool:
    """Whether two lists of numbers are as long and agree."""
    return len(ours) == len(theirs) and np.allclose(ours, theirs, rtol=TOLERANCE, atol=TOLERANCE)


def _is_number(ours: np.ndarray, theirs: np.ndarray) -> bool:
    """Whether values are measured, rather than chosen: a class, right or wrong."""
    if not np.issubdtype(ours.dtype, np.floating):
        return False
    return not all(np.array_equal(it, np.rint(it)) for it in (ours, theirs))


def _refuse_nan(column: str, scores: pd.DataFrame) -> None:
    """Stop at a score that is no number: it is neither better nor worse than another."""
    if (lacking := scores[column].isna()).any():
        raise PenstockError(
            f"scores.parquet: {column} is NaN for {lacking.sum()} of {len(scores)} test examples, "
            f"{scores['id'][lacking].iloc[0]} the first; expected a number for each; mend the "
            "network or its training"
        )
