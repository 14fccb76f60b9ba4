"""One MLflow run per training: opened by train (recorder.py), continued by evaluate and register.

A run and its model find each other by content: the run is tagged with the SHA-256 of the model
folder it made (weights, description, curves). Nothing is lost with the store: what a run should
say also lies in the pipeline's folder, and `complete_run` fills in what the run lacks from there.
"""

import json
import sys
import time

import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, Run, RunTag

from ..datasets.dataset import Dataset as PenstockDataset
from ..datasets.digest import digest_files
from ..learning.weights import read_description, weights_sha256
from ..messages.printable import printable
from ..project.processes import describe_process
from ..project.workspace import Workspace
from ..settings.explanation import describe
from .lineage import lineage_tags
from .reconcile import PROCESS_TAG
from .store import connect, experiment_id, write_apart

MODEL_TAG = "penstock.model_sha256"


def create_run(client: MlflowClient, workspace: Workspace) -> Run:
    """Create a run that says which process works on it."""
    experiment = experiment_id(client, workspace.root, workspace.name)
    tags = {PROCESS_TAG: describe_process(), **dict(workspace.tags)}
    return client.create_run(experiment, tags=tags)


def model_tags(workspace: Workspace) -> dict[str, str]:
    """What a run and its model find each other by."""
    return {
        MODEL_TAG: digest_files(workspace.model),
        "penstock.weights_sha256": weights_sha256(workspace.model),
    }


def find_run(client: MlflowClient, experiment: str, model: str) -> Run | None:
    """The newest finished run that made this model."""
    runs = client.search_runs(
        [experiment],
        f"tags.`{MODEL_TAG}` = '{model}' and attributes.status = 'FINISHED'",
        order_by=["attributes.start_time DESC"],
        max_results=1,
    )
    return runs[0] if runs else None


def complete_run(workspace: Workspace) -> tuple[MlflowClient, str]:
    """Find the run of the model in the workspace, or open one, and fill in what it lacks.

    Returns:
        The client and the run's id.

    Raises:
        MlflowException: the store cannot be reached.
    """
    client = connect(workspace.root)
    experiment = experiment_id(client, workspace.root, workspace.name)
    tags = model_tags(workspace)
    run = find_run(client, experiment, tags[MODEL_TAG])
    if run is None:
        run = create_run(client, workspace)
        print(f"  no run made this model here; opened run {run.info.run_name} from the files")
        log_parameters(client, run.info.run_id, workspace)
        client.log_batch(run.info.run_id, tags=[RunTag(*tag) for tag in tags.items()])
        client.set_terminated(run.info.run_id, "FINISHED")
    run_id: str = run.info.run_id
    _complete_model(client, run_id, workspace)
    _complete_evaluation(client, run_id, workspace)
    return client, run_id


def try_complete_run(workspace: Workspace) -> None:
    """Complete the run if the store can be reached; say how to log later if not."""
    try:
        write_apart(lambda: complete_run(workspace)).result()
    except Exception as error:  # whatever a store or network throws: the results are on disk
        say_lost(workspace, error)


def say_lost(workspace: Workspace, error: Exception) -> None:
    """Say that the store cannot be reached, and how to log later."""
    reason = printable((str(error).splitlines() or [type(error).__name__])[0])[:200]
    print(
        f"  tracking lost: {reason}\n  work goes on; metrics and model stay in "
        f"data/{workspace.name}. Log them once the store is back: penstock run {workspace.name}",
        file=sys.stderr,
    )


def _complete_model(client: MlflowClient, run_id: str, workspace: Workspace) -> None:
    history = pd.read_csv(workspace.model / "history.csv")
    known = {point.step for point in client.get_metric_history(run_id, "epoch")}
    lacking = [epoch for epoch in history.to_dict("records") if epoch["step"] not in known]
    points = [metric for epoch in lacking for metric in epoch_metrics(epoch)]  # type: ignore[arg-type]
    for start in range(0, len(points), 1000):
        client.log_batch(run_id, points[start : start + 1000])
    run = client.get_run(run_id)
    if "penstock.dataset_sha256" not in run.data.tags:
        log_lineage(client, run_id, workspace)


def _complete_evaluation(client: MlflowClient, run_id: str, workspace: Workspace) -> None:
    """Log the evaluation if it is of this model, and not there yet."""
    if not workspace.metrics.is_file() or not (workspace.evaluation / "about.json").is_file():
        return
    about = json.loads((workspace.evaluation / "about.json").read_text())
    if about["weights_sha256"] != weights_sha256(workspace.model):
        return
    metrics = json.loads(workspace.metrics.read_text())
    if client.get_run(run_id).data.metrics.items() >= metrics.items():
        return
    client.log_artifacts(run_id, str(workspace.evaluation), "evaluation")
    log_metrics(client, run_id, metrics)  # last: they say that the rest is there


def log_parameters(client: MlflowClient, run_id: str, workspace: Workspace) -> None:
    """Log every parameter of the pipeline, sections flattened by dots."""
    params = [Param(key, value) for key, value, _ in describe(workspace.params)]
    client.log_batch(run_id, params=params)


def log_lineage(client: MlflowClient, run_id: str, workspace: Workspace) -> None:
    """Log what the model was made from: code, versions, and the dataset as MLflow's input."""
    description = read_description(workspace.model)
    dataset = PenstockDataset(workspace.dataset)
    tags = lineage_tags(workspace, description["dataset"]["digest"])
    client.log_batch(run_id, tags=[RunTag(key, value) for key, value in tags.items()])
    entity = Dataset(
        name=workspace.name,
        digest=tags["penstock.dataset_dvc"].removesuffix(".dir"),
        source_type="dvc",
        source=json.dumps(
            {"path": f"data/{workspace.name}/dataset", "raw": workspace.params.source}
        ),
        profile=json.dumps(dataset.info["splits"]),
    )
    client.log_inputs(run_id, [DatasetInput(entity, [InputTag("mlflow.data.context", "training")])])


def log_metrics(client: MlflowClient, run_id: str, metrics: dict[str, float]) -> None:
    """Log metrics without steps, in one request."""
    now = _now()
    client.log_batch(run_id, [Metric(key, float(v), now, 0) for key, v in metrics.items()])


def epoch_metrics(epoch: dict[str, float]) -> list[Metric]:
    """The points one epoch adds to the curves, at its step."""
    now, step = _now(), int(epoch["step"])
    return [Metric(key, float(value), now, step) for key, value in epoch.items() if key != "step"]


def list_runs(workspace: Workspace, count: int) -> list[Run]:
    """The newest runs of a pipeline."""
    client = connect(workspace.root)
    experiment = experiment_id(client, workspace.root, workspace.name)
    return list(client.search_runs([experiment], max_results=count))


def _now() -> int:
    return int(time.time() * 1000)
