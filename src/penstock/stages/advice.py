"""What a failed expectation says to a person: what was expected and found, and what to do."""

import json
from typing import Any

import numpy as np
import pandas as pd

from ..datasets.dataset import Dataset
from ..datasets.rejections import summarize
from ..settings.sections import PipelineParams


def explain(result: dict[str, Any]) -> str:
    """Say in one line what a failed expectation expected, what it found, and what to do."""
    arguments = dict(result["arguments"])
    column = arguments.pop("column", None)
    where = f"{result['table']}.{column}" if column else result["table"]
    expected = ", ".join(f"{name} {value}" for name, value in arguments.items())
    found = f"observed {result['observed']}" if result["observed"] is not None else ""
    if result["rows"]:
        few = "; ".join(" ".join(f"{k}={v}" for k, v in row.items()) for row in result["few"])
        found = f"{count_rows(result)}, such as {few}"
    return (
        f"{result['severity']}: {where}: {result['type']} ({expected or 'no arguments'}): {found}. "
        f"Expected: {result['meaning']}"
    )


def why_rejected(result: dict[str, Any], dataset: Dataset) -> str:
    """Why most inputs were rejected, if that is what failed."""
    if result["table"] != "rejected":
        return ""
    return f". Rejected: {summarize(dataset.rejected.itertuples(index=False, name=None))}"


def advise(result: dict[str, Any], frame: pd.DataFrame, params: PipelineParams) -> str:
    """Name the setting that a failed expectation goes by, its value, and one that lets this pass.

    Args:
        result: of the expectation.
        frame: the table it speaks of.
        params: the pipeline's.
    """
    if not (setting := result["setting"]):
        return ""
    section, name = setting.split(".")
    value = getattr(getattr(params, section), name)
    told = f". Limit: {setting}: {json.dumps(value)}"
    needed = _needed(result, frame, value)
    return told if needed is None else f"{told}; this data would pass with {json.dumps(needed)}"


def _needed(result: dict[str, Any], frame: pd.DataFrame, value: Any) -> Any:
    """The value of a setting, a number or the least and the largest, that lets data pass."""
    column = frame.get(result["arguments"].get("column"))
    if "mostly" in result["arguments"]:
        return _outward(result["rows"] / len(frame), np.ceil)
    if column is None or not pd.api.types.is_numeric_dtype(column) or column.isna().any():
        return None
    observed = result["observed"]
    found = [observed] if isinstance(observed, float) else column.to_numpy()
    if not len(found) or not isinstance(value, int | float | tuple):
        return None
    low, high = _outward(min(found), np.floor), _outward(max(found), np.ceil)
    if isinstance(value, tuple):
        return [min(low, value[0]), max(high, value[1])]
    if "min_value" in result["arguments"] and low < value:
        return low
    return high if high > value else None


def _outward(number: float, rounding: Any) -> float | int:
    """A number with three digits, rounded away from what it must let pass."""
    if float(number).is_integer():
        return int(number)
    step = 10.0 ** (np.floor(np.log10(abs(number))) - 2)
    rounded = round(float(rounding(number / step)) * step, 10)
    if rounding is np.floor and rounded > number:  # floating point has moved it
        return rounded - step
    return rounded + step if rounding is np.ceil and rounded < number else rounded


def count_rows(result: dict[str, Any]) -> str:
    """Say how many rows do not meet an expectation."""
    rows, empty = result["rows"], result["empty"]
    told = f"{rows:,} rows do not" if rows != 1 else "1 row does not"
    return f"{told} ({empty:,} without a value)" if empty else told
