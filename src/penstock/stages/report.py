"""report.html: one self-contained page a person can read, built from what the stages left."""

import base64
import json
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from ..datasets.dataset import Dataset
from ..messages.printable import printable
from ..project.workspace import Workspace
from ..settings.explanation import describe


def write_report(workspace: Workspace, failed_validation: Path | None = None) -> None:
    """Write the page; parts whose stage has not run, or not passed, are left out."""
    environment = Environment(
        loader=PackageLoader("penstock.stages", "."),
        autoescape=True,
        finalize=lambda value: printable(value) if isinstance(value, str) else value,
        undefined=StrictUndefined,
    )
    dataset = Dataset(workspace.dataset)
    validation = failed_validation or workspace.validation / "validation.json"
    sections: dict[str, Any] = {
        "name": workspace.name,
        "source": workspace.params.source,
        "data": dataset.info,
        "rejected": dataset.rejected.head(20).to_dict("records"),
        "validation": _read(validation),
        "model": None,
        "metrics": {},
        "evaluation": None,
        "receipt": None,
        "params": list(describe(workspace.params)),
    }
    if failed_validation is None:
        sections |= _results(workspace, dataset)
    page = environment.get_template("report.html").render(sections)
    with workspace.writing(workspace.report) as file:
        file.write_text(page, encoding="utf-8")


def _results(workspace: Workspace, dataset: Dataset) -> dict[str, Any]:
    """Model, evaluation and decision, as far as they belong to the dataset and to each other."""
    model = _read(workspace.model / "model.json")
    if not model or model["dataset"]["digest"] != dataset.info["digest"]:
        return {}
    evaluation = _read(workspace.evaluation / "about.json")
    if not evaluation or evaluation["weights_sha256"] != model["weights_sha256"]:
        return {"model": model}
    for exhibit in evaluation["exhibits"]:
        for key in ("picture", "sound"):
            if key in exhibit:
                exhibit[key] = _data_uri(workspace.evaluation / "figures" / exhibit[key])
    receipt = _read(workspace.receipt)
    if receipt and receipt["weights_sha256"] != model["weights_sha256"]:
        receipt = None
    return {
        "model": model,
        "metrics": _read(workspace.metrics),
        "evaluation": evaluation,
        "receipt": receipt,
    }


def _data_uri(file: Path) -> str:
    kinds = {".png": "image/png", ".gif": "image/gif", ".svg": "image/svg+xml", ".wav": "audio/wav"}
    return f"data:{kinds[file.suffix]};base64,{base64.b64encode(file.read_bytes()).decode()}"


def _read(file: Path) -> Any:
    return json.loads(file.read_text()) if file.is_file() else None
