"""Where a model comes from: code, data and versions, as tags of its run."""

import json
import os
import subprocess
from importlib.metadata import version
from pathlib import Path

from ..project.workspace import Workspace

LIBRARIES = (
    "torch",
    "pytorch-lightning",
    "mlflow",
    "dvc",
    "great-expectations",
    "numpy",
    "pandas",
    "scikit-learn",
)


def lineage_tags(workspace: Workspace, dataset_digest: str) -> dict[str, str]:
    """Tags that lead from a run back to what made it."""
    tags = {
        "penstock.pipeline": workspace.name,
        "penstock.source": workspace.params.source,
        "penstock.dataset_sha256": dataset_digest,
        "penstock.dataset_dvc": dvc_hash(workspace.dataset),
        "penstock.versions": json.dumps({name: version(name) for name in LIBRARIES}),
        **git_tags(workspace.root),
    }
    if flow_run := os.environ.get("PREFECT__FLOW_RUN_ID"):
        tags["prefect.flow_run_id"] = flow_run
    return tags


def git_tags(root: Path) -> dict[str, str]:
    """The commit the code is at, and whether files differ from it; nothing outside git."""

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(root), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        return {
            "mlflow.source.git.commit": git("rev-parse", "HEAD"),
            "penstock.git_dirty": str(bool(git("status", "--porcelain"))).lower(),
        }
    except (OSError, subprocess.CalledProcessError):
        return {}


def dvc_hash(folder: Path) -> str:
    """The hash DVC knows a folder by, as it stands in dvc.lock: md5, ending in `.dir`."""
    from dvc_data.hashfile.build import build
    from dvc_data.hashfile.db import HashFileDB
    from dvc_objects.fs.local import LocalFileSystem
    from dvc_objects.fs.memory import MemoryFileSystem

    database = HashFileDB(MemoryFileSystem(), "")
    _, _, obj = build(database, str(folder), LocalFileSystem(), "md5", dry_run=True)
    return str(obj.hash_info.value)
