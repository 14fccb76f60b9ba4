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
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts
from mlflow.exceptions import MlflowException

from ..messages.errors import PenstockError
from ..messages.printable import printable
from ..project.workspace import Workspace
from .records import file_names, read_record, record_file, write_record
from .registry import (
    CHAMPION,
    ModelVersion,
    model_location,
    numbered_version,
    own_place,
    remember_champion,
    set_alias,
    version_difference,
    version_entry,
    versions_of,
)
from .store import connect

if TYPE_CHECKING:
    from mlflow.pyfunc import PyFuncModel

SHOWN = 16  # hex digits of a digest in a message


def record(root: Path, version: ModelVersion, files: dict[str, str], scores: str) -> None:
    """Write down what a version is, once it is proved or accepted.

    Args:
        root: the project.
        version: the version.
        files: path in the model's folder -> SHA-256.
        scores: SHA-256 of its per-example scores; empty if nobody vouches for any.
    """
    content = {
        "model": version.name,
        "version": int(version.version),
        **version_entry(root, version),
        "scores_sha256": scores,
        "files": files,
    }
    write_record(root, version.name, version.version, content)


def find_version(root: Path, client: MlflowClient, name: str, bundle: str) -> ModelVersion | None:
    """The newest version that has this content.

    Which content a version has is a tag, and anybody who can write to the store can set one. So it
    is a version that the project has a record of; or one without, that lies where `register` puts
    versions: its files can be put there anew.
    """
    same = versions_of(client, name, bundle)
    recorded = [it for it in same if not version_difference(root, it)]
    unknown = [it for it in same if not read_record(root, name, it.version)]
    return next(iter(recorded), None) or next((it for it in unknown if own_place(client, it)), None)


def accept_version(workspace: Workspace, number: int) -> str:
    """Record a version as it lies in the store, since somebody says that it can be trusted.

    Returns:
        What was accepted, a line for each file.

    Raises:
        PenstockError: there is no such version, or no files of it, or not only plain ones.
    """
    client = connect(workspace.root)
    version = numbered_version(client, workspace.name, number)
    location = model_location(client, version)
    with _fetched(client, version) as folder:
        names = file_names(folder)
        if not names:
            raise PenstockError(f"{version.name} v{number}: no files at {location}")
        if strange := [it for it in names if not (folder / it).is_file()]:
            raise PenstockError(f"{version.name} v{number}: {location}: {strange[0]}: remove it")
        files = digests(folder)
    before = read_record(workspace.root, version.name, number).get("files", {})
    record(workspace.root, version, files, "")
    file = record_file(workspace.root, version.name, number)
    lines = [
        f"{version.name} v{number} of run {version.run_id}, {len(files)} files at {location}:",
        *(f"  {files[it][:SHOWN]}  {it}{_news(it, files, before)}" for it in files),
        f"accepted as they are now; written down in {file}",
    ]
    return "\n".join(map(printable, lines))


def _news(name: str, files: dict[str, str], before: dict[str, str]) -> str:
    if not before or before.get(name) == files[name]:
        return ""
    return f"  (was {before[name][:SHOWN]})" if name in before else "  (new)"


def promote_version(workspace: Workspace, number: int) -> str:
    """Make a version champion by hand, if it is as the project recorded it; say so.

    Raises:
        PenstockError: there is no such version, or it is not as recorded.
    """
    client = connect(workspace.root)
    version = numbered_version(client, workspace.name, number)
    with trusted_copy(workspace.root, client, version):
        set_alias(client, version, CHAMPION)
        remember_champion(client, version)
    return f"{version.name} v{number} is {CHAMPION}"


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
                f"puts it right if it is the model at hand; `penstock promote {name} VERSION` "
                f"makes another one champion; `penstock trust {name} {number}` accepts it as it "
                "is: only if you know who made it"
            )
        yield copy


def read_trusted(root: Path, client: MlflowClient, version: ModelVersion, name: str) -> bytes:
    """The content of one file of a version, if it is as recorded.

    Raises:
        PenstockError: the version or the file is not what the project's record says.
    """
    reason = version_difference(root, version)
    if not reason:
        with _fetched(client, version) as folder:
            content = (folder / name).read_bytes() if (folder / name).is_file() else b""
        if hashlib.sha256(content).hexdigest() == recorded_files(root, version).get(name):
            return content
        reason = f"{name} is missing from its files, or was changed"
    raise PenstockError(f"{version.name} v{version.version}: {reason}")


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


def difference(root: Path, client: MlflowClient, version: ModelVersion) -> str:
    """How a version in the store differs from what the project recorded, or nothing."""
    with tempfile.TemporaryDirectory() as temporary:
        return _copy(root, client, version, Path(temporary) / "model")


def recorded_files(root: Path, version: ModelVersion) -> dict[str, str]:
    """The files of a version and their digests, as the project recorded them."""
    files: dict[str, str] = read_record(root, version.name, version.version)["files"]
    return files


def vouches_for_scores(root: Path, version: ModelVersion, file: Path) -> bool:
    """Whether stored scores are those that the version was registered with."""
    wanted = read_record(root, version.name, version.version).get("scores_sha256")
    return not version_difference(root, version) and bool(wanted) and wanted == digest(file)


def digests(folder: Path) -> dict[str, str]:
    """Every file of a model's folder with its SHA-256."""
    return {name: digest(folder / name) for name in file_names(folder)}


def digest(file: Path) -> str:
    """SHA-256 of a file."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _copy(root: Path, client: MlflowClient, version: ModelVersion, copy: Path) -> str:
    """Copy the recorded files of a version; answer what differs, or nothing.

    What is checked is the copy: nobody can change it between check and use.
    """
    if reason := version_difference(root, version):
        return reason
    wanted = recorded_files(root, version)
    with _fetched(client, version) as folder:
        there = set(file_names(folder))
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
