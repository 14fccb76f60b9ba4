"""The runs of a pipeline as a table for the terminal."""

import os
from datetime import UTC, datetime

from mlflow.entities import Run
from rich.table import Table

from ..datasets.dataset import Dataset
from ..messages.errors import PenstockError
from ..messages.metrics import describe_metric
from ..messages.terminal import add_row, make_table
from ..pipeline import PredictModule, load
from ..project.workspace import Workspace
from .runs import complete_run, list_runs
from .store import connect, tracking_uri

UI = "PENSTOCK_MLFLOW"  # environment variable: where `penstock up` shows the store under mlruns/
MADE = "http://127.0.0.1:5000"  # where `make ui` does

COLUMNS = ("when", "run", "status", "source", "model", "metrics", "train s", "version", "aliases")


def runs_table(workspace: Workspace, count: int) -> Table:
    """The newest runs: when, model, metrics, registered version and aliases."""
    client = connect(workspace.root)
    metric = _score_metric(workspace)
    aliases: dict[str, list[str]] = {}
    if client.search_registered_models(f"name = '{workspace.name}'"):
        named = client.get_registered_model(workspace.name).aliases
        for alias, number in named.items():
            aliases.setdefault(str(number), []).append(alias)
    table = make_table(*COLUMNS)
    for run in list_runs(workspace, count):
        version = run.data.tags.get("penstock.version", "")
        names = ", ".join(sorted(aliases.get(version, [])))
        add_row(table, *_describe(run, metric), version, names)
    return table


def _score_metric(workspace: Workspace) -> str:
    """What models are compared by, which the dataset may decide; nothing before there is one."""
    try:
        info = Dataset(workspace.dataset).info
    except PenstockError:
        return ""
    module: PredictModule = load(workspace.name, "predict")
    model = workspace.params.model.model_dump(mode="json")
    return module.interface(info, model).score.metric


def run_link(workspace: Workspace) -> str:
    """Where MLflow shows the run of the model in the workspace: a link in Markdown."""
    client, run_id = complete_run(workspace)
    run = client.get_run(run_id)
    uri = tracking_uri(workspace.root)
    server = uri if uri.startswith("http") else os.environ.get(UI, MADE)
    page = f"{server}/#/experiments/{run.info.experiment_id}/runs/{run_id}"
    hint = ", by `make ui`" if server == MADE else ""
    return f"[{run.info.run_name}]({page}), [report]({page}/artifacts){hint}"


def _describe(run: Run, metric: str) -> tuple[str, ...]:
    started = datetime.fromtimestamp(run.info.start_time / 1000, UTC).astimezone()
    model = [v for k, v in sorted(run.data.params.items()) if k in MODEL_SHOWN]
    metrics = run.data.metrics
    value = describe_metric(metric, metrics) if metric in metrics else ""
    seconds = metrics.get("time/train_seconds")
    return (
        f"{started:%Y-%m-%d %H:%M}",
        str(run.info.run_name),
        run.info.status.lower(),
        run.data.params.get("source", ""),
        " ".join(reversed(model)),
        value,
        f"{seconds:.1f}" if seconds else "",
    )


MODEL_SHOWN = ("model.kind", "model.channels", "model.hidden")
