"""From the text of a column's values to the numbers the network sees."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from ...kinds.tables.values import find_missing, read_numbers, read_times, shorten, trim

TRUE, FALSE = ("true", "yes", "t", "y"), ("false", "no", "f", "n")
KINDS = {
    "number": "no number",
    "boolean": "neither true nor false",
    "date": "no date (2021-12-31)",
}
DAY = 86_400  # seconds
LARGEST = float(np.finfo(np.float32).max)  # features are float32


def read_values(values: pa.Array, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Read trimmed text as numbers, float64, and say which of it could be read.

    A boolean is 1 or 0, a date the days since 1970.
    """
    if kind == "number":
        return read_numbers(values)
    if kind == "date":
        seconds, good = read_times(values)
        good &= ~read_numbers(values)[1]  # a number alone is none
        return np.where(good, seconds / DAY, np.nan), good
    lower = pc.utf8_lower(values)
    yes, no = (
        np.asarray(pc.is_in(lower, value_set=pa.array(it)).to_numpy(zero_copy_only=False), bool)
        for it in (TRUE, FALSE)
    )
    return np.where(yes, 1.0, np.where(no, 0.0, np.nan)), yes | no


def read_plain_numbers(values: pa.Array) -> np.ndarray | None:
    """Text that is nothing but numbers and blanks as float64, NaN where blank; else None.

    Most columns are such, and Arrow then reads them without a look at each value.
    """
    try:
        filled = pc.if_else(pc.equal(values, ""), pa.scalar(None, pa.string()), values)
        numbers: np.ndarray = filled.cast(pa.float64()).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid:
        return None
    return None if (np.abs(numbers) > LARGEST).any() else numbers


def decode_column(values: pa.Array, column: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Read the text of a column's values.

    Args:
        values: text.
        column: its type and, if that is `category`, its values.

    Returns:
        float32, shape (rows,): NaN where there is none; of a category its number, that after the
        last for another one, and one more where there is none. And which rows are fine.
    """
    if column["type"] == "number" and (plain := read_plain_numbers(values)) is not None:
        return plain.astype(np.float32), np.ones(len(plain), bool)
    trimmed = trim(values)
    missing = find_missing(trimmed)
    if column["type"] == "category":
        known = pa.array(column["values"], pa.string())
        codes = pc.fill_null(pc.index_in(trimmed, value_set=known), len(known))
        codes = np.where(missing, len(known) + 1, codes.to_numpy(zero_copy_only=False))
        return codes.astype(np.float32), np.ones(len(codes), bool)
    numbers, good = read_values(trimmed, column["type"])
    good &= np.abs(numbers) <= LARGEST
    numbers = np.where(good, numbers, np.nan)
    return np.where(missing, np.nan, numbers).astype(np.float32), good | missing


def complain(name: str, kind: str, value: str) -> str:
    """What is wrong with a value that could not be read."""
    return f"{name}: {shorten(value.strip())!r} is {KINDS[kind]}"


def decode_frame(rows: pd.DataFrame, columns: Mapping[str, Mapping[str, Any]]) -> np.ndarray:
    """Raw inputs as they are served to the features the network sees.

    Args:
        rows: a column for each of `columns`; one that is not there is missing in every row.
        columns: name -> type, and values of categories.

    Returns:
        float32, shape (rows, columns).
    """
    features = np.full((len(rows), len(columns)), np.nan, np.float32)
    for place, (name, column) in enumerate(columns.items()):
        if column["type"] == "number":
            if name in rows:
                features[:, place] = pd.to_numeric(rows[name], errors="coerce")
            continue
        given = rows[name] if name in rows else pd.Series([None] * len(rows), rows.index)
        text = pa.array([None if pd.isna(it) else str(it) for it in given], pa.string())
        features[:, place] = decode_column(text, column)[0]
    return features


def encode_frame(features: np.ndarray, columns: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Features as the raw inputs they would arrive as: `decode_frame` turns them back."""
    return {
        name: _encode(features[:, place], column)
        for place, (name, column) in enumerate(columns.items())
    }


def _encode(values: np.ndarray, column: Mapping[str, Any]) -> np.ndarray | list[Any]:
    if column["type"] == "number":
        return values.astype(np.float64)
    if column["type"] == "category":
        # Another one has no name any more; one that no category has stands for it.
        names = np.array([*column["values"], "\u2026other", None], dtype=object)
        return names[values.astype(np.int64)]
    if column["type"] == "boolean":
        return [None if np.isnan(it) else str(bool(it)) for it in values]
    seconds = np.round(values.astype(np.float64) * DAY)
    times = [None if np.isnan(it) else np.datetime64(int(it), "s") for it in seconds]
    return [None if it is None else str(it) for it in times]
