"""The Planetoid files: features, labels and adjacency lists of a citation graph, with a split.

Of a set NAME, `ind.NAME.x` and `y` are learned from; `allx` and `ally` are all nodes but those of
the test split; `tx` and `ty` are these, in the order of `test.index`; `graph` has the neighbours of
each node (Yang, Cohen and Salakhutdinov 2016). Labels are rows with a single 1. Where test.index
has gaps, as Citeseer's, nodes between have edges, but neither features nor a label.
"""

import re
from itertools import chain
from typing import Any

import numpy as np
from scipy.sparse import csr_array, vstack

from ...kinds.tables.raw_files import RawFile
from ...messages.errors import PenstockError
from .pickles import MOST_BYTES, read_pickle
from .raw import NO_LABEL, RawGraph, Reject, unite_edges

NAME = re.compile(r"ind\.(.+)\.(x|y|tx|ty|allx|ally|graph|test\.index)")
ARRAYS, MATRICES = ("y", "ty", "ally"), ("x", "tx", "allx")
PARTS = (*MATRICES, *ARRAYS, "graph", "test.index")
VALIDATION = 500  # nodes after those that are learned from: no file says so, all papers do
MOST_FEATURES = 2**20


def find_planetoid(files: list[RawFile]) -> dict[str, dict[str, RawFile]]:
    """The Planetoid files by the name of their set and by what each is."""
    found: dict[str, dict[str, RawFile]] = {}
    for file in files:
        if match := NAME.fullmatch(file.name.rpartition("/")[2]):
            found.setdefault(match[1], {})[match[2]] = file
    return found


def read_planetoid(parts: dict[str, RawFile], reject: Reject) -> RawGraph:
    """Read a set; a node is called by its number.

    Raises:
        PenstockError: a file is missing or damaged, or they do not fit together.
    """
    some = next(iter(parts.values())).name
    if lacking := [it for it in PARTS if it not in parts]:
        raise PenstockError(
            f"{some}: a Planetoid set without {', '.join(lacking)}; expected "
            f"{', '.join(PARTS)}; fetch it again"
        )
    read = {name: _read(parts[name], name) for name in PARTS if name != "test.index"}
    tested = _read_index(parts["test.index"])
    _check_sizes(read, tested, parts)
    others = read["allx"].shape[0]
    nodes = max(others, int(tested.max()) + 1)
    place = np.concatenate([np.arange(others), tested])
    labels = np.full(nodes, NO_LABEL, np.int32)
    labels[place] = np.concatenate(
        [_read_labels(read[it], parts[it].name) for it in ("ally", "ty")]
    )
    edges, found_edges = _read_edges(read["graph"], nodes, parts["graph"].name, reject)
    features = read["allx"].shape[1]
    return RawGraph(
        ids=[str(it) for it in range(nodes)],
        features=_scatter(vstack([read["allx"], read["tx"]], "csr"), place, nodes),
        names=[str(it) for it in range(features)],
        labels=labels,
        classes=[str(it) for it in range(read["ally"].shape[1])],
        edges=edges,
        found_nodes=nodes,
        found_edges=found_edges,
        splits=_split(nodes, len(read["y"]), others, tested),
    )


def _read(file: RawFile, name: str) -> Any:
    with file.open() as stream:
        content = stream.read(MOST_BYTES + 1)
    try:
        found = read_pickle(content)
    except ValueError as error:
        raise PenstockError(
            f"{file.name}: {error}; expected the pickle of a Planetoid set as published; nothing "
            "in it was run; fetch it again"
        ) from None
    kind = np.ndarray if name in ARRAYS else csr_array if name in MATRICES else dict
    if not isinstance(found, kind) or getattr(found, "ndim", 2) != 2:
        raise PenstockError(
            f"{file.name}: it holds a {type(found).__name__}; expected {_wanted(name)}; fetch it "
            "again"
        )
    return found


def _wanted(name: str) -> str:
    if name == "graph":
        return "a dictionary of adjacency lists"
    return "a sparse matrix" if name in MATRICES else "an array of rows"


def _read_index(file: RawFile) -> np.ndarray:
    """The numbers of the test nodes, a line each."""
    with file.open() as stream:
        lines = stream.read(MOST_BYTES).split()
    bad = next((it for it in lines if not it.isdigit() or len(it) > 9), None)
    if bad is not None or not lines:
        found = repr(bad.decode("latin1")[:20]) if bad else "nothing"
        raise PenstockError(f"{file.name}: {found}; expected the number of a node in each line")
    tested = np.array(lines, np.int64)
    if len(np.unique(tested)) < len(tested):
        raise PenstockError(f"{file.name}: a node twice; expected each once; fetch it again")
    return tested


