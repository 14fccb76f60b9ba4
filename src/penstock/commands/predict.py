"""Predictions of the champion, for files named on the command line, by its own code throughout."""

import json
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pandas as pd

from ..messages.errors import PenstockError
from ..messages.printable import printable
from ..project.workspace import Workspace
from ..tracking.champion import load_current, read_options, readable_rows

KINDS = {b"\x89PNG": "png", b"GIF8": "gif"}
DRAW = "draw"  # an option that is turned on where pictures are to be saved
LONGEST = 200  # bytes of an input's name that are kept; a file name may have 255


def predict_files(
    workspace: Workspace, files: list[Path], settings: list[str], pictures: bool = False
) -> list[dict[str, Any]]:
    """Predict each file with the registered champion.

    Args:
        workspace: of the pipeline.
        files: raw inputs.
        settings: `name=value` for options of the pipeline, the value in YAML.
        pictures: whether those are wanted that are drawn if asked.

    Returns:
        A record per input: file, model, what its row has that is neither binary nor an array of
        numbers, and the predictions.

    Raises:
        PenstockError: there is no champion or no such option, or a file is missing or has no rows.
    """
    _check_files(files)
    champion = load_current(workspace.root, workspace.name)
    interface = champion.interface
    options = read_options(workspace.name, interface.options, settings)
    if pictures and DRAW in interface.options:
        options.setdefault(DRAW, True)
    parts = [champion.read_file(file).assign(file=str(file)) for file in files]
    inputs = pd.concat(parts, ignore_index=True)
    if inputs.empty:
        raise PenstockError(f"{files[0]}: no rows; expected at least one to predict")
    answers = champion.answer(inputs, options)
    names = ("file", "model", *answers)  # a column of the input that is called so stays behind
    long = {it for it, kind in interface.inputs.items() if kind.split()[-1] in ("binary", "array")}
    told = [it for it in inputs if it not in long and it not in names]
    about = inputs[["file"]].assign(model=champion.title)
    shown: Any = pd.concat([about, inputs[told], answers], axis=1).astype(object)
    records: list[dict[str, Any]] = shown.where(shown.notna(), None).to_dict("records")
    return records


def stream_answer(workspace: Workspace, file: Path, settings: list[str]) -> Iterator[str] | None:
    """Answer the only input of a file in parts, as the champion thinks of them.

    Returns:
        None if its answers do not come in parts, or the file has several inputs.

    Raises:
        PenstockError: as `predict_files`.
    """
    _check_files([file])
    champion = load_current(workspace.root, workspace.name)
    if not champion.streams:
        return None
    options = read_options(workspace.name, champion.interface.options, settings)
    inputs = champion.read_file(file)
    if len(inputs) != 1 or not readable_rows(inputs).all():
        return None
    row: Any = inputs.iloc[0].to_dict()
    return champion.stream(row, options)


def _check_files(files: list[Path]) -> None:
    for file in files:
        if not file.is_file():
            found = "a folder" if file.is_dir() else "nothing there"
            raise PenstockError(f"{file}: {found}; expected a file; check the path")


def save_binaries(rows: list[dict[str, Any]], folder: Path) -> None:
    """Write each binary value of each record to a file: FOLDER/<stem of the input>.<column>.png."""
    folder.mkdir(parents=True, exist_ok=True)
    taken: set[Path] = set()
    for row in rows:
        for column, value in row.items():
            if not isinstance(value, bytes):
                continue
            stem = printable(Path(row["file"]).stem).encode()[:LONGEST].decode(errors="ignore")
            stems = (f"{stem}-{number}" if number > 1 else stem for number in count(1))
            suffix = f"{column}.{binary_kind(value)}"
            file = next(it for stem in stems if (it := folder / f"{stem}.{suffix}") not in taken)
            taken.add(file)
            file.write_bytes(value)


def write_csv(rows: list[dict[str, Any]], file: Path) -> None:
    """Write records to a CSV file: binary values are left out, lists are JSON.

    Raises:
        PenstockError: it cannot be written there.
    """
    told = [
        {
            name: json.dumps(value) if isinstance(value, list) else value
            for name, value in row.items()
            if not isinstance(value, bytes)
        }
        for row in rows
    ]
    partial = file.with_name(f".{file.name}.partial")
    try:
        pd.DataFrame(told).to_csv(partial, index=False)
        partial.replace(file)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise PenstockError(
            f"{file}: {error.strerror or error}; expected a place to write to; check the path"
        ) from None


def binary_kind(value: bytes) -> str:
    """What a binary value is, as the end of a file name."""
    usual = "json" if value.startswith((b"{", b"[")) else "bin"
    return KINDS.get(value[:4], usual)
