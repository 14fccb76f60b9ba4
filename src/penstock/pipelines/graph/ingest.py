"""From files to a graph: nodes, edges, and which nodes are asked for their class."""

from pathlib import Path

import numpy as np
import pandas as pd

from ...datasets.dataset import DatasetWriter
from ...datasets.rejections import summarize
from ...kinds.tables.raw_files import list_files
from ...messages.errors import PenstockError
from .params import Data, Params
from .planetoid import find_planetoid, read_planetoid
from .raw import RawGraph, Reject
from .splits import split_nodes
from .tables import find_tables, read_tables

WORDS = 0.5  # share of zeros above which features that are never below 0 are counts of words


def ingest(source: Path, writer: DatasetWriter, params: Params) -> None:
    """Read a graph; reject nodes and edges that cannot be taken; split the nodes with a class."""
    graph = _read(source, params.data, writer.reject)
    splits = split_nodes(graph, params.data, source.name)
    asked = np.flatnonzero(splits != "")
    if not len(asked):
        why = summarize(writer.rejections())
        raise PenstockError(
            f"{source}: no node has a class that may be asked for{': ' if why else ''}{why}; "
            "expected some; set pipelines.graph.data.label and split"
        )
    writer.info = {
        "id": params.data.id,
        "classes": graph.classes,
        "features": graph.names,
        "words": _are_words(graph),
        "nodes": len(graph.ids),
        "edges": len(graph.edges),
        "found_nodes": graph.found_nodes,
        "found_edges": graph.found_edges,
    }
    writer.table("nodes", pd.DataFrame({"id": graph.ids, "label": graph.labels}))
    writer.array("edges", graph.edges)
    writer.array("feature_starts", graph.features.indptr.astype(np.int64))
    writer.array("feature_columns", graph.features.indices.astype(np.int32))
    writer.array("feature_values", graph.features.data.astype(np.float32))
    index = pd.DataFrame(
        {
            "id": [graph.ids[it] for it in asked],
            "node": asked.astype(np.int32),
            "label": graph.labels[asked],
            "split": splits[asked],
        }
    )
    writer.add(index, {})
    print(
        f"  {len(graph.ids):,} nodes, {len(graph.edges):,} edges, {len(graph.names):,} features, "
        f"{len(graph.classes)} classes; {len(asked):,} nodes are asked for theirs"
    )


def _read(source: Path, data: Data, reject: Reject) -> RawGraph:
    """Read whichever form the source has.

    Raises:
        PenstockError: it has none, or more than one graph.
    """
    files = list_files(source)
    sets, tables = find_planetoid(files), find_tables(files)
    if len(sets) + bool(tables) > 1:
        found = ", ".join([*(f"ind.{it}.*" for it in sets), *(it.name for it in tables.values())])
        raise PenstockError(
            f"{source}: more than one graph ({found}); expected one; give each a folder, and set "
            "pipelines.graph.source to one of them"
        )
    if sets:
        return read_planetoid(next(iter(sets.values())), reject)
    if lacking := {"nodes", "edges"} - set(tables):
        there = ", ".join(it.name for it in files[:20]) or "nothing"
        raise PenstockError(
            f"{source}: no table of {' or of '.join(sorted(lacking))} ({there}); expected nodes "
            "and edges as .csv, .tsv or .parquet, NAME.content and NAME.cites, or ind.NAME.*"
        )
    return read_tables(tables, data, reject)


def _are_words(graph: RawGraph) -> bool:
    """Whether features are counts of words: none is below 0, and most are 0."""
    cells = graph.features.shape[0] * graph.features.shape[1]
    values = graph.features.data
    return bool((values >= 0).all() and np.count_nonzero(values) < (1 - WORDS) * cells)
