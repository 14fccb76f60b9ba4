"""The champion of a pipeline, checked and loaded: what asks it, asks it here, by its own code."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from ..messages.errors import PenstockError
from .registry import CHAMPION, ModelVersion, get_alias, numbered_version
from .store import MlflowClient, connect
from .trust import load_trusted

if TYPE_CHECKING:
    from ..pipeline import Interface


@dataclass(frozen=True)
class Champion:
    """A registered model that was checked and loaded.

    Attributes:
        model: as MLflow loads it.
        served: what is in it.
        version: the registry's entry.
    """

    model: Any
    served: Any
    version: ModelVersion

    @property
    def title(self) -> str:
        """Its name and version."""
        return f"{self.version.name} v{self.version.version}"

    @property
    def interface(self) -> "Interface":
        """What it takes and gives."""
        found: Interface = self.served.interface
        return found

    @property
    def info(self) -> dict[str, Any]:
        """The description of the dataset that it learned from."""
        found: dict[str, Any] = self.served.description["dataset"]
        return found

    @property
    def streams(self) -> bool:
        """Whether its answers may come in parts."""
        return hasattr(self.served.module, "stream")

    def read_file(self, file: Path) -> pd.DataFrame:
        """Raw inputs from a file: by the model's own reader or, if it has none, its content.

        Raises:
            PenstockError: the reader says what is wrong.
        """
        if hasattr(self.served.module, "read_input"):
            with passing_on_errors():
                read: pd.DataFrame = self.served.module.read_input(file, self.info)
                return read
        (column,) = self.interface.inputs
        return pd.DataFrame({column: [file.read_bytes()]})

    def answer(self, inputs: pd.DataFrame, options: dict[str, Any]) -> pd.DataFrame:
        """Answer raw inputs, a row each.

        What cannot be read, as its reader says in a column `error`, is not asked: that is the
        answer.

        Raises:
            PenstockError: the model says what is wrong.
        """
        interface, readable = self.interface, readable_rows(inputs)
        asked = inputs.loc[readable, [it for it in interface.inputs if self._is_given(it, inputs)]]
        answers: Any = pd.DataFrame(columns=list(interface.outputs), dtype=object)
        if len(asked):
            with passing_on_errors():
                answers = self.model.predict(asked.reset_index(drop=True), params=options or None)
        answers = answers.astype(object).set_axis(asked.index).reindex(inputs.index)
        if not readable.all():
            answers.loc[~readable, "error"] = inputs["error"]
        found: pd.DataFrame = answers
        return found

    def stream(self, row: dict[str, Any], options: dict[str, Any]) -> Iterator[str] | None:
        """The answer to one row of raw inputs in parts; None if it does not come in parts.

        Raises:
            PenstockError: the model says what is wrong.
        """
        if not self.streams:
            return None
        every = {**self.interface.options, **options}
        with passing_on_errors():
            parts: Iterator[str] | None = self.served.module.stream(
                self.served.network, row, self.info, every
            )
        return parts

    def converse(self, lines: Iterator[str]) -> Iterator[str]:
        """Answer commands, by the protocol of its field.

        Raises:
            PenstockError: it speaks none.
        """
        if not hasattr(self.served.module, "converse"):
            raise PenstockError(f"{self.title}: speaks no protocol; `penstock predict` asks it")
        responses: Iterator[str] = self.served.module.converse(
            self.served.network, self.info, lines
        )
        return responses

    def known_names(self, column: str, beside: str = "") -> list[tuple[str, str]] | None:
        """Names that an input may have, with titles, or those beside one; None if it keeps none."""
        if not hasattr(self.served.module, "known_names"):
            return None
        found: list[tuple[str, str]] | None = self.served.module.known_names(
            self.served.network, column, beside
        )
        return found

    def _is_given(self, column: str, inputs: pd.DataFrame) -> bool:
        """Whether a column is there, or must be: some may be left out."""
        return column in inputs or not self.interface.inputs[column].startswith("optional ")


def champion_version(client: MlflowClient, name: str) -> ModelVersion:
    """The version that the alias `champion` points at.

    Raises:
        PenstockError: there is none.
    """
    version = get_alias(client, name, CHAMPION)
    if version is None:
        raise PenstockError(
            f"{name}: no champion in the registry; `penstock run {name}` trains and registers one"
        )
    return version


def load_champion(root: Path, client: MlflowClient, version: ModelVersion) -> Champion:
    """Check a version and load it.

    Raises:
        PenstockError: it is not what the project recorded, or an earlier Penstock made it.
    """
    model = load_trusted(root, client, version)
    champion = Champion(model, model.unwrap_python_model(), version)
    if not hasattr(champion.served, "interface"):
        raise PenstockError(
            f"{champion.title}: registered by an earlier Penstock, whose models say less of "
            f"themselves; `penstock run {version.name}` registers it again"
        )
    return champion


def load_current(root: Path, name: str, number: int | None = None) -> Champion:
    """Load what the alias `champion` points at, or the version of a number.

    Raises:
        PenstockError: there is none, or as `load_champion`.
    """
    client = connect(root)
    version = numbered_version(client, name, number) if number else champion_version(client, name)
    return load_champion(root, client, version)


def readable_rows(inputs: pd.DataFrame) -> pd.Series:
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
