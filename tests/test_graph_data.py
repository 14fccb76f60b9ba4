"""Graphs as people have them: which files are read, what is rejected, what stops them."""

import io
import os
import pickle
from contextlib import suppress

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.sparse import csr_array, csr_matrix

from penstock.datasets.dataset import Dataset, DatasetWriter
from penstock.messages.errors import PenstockError
from penstock.pipelines.graph.expectations import expectations, tables
from penstock.pipelines.graph.graph import read_features
from penstock.pipelines.graph.ingest import ingest
from penstock.pipelines.graph.pickles import read_pickle
from penstock.settings.explanation import default_params
from penstock.stages.validate import check
from projects import REAL

PARAMS = default_params("graph")


class Python2Pickler(pickle._Pickler):
    """Writes bytes as Python 2 wrote its strings: arrays then look as those of Planetoid."""

    dispatch = pickle._Pickler.dispatch.copy()

    def save_string(self, text):
        short = len(text) < 256
        self.write(b"U" + bytes([len(text)]) if short else b"T" + len(text).to_bytes(4, "little"))
        self.write(text)
        self.memoize(text)

    dispatch[bytes] = save_string


MODULES = {
    b"cnumpy._core.multiarray\n": b"cnumpy.core.multiarray\n",
    b"cscipy.sparse._csr\n": b"cscipy.sparse.csr\n",
}


def python2(value):
    """The pickle that Python 2 makes of a value."""
    buffer = io.BytesIO()
    Python2Pickler(buffer, protocol=2).dump(value)
    content = buffer.getvalue()
    for now, then in MODULES.items():
        content = content.replace(now, then)
    return content


def take(source, **data):
    """Ingest a graph."""
    section = PARAMS.data.model_validate(PARAMS.data.model_dump(mode="json") | data)
    params = PARAMS.model_copy(update={"data": section})
    with DatasetWriter(source.parent / f"{source.name}-dataset") as writer:
        ingest(source, writer, params)
    return Dataset(source.parent / f"{source.name}-dataset")


def put(folder, **files):
    """Files of a source: text, bytes or a table, by the name with _ in the place of the dot."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        file = folder / name.replace("_", ".")
        if isinstance(content, pd.DataFrame):
            write = content.to_parquet if file.suffix == ".parquet" else content.to_csv
            write(file, index=False)
        else:
            file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def circle(nodes=90):
    """Nodes in a circle: three classes, one after the other, that two features tell apart."""
    label = np.arange(nodes) * 3 // nodes
    table = pd.DataFrame(
        {
            "id": [f"n{it}" for it in range(nodes)],
            "label": np.array(["red", "green", "blue"])[label],
            "height": label + 0.25,
            "width": -1.0 * np.arange(nodes),
        }
    )
    edges = pd.DataFrame({"from": table["id"], "to": np.roll(table["id"], 1)})
    return table, edges


def reasons(dataset):
    return dict(dataset.rejected.itertuples(index=False, name=None))


def unmet(dataset, **limits):
    section = PARAMS.expectations.model_copy(update=limits)
    params = PARAMS.model_copy(update={"expectations": section})
    results = check(list(expectations(params)), tables(dataset))
    return [(it["table"], it["arguments"]["column"]) for it in results if not it["success"]]


# --- pickles ---------------------------------------------------------------------------------


class Hostile:
    """Runs a command where it is unpickled by pickle.load."""

    def __init__(self, call, *arguments):
        self.call, self.arguments = call, arguments

    def __reduce__(self):
        return self.call, self.arguments


def hostile_pickles(marker):
    """Pickles that would make a file: as whole, within an array's state, by every protocol."""
    shell = Hostile(os.system, f"touch {marker}")
    code = Hostile(eval, f"open({str(marker)!r}, 'w').close()")
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        for attack in (shell, code, [1, {"neighbours": shell}], (np.ones(2), code)):
            yield pickle.dumps(attack, protocol)
    yield f"cos\nsystem\n(S'touch {marker}'\ntR.".encode()
    yield f"(S'touch {marker}'\nios\nsystem\n.".encode()
    # An array whose data is a call, and a name that leads from an allowed one to another.
    array = python2(np.ones(3))
    yield array.replace(b"cnumpy\ndtype\n", b"cbuiltins\neval\n")
    yield b"\x80\x02cnumpy\ndtype.__init__.__globals__\n."
    yield b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R."


