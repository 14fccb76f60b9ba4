"""Evaluate: how good is the model on the test split, and where does it fail?"""

import json
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from matplotlib.figure import Figure

from .. import pipeline
from ..datasets.dataset import Dataset
from ..evaluation import figures
from ..evaluation.exhibits import Exhibit, Picture, Table, figure
from ..learning.device import choose_device, compute_exactly, set_threads
from ..learning.slots import training_slot
from ..learning.trained import load_trained
from ..messages.metrics import describe_metrics
from ..pipeline import Evaluation
from ..project.workspace import Workspace
from ..tracking.runs import try_complete_run
from .report import write_report

ABOUT = "about.json"


def evaluate(workspace: Workspace) -> Evaluation:
    """Score the model on every test example; write metrics, scores, figures and the report.

    It computes as `train` would: on a GPU where there is one.
    """
    dataset = Dataset(workspace.dataset)
    network, description = load_trained(workspace.model)
    set_threads(workspace.params.train.threads)
    module: pipeline.EvaluateModule = pipeline.load(workspace.name, "evaluate")
    with _place(workspace) as device:
        evaluation = module.evaluate(network.to(device), dataset, workspace.params)
    curves = figure("Training curves", _curves(workspace.model / "history.csv"))
    evaluation.exhibits.append(curves)
    with workspace.writing(workspace.evaluation) as folder:
        folder.mkdir()
        evaluation.scores.to_parquet(folder / "scores.parquet", index=False)
        (folder / "curves").mkdir()
        for name, table in evaluation.plots.items():
            table.to_csv(folder / "curves" / f"{name}.csv", index=False)
        about = {
            "weights_sha256": description["weights_sha256"],
            "dataset": dataset.info["digest"],
            "meanings": evaluation.meanings,
            "exhibits": _save(evaluation.exhibits, folder / "figures"),
        }
        (folder / ABOUT).write_text(json.dumps(about, indent=2) + "\n")
    with workspace.writing(workspace.metrics) as file:
        file.write_text(json.dumps(evaluation.metrics, indent=2) + "\n")
    print(f"evaluate {workspace.name}: " + describe_metrics(evaluation.metrics))
    write_report(workspace)
    try_complete_run(workspace)
    return evaluation


def _place(workspace: Workspace) -> AbstractContextManager[torch.device]:
    """Where to compute: on a GPU beside no training, which may need all its memory."""
    settings = workspace.params.train
    device = choose_device(settings.accelerator)
    if device.type == "cpu":
        return nullcontext(device)
    compute_exactly()
    return training_slot(device, settings.threads, f"evaluate {workspace.name}")


def _curves(history: Path) -> Figure:
    table = pd.read_csv(history)
    names = [it.removeprefix("val/") for it in map(str, table) if it.startswith("val/")]
    return figures.curves(table, names)


def _save(exhibits: list[Exhibit], folder: Path) -> list[dict[str, Any]]:
    """Write pictures and sounds to files; answer what about.json says of each exhibit."""
    folder.mkdir()
    saved = []
    for it in exhibits:
        entry: dict[str, Any] = {"title": it.title, "note": it.note}
        if isinstance(it, Table):
            entry |= {"columns": list(it.rows.columns), "rows": it.rows.to_numpy().tolist()}
        elif isinstance(it, Picture):
            for key, content, suffix in (
                ("picture", it.content, it.suffix),
                ("sound", it.sound, ".wav"),
            ):
                if content:
                    entry[key] = it.title.lower().replace(" ", "_") + suffix
                    (folder / entry[key]).write_bytes(content)
        else:
            entry["text"] = it.text
        saved.append(entry)
    return saved
