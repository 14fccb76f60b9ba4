"""What the project knows of registered versions, outside the store: a file for each version.

Read without MLflow's import of seconds.
"""

import json
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from ..project.login import FOLDER, private_folder, write_private

BUNDLE_TAG = "penstock.bundle_sha256"
EXAM_TAG = "penstock.exam_sha256"
WEIGHTS_TAG = "penstock.weights_sha256"
SCORE_TAG = "penstock.score_sha256"
# What `register` finds and compares versions by.
TAGS = (BUNDLE_TAG, EXAM_TAG, WEIGHTS_TAG, SCORE_TAG)
CACHE = "__pycache__"  # written where a model was loaded in place; never copied


def record_file(root: Path, name: str, version: int | str) -> Path:
    """Where the project keeps what it knows of a version."""
    return root / FOLDER / "trusted" / name / f"{int(version)}.json"


def read_record(root: Path, name: str, version: int | str) -> dict[str, Any]:
    """What the project knows of a version; empty if nothing."""
    file = record_file(root, name, version)
    content: dict[str, Any] = json.loads(file.read_text()) if file.is_file() else {}
    return content


def write_record(root: Path, name: str, version: int | str, content: dict[str, Any]) -> None:
    """Write down what a version is; the file gets its name when it is whole."""
    private_folder(root)
    file = record_file(root, name, version)
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_suffix(".partial")
    write_private(partial, json.dumps(content, indent=2) + "\n")
    partial.replace(file)


def entry(root: Path, run: str | None, source: str, tags: dict[str, str]) -> dict[str, Any]:
    """What the registry says of a version, as a record keeps it: the project may move."""
    return {
        "run": run,
        "location": _location(root, source),
        **{tag: tags.get(tag) for tag in TAGS},
    }


def entry_difference(record: dict[str, Any], found: dict[str, Any]) -> str:
    """How what the registry says of a version differs from its record, or nothing."""
    if not record:
        return "this project has no record of it: it was registered elsewhere, or by somebody else"
    for key, value in found.items():
        if (known := record.get(key)) != value:
            return f"its {key} in the registry is {value}, was registered as {known}"
    return ""


def has_recorded_files(root: Path, record: dict[str, Any]) -> bool:
    """Whether the files of a version, and no others, lie under mlruns/ of this very project.

    By name: what is in them is checked when they are loaded.
    """
    location = record["location"]
    if urlsplit(location).scheme:
        return False
    return set(file_names(root / "mlruns" / location)) == record["files"].keys()


def file_names(folder: Path) -> list[str]:
    """The plain files below a folder; links and the like are named too, and differ by that."""
    found = [it for it in folder.rglob("*") if it.is_symlink() or not it.is_dir()]
    names = []
    for file in found:
        name = file.relative_to(folder)
        if CACHE not in name.parts:
            plain = file.is_file() and not file.is_symlink()
            names.append(name.as_posix() if plain else f"{name.as_posix()} (no plain file)")
    return sorted(names)


def _location(root: Path, source: str) -> str:
    """Where files lie: from mlruns/ on, if they are there."""
    place = urlsplit(source)
    path = Path(unquote(place.path))
    store = root / "mlruns"
    inside = place.scheme in ("", "file") and path.is_relative_to(store)
    return path.relative_to(store).as_posix() if inside else source
