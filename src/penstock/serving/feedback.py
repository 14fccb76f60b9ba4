"""Answers that somebody marked as wrong, kept as raw files; nothing learns from them by default.

In data/feedback/NAME: a record of each as JSON, and, where the input is a file and the answer a
class, the file in raw/CLASS. Ingest reads them too where `data.feedback` says so.
"""

import base64
import binascii
import json
import os
import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..project.workspace import FEEDBACK
from ..tracking.champion import Champion
from .limits import Limits
from .refusals import Refusal

ENDS = {b"\x89PNG": "png", b"\xff\xd8\xff": "jpg", b"RIFF": "wav", b"fLaC": "flac"}
LONGEST = 1000  # characters of the right answer


def keep_feedback(root: Path, champion: Champion, content: Any, limits: Limits) -> Path:
    """Keep an answer that was wrong, with the right one.

    Args:
        root: the project.
        champion: that gave it, or its successor.
        content: `input` (a row as JSON has it), `answer`, `right`, `version`.
        limits: how many are kept.

    Returns:
        The record.

    Raises:
        Refusal: it is none, or there are too many.
    """
    row, right, version = _check(champion, content)
    folder = _private(root / FEEDBACK / str(champion.version.name))
    if sum(1 for it in folder.iterdir() if it.suffix == ".json") >= limits.kept:
        raise Refusal(429, f"{limits.kept:,} marks are kept already; look at them first")
    now = datetime.now(UTC)
    stem = f"{now:%Y%m%dT%H%M%S}-{secrets.token_hex(6)}"
    files = {}
    for name, kind in champion.interface.inputs.items():
        if kind.endswith("binary") and row.get(name) is not None:
            files[name] = _decode(name, row.pop(name))
    kept = {name: _keep_file(folder, right, f"{stem}-{name}", it) for name, it in files.items()}
    record = {
        "time": now.isoformat(),
        "model": champion.version.name,
        "version": version,
        "input": row,
        "files": kept,
        "answer": content.get("answer"),
        "right": right,
    }
    file = folder / f"{stem}.json"
    _write(file, json.dumps(record, indent=2).encode())
    return file


def _check(champion: Champion, content: Any) -> tuple[dict[str, Any], str, int]:
    """The input, the right answer, and the version that was asked."""
    if not isinstance(content, dict) or not isinstance(content.get("input"), dict):
        raise Refusal(400, "expected an object with input, answer, right and version")
    right, version = content.get("right"), content.get("version")
    if not isinstance(right, str) or not right.strip() or len(right) > LONGEST:
        raise Refusal(400, f"right: expected a text of at most {LONGEST:,} characters")
    if not isinstance(version, int):
        raise Refusal(400, "version: expected the number of the version that was asked")
    classes = champion.info.get("classes")
    if "label" in champion.interface.outputs and classes and right not in classes:
        raise Refusal(400, f"right: no such class; there is: {', '.join(classes)}")
    inputs = champion.interface.inputs
    row = {name: value for name, value in content["input"].items() if name in inputs}
    if not row:
        raise Refusal(400, f"input: expected {', '.join(inputs)}")
    return row, right, version


def _decode(name: str, value: Any) -> bytes:
    try:
        return base64.b64decode(value)
    except (TypeError, ValueError, binascii.Error):
        raise Refusal(400, f"{name}: expected base64") from None


def _keep_file(folder: Path, right: str, stem: str, content: bytes) -> str:
    """Write a file under the folder of its class; a class that is no folder's name has none."""
    plain = right not in (".", "..") and not set(right) & set("/\\\0") and len(right) < 100
    place = _private(_private(folder / "raw") / (right if plain else "_"))
    end = next((it for start, it in ENDS.items() if content.startswith(start)), "bin")
    file = place / f"{stem}.{end}"
    _write(file, content)
    return file.relative_to(folder).as_posix()


def _private(folder: Path) -> Path:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def _write(file: Path, content: bytes) -> None:
    """Write a file that only its owner can read; it gets its name when it is whole."""
    partial = file.with_name(f".{file.name}.partial")
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as output:
        output.write(content)
    partial.rename(file)
