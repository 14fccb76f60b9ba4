"""What a pipeline would read from its source: classes, splits, groups, and what is doubtful.

The stage `ingest` reads it all, into a scratch folder that is gone afterwards.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
from rich.table import Table
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap

from .. import pipeline
from ..datasets.dataset import RAW, Dataset
from ..datasets.profile import SPLITS
from ..datasets.rejections import summarize
from ..messages.errors import PenstockError
from ..messages.printable import printable
from ..messages.terminal import add_row, make_table, show
from ..project.workspace import Workspace, scratch_folder
from ..running.overrides import overridden, override
from ..running.repro import make_source
from ..settings.file import PARAMS_FILE

SCRATCH = ".look"
EXAMPLES = 3
PINNED = "data.columns"
EMPTY: tuple[Any, ...] = ([], [None, None], 0.0)  # what is so by default
WIDTH = 4096  # of a line of params.yaml: columns of many categories have a line each
LEFT_OUT = ("split", "sha256", "group", "label")


def look(name: str, root: Path, settings: list[str], pinned: bool = False) -> None:
    """Read the source of a pipeline, and print what it would be; nothing is kept.

    If asked, what its columns are is then written to params.yaml, with the settings given here.

    Args:
        name: the pipeline.
        root: the project.
        settings: `section.key=value`, or `source=path`, as params.yaml would have it.
        pinned: whether to pin the columns: found out anew, not as they are pinned now.

    Raises:
        PenstockError: the source is missing, cannot be read, or is not what the pipeline reads; or
            there is nothing to pin.
    """
    params = overridden(name, root, settings)
    if pinned:
        if "columns" not in type(params.data).model_fields:
            raise PenstockError(f"{name}: --pin: nothing to pin: it has no setting {PINNED}")
        params = overridden(name, root, [*settings, f"{PINNED}={{}}"])
    workspace = Workspace(root, name, params, root / "data" / name)
    make_source(workspace)
    with workspace.exclusive(), scratch_folder(workspace.folder / SCRATCH) as folder:
        dataset = _tell(replace(workspace, folder=folder))
        if pinned:
            _pin(workspace, dataset.info["columns"], settings)


def _pin(workspace: Workspace, columns: dict[str, Any], settings: list[str]) -> None:
    """Write columns, and the settings they were found with, to params.yaml; comments stay."""
    file = workspace.root / PARAMS_FILE
    yaml = YAML()
    yaml.preserve_quotes, yaml.width = True, WIDTH
    yaml.representer.add_representer(type(None), _write_null)
    content = yaml.load(file)
    section = content["pipelines"][workspace.name]
    for setting in settings:
        override(section, setting)
    pinned = CommentedMap()
    for name, column in columns.items():
        pinned[name] = CommentedMap({k: v for k, v in column.items() if v not in EMPTY})
        pinned[name].fa.set_flow_style()
    section["data"]["columns"] = pinned
    with workspace.writing(file) as partial, partial.open("w", encoding="utf-8") as stream:
        yaml.dump(content, stream)
    print(f"pinned {len(columns)} columns in {file.name}: pipelines.{workspace.name}.{PINNED}")


def _write_null(representer: Any, _: None) -> Any:
    return representer.represent_scalar("tag:yaml.org,2002:null", "null")


def _tell(workspace: Workspace) -> Dataset:
    from ..stages.ingest import ingest  # these take seconds to import
    from ..stages.validate import check

    dataset = ingest(workspace)
    labelled = "label" in dataset.column_names()
    show(_classes(dataset) if labelled else _splits(dataset))
    if "group" in dataset.column_names():
        show(_groups(dataset))
    for table in dataset.info["tables"]:
        if table != RAW:
            rows = dataset.table(table)
            named = list(rows["id"][:EXAMPLES]) if "id" in rows else []
            such = f", such as {', '.join(map(printable, named))}" if len(named) else ""
            print(f"{table}: {len(rows):,}{such}")
    if len(dataset.rejected):
        print(f"rejected: {summarize(dataset.rejected.itertuples(index=False, name=None))}")
    module: pipeline.ExpectationsModule = pipeline.load(workspace.name, "expectations")
    frames = module.tables(dataset)
    _tell_doubts(check(list(module.expectations(workspace.params)), frames), frames, workspace)
    return dataset


def _classes(dataset: Dataset) -> Table:
    """A row per class: its examples in each split, and three of them."""
    table = make_table("class", *SPLITS, "such as")
    index = dataset.index
    for label, name in enumerate(dataset.info["classes"]):
        rows = index[index["label"] == label]
        counts = [f"{(rows['split'] == split).sum():,}" for split in SPLITS]
        add_row(table, name, *counts, ", ".join(map(str, rows["id"][:EXAMPLES])))
    return table


def _splits(dataset: Dataset) -> Table:
    """A row per split: how many examples, and three of them with what the index says of each."""
    table = make_table("split", "examples", "such as")
    for split in SPLITS:
        rows = dataset.examples(split)
        shown = rows.drop(columns=[it for it in LEFT_OUT if it in rows])[:EXAMPLES]
        add_row(table, split, f"{len(rows):,}", [_row(it) for it in shown.to_dict("records")])
    return table


def _row(row: dict[Any, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in row.items())


def _groups(dataset: Dataset) -> Table:
    """The three largest groups; of how many."""
    groups = dataset.index.groupby("group")["id"]
    counts = groups.size().sort_values(ascending=False, kind="stable")
    table = make_table(f"largest of {len(counts):,} groups", "examples", "such as")
    for name, count in counts[:EXAMPLES].items():
        few = map(str, groups.get_group(name)[:EXAMPLES])
        add_row(table, str(name), f"{count:,}", ", ".join(few))
    return table


def _tell_doubts(
    results: list[dict[str, Any]], frames: dict[str, pd.DataFrame], workspace: Workspace
) -> None:
    from ..stages.advice import advise, explain

    unmet = [it for it in results if not it["success"]]
    for result in unmet:
        told = advise(result, frames[result["table"]], workspace.params)
        print(printable(f"doubtful: {explain(result)}{told}"))
    if not unmet:
        print(f"nothing doubtful: {len(results)} expectations met")
    elif any(it["severity"] == "critical" for it in unmet):
        print(f"`penstock run {workspace.name}` would stop at what is critical")
