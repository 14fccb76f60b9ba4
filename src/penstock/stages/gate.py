"""The gate between validate and train: which dataset passed, and which failed since.

That a dataset passed is a file of its own, so that a reworded expectation does not retrain. That it
failed is written outside the outputs, of which the former ones may be put back after a failure.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

from ..datasets.dataset import Dataset
from ..messages.errors import PenstockError
from ..project.workspace import Workspace

GATE = "gate.json"
FAILED = "validation-failed.json"


def write_gate(folder: Path, dataset: Dataset) -> None:
    """Say that a dataset has passed."""
    gate = {"dataset": dataset.info["digest"], "passed": True}
    (folder / GATE).write_text(json.dumps(gate, indent=2) + "\n")


def shut_gate(workspace: Workspace, dataset: Dataset, results: list[dict[str, Any]]) -> Path:
    """Write down that a dataset has failed, until it passes; answer the file that says so."""
    file = workspace.folder / FAILED
    failure = {"passed": False, "failed": _failing(workspace, dataset), "results": results}
    with workspace.writing(file) as partial:
        partial.write_text(json.dumps(failure, indent=2) + "\n")
    return file


def open_gate(workspace: Workspace) -> None:
    """Forget a failure."""
    (workspace.folder / FAILED).unlink(missing_ok=True)


def check_gate(workspace: Workspace, dataset: Dataset) -> None:
    """Refuse a dataset that has not passed its expectations, or has failed them since.

    Raises:
        PenstockError: it was not validated, failed, or changed since.
    """
    file, failure = workspace.validation / GATE, workspace.folder / FAILED
    remedy = f"run `penstock validate {workspace.name}`"
    if failure.is_file():
        failed = json.loads(failure.read_text()).get("failed")
        if failed == _failing(workspace, dataset):
            raise PenstockError(
                f"{failure}: this dataset has failed these expectations; mend the data or "
                f"params.yaml and {remedy}"
            )
    if not file.is_file():
        raise PenstockError(f"{file}: not found; the dataset has not passed validation; {remedy}")
    if json.loads(file.read_text())["dataset"] != dataset.info["digest"]:
        raise PenstockError(f"{file}: another dataset passed than the one there is; {remedy}")


def _failing(workspace: Workspace, dataset: Dataset) -> dict[str, str]:
    """What it is that fails: a dataset, by the settings it is checked with.

    By other settings it may have passed, and DVC then restores that without checking again.
    """
    sections = (workspace.params.data, workspace.params.expectations)
    settings = json.dumps([section.model_dump(mode="json") for section in sections])
    return {
        "dataset": dataset.info["digest"],
        "settings": hashlib.sha256(settings.encode()).hexdigest(),
    }
