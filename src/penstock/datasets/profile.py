"""Tables about a dataset that expectations speak of, beside the examples themselves."""

import pandas as pd

from .dataset import Dataset

SPLITS = ("train", "validation", "test")


def tables(dataset: Dataset) -> dict[str, pd.DataFrame]:
    """Derive every table an expectation may name.

    Returns:
        `examples`: the index. `splits`: split, examples and, where examples have a group,
        groups; a row also for a split that is empty. `classes`: split, label, examples, share; a
        row also for a class that is missing. `contents`: sha256, splits (how many it is in),
        examples; `groups`: group, splits, examples, likewise. `rejected`: split-free totals:
        found, rejected, share.
    """
    index = dataset.index
    made = {
        "examples": index,
        "splits": _splits(index),
        "rejected": count_rejected(dataset.info["found"], dataset.info["rejected"]),
    }
    if "label" in index:
        made["classes"] = _classes(index, len(dataset.info["classes"]))
    for column, table in (("sha256", "contents"), ("group", "groups")):
        if column in index:
            made[table] = _spread(index, column)
    return made


def _spread(index: pd.DataFrame, column: str) -> pd.DataFrame:
    """How many splits and examples each value of a column is in."""
    values = index.groupby(column, sort=False)
    return pd.DataFrame(
        {"splits": values["split"].nunique(), "examples": values.size()}
    ).reset_index()


def _splits(index: pd.DataFrame) -> pd.DataFrame:
    counts = index["split"].value_counts()
    order = [*SPLITS, *sorted(set(counts.index) - set(SPLITS))]
    table = pd.DataFrame({"examples": counts.reindex(order, fill_value=0)})
    if "group" in index:
        groups = index.groupby("split")["group"].nunique()
        table["groups"] = groups.reindex(order, fill_value=0)
    return table.rename_axis("split").reset_index()


def _classes(index: pd.DataFrame, classes: int) -> pd.DataFrame:
    counts = pd.crosstab(index["split"], index["label"]).reindex(
        columns=range(classes), fill_value=0
    )
    shares = counts.div(counts.sum(axis=1), axis=0)
    return pd.DataFrame({"examples": counts.stack(), "share": shares.stack()}).reset_index()


def count_splits(dataset: Dataset) -> pd.DataFrame:
    """Examples of each split there must be, from what the dataset says of itself."""
    splits = dataset.info["splits"]
    counts = [splits.get(name, {"examples": 0})["examples"] for name in SPLITS]
    return pd.DataFrame({"split": SPLITS, "examples": counts})


def count_rejected(found: int, rejected: int) -> pd.DataFrame:
    """How much was found and rejected, in one row."""
    return pd.DataFrame({"found": [found], "rejected": [rejected], "share": [rejected / found]})