def test_hostile_pickles_are_that(tmp_path):
    """What is tested below would work elsewhere."""
    first = next(hostile_pickles(tmp_path / "ran"))
    pickle.loads(first)  # noqa: S301
    assert (tmp_path / "ran").exists()


def test_nothing_in_a_pickle_runs(tmp_path):
    marker = tmp_path / "ran"
    for content in hostile_pickles(marker):
        with pytest.raises(ValueError, match=r"it asks for|it has|damaged|no pickle"):
            read_pickle(content)
        assert not marker.exists()


def test_a_hostile_planetoid_set_is_refused_by_name(tmp_path):
    source = planetoid(tmp_path / "source")
    marker = tmp_path / "ran"
    (source / "ind.toy.graph").write_bytes(next(hostile_pickles(marker)))
    with pytest.raises(
        PenstockError, match=r"ind\.toy\.graph: it asks for .*nothing in it was run"
    ):
        take(source)
    assert not marker.exists()


@given(
    arrays.arrays(
        st.sampled_from(["<i4", "<i8", ">i4", "<f4", ">f8", "|b1", "|u1"]),
        arrays.array_shapes(min_dims=1, max_dims=3, max_side=6),
    ),
    st.booleans(),
)
def test_arrays_of_python_2_are_read(array, by_columns):
    array = np.asfortranarray(array) if by_columns else array
    read = read_pickle(python2(array))
    assert read.dtype == array.dtype.newbyteorder("=")
    np.testing.assert_array_equal(read, array)


def test_sparse_matrices_and_lists_of_python_2_are_read():
    dense = np.array([[0, 1.5, 0], [0, 0, 0], [2, 0, -3]], np.float32)
    read = read_pickle(python2(csr_matrix(dense)))
    assert isinstance(read, csr_array)
    np.testing.assert_array_equal(read.toarray(), dense)
    assert read_pickle(python2({0: [1, 2], 1: [0], 300: [70_000]})) == {
        0: [1, 2], 1: [0], 300: [70_000],
    }  # fmt: skip


@settings(max_examples=300)
@given(st.data())
def test_a_damaged_pickle_is_a_reason_and_nothing_else(data):
    """Cut off, or with bytes changed: it is read or refused, whatever pickle stumbles over."""
    value = data.draw(st.sampled_from([np.eye(3), csr_matrix(np.eye(4)), {1: [2, 3], 2: [1]}]))
    content = bytearray(python2(value))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with suppress(ValueError):
        read_pickle(bytes(content[: data.draw(st.integers(0, len(content)))]))


SQUARE, MATRIX = python2(np.eye(2)), python2(csr_matrix(np.eye(2, dtype=np.int8)))
CLAIMS = {
    "a place far away": (b"\x80\x02]r\xff\xff\xff\x7f.", "numbers what it remembers"),
    "a long text": (b"\x80\x02T\xff\xff\xff\x7fabc.", "no pickle|expected"),
    "a number": (b"\x80\x02K\x01.", "it holds a int"),
    "nothing": (b"", "no pickle|exhausted"),
    "objects": (python2(np.array([[1, 2]], object)), "expected numbers|damaged"),
    "a larger shape": (SQUARE.replace(b"K\x02K\x02\x86", b"K\x02K\x03\x86"), "expected 48"),
    "a column too far": (
        MATRIX.replace(b"\0\0\0\0\x01\0\0\0", b"\0\0\0\0\x09\0\0\0"),
        "a matrix is",
    ),
}


@pytest.mark.parametrize(("content", "reason"), CLAIMS.values(), ids=CLAIMS)
def test_what_a_pickle_claims_is_checked(content, reason):
    with pytest.raises(ValueError, match=reason):
        read_pickle(content)


# --- Planetoid -------------------------------------------------------------------------------

