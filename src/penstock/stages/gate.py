"""The gate between validate and train: which dataset passed.

A file of its own, so that a reworded expectation does not retrain.
"""

import json
from pathlib import Path

from ..datasets.dataset import Dataset
from ..errors import PenstockError
from ..project import Workspace

GATE = "gate.json"


def write_gate(folder: Path, dataset: Dataset) -> None:
    """Say that a dataset has passed."""
    gate = {"dataset": dataset.info["digest"], "passed": True}
    (folder / GATE).write_text(json.dumps(gate, indent=2) + "\n")


def check_gate(workspace: Workspace, dataset: Dataset) -> None:
    """Refuse a dataset that has not passed its expectations.

    Raises:
        PenstockError: it was not validated, failed, or changed since.
    """
    file = workspace.validation / GATE
    remedy = f"run `penstock validate {workspace.name}`"
    if not file.is_file():
        raise PenstockError(f"{file}: not found; the dataset has not passed validation; {remedy}")
    if json.loads(file.read_text())["dataset"] != dataset.info["digest"]:
        raise PenstockError(f"{file}: another dataset passed than the one there is; {remedy}")
