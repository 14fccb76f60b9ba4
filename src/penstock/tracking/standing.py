"""What is known of a served model beside itself: aliases, metrics, its run, its report."""

import os
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from ..messages.errors import PenstockError
from .champion import Champion
from .listing import MADE, UI
from .store import tracking_uri
from .trust import read_trusted

EXAMPLE = "serving_input_example.json"  # MLflow writes it beside each model


def aliases_of(client: MlflowClient, name: str) -> dict[str, str]:
    """Alias -> version of a registered model; empty if there is none."""
    try:
        found = client.get_registered_model(name).aliases
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return {}
        raise
    return {alias: str(number) for alias, number in found.items()}


def describe_champion(root: Path, client: MlflowClient, champion: Champion) -> dict[str, Any]:
    """Model, version, metrics, signature, and where to look: all that JSON can have."""
    run = client.get_run(str(champion.version.run_id))
    interface, signature = champion.interface, champion.model.metadata.signature
    return {
        "name": champion.version.name,
        "version": int(champion.version.version),
        "score": {
            "metric": interface.score.metric,
            "value": run.data.metrics.get(interface.score.metric),
            "higher_is_better": interface.score.higher_is_better,
        },
        "metrics": {
            name: value
            for name, value in sorted(run.data.metrics.items())
            if name.startswith("test/") and value == value  # JSON has no NaN
        },
        "signature": signature.to_dict(),
        "inputs": interface.inputs,
        "outputs": interface.outputs,
        "options": interface.options,
        "registered": int(champion.version.creation_timestamp or 0),
        "run": run.info.run_id,
        "run_page": _run_page(root, run.info.experiment_id, run.info.run_id),
    }


def _run_page(root: Path, experiment: str, run: str) -> str:
    """Where MLflow shows a run."""
    uri = tracking_uri(root)
    server = uri if uri.startswith("http") else os.environ.get(UI, MADE)
    return f"{server}/#/experiments/{experiment}/runs/{run}"


def example_of(root: Path, client: MlflowClient, champion: Champion) -> str:
    """The example that was packaged with a model, in a form of `/invocations`; empty if none."""
    try:
        return read_trusted(root, client, champion.version, EXAMPLE).decode()
    except PenstockError:
        return ""


def read_report(client: MlflowClient, champion: Champion) -> bytes | None:
    """The report of the run that made a model, if it is still there."""
    try:
        path = client.download_artifacts(str(champion.version.run_id), "report.html")
        return Path(path).read_bytes()
    except (MlflowException, OSError):
        return None
