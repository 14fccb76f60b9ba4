"""What failed, and on which inputs: so that a schedule does not try the same again and again."""

import json
from pathlib import Path

from ..messages.errors import PenstockError
from .steps import Step, fingerprint


def remember_failure(root: Path, name: str, step: Step | None, reason: str) -> None:
    """Write down on which inputs a pipeline failed.

    Args:
        root: the project.
        name: the pipeline.
        step: the one that failed; none if its settings or its source stood in the way.
        reason: why.
    """
    file = _file(root, name)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"on": _inputs(root, step, reason), "reason": reason}))


def failed_before(root: Path, name: str, step: Step | None, reason: str = "") -> str:
    """Why a pipeline failed on just the inputs it has now, or nothing."""
    try:
        failure = json.loads(_file(root, name).read_text())
    except (OSError, json.JSONDecodeError):
        return ""
    return str(failure["reason"]) if failure["on"] == _inputs(root, step, reason) else ""


def _inputs(root: Path, step: Step | None, reason: str) -> str:
    if step is None:
        return reason
    try:
        return fingerprint(root, step)
    except PenstockError as error:
        return str(error)


def _file(root: Path, name: str) -> Path:
    return root / ".dvc" / "tmp" / "penstock" / f"failed-{name}.json"
