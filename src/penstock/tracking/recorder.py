"""A training on record while it runs: its run is opened, told the epochs, and ended.

The one way into tracking; what stages find out later goes by `runs.complete_run`.
"""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager

import numpy as np
from mlflow import MlflowClient
from mlflow.entities import Metric, RunTag

from ..messages.printable import printable
from ..project.workspace import Workspace
from .reconcile import end_dead_runs
from .runs import (
    create_run,
    epoch_metrics,
    log_metrics,
    log_parameters,
    model_tags,
    say_lost,
    try_complete_run,
)
from .store import connect, write_apart

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
        self.run_id = create_run(client, self.workspace).info.run_id
        self.client = client
        log_parameters(client, self.run_id, self.workspace)

    def log_epoch(self, epoch: dict[str, float], picture: np.ndarray | None = None) -> None:
        """Add one epoch to the run's curves; written with others that follow within a second."""
        if picture is not None:
            step = int(epoch["epoch"])
            self._write_open(
                lambda client: client.log_image(self.run_id, picture, key="drawn", step=step)
            )
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
                    say_lost(self.workspace, error)
                self.connected = False

        return write_apart(try_to_write)


@contextmanager
def recorded_run(workspace: Workspace) -> Iterator[RunRecorder]:
    """Open a run for a training: a finished one says all there is of the model it made."""
    with opened_run(workspace) as recorder:
        yield recorder
        recorder.tags |= model_tags(workspace)
    if recorder.connected:
        try_complete_run(workspace)


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
