"""What must be true of a graph before anything learns from it."""

import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ...datasets import profile
from ...datasets.expectations import enough_examples, few_rejected, unique_ids
from ...pipeline import Expectation
from .params import Params
from .raw import NO_LABEL, SPLITS
from .surroundings import describe_surroundings

if TYPE_CHECKING:
    from ...datasets.dataset import Dataset


def tables(dataset: "Dataset") -> dict[str, pd.DataFrame]:
    """Derive the tables that expectations speak of.

    Returns:
        Those of `datasets.profile`, but `rejected` has a row for nodes and one for edges. `graph`,
        one row: nodes, edges, isolated (share of nodes without an edge) and gain (share of edges
        between nodes of one class, above what chance gives). `twins`: a row for the nodes that
        have the same features and the same neighbours: node (the first), splits (how many they are
        in), examples.
    """
    info = dataset.info
    rejected = [
        {"what": it, **profile.count_rejected(max(1, info[f"found_{it}"]),
                                              info[f"found_{it}"] - info[it]).iloc[0]}
        for it in ("nodes", "edges")
    ]  # fmt: skip
    around = describe_surroundings(dataset)
    totals = {
        "nodes": info["nodes"],
        "edges": info["edges"],
        "isolated": float((around["degree"] == 0).mean()),
        "gain": _gain(dataset),
    }
    return {
        **profile.tables(dataset),
        "rejected": pd.DataFrame(rejected),
        "graph": pd.DataFrame([totals]),
        "twins": _twins(dataset),
    }


def _gain(dataset: "Dataset") -> float:
    """How much more often an edge links nodes of one class than if ends were dealt at random."""
    labels = dataset.table("nodes")["label"].to_numpy()[np.array(dataset.array("edges"))]
    known = labels[(labels != NO_LABEL).all(axis=1)]
    if not len(known):
        return 0.0
    shares = np.bincount(known.ravel(), minlength=len(dataset.info["classes"])) / known.size
    return float((known[:, 0] == known[:, 1]).mean() - np.square(shares).sum())


def _twins(dataset: "Dataset") -> pd.DataFrame:
    """Nodes that share features and neighbours; one without a neighbour is like no other."""
    asked = dataset.columns("id", "node", "split")
    starts, columns, values = (
        np.array(dataset.array(f"feature_{it}")) for it in ("starts", "columns", "values")
    )
    edges = np.array(dataset.array("edges"))
    both = np.concatenate([edges, edges[:, ::-1]])
    both = both[np.lexsort((both[:, 1], both[:, 0]))]
    ends = np.searchsorted(both[:, 0], np.arange(dataset.info["nodes"] + 1))
    digests = []
    for node in asked["node"]:
        part = slice(starts[node], starts[node + 1])
        near = both[ends[node] : ends[node + 1], 1]
        content = columns[part].tobytes() + values[part].tobytes() + near.tobytes()
        digests.append(hashlib.sha256(content).hexdigest() if len(near) else f"node {node}")
    groups = pd.DataFrame({**asked, "twin": digests}).groupby("twin", sort=False)
    return pd.DataFrame(
        {
            "node": groups["id"].first(),
            "splits": groups["split"].nunique(),
            "examples": groups.size(),
        }
    ).reset_index(drop=True)


def expectations(params: Params) -> Iterator[Expectation]:
    """Yield every expectation, in the order a person should read them."""
    limits = params.expectations
    yield Expectation(
        "examples",
        "expect_column_values_to_be_in_set",
        {"column": "split", "value_set": list(SPLITS)},
        "every node that is asked for belongs to one of the three splits",
    )
    yield from enough_examples(limits.min_examples, "label more nodes, or change data.split")
    yield from unique_ids("nodes")
    yield Expectation(
        "examples",
        "expect_column_values_to_be_between",
        {"column": "label", "min_value": 0},
        "every node that is asked for has a class",
    )
    yield Expectation(
        "classes",
        "expect_column_values_to_be_between",
        {"column": "examples", "min_value": 1},
        "no class is missing in a split; label nodes of it, or take others out",
        severity="warning",
    )
    yield Expectation(
        "graph",
        "expect_column_values_to_be_between",
        {"column": "isolated", "max_value": limits.max_isolated_share},
        "most nodes have an edge: are ids in the table of edges those of the table of nodes?",
        setting="expectations.max_isolated_share",
    )
    yield Expectation(
        "graph",
        "expect_column_values_to_be_between",
        {"column": "gain", "min_value": 0},
        "edges link nodes of one class more often than chance would: else neighbours mislead; "
        "compare with model.kind: mlp",
        severity="warning",
    )
    yield Expectation(
        "twins",
        "expect_column_values_to_be_between",
        {"column": "splits", "max_value": 1},
        "no two nodes with the same features and neighbours are in two splits: is one a copy?",
        severity="warning",
    )
    yield from few_rejected("node or edge", limits.max_rejected_share)
