"""The files of runs: which of them a registered version or the model at hand still needs."""

import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlparse

from mlflow import MlflowClient
from mlflow.entities import Run, ViewType

from ..datasets.digest import digest_files
from ..project.workspace import Workspace
from .runs import MODEL_TAG
from .store import connect, experiment_id

REMOVED_TAG = "penstock.artifacts"
DAY = 24 * 3600


@dataclass(frozen=True)
class RunFiles:
    """The artifacts of one run.

    Attributes:
        run_id: the run.
        folder: where its artifacts lie.
        needed: why they must stay; empty if they may go.
        dataset: what DVC knows the run's dataset by, if the run has a registered version.
    """

    run_id: str
    folder: Path
    needed: str
    dataset: str


def run_files(workspace: Workspace, days: int) -> list[RunFiles]:
    """List the artifacts of a pipeline's runs that lie on this machine.

    Args:
        workspace: the pipeline.
        days: runs younger than this are needed.
    """
    client = connect(workspace.root)
    experiment = experiment_id(client, workspace.root, workspace.name)
    versions = {
        version.run_id: version.version
        for version in client.search_model_versions(f"name = '{workspace.name}'")
    }
    present = digest_files(workspace.model) if workspace.model.is_dir() else None
    found, token = [], None
    while True:
        page = client.search_runs([experiment], run_view_type=ViewType.ALL, page_token=token)
        for run in page:
            version = versions.get(run.info.run_id)
            location = urlparse(run.info.artifact_uri)
            folder = Path(unquote(location.path))
            if location.scheme in ("", "file") and folder.is_dir():
                needed = _why_needed(run, version, present, days)
                dataset = run.data.tags.get("penstock.dataset_dvc", "") if version else ""
                found.append(RunFiles(run.info.run_id, folder, needed, dataset))
        token = page.token
        if not token:
            return found


def _why_needed(run: Run, version: str | None, present: str | None, days: int) -> str:
    if version:
        return f"version {version}"
    if present and run.data.tags.get(MODEL_TAG) == present:
        return "the model at hand"
    if run.info.status == "RUNNING":
        return "running"
    if time.time() - run.info.start_time / 1000 < days * DAY:
        return f"younger than {days} days"
    return ""


def mark_removed(workspace: Workspace, run_id: str) -> None:
    """Say in a run that its artifacts are gone; parameters, curves and metrics stay."""
    client: MlflowClient = connect(workspace.root)
    if client.get_run(run_id).info.lifecycle_stage == "active":
        client.set_tag(run_id, REMOVED_TAG, "removed by `penstock clean`")
