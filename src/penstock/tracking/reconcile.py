"""What the store must be told when somebody looks: lost versions, runs whose process died.

DVC compares files and cannot see either.
"""

import json

from mlflow import MlflowClient

from ..project.processes import is_gone
from ..project.workspace import Workspace
from .registry import CHALLENGER, CHAMPION, get_alias, has_files
from .store import connect, experiment_id
from .trust import difference, find_version

PROCESS_TAG = "penstock.process"


def what_is_lost(workspace: Workspace) -> str:
    """Say what the registry lacks of the pipeline's receipt, or nothing."""
    client = connect(workspace.root)
    receipt = json.loads(workspace.receipt.read_text())
    name = receipt["model"]
    version = find_version(workspace.root, client, name, receipt["bundle_sha256"])
    if version is None:
        return f"the model of the receipt (version {receipt['version']}) is not there"
    if not has_files(client, version):
        return f"the files of version {version.version} are gone"
    if reason := difference(workspace.root, client, version):
        return f"version {version.version} is not as it was registered: {reason}"
    if receipt["decision"] == "refused":
        return ""
    challenger = get_alias(client, name, CHALLENGER)
    if challenger is None or int(challenger.version) != int(version.version):
        return f"{CHALLENGER} is not version {version.version}"
    champion = get_alias(client, name, CHAMPION)
    if champion is None:
        return f"there is no {CHAMPION}"
    if reason := difference(workspace.root, client, champion):
        return f"{CHAMPION}, version {champion.version}, is not as it was registered: {reason}"
    return ""


def end_dead_runs(workspace: Workspace, client: MlflowClient | None = None) -> None:
    """End the runs whose process was killed before it could; say so in the run."""
    client = client or connect(workspace.root)
    experiment = experiment_id(client, workspace.root, workspace.name)
    for run in client.search_runs([experiment], "attributes.status = 'RUNNING'"):
        process = run.data.tags.get(PROCESS_TAG)
        if process and is_gone(process):
            reason = f"its process ({process}) is gone without a word: killed, or the machine was"
            client.set_tag(run.info.run_id, "penstock.reason", reason)
            client.set_terminated(run.info.run_id, "KILLED")
