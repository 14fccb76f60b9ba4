"""Register: from an evaluated model to a version in the registry, through the gate."""

import json
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd

from .. import pipeline
from ..datasets.dataset import Dataset
from ..learning.weights import read_description
from ..project.workspace import Workspace
from ..tracking import registry, trust
from ..tracking.packaging import package_model
from ..tracking.registry import ModelVersion
from ..tracking.runs import complete_run
from ..tracking.store import MlflowClient, using_registry
from .decision import decide, interface_of, measured_by
from .proof import prove
from .report import write_report


def register(workspace: Workspace) -> dict[str, Any]:
    """Package the model, prove it in a fresh process, make a version, and decide its aliases.

    Equal weights and code are one version, however often they come by: the stage can be repeated.

    Returns:
        The receipt, also in receipt.json.

    Raises:
        PenstockError: the packaged model does not predict what `evaluate` measured, or the
            registry cannot be reached.
    """
    stays = f"the model stays in {workspace.model}"
    remedy = f"{stays}; try `penstock run {workspace.name}` when it is back"
    with using_registry(workspace.root, remedy):
        return _register(workspace)


def _register(workspace: Workspace) -> dict[str, Any]:
    dataset = Dataset(workspace.dataset)
    module: pipeline.PredictModule = pipeline.load(workspace.name, "predict")
    metrics = json.loads(workspace.metrics.read_text())
    scores = pd.read_parquet(workspace.evaluation / "scores.parquet")
    interface = interface_of(workspace, module)
    exam = module.exam(dataset, "test")
    example = exam[list(interface.inputs)].head(2)
    description = read_description(workspace.model)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "model"
        bundle = package_model(workspace.name, workspace.model, interface, example, folder)
        ties = prove(folder, exam, module, interface, scores)
        client, run_id = complete_run(workspace)
        version = trust.find_version(workspace.root, client, workspace.name, bundle)
        if version is None:
            tags = {
                registry.BUNDLE_TAG: bundle,
                registry.WEIGHTS_TAG: description["weights_sha256"],
                **measured_by(exam, module, interface),
            }
            version = registry.create_version(client, workspace.name, run_id, folder, tags)
            files = trust.digests(folder)
        elif not trust.difference(workspace.root, client, version):
            files = trust.recorded_files(workspace.root, version)
        else:
            registry.replace_files(client, version, folder)
            files = trust.digests(folder)
        scored = trust.digest(workspace.evaluation / "scores.parquet")
        trust.record(workspace.root, version, files, scored)
    champion = registry.get_alias(client, workspace.name, registry.CHAMPION)
    decision = decide(workspace, client, version, champion, metrics, scores, exam)
    move_aliases(client, version, champion, decision["decision"])
    receipt = {
        "model": workspace.name,
        "version": int(version.version),
        "champion_before": int(champion.version) if champion else None,
        **decision,
        "weights_sha256": description["weights_sha256"],
        "bundle_sha256": bundle,
        "proof": {"examples": len(exam), "ties_flipped": ties},
        "score": interface.score.metric,
        "metrics": metrics,
    }
    _tell(workspace, client, version, run_id, receipt)
    return receipt


def move_aliases(
    client: MlflowClient, version: ModelVersion, champion: ModelVersion | None, decision: str
) -> None:
    """Point the aliases at a version as was decided; remember who was champion."""
    if decision != "refused":
        registry.set_alias(client, version, registry.CHALLENGER)
    if champion:
        registry.remember_champion(client, champion)
    if decision == "champion":
        registry.set_alias(client, version, registry.CHAMPION)
        registry.remember_champion(client, version)


def _tell(
    workspace: Workspace,
    client: MlflowClient,
    version: ModelVersion,
    run_id: str,
    receipt: dict[str, Any],
) -> None:
    """Write the decision everywhere: receipt, report, run, version, terminal."""
    with workspace.writing(workspace.receipt) as file:
        file.write_text(json.dumps(receipt, indent=2) + "\n")
    write_report(workspace)
    for key in ("decision", "reason", "version"):
        client.set_model_version_tag(version.name, version.version, key, str(receipt[key]))
        client.set_tag(run_id, f"penstock.{key}", str(receipt[key]))
    for file in (workspace.receipt, workspace.report):
        client.log_artifact(run_id, str(file))
    print(
        f"register {workspace.name}: version {version.version}: {receipt['decision']}: "
        f"{receipt['reason']}"
    )