GAP = 7  # a test node that there are no features of


def planetoid(folder, name="toy", **changed):
    """A Planetoid set of 12 nodes: 2 learned from, 5 in all but the test's, test 6 to 11 but 7."""
    features = np.zeros((12, 4), np.float32)
    features[np.arange(12), np.arange(12) % 4] = np.arange(1, 13)
    labels = np.eye(3, dtype=np.int32)[np.arange(12) % 3]
    order = [9, 6, 11, 8, 10]  # as published: in no order
    parts = {
        "x": csr_matrix(features[:2]),
        "y": labels[:2],
        "allx": csr_matrix(features[:6]),
        "ally": labels[:6],
        "tx": csr_matrix(features[order]),
        "ty": labels[order],
        "graph": {it: [(it + 1) % 12, (it - 1) % 12] for it in range(12)},
    } | changed
    index = parts.pop("index", "\n".join(map(str, order)) + "\n")
    files = {f"ind.{name}.{part}": python2(value) for part, value in parts.items()}
    folder.mkdir(parents=True, exist_ok=True)
    for file, content in {**files, f"ind.{name}.test.index": index.encode()}.items():
        (folder / file).write_bytes(content)
    return folder


@pytest.mark.parametrize("name", ["toy", "citeseer.v2"])
def test_another_planetoid_set_is_read_with_gaps_in_its_test_index(tmp_path, name):
    dataset = take(planetoid(tmp_path / "source", name))
    assert dataset.info["nodes"] == 12
    assert dataset.info["edges"] == 12
    splits = dataset.index.groupby("split")["node"].apply(list).to_dict()
    assert splits == {"train": [0, 1], "validation": [2, 3, 4, 5], "test": [6, 8, 9, 10, 11]}
    assert (dataset.index["label"] == dataset.index["node"] % 3).all(), "each row found its node"
    features = read_features(dataset).toarray()
    assert (features[GAP] == 0).all()
    there = np.delete(np.arange(12), GAP)
    assert (features[there, there % 4] == there + 1).all()
    assert (np.count_nonzero(features[there], axis=1) == 1).all()
    nodes = dataset.table("nodes")
    assert nodes["label"][GAP] == -1
    assert (np.array(dataset.array("edges")) == GAP).any(), "it stays in the graph"


def test_edges_of_a_planetoid_set_that_are_none_are_rejected_by_name(tmp_path):
    lists = {it: [(it + 1) % 12] for it in range(12)} | {3: [3, 4, 4], 5: [99, 6]}
    dataset = take(planetoid(tmp_path / "source", graph=lists))
    told = reasons(dataset)
    assert told == {
        "source/ind.toy.graph:3-3": "a self loop",
        "source/ind.toy.graph:5-99": "an edge to 99, and there are 12 nodes",
    }
    assert dataset.info["edges"] == 12
    assert dataset.info["found_edges"] == 14


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"ty": np.eye(3, dtype=np.int32)}, "ind.toy.ty: 3 rows; expected 5, as tx has"),
        ({"index": "6\n8\n"}, "test.index: 2 nodes; expected 5, as tx has"),
        ({"index": "6\n8\n9\n10\nten\n"}, "test.index: 'ten'; expected the number of a node"),
        ({"index": "1\n8\n9\n10\n11\n"}, "test.index: node 1; expected none that allx has"),
        ({"index": "6\n8\n9\n10\n900000\n"}, "test.index: node 900,000; expected numbers below 22"),
        ({"index": "6\n6\n9\n10\n11\n"}, "test.index: a node twice"),
        ({"y": np.eye(3, dtype=np.int32)[[2, 2]]}, "ind.toy.y: other labels; expected those"),
        ({"tx": csr_matrix(np.eye(5, dtype=np.float32))}, "ind.toy.tx: 5 columns; expected 4"),
        ({"ally": np.ones((6, 3), np.int32), "y": np.ones((2, 3), np.int32)}, "a single 1"),
        ({"graph": np.eye(2)}, "ind.toy.graph: it holds a ndarray; expected a dictionary"),
        ({"x": np.eye(2)}, "ind.toy.x: it holds a ndarray; expected a sparse matrix"),
        ({"graph": {0: ["one"]}}, "ind.toy.graph: 'one' among the nodes"),
        ({"graph": {0: 1}}, "ind.toy.graph: .*a list of numbers for each"),
        ({"allx": csr_matrix(np.full((6, 4), np.nan))}, "ind.toy.allx: features that are no"),
    ],
)
def test_planetoid_files_that_do_not_fit_are_refused(tmp_path, changed, message):
    with pytest.raises(PenstockError, match=message):
        take(planetoid(tmp_path / "source", **changed))


