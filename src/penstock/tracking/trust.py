"""Which versions of the registry may be loaded: those that this project registered, or accepted.

A registered model brings Python code of its own, and whoever can write to the store can put another
one in its place. So what `register` proved is written down in the project, outside the store: a
digest of every file. A version is loaded from a private copy of exactly those files.
"""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts
from mlflow.exceptions import MlflowException

from ..errors import PenstockError
from ..login import private_folder, write_private
from ..project import Workspace
from .glance import record_file
from .registry import ModelVersion, model_location
from .store import connect

if TYPE_CHECKING:
    from mlflow.pyfunc import PyFuncModel

SHOWN = 16  # hex digits of a digest in a message
CACHE = "__pycache__"  # written where a model was loaded in place; never copied


def record(root: Path, version: ModelVersion, files: dict[str, str], scores: str) -> None:
    """Write down what a version is, once it is proved or accepted.

    Args:
        root: the project.
        version: the version.
        files: path in the model's folder -> SHA-256.
        scores: SHA-256 of its per-example scores; empty if nobody vouches for any.
    """
    private_folder(root)
    file = record_file(root, version.name, version.version)
    file.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "model": version.name,
        "version": int(version.version),
        "run": version.run_id,
        "scores_sha256": scores,
        "files": files,
    }
    write_private(file, json.dumps(content, indent=2) + "\n")


def accept(root: Path, client: MlflowClient, version: ModelVersion) -> dict[str, str]:
    """Record a version as it lies in the store, since somebody says that it can be trusted.

    Returns:
        Its files, each with its SHA-256.
    """
    with _fetched(client, version) as folder:
        files = digests(folder)
    record(root, version, files, "")
    return files


def accept_version(workspace: Workspace, number: int) -> str:
    """Accept a version by its number; answer what was accepted.

    Raises:
        PenstockError: there is no such version, or no files of it.
    """
    client, name = connect(workspace.root), workspace.name
    try:
        version = client.get_model_version(name, str(number))
    except MlflowException:
        raise PenstockError(
            f"{name} v{number}: no such version; see `penstock runs {name}`"
        ) from None
    location = model_location(client, version)
    files = accept(workspace.root, client, version)
    if not files:
        raise PenstockError(f"{name} v{number}: no files at {location}")
    file = record_file(workspace.root, name, number)
    return (
        f"{name} v{number}: {len(files)} files at {location}, of run {version.run_id}: accepted "
        f"as they are now; written down in {file}"
    )


@contextmanager
def trusted_copy(root: Path, client: MlflowClient, version: ModelVersion) -> Iterator[Path]:
    """Give a private copy of a version's files, to load it from.

    Raises:
        PenstockError: the version is not what the project's record says, or there is none.
    """
    with tempfile.TemporaryDirectory() as temporary:
        copy = Path(temporary) / "model"
        if reason := _copy(root, client, version, copy):
            name, number = version.name, version.version
            raise PenstockError(
                f"{name} v{number}: {reason}; its code was not run. `penstock register {name}` "
                f"puts it right if it is the model at hand; `penstock trust {name} {number}` "
                "accepts it as it is: only if you know who made it"
            )
        yield copy


def load_trusted(root: Path, client: MlflowClient, version: ModelVersion) -> "PyFuncModel":
    """Load a version into this process: its code runs here. The only way that Penstock does so.

    Raises:
        PenstockError: as `trusted_copy`.
    """
    from mlflow.pyfunc import load_model  # slow to import

    with trusted_copy(root, client, version) as copy:
        content = json.dumps(recorded_files(root, version), sort_keys=True)
        kept = Path(_loaded_from().name) / hashlib.sha256(content.encode()).hexdigest()
        if not kept.exists():
            copy.rename(kept)
    return load_model(str(kept))


@cache
def _loaded_from() -> "tempfile.TemporaryDirectory[str]":
    """The copies that this process loaded; modules are read from them as long as it lives."""
    return tempfile.TemporaryDirectory()


def is_intact(root: Path, client: MlflowClient, version: ModelVersion) -> bool:
    """Whether the store has a version as the project recorded it."""
    with tempfile.TemporaryDirectory() as temporary:
        return not _copy(root, client, version, Path(temporary) / "model")


def recorded_files(root: Path, version: ModelVersion) -> dict[str, str]:
    """The files of a version and their digests, as the project recorded them."""
    files: dict[str, str] = _read(root, version)["files"]
    return files


def vouches_for_scores(root: Path, version: ModelVersion, file: Path) -> bool:
    """Whether stored scores are those that the version was registered with."""
    wanted = _read(root, version).get("scores_sha256")
    return bool(wanted) and wanted == digest(file)


def digests(folder: Path) -> dict[str, str]:
    """Every file of a model's folder with its SHA-256."""
    return {name: digest(folder / name) for name in _names(folder)}


def digest(file: Path) -> str:
    """SHA-256 of a file."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _copy(root: Path, client: MlflowClient, version: ModelVersion, copy: Path) -> str:
    """Copy the recorded files of a version; answer what differs, or nothing.

    What is checked is the copy: nobody can change it between check and use.
    """
    known = _read(root, version)
    if not known:
        return "this project has no record of it: it was registered elsewhere, or by somebody else"
    if known["run"] != version.run_id:
        return f"it names run {version.run_id}, and was registered from run {known['run']}"
    wanted: dict[str, str] = known["files"]
    with _fetched(client, version) as folder:
        there = set(_names(folder))
        if strange := sorted(there - wanted.keys()):
            return f"{strange[0]} was added to its files"
        for name, expected in wanted.items():
            if name not in there:
                return f"{name} is missing from its files"
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(folder / name, copy / name)
            if (found := digest(copy / name)) != expected:
                return (
                    f"{name} was changed: SHA-256 {found[:SHOWN]}, was registered as "
                    f"{expected[:SHOWN]}"
                )
    return ""


@contextmanager
def _fetched(client: MlflowClient, version: ModelVersion) -> Iterator[Path]:
    """The folder of a version's files: where it lies, or a download of it."""
    location = model_location(client, version)
    place = urlsplit(location)
    if place.scheme in ("", "file"):
        yield Path(unquote(place.path))
        return
    with tempfile.TemporaryDirectory() as temporary:
        try:
            yield Path(
                download_artifacts(
                    artifact_uri=location, dst_path=temporary, tracking_uri=client.tracking_uri
                )
            )
        except OSError as error:
            raise MlflowException(f"{location}: {error}") from None


def _names(folder: Path) -> list[str]:
    """The plain files below a folder; links and the like are named too, and differ by that."""
    found = [it for it in folder.rglob("*") if it.is_symlink() or not it.is_dir()]
    names = []
    for file in found:
        name = file.relative_to(folder)
        if CACHE not in name.parts:
            plain = file.is_file() and not file.is_symlink()
            names.append(name.as_posix() if plain else f"{name.as_posix()} (no plain file)")
    return sorted(names)


def _read(root: Path, version: ModelVersion) -> dict[str, Any]:
    file = record_file(root, version.name, version.version)
    content: dict[str, Any] = json.loads(file.read_text()) if file.is_file() else {}
    return content
