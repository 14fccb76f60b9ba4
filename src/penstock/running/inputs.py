"""What the stages of a pipeline depend on beside data: its settings, and the code of each.

DVC reads this small JSON file once for each stage. params.yaml, which holds all pipelines, is YAML,
and takes DVC so long that with twelve pipelines it was half the time of a run with nothing to do.
"""

import json
from pathlib import Path
from typing import Any

from ..datasets.digest import digest_files
from ..project.workspace import FEEDBACK, Workspace
from ..settings.file import PARAMS_FILE, read_section
from .code_digests import stage_digests


def write_inputs(workspace: Workspace) -> None:
    """Write the settings of a pipeline and the digests of its code to its inputs.json.

    Raises:
        PenstockError: a module is missing or is not Python.
    """
    inputs = stage_inputs(workspace.name, workspace.root)
    with workspace.writing(workspace.inputs) as file:
        file.write_text(json.dumps(inputs, indent=1) + "\n")


def stage_inputs(name: str, root: Path) -> dict[str, Any]:
    """The section of params.yaml as it stands there, and under `code` a digest for each stage.

    Under `feedback` a digest of the answers that were marked as wrong, if they are learned from.

    Raises:
        PenstockError: a module is missing or is not Python, or the section is.
    """
    section = read_section(name, root / PARAMS_FILE)
    learned = value_at(section, "data.feedback") is True
    # One that is being written has a name that begins with a dot.
    feedback = digest_files(root / FEEDBACK / name, pattern="[!.]*") if learned else ""
    inputs = {**section, "feedback": feedback, "code": stage_digests(name, root)}
    as_written: dict[str, Any] = json.loads(json.dumps(inputs, default=str))
    return as_written


def value_at(inputs: dict[str, Any], key: str) -> Any:
    """The value that dvc.yaml means by `train.threads`; None where there is none."""
    found: Any = inputs
    for part in key.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found
