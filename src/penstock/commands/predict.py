"""Predictions of the champion, for files named on the command line, by its own code throughout."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from ..messages.errors import PenstockError
from ..messages.printable import printable
from ..project.workspace import Workspace
from ..tracking.registry import CHAMPION, get_alias
from ..tracking.store import connect
from ..tracking.trust import load_trusted

if TYPE_CHECKING:
    from ..pipeline import Interface

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
    champion = load_champion(workspace)
    interface = champion.interface
    options = read_options(workspace.name, interface.options, settings)
    if pictures and DRAW in interface.options:
        options.setdefault(DRAW, True)
    with passing_on_errors():
        parts = [_read_input(champion, file).assign(file=str(file)) for file in files]
    inputs = pd.concat(parts, ignore_index=True)
    if inputs.empty:
        raise PenstockError(f"{files[0]}: no rows; expected at least one to predict")
    readable = _readable(inputs)
    asked = inputs.loc[readable, [it for it in interface.inputs if _is_given(it, champion, inputs)]]
    answers: Any = pd.DataFrame(columns=list(interface.outputs), dtype=object)
    if len(asked):
        with passing_on_errors():
            answers = champion.model.predict(asked.reset_index(drop=True), params=options or None)
    answers = answers.astype(object).set_axis(asked.index).reindex(inputs.index)
    if not readable.all():
        answers.loc[~readable, "error"] = inputs["error"]
    names = ("file", "model", *answers)  # a column of the input that is called so stays behind
    long = {it for it, kind in interface.inputs.items() if kind.split()[-1] in ("binary", "array")}
    told = [it for it in inputs if it not in long and it not in names]
    about = inputs[["file"]].assign(model=champion.title)
    shown = pd.concat([about, inputs[told], answers], axis=1).astype(object)
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
    champion = load_champion(workspace)
    if not hasattr(champion.served.module, "stream"):
        return None
    options = read_options(workspace.name, champion.interface.options, settings)
    with passing_on_errors():
        inputs = _read_input(champion, file)
        if len(inputs) != 1 or not _readable(inputs).all():
            return None
        parts: Iterator[str] | None = champion.served.module.stream(
            champion.served.network,
            inputs.iloc[0].to_dict(),
            champion.served.description["dataset"],
            {**champion.interface.options, **options},
        )
    return parts


def converse(workspace: Workspace, lines: Iterator[str]) -> Iterator[str]:
    """Have the champion answer commands, by the protocol of its field.

    Raises:
        PenstockError: there is no champion, or it speaks none.
    """
    champion = load_champion(workspace)
    if not hasattr(champion.served.module, "converse"):
        raise PenstockError(f"{champion.title}: speaks no protocol; `penstock predict` asks it")
    responses: Iterator[str] = champion.served.module.converse(
        champion.served.network, champion.served.description["dataset"], lines
    )
    return responses


@dataclass(frozen=True)
class Champion:
    """A registered model that was checked and loaded.

    Attributes:
        model: as MLflow loads it.
        served: what is in it.
        title: its name and version.
    """

    model: Any
    served: Any
    title: str

    @property
    def interface(self) -> "Interface":
        """What it takes and gives."""
        found: Interface = self.served.interface
        return found


def load_champion(workspace: Workspace) -> Champion:
    """Load the registered champion, checked.

    Raises:
        PenstockError: there is none, or its code is of an earlier Penstock.
    """
    client = connect(workspace.root)
    version = get_alias(client, workspace.name, CHAMPION)
    if version is None:
        raise PenstockError(
            f"{workspace.name}: no champion in the registry; `penstock run {workspace.name}` "
            "trains and registers one"
        )
    model = load_trusted(workspace.root, client, version)
    champion = Champion(model, model.unwrap_python_model(), f"{workspace.name} v{version.version}")
    if not hasattr(champion.served, "interface"):
        raise PenstockError(
            f"{champion.title}: registered by an earlier Penstock, whose models say less of "
            f"themselves; `penstock run {workspace.name}` registers it again"
        )
    return champion


def _check_files(files: list[Path]) -> None:
    for file in files:
        if not file.is_file():
            found = "a folder" if file.is_dir() else "nothing there"
            raise PenstockError(f"{file}: {found}; expected a file; check the path")


def _read_input(champion: Champion, file: Path) -> pd.DataFrame:
    """Raw inputs from a file: by the model's own reader or, if it has none, its content."""
    served = champion.served
    if hasattr(served.module, "read_input"):
        read: pd.DataFrame = served.module.read_input(file, served.description["dataset"])
        return read
    (column,) = champion.interface.inputs
    return pd.DataFrame({column: [file.read_bytes()]})


def _is_given(column: str, champion: Champion, inputs: pd.DataFrame) -> bool:
    """Whether a column is there, or must be: some may be left out."""
    return column in inputs or not champion.interface.inputs[column].startswith("optional ")


def _readable(inputs: pd.DataFrame) -> pd.Series:
    """Which inputs can be given to the model: of the others `error` says what is wrong."""
    if "error" not in inputs:
        return pd.Series(True, inputs.index)
    return inputs["error"].fillna("") == ""


@contextmanager
def passing_on_errors() -> Iterator[None]:
    """Pass on what a model's own code says is wrong with an input: its PenstockError is another."""
    try:
        yield
    except Exception as error:
        if type(error).__name__ != PenstockError.__name__:
            raise
        raise PenstockError(*str(error).split("\n")) from None


def read_options(name: str, known: dict[str, Any], settings: list[str]) -> dict[str, Any]:
    """Read options from `name=value` as they stand on the command line.

    Raises:
        PenstockError: no such option, or a value that is not of its type.
    """
    options: dict[str, Any] = {}
    for setting in settings:
        option, equals, text = setting.partition("=")
        if option not in known:
            there = f"there is: {', '.join(known)}" if known else f"{name} takes none"
            raise PenstockError(f"-o {setting}: no such option; {there}")
        default = known[option]
        try:
            value = YAML(typ="safe").load(text) if equals else None
        except YAMLError:
            value = None
        if type(value) is int and type(default) is float:
            value = float(value)
        if type(value) is not type(default):
            kind = type(default).__name__
            raise PenstockError(
                f"-o {setting}: expected {option}= and a {kind}, {json.dumps(default)} say"
            )
        options[option] = value
    return options


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