def test_a_planetoid_set_without_a_file_is_refused(tmp_path):
    source = planetoid(tmp_path / "source")
    (source / "ind.toy.ty").unlink()
    with pytest.raises(PenstockError, match="a Planetoid set without ty; expected x, tx, allx"):
        take(source)


# --- tables ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_tables_are_read(tmp_path, kind):
    table, edges = circle()
    files = {f"nodes_{kind}": table, f"edges_{kind}": edges}
    dataset = take(put(tmp_path / "source", **files))
    assert dataset.info["features"] == ["height", "width"]
    assert dataset.info["classes"] == ["blue", "green", "red"]
    assert dataset.info["edges"] == 90
    features = read_features(dataset).toarray()
    np.testing.assert_array_equal(features, table[["height", "width"]].to_numpy(np.float32))
    counts = dataset.index.groupby(["split", "label"]).size()
    assert (counts["train"] == 20).all()
    assert counts["validation"].to_list() == [10, 10, 10], "of 30 nodes a class 10 are left"
    assert not len(dataset.rejected)


def test_linqs_files_and_tables_are_one_graph(tmp_path):
    content = "a\t1\t0\tx\nb\t0\t1\ty\nc\t1\t1\tx\n"
    first = take(put(tmp_path / "one", toy_content=content, toy_cites="a\tb\nc\tb\n"),
                 train_per_class=1, validation_per_class=1)  # fmt: skip
    table = "id,0,1,label\na,1,0,x\nb,0,1,y\nc,1,1,x\n"
    second = take(put(tmp_path / "two", nodes_csv=table, edges_csv="from,to\na,b\nc,b\n"),
                  train_per_class=1, validation_per_class=1)  # fmt: skip
    assert first.info["digest"] == second.info["digest"]


def test_each_bad_line_is_rejected_with_its_reason(tmp_path):
    table, edges = circle()
    table = table.astype(object)
    table.loc[3, "height"] = "tall"
    table.loc[4, "width"] = ""
    table.loc[5, "height"] = "1e60"
    table.loc[6, "id"] = "n1"
    table.loc[7, "id"] = ""
    table.loc[8, "label"] = ""
    more = pd.DataFrame({"from": ["n1", "n9", "n10", "n1"], "to": ["n1", "nobody", "n9", "n3"]})
    dataset = take(put(tmp_path / "source", nodes_csv=table, edges_csv=pd.concat([edges, more])))
    told = reasons(dataset)
    nodes = {k.rpartition(":")[2]: v for k, v in told.items() if "nodes" in k}
    assert nodes == {
        "5": "height: 'tall' is no number",
        "6": "width: '' is no number",
        "7": "height: '1e60' is no number",
        "8": "node n1 is there already",
        "9": "no id",
    }
    lost = {k.rpartition(":")[2]: v for k, v in told.items() if "edges" in k}
    assert lost["92"] == "a self loop"
    assert lost["93"] == "an edge to node nobody, which is not there"
    assert lost["95"] == "an edge to node n3, which was rejected"
    assert "94" not in lost, "the other way round is the same edge"
    assert dataset.info["found_nodes"] == 90
    assert dataset.info["nodes"] == 85
    taken = dataset.info["edges"] + len(lost)
    assert taken == dataset.info["found_edges"] == 90 + 3, "one of 94 lines says nothing new"
    nodes = dataset.table("nodes").set_index("id")
    assert nodes["label"]["n8"] == -1, "a node without a class is one all the same"
    assert "n8" not in set(dataset.index["id"])


