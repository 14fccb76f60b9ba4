"""Cross-validation by group: train and evaluate once per fold, in a scratch folder.

Outside DVC: params.yaml, dvc.lock, the outputs of the pipeline and the registry stay as they are.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
from rich.table import Table

from ..datasets.dataset import Dataset, DatasetWriter
from ..datasets.folds import Fold, deal
from ..messages.errors import PenstockError
from ..messages.printable import printable
from ..messages.terminal import add_row, make_table, show
from ..project.workspace import Workspace, scratch_folder
from ..running.overrides import overridden, run_tags
from ..running.repro import make_source
from ..running.steps import list_stale, plan

SCRATCH, RESULTS = ".crossval", "crossval.csv"
SETTINGS = ("model", "train", "evaluate")  # the sections that the stages run here ask
INTERVAL = ("_low", "_high")
SECONDS = "train_seconds"
SHOWN = 10  # folds beside each other; crossval.csv has them all


def crossvalidate(
    name: str, root: Path, folds: int | None, by: str | None, settings: list[str]
) -> None:
    """Cross-validate a pipeline on what its source holds now; print what the folds come to.

    Args:
        name: the pipeline.
        root: the project.
        folds: how many; without it one for each value of `by`, or 5.
        by: the column of the index that keeps examples together.
        settings: `section.key=value`, the value as params.yaml would have it.

    Raises:
        PenstockError: the dataset does not pass its gate, its groups do not make such folds, a
            setting is not allowed here, or a stage failed.
    """
    _check_settings(settings)
    tags, params = run_tags(settings), overridden(name, root, settings)
    if params.learns_from_marks:
        raise PenstockError(
            f"{name}: data.feedback is true; expected no marked answers, which are for training "
            "alone: cross-validation tests on every example; set it to false"
        )
    workspace = Workspace(root, name, params, root / "data" / name, tags)
    make_source(workspace)
    with workspace.exclusive(), scratch_folder(workspace.folder / SCRATCH) as scratch:
        dataset = _up_to_date(workspace, scratch / "data")
        dealt = deal(dataset.index, folds, by)
        # Imported when the folds are known to be good: these take seconds.
        from ..tracking.lineage import lineage_tags
        from ..tracking.recorder import opened_run

        tagged = replace(workspace, tags=(("penstock.crossval", dealt.description), *tags))
        with opened_run(tagged) as run:
            if run.run_id:
                tags += (("mlflow.parentRunId", run.run_id),)
            rows = []
            for number, fold in enumerate(dealt.folds, 1):
                text = printable(_describe(fold))
                print(f"fold {number} of {len(dealt.folds)}: {text}", flush=True)
                part = replace(
                    workspace,
                    folder=scratch / f"fold-{number}",
                    tags=(("penstock.crossval.fold", str(number)), *tags),
                )
                rows.append({"fold": number, **_run_fold(part, dataset, fold)})
            results = pd.DataFrame(rows)
            run.log_metrics(summarize(results))
            run.log_text(results.to_csv(index=False), "folds.csv")
            of_dataset = replace(workspace, folder=dataset.folder.parent)
            run.tags |= lineage_tags(of_dataset, dataset.info["digest"])
        with workspace.writing(workspace.folder / RESULTS) as file:
            results.to_csv(file, index=False)
    print(f"crossval {name}: {dealt.description}; {workspace.folder / RESULTS}")
    show(_table(results))


def _up_to_date(workspace: Workspace, folder: Path) -> Dataset:
    """The dataset of what `source` names now: the one at hand, or else one made anew.

    Raises:
        PenstockError: it has not passed its gate, or DVC cannot tell.
    """
    from ..stages.gate import check_gate
    from ..stages.ingest import ingest
    from ..stages.validate import validate

    stale = [it.stage for it in list_stale(workspace.root, plan(workspace))]
    if not {"ingest", "validate"} & set(stale):
        dataset = Dataset(workspace.dataset)
        check_gate(workspace, dataset)
        return dataset
    print("the dataset at hand is of another source, settings or code: a new one is made for this")
    fresh = replace(workspace, folder=folder)
    ingest(fresh)
    validate(fresh)
    return Dataset(fresh.dataset)


def summarize(results: pd.DataFrame) -> dict[str, float]:
    """Mean, sample standard deviation, least and largest value of every test metric."""
    summary = {}
    for name in _metrics(results):
        values = results[name].dropna()  # what is undefined in a fold, for want of a class say
        if len(values):
            summary[name] = float(values.mean())
            summary[f"{name}_std"] = float(values.std(ddof=1)) if len(values) > 1 else 0.0
            summary[f"{name}_min"] = float(values.min())
            summary[f"{name}_max"] = float(values.max())
    return summary


def _check_settings(settings: list[str]) -> None:
    for setting in settings:
        section = setting.partition("=")[0].strip().partition(".")[0]
        if "=" in setting and section in ("source", "data", "expectations", "register"):
            raise PenstockError(
                f"-S {setting}: crossval takes the dataset as it is and registers nothing; "
                f"expected a setting of {', '.join(SETTINGS)}; change params.yaml and run "
                "`penstock ingest` for others"
            )


def _describe(fold: Fold) -> str:
    counts = pd.Series(fold.splits).value_counts()
    sizes = ", ".join(f"{counts[split]:,} {split}" for split in ("test", "validation", "train"))
    return f"{fold.held_out} held out, {sizes}"


def _run_fold(workspace: Workspace, dataset: Dataset, fold: Fold) -> dict[str, Any]:
    """Train and evaluate in a workspace of the fold's own; what crossval.csv says of it."""
    from ..stages.evaluate import evaluate
    from ..stages.gate import write_gate
    from ..stages.train import train

    with scratch_folder(workspace.folder):
        with DatasetWriter(workspace.dataset) as writer:
            writer.resplit(dataset, fold.splits)
        workspace.validation.mkdir()
        write_gate(workspace.validation, Dataset(workspace.dataset))  # the same examples passed
        training = train(workspace)
        metrics = evaluate(workspace).metrics
    return {"held_out": fold.held_out, **metrics, SECONDS: round(training.seconds, 3)}


def _metrics(results: pd.DataFrame) -> list[str]:
    names = map(str, results.columns)
    return [it for it in names if it.startswith("test/") and not it.endswith(INTERVAL)]


def _table(results: pd.DataFrame) -> Table:
    """A row per metric: what the folds come to, and each of them where they fit beside it."""
    folds = results if len(results) <= SHOWN else results.iloc[:0]
    table = make_table("", "mean ± std", *(f"fold {number}" for number in folds["fold"]))
    add_row(table, "held out", "", *folds["held_out"])
    for name in (*_metrics(results), SECONDS):
        values = results[name]
        total = f"{_show(values.mean())} ± {_show(values.std(ddof=1))}"
        add_row(table, name.removeprefix("test/"), total, *map(_show, folds[name].tolist()))
    return table


def _show(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:,.{1 if value >= 10 else 4}f}"
