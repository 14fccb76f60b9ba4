"""Bringing a pipeline up to date: DVC decides what is stale, then the registry is reconciled."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import PenstockError
from .project import Workspace

if TYPE_CHECKING:
    from mlflow import MlflowClient

STAGES = ("ingest", "validate", "train", "evaluate", "register")


def run_pipeline(workspace: Workspace) -> None:
    """Run what is stale of the five stages, then reconcile the registry.

    Raises:
        PenstockError: a stage failed; the outputs it had before are put back.
    """
    targets = [f"{stage}@{workspace.name}" for stage in STAGES]
    uncached = (workspace.metrics, workspace.receipt)
    before = {file: file.read_bytes() for file in uncached if file.is_file()}
    if dvc(workspace.root, "repro", targets[-1]) == 0:
        reconcile(workspace)
        return
    back = ""
    if before:
        # DVC removes a stage's outputs before it runs; these two it has no copy of.
        for file, content in before.items():
            if not file.is_file():
                file.write_bytes(content)
        if dvc(workspace.root, "checkout", "--quiet", *targets) == 0:
            back = "; its former outputs are back in place"
    raise PenstockError(f"{workspace.name}: a stage failed, for the reason above{back}")


def dvc(root: Path, *arguments: str) -> int:
    """Run a DVC command in the project, with this environment's `penstock` first on the PATH."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    command = [sys.executable, "-m", "dvc", *arguments]
    return subprocess.run(
        command, cwd=root, env={**os.environ, "PATH": path}, check=False
    ).returncode


def reconcile(workspace: Workspace) -> None:
    """Register again if the registry no longer holds what the receipt says.

    DVC cannot see the registry. A champion that somebody moved by hand is left where it is.
    """
    from .tracking.store import connect

    lost = what_is_lost(connect(workspace.root), json.loads(workspace.receipt.read_text()))
    if lost:
        print(f"registry: {lost}; registering again")
        if dvc(workspace.root, "repro", "--force", "--single-item", f"register@{workspace.name}"):
            raise PenstockError(f"{workspace.name}: registering again failed, for the reason above")
    else:
        print(f"registry: {workspace.name} is as the receipt says")


def what_is_lost(client: "MlflowClient", receipt: dict[str, Any]) -> str:
    """Say what the registry lacks of a receipt, or nothing."""
    from .tracking.registry import CHALLENGER, CHAMPION, find_version, get_alias, has_files

    name = receipt["model"]
    version = find_version(client, name, receipt["bundle_sha256"])
    if version is None:
        return f"the model of the receipt (version {receipt['version']}) is not there"
    if not has_files(client, version):
        return f"the files of version {version.version} are gone"
    if receipt["decision"] == "refused":
        return ""
    challenger = get_alias(client, name, CHALLENGER)
    if challenger is None or int(challenger.version) != int(version.version):
        return f"{CHALLENGER} is not version {version.version}"
    if get_alias(client, name, CHAMPION) is None:
        return f"there is no {CHAMPION}"
    return ""