def test_edges_need_no_header(tmp_path):
    table, edges = circle()
    source = put(tmp_path / "one", nodes_csv=table, edges_csv=edges)
    headless = edges.to_csv(index=False, header=False, sep="\t")
    bare = put(tmp_path / "two", nodes_csv=table, edges_tsv=headless)
    assert take(source).info["digest"] == take(bare).info["digest"]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"nodes_csv": "id,label,a\n1,x,2\n"}, "no table of edges .source/nodes.csv."),
        ({"readme_txt": "hello"}, "no table of edges or of nodes"),
        (
            {"nodes_csv": "id,label,a\n1,x,2\n", "edges_csv": "f,t\n1,1\n", "edges_tsv": "f\tt\n"},
            "source/edges.csv has edges too; expected one graph",
        ),
        ({"nodes_csv": "id,label\n1,x\n", "edges_csv": "f,t\n1,1\n"}, "no column to learn from"),
        ({"nodes_csv": "name,label,a\n1,x,2\n", "edges_csv": "f,t\n1,1\n"}, "no column id; found"),
        ({"nodes_csv": "id,label,a,a\n1,x,2,2\n", "edges_csv": "f,t\n"}, "two columns named a"),
        ({"nodes_csv": "id,label,a\n1,x,2\n", "edges_csv": "f\n1\n"}, "one column .f.; expected"),
        ({"nodes_csv": "id,label,a\n1,x,no\n", "edges_csv": "f,t\n"}, "no node could be taken; a:"),
        ({"nodes_csv": "id,label,a\n1,,2\n", "edges_csv": "f,t\n"}, "no node has a class that may"),
    ],
)
def test_what_is_no_graph_is_refused(tmp_path, files, message):
    with pytest.raises(PenstockError, match=message):
        take(put(tmp_path / "source", **files))


def test_two_graphs_in_a_folder_are_refused(tmp_path):
    source = planetoid(planetoid(tmp_path / "source"), "other")
    with pytest.raises(PenstockError, match=r"more than one graph \(ind.other.\*, ind.toy.\*\)"):
        take(source)


# --- splits ----------------------------------------------------------------------------------


@pytest.mark.parametrize("split", ["per_class", "hash"])
def test_a_split_does_not_depend_on_the_order_of_nodes(tmp_path, split):
    table, edges = circle()
    one = take(put(tmp_path / "one", nodes_csv=table, edges_csv=edges), split=split)
    shuffled = table.sample(frac=1, random_state=0)
    two = take(put(tmp_path / "two", nodes_csv=shuffled, edges_csv=edges), split=split)
    assert one.index.set_index("id")["split"].to_dict() == (
        two.index.set_index("id")["split"].to_dict()
    )


def test_another_seed_draws_other_nodes(tmp_path):
    table, edges = circle()
    source = put(tmp_path / "source", nodes_csv=table, edges_csv=edges)
    one = take(source)
    two = take(source.rename(tmp_path / "again"), seed=1)
    assert one.info["splits"]["train"]["examples"] == two.info["splits"]["train"]["examples"]
    assert one.info["splits"]["train"]["digest"] != two.info["splits"]["train"]["digest"]


def test_by_hash_new_nodes_move_nobody(tmp_path):
    table, edges = circle()
    few = take(put(tmp_path / "few", nodes_csv=table[:60], edges_csv=edges), split="hash")
    all_of_them = take(put(tmp_path / "all", nodes_csv=table, edges_csv=edges), split="hash")
    later = all_of_them.index.set_index("id")["split"]
    assert (few.index["split"] == few.index["id"].map(later)).all()


def test_by_time_the_latest_are_test(tmp_path):
    table, edges = circle()
    years = [f"{1900 + it % 30}-01-01" for it in range(90)]
    source = put(tmp_path / "source", nodes_csv=table.assign(year=years), edges_csv=edges)
    dataset = take(source, split="time", time="year")
    assert "year" not in dataset.info["features"]
    split = pd.Series(years).groupby(dataset.index["split"].to_numpy())
    assert split.max()["train"] < split.min()["validation"] <= split.max()["validation"]
    assert split.max()["validation"] < split.min()["test"]
    with pytest.raises(PenstockError, match="split: time needs the time of each node"):
        take(source.rename(tmp_path / "again"), split="time", ignore=["year"])


