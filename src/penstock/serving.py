"""Predictions of the champion, for files named on the command line."""

from pathlib import Path
from typing import Any

import pandas as pd

from . import pipeline
from .errors import PenstockError
from .project import Workspace
from .tracking.registry import CHAMPION, get_alias, load_version
from .tracking.store import connect


def predict_files(workspace: Workspace, files: list[Path]) -> list[dict[str, Any]]:
    """Predict each file with the registered champion.

    Returns:
        A record per input: file, model, and the pipeline's predictions.

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
    inputs = [module.read_input(file) for file in files]
    predicted: Any = load_version(client, champion).predict(pd.concat(inputs, ignore_index=True))
    records = predicted.astype(object).where(predicted.notna(), None).to_dict("records")
    names = [str(file) for file, rows in zip(files, inputs, strict=True) for _ in range(len(rows))]
    model = f"{workspace.name} v{champion.version}"
    return [
        {"file": name, "model": model, **record}
        for name, record in zip(names, records, strict=True)
    ]
