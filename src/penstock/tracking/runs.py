"""One MLflow run per training: opened by train, continued by evaluate and register.

A run and its model find each other by content: the run is tagged with the SHA-256 of the model
folder it made (weights, description, curves). Nothing is lost with the store: what a run should
say also lies in the pipeline's folder, and `complete_run` fills in what the run lacks from there.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager

import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, Run, RunTag

from ..datasets.dataset import Dataset as PenstockDataset
from ..datasets.dataset import digest_files
from ..learning.weights import read_description, weights_sha256
from ..messages.printable import printable
from ..project.processes import describe_process
from ..project.workspace import Workspace
from ..settings.explanation import describe
from .lineage import lineage_tags
from .reconcile import PROCESS_TAG, end_dead_runs
from .store import connect, experiment_id, write_apart

MODEL_TAG = "penstock.model_sha256"
EVERY = 1.0  # seconds between writes of curves: epochs of milliseconds must not wait for a store
MOST = 900  # points at a time; MLflow takes 1,000


class RunRecorder:
    """Records a training while it runs; when the store fails, says so once and lets it go on.

    Training does not wait for the store, and Ctrl-C cannot break off a write.
    """

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.client: MlflowClient | None = None
        self.run_id = ""
        self.tags: dict[str, str] = {}
        self.connected = True
        self._points: list[Metric] = []
        self._written = 0.0

    def open(self) -> None:
        """Open the run, and end those whose process is gone."""
        self._write(self._open).result()

    def _open(self) -> None:
        client = connect(self.workspace.root)
        end_dead_runs(self.workspace, client)
        self.run_id = _create_run(client, self.workspace).info.run_id
        self.client = client
        log_parameters(client, self.run_id, self.workspace)

    def log_epoch(self, epoch: dict[str, float]) -> None:
        """Add one epoch to the run's curves; written with others that follow within a second."""
        self._points += epoch_metrics(epoch)
        if time.monotonic() - self._written >= EVERY or len(self._points) > MOST - len(epoch):
            self._write_points()

    def _write_points(self) -> None:
        if points := self._points:
            self._write_open(lambda client: client.log_batch(self.run_id, points))
        self._points, self._written = [], time.monotonic()

    def log_metrics(self, metrics: dict[str, float]) -> None:
        """Log metrics that have no steps."""
        self._write_open(lambda client: log_metrics(client, self.run_id, metrics))

    def log_text(self, text: str, file: str) -> None:
        """Add a small file to the run's artifacts."""
        self._write_open(lambda client: client.log_text(self.run_id, text, file))

    def end(self, status: str, tags: dict[str, str]) -> None:
        """End the run, FINISHED, FAILED or KILLED, and tag it; tried even if the store was lost."""
        self._write_points()
        self._write(lambda: self._end(status, tags)).result()

    def _end(self, status: str, tags: dict[str, str]) -> None:
        if self.client:
            entities = [RunTag(key, printable(value)[:5000]) for key, value in tags.items()]
            self.client.log_batch(self.run_id, tags=entities)
            self.client.set_terminated(self.run_id, status)

    def _write_open(self, write: Callable[[MlflowClient], object]) -> None:
        """Write if the run is open by then, and the store was not lost."""
        self._write(lambda: self.client and self.connected and write(self.client))

    def _write(self, write: Callable[[], object]) -> "Future[None]":
        def try_to_write() -> None:
            try:
                write()
            except Exception as error:  # whatever a store or network throws: training goes on
                if self.connected:
                    _say_lost(self.workspace, error)
                self.connected = False

        return write_apart(try_to_write)


@contextmanager
def recorded_run(workspace: Workspace) -> Iterator[RunRecorder]:
    """Open a run for a training: a finished one is tagged with the model in the workspace."""
    with opened_run(workspace) as recorder:
        yield recorder
        recorder.tags |= model_tags(workspace)


@contextmanager
def opened_run(workspace: Workspace) -> Iterator[RunRecorder]:
    """Open a run for a block of work; it ends FINISHED, FAILED or KILLED, whatever happens."""
    recorder = RunRecorder(workspace)
    try:
        recorder.open()
        yield recorder
    except Exception as error:
        recorder.end("FAILED", {"penstock.reason": f"{type(error).__name__}: {error}"})
        raise
    except BaseException as error:  # Ctrl-C, SIGTERM
        reason = f"interrupted by Ctrl-C or a signal ({type(error).__name__})"
        recorder.end("KILLED", {"penstock.reason": reason})
        raise
    recorder.end("FINISHED", recorder.tags)


def _create_run(client: MlflowClient, workspace: Workspace) -> Run:
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
        run = _create_run(client, workspace)
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
        _say_lost(workspace, error)


def _say_lost(workspace: Workspace, error: Exception) -> None:
    reason = printable((str(error).splitlines() or [type(error).__name__])[0])[:200]
    print(
        f"  tracking lost: {reason}\n  work goes on; metrics and model stay in "
        f"data/{workspace.name}. Log them once the store is back: penstock run {workspace.name}",
        file=sys.stderr,
    )


def _complete_model(client: MlflowClient, run_id: str, workspace: Workspace) -> None:
    history = pd.read_csv(workspace.model / "history.csv")
    known = {point.step for point in client.get_metric_history(run_id, "val/loss")}
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
