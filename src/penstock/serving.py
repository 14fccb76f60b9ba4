"""Predictions of the champion, for files named on the command line."""

from pathlib import Path
from typing import Any

from . import pipeline
from .errors import PenstockError
from .project import Workspace
from .tracking.registry import CHAMPION, get_alias, load_version
from .tracking.store import connect


def predict_files(workspace: Workspace, files: list[Path]) -> list[dict[str, Any]]:
    """Predict each file with the registered champion.

    Returns:
        A record per file: file, model, and the pipeline's predictions.

    Raises:
        PenstockError: there is no champion, or a file is missing.
    """
    for file in files:
        if not file.is_file():
            found = "a folder" if file.is_dir() else "nothing there"
            raise PenstockError(f"{file}: {found}; expected a file; check the path")
    client = connect(workspace.root)
    champion = get_alias(client, workspace.name, CHAMPION)
    if champion is None:
        raise PenstockError(
            f"{workspace.name}: no champion in the registry; `penstock run {workspace.name}` "
            "trains and registers one"
        )
    module: pipeline.PredictModule = pipeline.load(workspace.name, "predict")
    predicted: Any = load_version(client, champion).predict(module.read_inputs(files))
    records = predicted.astype(object).where(predicted.notna(), None).to_dict("records")
    model = f"{workspace.name} v{champion.version}"
    return [
        {"file": str(file), "model": model, **record}
        for file, record in zip(files, records, strict=True)
    ]
