"""What is served: a node of the graph, or a new one with features and edges -> its class."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import torch
from scipy.sparse import csr_array

from ...evaluation.predictions import ACCURACY, CLASS_OUTPUTS, as_predictions
from ...evaluation.predictions import outcome as outcome
from ...kinds.tables.raw_files import list_files
from ...kinds.tables.values import read_numbers, shorten, trim
from ...messages.errors import PenstockError
from ...pipeline import Interface
from .graph import Graph, read_features
from .network import NodeClassifier
from .tables import open_table

if TYPE_CHECKING:
    from ...datasets.dataset import Dataset

INPUTS = {"node": "optional string", "features": "optional array", "neighbours": "optional strings"}
OUTPUTS = {**CLASS_OUTPUTS, "answered_as": "string", "unknown_neighbours": "strings"}
BETWEEN = ";"  # neighbours in a cell of a table
BATCH = 1024  # new nodes that are answered at a time


def interface(info: dict[str, Any], model: dict[str, Any]) -> Interface:
    """What a node is called, or features and neighbours of a new one -> its class."""
    return Interface(INPUTS, OUTPUTS, ACCURACY)


def predict(
    network: NodeClassifier, inputs: pd.DataFrame, info: dict[str, Any], options: dict[str, Any]
) -> pd.DataFrame:
    """Classify nodes, a row each.

    A node of the graph that was learned from is answered from there, whatever else its row has. Any
    other is a new one, which takes from its neighbours and gives them nothing: its answer does not
    depend on other rows.

    Returns:
        label, confidence, probabilities; answered_as: `known` or `new`; unknown_neighbours, which
        the graph does not have and the answer goes without; and error: what is wrong with a row,
        whose other columns are empty.
    """
    asked = inputs.reset_index(drop=True).reindex(columns=list(INPUTS)).astype(object)
    places, width = network.graph.places, len(info["features"])
    known = [places.get(it) if isinstance(it, str) else None for it in asked["node"]]
    new = np.array([it is None for it in known], bool)
    errors = [
        _complain(node, features, width) if fresh else ""
        for node, features, fresh in zip(asked["node"], asked["features"], new, strict=True)
    ]
    good = np.flatnonzero(new & (np.array(errors, dtype=object) == ""))
    links = [_as_list(it) for it in asked["neighbours"]]
    probabilities = np.zeros((len(asked), len(info["classes"])), np.float32)
    if not new.all():
        probabilities[~new] = class_probabilities(network)[[it for it in known if it is not None]]
    if len(good):
        features = np.array([_as_list(asked["features"][it]) for it in good], np.float64)
        joined = [
            np.unique(np.array([places[it] for it in links[row] if it in places], np.int64))
            for row in good
        ]
        probabilities[good] = new_probabilities(network, csr_array(features), joined)
    answers = as_predictions(probabilities, info["classes"], errors)
    told = [
        (None, None)
        if error
        else ("new", [it for it in near if it not in places])
        if fresh
        else ("known", [])
        for error, near, fresh in zip(errors, links, new, strict=True)
    ]
    answers[["answered_as", "unknown_neighbours"]] = pd.DataFrame(told, dtype=object)
    return answers


def _complain(node: Any, features: Any, width: int) -> str:
    """What is wrong with a row that is no node of the graph, or nothing."""
    given = _as_list(features)
    if not given:
        if isinstance(node, str) and node:
            return f"node {shorten(node)}: not in the graph; a new one needs features"
        return "nothing to answer: expected a node of the graph, or features of a new one"
    if len(given) != width:
        return f"{len(given):,} features; expected {width:,}, as the graph has"
    try:
        finite = bool(np.isfinite(np.array(given, np.float64)).all())
    except (TypeError, ValueError):
        finite = False
    return "" if finite else "features that are no numbers"


def _as_list(values: Any) -> list[Any]:
    """A list from what arrives as one, as an array, or not at all."""
    return list(values) if isinstance(values, list | tuple | np.ndarray) else []


def class_probabilities(network: NodeClassifier, graph: Graph | None = None) -> np.ndarray:
    """Probability of each class for each node, float32, shape (nodes, classes).

    Args:
        network: with the graph that it learned from.
        graph: another one to look at.
    """
    network.eval()
    with torch.inference_mode():
        logits = network.logits(graph or network.graph.whole())
        likely: np.ndarray = logits.softmax(1).cpu().numpy()
    return likely


def new_probabilities(
    network: NodeClassifier,
    features: csr_array,
    links: list[np.ndarray],
    graph: Graph | None = None,
) -> np.ndarray:
    """Probabilities for nodes that the graph does not have, float32, shape (nodes, classes).

    Args:
        network: with the graph that it learned from.
        features: as they were read, shape (nodes, features).
        links: places of the neighbours of each.
        graph: another one that they are joined to.
    """
    there = graph or network.graph.whole()
    scaled = network.graph.scale(features)
    parts = [
        class_probabilities(
            network,
            network.graph.joined(
                there, scaled[start : start + BATCH], links[start : start + BATCH]
            ),
        )[there.adjacency.shape[0] :]
        for start in range(0, len(links), BATCH)
    ]
    return np.concatenate(parts)


def exam(dataset: "Dataset", split: str) -> pd.DataFrame:
    """The nodes of a split by their ids, with features and neighbours.

    By these a model is asked whose graph does not have the node.
    """
    asked, ids = dataset.examples(split), dataset.table("nodes")["id"].to_numpy()
    features = read_features(dataset)[asked["node"].to_numpy()].toarray().astype(np.float64)
    edges = pd.DataFrame(np.array(dataset.array("edges")), columns=["one", "other"])
    both = pd.concat([edges, edges.set_axis(["other", "one"], axis=1)])
    linked = both[both["one"].isin(asked["node"])].groupby("one")["other"]
    neighbours = {node: [ids[it] for it in sorted(others)] for node, others in linked}
    return pd.DataFrame(
        {
            "id": asked["id"],
            "label": asked["label"],
            "node": asked["id"],
            "features": pd.Series(list(features), dtype=object),
            "neighbours": pd.Series([neighbours.get(it, []) for it in asked["node"]], dtype=object),
        }
    )


def known_names(network: NodeClassifier, column: str, beside: str) -> list[tuple[str, str]] | None:
    """All nodes of the graph, or those that are linked to one of them."""
    graph = network.graph
    if column != "node" or (beside and beside not in graph.places):
        return None
    ids = graph.ids
    chosen = graph.neighbours(graph.places[beside]) if beside else range(len(ids))
    return [(ids[it], ids[it]) for it in chosen]


def read_input(file: Path, info: dict[str, Any]) -> pd.DataFrame:
    """Read a table of nodes named on the command line.

    A column has their ids, called `node` or as in the training data. New nodes have features, in
    columns called as those that were learned from, and `neighbours`, with `;` between them. Of
    words only those that a node has need be there. A row with what is no number has an `error`.

    Raises:
        PenstockError: there is no such column, or a feature that is no word is missing.
    """
    (raw,) = list_files(file)
    table = open_table(raw)
    names = [it for it in info["features"] if it in table.names]
    called = next((it for it in ("node", info["id"]) if it in table.names), "")
    _check_columns(table.names, names, called, raw.name, info)
    bad: dict[int, str] = {}
    parts = [pd.DataFrame(columns=[*INPUTS, "error"], dtype=object)]  # there may be no rows
    wanted = [*filter(None, (called, "neighbours" if "neighbours" in table.names else "")), *names]
    for block in table.blocks(wanted, bad.__setitem__):
        columns = {name: trim(values) for name, values in block.columns.items()}
        part = pd.DataFrame(index=block.lines, columns=list(INPUTS), dtype=object)
        if called:
            part["node"] = columns[called].to_pylist()
        if names:
            features = _read_features(columns, block.lines, info, bad)
            part["features"] = pd.Series(features, block.lines, dtype=object)
        if "neighbours" in columns:
            cells = columns["neighbours"].to_pylist()
            lists = [[it.strip() for it in cell.split(BETWEEN) if it.strip()] for cell in cells]
            part["neighbours"] = pd.Series(lists, block.lines, dtype=object)
        parts.append(part)
    errors = pd.Series({line: f"line {line}: {why}" for line, why in bad.items()}, dtype=object)
    rows = pd.concat(parts)
    rows = rows.reindex(rows.index.union(errors.index))
    told: pd.DataFrame = rows.assign(error=errors).astype(object).reset_index(drop=True)
    return told.where(told.notna(), None)  # MLflow takes no NaN where a list may be


def _check_columns(
    there: list[str], features: list[str], called: str, file: str, info: dict[str, Any]
) -> None:
    """Refuse a table that says nothing of nodes, or not all of new ones."""
    lacking = [it for it in info["features"] if it not in there]
    if not features and not called:
        raise PenstockError(
            f"{file}: no column node; found {', '.join(there[:20])}; expected the ids of nodes, or "
            "the features of new ones"
        )
    if features and lacking and not info["words"]:
        raise PenstockError(
            f"{file}: no column {', '.join(lacking[:20])}; the model learned from "
            f"{', '.join(info['features'][:20])}; add it, or leave out all features where the "
            "graph has the nodes"
        )


def _read_features(
    columns: dict[str, pa.Array], lines: np.ndarray, info: dict[str, Any], bad: dict[int, str]
) -> list[list[float] | None]:
    """Features in the order of those that were learned from; None where a row has none at all.

    A word that is not there counts 0.
    """
    features = np.zeros((len(lines), len(info["features"])))
    empty = np.ones(len(lines), bool)
    strange: dict[int, str] = {}
    for place, name in enumerate(info["features"]):
        if name not in columns:
            continue
        numbers, good = read_numbers(columns[name])
        features[good, place] = numbers[good]
        empty &= ~good
        for row in np.flatnonzero(~good):
            text = columns[name][int(row)].as_py()
            empty[row] &= not text
            if text or not info["words"]:
                strange.setdefault(int(row), f"{name}: {shorten(text)!r} is no number")
    bad.update({int(lines[row]): why for row, why in strange.items() if not empty[row]})
    given = zip(features.tolist(), empty, strict=True)
    return [None if nothing else values for values, nothing in given]
