"""What a person asks when a pipeline has run: where to look, and what came out of it."""

import json
import os
from typing import Any

from ..project.workspace import Workspace
from .listing import run_link
from .registry import CHAMPION, get_alias
from .store import connect

PLAYGROUND = "PENSTOCK_PLAYGROUND"  # environment variable: where `penstock up` serves champions


def stage_notes(workspace: Workspace) -> dict[str, str]:
    """For some stages, what came out: the run, its metrics, the decision."""
    metrics = json.loads(workspace.metrics.read_text())
    receipt = json.loads(workspace.receipt.read_text())
    server = os.environ.get(PLAYGROUND)
    try_it = f"; [try the champion]({server}/play/{workspace.name})" if server else ""
    return {
        "train": run_link(workspace),
        "evaluate": ", ".join(f"{key} {value:.4f}" for key, value in metrics.items()),
        "register": f"version {receipt['version']}, {receipt['decision']}: {receipt['reason']}"
        + try_it,
    }


def metrics_beside_champion(workspace: Workspace) -> list[dict[str, Any]]:
    """A row per test metric: this model's value, and that of the champion it met at the gate.

    The champion's is what was measured when it was trained, maybe on another test split; the gate
    itself compares on the same examples.
    """
    receipt = json.loads(workspace.receipt.read_text())
    client, name = connect(workspace.root), workspace.name
    number = receipt["champion_before"]
    if number is None or number == receipt["version"]:
        champion = get_alias(client, name, CHAMPION)
    else:
        champion = client.get_model_version(name, str(number))
    theirs = client.get_run(str(champion.run_id)).data.metrics if champion else {}
    ours, other = f"v{receipt['version']}", f"champion v{champion.version}" if champion else ""
    return [
        {"metric": key, ours: value, **({other: theirs.get(key)} if other else {})}
        for key, value in receipt["metrics"].items()
    ]
