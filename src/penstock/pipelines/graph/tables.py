"""Graphs in tables: nodes and edges in a file each, or as LINQS publishes citation graphs."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ...kinds.tables import delimited
from ...kinds.tables.delimited import Block, Layout, parquet_columns, sniff
from ...kinds.tables.raw_files import RawFile
from ...kinds.tables.values import shorten, trim
from ...messages.errors import PenstockError
from .nodes import Nodes
from .params import Data
from .raw import RawGraph, Reject, unite_edges

KINDS = (".csv", ".tsv", ".txt", ".parquet")
NO_NODE = -1
CONTENT, CITES = ".content", ".cites"  # as LINQS calls them: Cora, Citeseer, WebKB


@dataclass(frozen=True)
class Table:
    """A table of a source.

    Attributes:
        file: where it is.
        names: its columns.
        header: whether its first line has the names.
        layout: of delimited text; None for Parquet.
    """

    file: RawFile
    names: list[str]
    header: bool
    layout: Layout | None

    def blocks(self, wanted: list[str], reject: delimited.Reject) -> Iterator[Block]:
        """Read some columns; `reject` is told the line of what is no row, and why."""
        if self.layout is None:
            return delimited.read_parquet(self.file, wanted)
        return delimited.read_delimited(
            self.file, self.layout, self.names, self.header, wanted, reject
        )


def open_table(file: RawFile) -> Table:
    """A table whose first line names its columns.

    Raises:
        PenstockError: two columns have one name.
    """
    layout = None if file.kind == ".parquet" else sniff(file)
    names = parquet_columns(file) if layout is None else layout.first
    for name in names:
        if names.count(name) > 1:
            raise PenstockError(f"{file.name}: two columns named {name}; expected one; rename one")
    return Table(file, names, True, layout)


def find_tables(files: list[RawFile]) -> dict[str, RawFile]:
    """The tables of a graph, `nodes` and `edges`, as far as they are there.

    Raises:
        PenstockError: two of one.
    """
    found: dict[str, RawFile] = {}
    for file in files:
        role = {CONTENT: "nodes", CITES: "edges"}.get(file.kind)
        if file.kind in KINDS and file.stem in ("nodes", "edges"):
            role = file.stem
        if role in found:
            raise PenstockError(
                f"{file.name}: {found[role].name} has {role} too; expected one graph; move one away"
            )
        if role:
            found[role] = file
    return found


def read_tables(tables: dict[str, RawFile], data: Data, reject: Reject) -> RawGraph:
    """Read nodes, then the edges between them.

    Raises:
        PenstockError: a column is missing, or there is no feature or no node.
    """
    table = _open_nodes(tables["nodes"], data)
    nodes = Nodes(table.names, data, table.file.name, reject)
    for block in table.blocks(nodes.wanted, nodes.refuse):
        nodes.read(block)
    if not nodes.places:
        raise PenstockError(f"{table.file.name}: no node could be taken; {nodes.why_none()}")
    ids = list(nodes.places)
    known = pa.array(ids, pa.string())
    edges, found = _read_edges(_open_edges(tables["edges"], known), known, nodes.refused, reject)
    labels, classes = nodes.labels()
    return RawGraph(
        ids=ids,
        features=nodes.features(),
        names=nodes.names,
        labels=labels,
        classes=classes,
        edges=edges,
        found_nodes=nodes.found,
        found_edges=found,
        splits=nodes.splits(),
        times=nodes.times(),
    )


def _open_nodes(file: RawFile, data: Data) -> Table:
    if file.kind == CONTENT:  # id, features, class
        layout = sniff(file)
        features = map(str, range(len(layout.first) - 2))
        return Table(file, [data.id, *features, data.label], False, layout)
    table = open_table(file)
    named = {"id": [data.id], "label": [data.label], "time": [data.time], "ignore": data.ignore}
    for setting, names in named.items():
        for name in names:
            if name and name not in table.names:
                raise PenstockError(
                    f"{file.name}: no column {name}; found {', '.join(table.names[:20])}; set "
                    f"pipelines.graph.data.{setting}"
                )
    return table


def _open_edges(file: RawFile, known: pa.Array) -> Table:
    """The first two columns of a table; a first line of two nodes is an edge, and no header."""
    layout = None if file.kind == ".parquet" else sniff(file)
    first = parquet_columns(file) if layout is None else layout.first
    if len(first) < 2:
        raise PenstockError(
            f"{file.name}: one column ({', '.join(first)}); expected two, an edge from one node to "
            "another"
        )
    header = layout is None or not pc.all(pc.is_in(pa.array(first[:2]), value_set=known)).as_py()
    if header and len(first) > 2:
        print(f"  left out of {file.name}: {', '.join(first[2:])}")
    names = first if layout is None else [str(it) for it in range(len(first))]
    return Table(file, names, header, layout)


def _read_edges(
    table: Table, known: pa.Array, refused: set[str], reject: Reject
) -> tuple[np.ndarray, int]:
    """Edges between known nodes, and how many were found."""
    name, wanted = table.file.name, table.names[:2]
    lost: list[int] = []

    def refuse(line: int, reason: str) -> None:
        lost.append(line)
        reject(f"{name}:{line}", reason)

    ends, lines = [np.zeros((0, 2), np.int64)], [np.zeros(0, np.int64)]
    for block in table.blocks(wanted, refuse):
        given = [trim(block.columns[it]) for it in wanted]
        places = np.stack([_find(it, known) for it in given], axis=1)
        strange = (places == NO_NODE).any(axis=1)
        for row in np.flatnonzero(strange):
            node = given[int(places[row].argmin())][int(row)].as_py()
            why = "was rejected" if node in refused else "is not there"
            refuse(int(block.lines[row]), f"an edge to node {shorten(node)}, which {why}")
        ends.append(places[~strange])
        lines.append(block.lines[~strange])
    places, line = np.concatenate(ends), np.concatenate(lines)
    edges, loops = unite_edges(places, lambda row, why: reject(f"{name}:{line[row]}", why))
    if again := len(places) - len(edges) - loops:
        print(
            f"  {again:,} lines of {name} repeat an edge, or give it the other way: it counts once"
        )
    return edges, len(edges) + loops + len(lost)


def _find(nodes: pa.Array, known: pa.Array) -> np.ndarray:
    """The places of nodes among those that are known, int64; NO_NODE where it is not there."""
    found = pc.index_in(nodes, value_set=known).fill_null(NO_NODE)
    return np.asarray(found.to_numpy(zero_copy_only=False), np.int64)
