"""Questions in the forms of MLflow's `/invocations`, and types as MLflow gives them.

Rows stay plain Python until a batch is made of them: a frame for each request would cost more than
the answer.
"""

import base64
import binascii
from typing import Any

import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.types import DataType, Schema
from mlflow.utils.proto_json_utils import cast_df_types_according_to_schema

from ..messages.errors import PenstockError
from .champion import Champion

FORMS = ("dataframe_split", "dataframe_records", "inputs", "instances")
Rows = list[dict[str, Any]]


def read_invocation(content: Any, champion: Champion) -> tuple[Rows, dict[str, Any]]:
    """Rows of raw inputs, and options, of a JSON document.

    Raises:
        PenstockError: it has none of the forms, or what it has is of no use.
    """
    forms = [it for it in FORMS if isinstance(content, dict) and it in content]
    if len(forms) != 1:
        raise PenstockError(f"expected a JSON object with one of {', '.join(FORMS)}")
    options = content.get("params")
    options = {} if options is None else options
    if not isinstance(options, dict):
        raise PenstockError("params: expected an object")
    rows = _read_rows(content[forms[0]], split=forms[0] == "dataframe_split")
    check_columns(rows, champion)
    return [_decode(row, champion) for row in rows], options


def _read_rows(content: Any, split: bool) -> Rows:
    """Rows of a table, of a list of rows, or of columns."""
    if split:
        try:
            columns = [str(it) for it in content["columns"]]
            return [dict(zip(columns, row, strict=True)) for row in content["data"]]
        except (KeyError, TypeError, ValueError):
            raise PenstockError("dataframe_split: expected columns, and data of as many") from None
    if isinstance(content, dict):  # of columns
        values = [it if isinstance(it, list) else [it] for it in content.values()]
        if len({len(it) for it in values}) > 1:
            raise PenstockError("inputs: expected columns of one length")
        return [dict(zip(content, row, strict=True)) for row in zip(*values, strict=True)]
    if isinstance(content, list) and all(isinstance(it, dict) for it in content):
        return list(content)
    raise PenstockError("expected a list of rows, each an object, or an object of columns")


def check_columns(rows: Rows, champion: Champion) -> None:
    """Refuse rows that lack a column.

    Raises:
        PenstockError: there are none, or one lacks a column that may not be left out.
    """
    if not rows:
        raise PenstockError("no rows; expected at least one to predict")
    inputs = champion.interface.inputs
    for name, kind in inputs.items():
        optional = kind.startswith("optional ")
        if not optional and any(row.get(name) is None for row in rows):
            raise PenstockError(f"{name}: missing; {champion.title} takes {', '.join(inputs)}")
    if not any(row.keys() & inputs.keys() for row in rows):
        raise PenstockError(f"no column that is known; {champion.title} takes {', '.join(inputs)}")


def _decode(row: dict[str, Any], champion: Champion) -> dict[str, Any]:
    """Only the columns that the model takes; binary values from base64."""
    decoded = {}
    for name, kind in champion.interface.inputs.items():
        if name not in row:
            continue
        value = row[name]
        if kind.endswith("binary") and value is not None:
            try:
                value = base64.decodebytes(value.encode())
            except (AttributeError, ValueError, binascii.Error):
                raise PenstockError(f"{name}: expected base64, as MLflow has it") from None
        decoded[name] = value
    return decoded


def as_frame(rows: Rows, champion: Champion) -> pd.DataFrame:
    """Rows with the same columns, in the types that MLflow gives them.

    Raises:
        PenstockError: a value cannot be of its type.
    """
    frame = pd.DataFrame(rows, columns=list(rows[0]))
    schema = champion.model.metadata.get_input_schema()
    others = [it for it in schema.inputs if it.type != DataType.binary]
    if not others:
        return frame
    try:
        typed: pd.DataFrame = cast_df_types_according_to_schema(frame, Schema(others))
    except MlflowException as error:
        raise PenstockError(str(error.message)) from None
    return typed
