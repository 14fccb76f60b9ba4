"""What a killed DVC can leave behind: it writes dvc.lock and its table of locks in place."""

import json
import os
from pathlib import Path
from typing import Any

import psutil
from dvc.lock import make_lock
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from ..messages.errors import PenstockError

LOCKFILES = ("dvc.lock", "data/dvc.lock")


def mend(root: Path) -> None:
    """Restore a half-written dvc.lock from the copy of the last run, and drop locks of the dead.

    Raises:
        PenstockError: dvc.lock is damaged and there is no copy.
    """
    kept = root / ".dvc" / "tmp" / "penstock"
    kept.mkdir(parents=True, exist_ok=True)
    folder = str(root / ".dvc" / "tmp")
    with make_lock(f"{folder}/lock", tmp_dir=folder, wait=True):  # a DVC at work writes in place
        for name in LOCKFILES:
            _mend_lockfile(root / name, kept / name.replace("/", "-"))
    _release_locks_of_the_dead(root / ".dvc" / "tmp")


def _mend_lockfile(file: Path, copy: Path) -> None:
    if not file.exists():
        return
    content = file.read_bytes()
    if copy.exists() and copy.read_bytes() == content:
        return
    if _is_whole(content):
        _write(copy, content)
    elif copy.exists():
        _write(file, copy.read_bytes())
        print(f"{file}: half-written, by a process that was killed; restored from the last run's")
    else:
        raise PenstockError(
            f"{file}: damaged; expected DVC's record of the last run; `git checkout {file.name}`, "
            "or remove it: DVC then asks its cache, and runs again only what it does not find"
        )


def _is_whole(content: bytes) -> bool:
    try:
        read = YAML(typ="safe").load(content)
    except (YAMLError, UnicodeDecodeError):
        return False
    return isinstance(read, dict) and {"schema", "stages"} <= read.keys() and content[-1:] == b"\n"


def _release_locks_of_the_dead(folder: Path) -> None:
    """Drop entries whose process is gone; DVC does so only when it next needs the same paths."""
    file = folder / "rwlock"
    if not file.exists():
        return
    with make_lock(str(folder / "rwlock.lock"), tmp_dir=str(folder), wait=True):
        try:
            locks = json.loads(file.read_text())
        except json.JSONDecodeError:
            file.unlink()
            return
        alive = {
            "write": {path: it for path, it in locks.get("write", {}).items() if _lives(it)},
            "read": {
                path: living
                for path, its in locks.get("read", {}).items()
                if (living := [it for it in its if _lives(it)])
            },
        }
        if alive != locks:
            _write(file, json.dumps(alive).encode())


def _lives(entry: dict[str, Any]) -> bool:
    return psutil.pid_exists(int(entry["pid"]))


def _write(file: Path, content: bytes) -> None:
    partial = file.with_name(f"{file.name}.{os.getpid()}.partial")
    partial.write_bytes(content)
    partial.replace(file)