def _check_sizes(read: dict[str, Any], tested: np.ndarray, parts: dict[str, RawFile]) -> None:
    """Refuse files that are not of one set."""

    def refuse(name: str, found: str, expected: str) -> None:
        raise PenstockError(
            f"{parts[name].name}: {found}; expected {expected}; are all files of one set?"
        )

    for features, labels in (("allx", "ally"), ("tx", "ty"), ("x", "y")):
        rows, labelled = read[features].shape[0], read[labels].shape[0]
        if rows != labelled:
            refuse(labels, f"{labelled:,} rows", f"{rows:,}, as {features} has")
        for name, whole in ((features, "allx"), (labels, "ally")):
            if read[name].shape[1] != read[whole].shape[1]:
                expected = f"{read[whole].shape[1]:,}, as {whole} has"
                refuse(name, f"{read[name].shape[1]:,} columns", expected)
    if len(tested) != read["tx"].shape[0]:
        refuse("test.index", f"{len(tested):,} nodes", f"{read['tx'].shape[0]:,}, as tx has")
    if tested.min() < read["allx"].shape[0]:
        refuse("test.index", f"node {tested.min()}", "none that allx has")
    if not np.array_equal(read["y"], read["ally"][: len(read["y"])]):
        refuse("y", "other labels", "those that ally begins with")
    most = 2 * (read["allx"].shape[0] + len(tested))
    if tested.max() >= most:
        refuse("test.index", f"node {tested.max():,}", f"numbers below {most:,}")
    if not all(np.isfinite(read[it].data).all() for it in MATRICES):
        refuse("allx", "features that are no numbers", "finite numbers in allx, tx and x")
    if read["allx"].shape[1] > MOST_FEATURES:
        refuse("allx", f"{read['allx'].shape[1]:,} features", f"{MOST_FEATURES:,} at most")


def _read_edges(
    lists: dict[Any, Any], nodes: int, file: str, reject: Reject
) -> tuple[np.ndarray, int]:
    """The edges of adjacency lists, which have each at both ends; and how many were found."""
    strange = [it for it in lists.values() if not isinstance(it, list)]
    numbers = [*lists, *strange] if strange else [*lists, *chain.from_iterable(lists.values())]
    strange += [it for it in numbers if type(it) is not int or not 0 <= it < 2**31]
    if strange:
        raise PenstockError(
            f"{file}: {str(strange[0])[:20]!r} among the nodes; expected their numbers, and a list "
            "of numbers for each; fetch it again"
        )
    starts = np.repeat(np.array([*lists], np.int64), [len(it) for it in lists.values()])
    ends = np.stack([starts, np.array(numbers[len(lists) :], np.int64)], axis=1)
    lost = (ends >= nodes).any(axis=1)
    gone = np.unique(np.sort(ends[lost], axis=1), axis=0)
    for one, other in gone:
        reject(f"{file}:{one}-{other}", f"an edge to {other}, and there are {nodes:,} nodes")
    known = ends[~lost]
    edges, loops = unite_edges(
        known, lambda row, why: reject(f"{file}:{known[row, 0]}-{known[row, 1]}", why)
    )
    return edges, len(edges) + loops + len(gone)


def _read_labels(rows: np.ndarray, file: str) -> np.ndarray:
    """Labels from rows with a single 1; NO_LABEL for a row of zeros."""
    if not np.isin(rows, (0, 1)).all() or (rows.sum(axis=1) > 1).any():
        raise PenstockError(f"{file}: a row with other than a single 1; expected a class a node")
    return np.where(rows.any(axis=1), rows.argmax(axis=1), NO_LABEL).astype(np.int32)


def _scatter(rows: csr_array, place: np.ndarray, nodes: int) -> csr_array:
    """Put rows where they belong among all nodes; others have no features."""
    moved = csr_array((np.ones(len(place), np.float32), (place, np.arange(len(place)))),
                      shape=(nodes, len(place)))  # fmt: skip
    features = (moved @ rows).astype(np.float32)
    features.sort_indices()
    return features


def _split(nodes: int, learned: int, others: int, tested: np.ndarray) -> np.ndarray:
    splits = np.full(nodes, "", dtype="<U10")
    splits[:learned] = "train"
    splits[learned : min(learned + VALIDATION, others)] = "validation"
    splits[tested] = "test"
    return splits