def test_a_column_has_the_publishers_split(tmp_path):
    table, edges = circle()
    split = ["train", "Val", "testing"] * 29 + ["", "", "dev"]
    source = put(tmp_path / "source", nodes_csv=table.assign(split=split), edges_csv=edges)
    counts = take(source).index["split"].value_counts().to_dict()
    assert counts == {"train": 29, "validation": 30, "test": 29}
    split[5] = "holdout"
    source = put(tmp_path / "bad", nodes_csv=table.assign(split=split), edges_csv=edges)
    assert reasons(take(source))["bad/nodes.csv:7"].startswith("split: 'holdout' is none; expected")
    bare = put(tmp_path / "bare", nodes_csv=table, edges_csv=edges)
    with pytest.raises(PenstockError, match=r"no split; expected .* a column split"):
        take(bare, split="official")


# --- expectations ----------------------------------------------------------------------------


def test_a_good_graph_meets_what_is_expected(tmp_path):
    table, edges = circle(900)
    dataset = take(put(tmp_path / "source", nodes_csv=table, edges_csv=edges), train_per_class=100,
                   validation_per_class=100)  # fmt: skip
    assert unmet(dataset) == []


def test_what_is_doubtful_about_a_graph_is_named(tmp_path):
    table, edges = circle()
    few = take(put(tmp_path / "few", nodes_csv=table, edges_csv=edges[:20]))
    assert ("graph", "isolated") in unmet(few)
    assert ("graph", "isolated") not in unmet(few, max_isolated_share=0.9)
    across = edges.assign(to=np.roll(table["id"], 30))
    misleading = take(put(tmp_path / "across", nodes_csv=table, edges_csv=across))
    assert ("graph", "gain") in unmet(misleading)
    noise = edges.assign(to="nobody")[:15]
    lost = take(put(tmp_path / "lost", nodes_csv=table, edges_csv=pd.concat([edges, noise])))
    assert [it for it in unmet(lost) if it[0] == "rejected"] == [("rejected", "share")] * 2


def test_copies_of_a_node_in_two_splits_are_noticed(tmp_path):
    table, edges = circle()
    table["split"] = ["train", "validation", "test"] * 30
    copy = table.iloc[[4]].assign(id="copy", split="test")
    linked = pd.DataFrame({"from": ["copy", "copy"], "to": ["n3", "n5"]})
    files = {"nodes_csv": pd.concat([table, copy]), "edges_csv": pd.concat([edges, linked])}
    dataset = take(put(tmp_path / "source", **files))
    assert ("twins", "splits") in unmet(dataset)
    twins = tables(dataset)["twins"]
    assert twins["examples"].max() == 2


# --- the real Cora ---------------------------------------------------------------------------


@pytest.mark.real
def test_both_forms_of_cora_are_read_whole(tmp_path):
    folder = REAL / "graph"
    if not folder.is_dir():
        pytest.skip(f"real data: {folder} is not here")
    found = {}
    for form in ("planetoid-cora", "cora"):
        (tmp_path / form).symlink_to(folder / form)
        found[form] = take(tmp_path / form)
        info = found[form].info
        assert (info["nodes"], info["edges"], len(info["features"])) == (2708, 5278, 1433)
        assert info["rejected"] == 0
        assert info["words"]
    splits = {it: of["examples"] for it, of in found["planetoid-cora"].info["splits"].items()}
    assert splits == {"train": 140, "validation": 500, "test": 1000}
    for count in (
        lambda it: np.bincount(it.table("nodes")["label"]),
        lambda it: read_features(it).sum(axis=0),
        lambda it: np.bincount(np.array(it.array("edges")).ravel(), minlength=2708),
    ):
        one, other = (np.sort(count(it)) for it in found.values())
        np.testing.assert_array_equal(one, other, "they number nodes, classes, words differently")
