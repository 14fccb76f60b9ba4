"""Networks for graphs: what they compute, how they learn, what they answer of new nodes."""

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array, random_array
from torch.nn import functional as F

from penstock.datasets.dataset import Dataset, DatasetWriter
from penstock.evaluation.comparison import exam_digest
from penstock.learning.device import set_threads
from penstock.learning.training import fit, seed
from penstock.learning.weights import load_weights, save_weights
from penstock.messages.errors import PenstockError
from penstock.pipelines.graph.graph import normalise, read_features
from penstock.pipelines.graph.ingest import ingest
from penstock.pipelines.graph.maps import place
from penstock.pipelines.graph.network import network
from penstock.pipelines.graph.params import APPNP, GCN, GCNII, MLP, Train
from penstock.pipelines.graph.predict import (
    class_probabilities,
    exam,
    new_probabilities,
    outcome,
    predict,
    read_input,
)
from penstock.pipelines.graph.references import predict_references
from penstock.pipelines.graph.sample import sample
from penstock.pipelines.graph.sparse import SparseMatrix
from penstock.pipelines.graph.surroundings import describe_surroundings
from penstock.pipelines.graph.train import disagreement, learner, source
from penstock.settings.explanation import default_params
from penstock.tracking.packaging import signature
from test_graph_data import circle, put, take

PARAMS = default_params("graph")
SMALL = {"hidden": 8, "input_dropout": 0.5, "dropout": 0.5}
KINDS = {
    "mlp": MLP(**SMALL),
    "gcn": GCN(**SMALL),
    "appnp": APPNP(**SMALL),
    "gcnii": GCNII(**SMALL, layers=4),
}


@pytest.fixture(scope="module")
def papers(tmp_path_factory):
    """The sample, ingested."""
    folder = tmp_path_factory.mktemp("papers")
    (folder / "source").mkdir()
    sample(folder / "source")
    with DatasetWriter(folder / "dataset") as writer:
        ingest(folder / "source", writer, PARAMS)
    return Dataset(folder / "dataset")


def build(dataset, model):
    """A network with the dataset's graph, and weights that are drawn."""
    torch.manual_seed(0)
    built = network(model, dataset.info)
    built.graph.fill(dataset)
    for bias in (built.inputs.bias, built.outputs.bias):
        torch.nn.init.normal_(bias)
    return built.eval()


def train_briefly(dataset, model, folder, threads=1, **settings):
    """Train for a few epochs, as the stage does."""
    chosen = {"max_epochs": 6, "patience": None, "threads": threads, **settings}
    params = PARAMS.model_copy(update={"model": model, "train": Train(**chosen)})
    seed(params.train)
    built = network(model, dataset.info)
    made = learner(built, params, dataset)
    sources = [source(dataset, (it,), params) for it in ("train", "validation")]
    done = fit(made, *sources, params.train, folder, lambda *_: None, memory=2**30)
    return built.eval(), done


# --- products --------------------------------------------------------------------------------


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 5), st.floats(0, 1), st.integers(0, 99))
def test_a_sparse_product_and_its_gradient_are_those_of_dense_matrices(
    rows, columns, width, density, number
):
    chance = np.random.default_rng(number)
    shape = (rows, columns)
    matrix = csr_array(random_array(shape, density=density, rng=chance, dtype=np.float32))
    values = torch.from_numpy(chance.normal(size=matrix.nnz).astype(np.float32))
    changed = csr_array((values.numpy(), matrix.indices, matrix.indptr), shape)
    dense = torch.from_numpy(chance.normal(size=(columns, width)).astype(np.float32))
    weight = dense.clone().requires_grad_()
    product = SparseMatrix.of(matrix, torch.device("cpu")).times(weight, values)
    expected = torch.from_numpy(changed.toarray()) @ dense
    torch.testing.assert_close(product, expected, rtol=1e-5, atol=1e-5)
    pull = torch.from_numpy(chance.normal(size=(rows, width)).astype(np.float32))
    product.backward(pull)
    torch.testing.assert_close(
        weight.grad, torch.from_numpy(changed.toarray()).T @ pull, rtol=1e-5, atol=1e-5
    )


def test_the_adjacency_is_normalised_as_published():
    edges = np.array([[0, 1], [0, 2], [2, 3]])
    adjacency = np.eye(5)
    adjacency[edges[:, 0], edges[:, 1]] = adjacency[edges[:, 1], edges[:, 0]] = 1
    root = np.diag(adjacency.sum(1) ** -0.5)
    np.testing.assert_allclose(normalise(edges, 5).toarray(), root @ adjacency @ root)


# --- networks --------------------------------------------------------------------------------


def dense_logits(built, kind):
    """What each kind is by its paper, in dense matrices of 64 bits."""
    with torch.no_grad():
        whole = built.graph.whole()
        x, s = (torch.from_numpy(it.as_scipy().toarray()).double()
                for it in (whole.features, whole.adjacency))  # fmt: skip
        w, b = built.inputs.weight.double(), built.inputs.bias.double()
        u, c = built.outputs.weight.double(), built.outputs.bias.double()
        if kind == "gcn":
            return s @ F.relu(s @ x @ w + b) @ u.T + c
        first = F.relu(x @ w + b)
        if kind == "gcnii":
            h = first
            for layer, weight in enumerate(built.between, 1):
                share = np.log(0.5 / layer + 1)
                mixed = 0.9 * s @ h + 0.1 * first
                h = F.relu((1 - share) * mixed + share * mixed @ weight.double())
            return h @ u.T + c
        start = spread = first @ u.T + c
        for _ in range(10 if kind == "appnp" else 0):
            spread = 0.9 * s @ spread + 0.1 * start
        return spread


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_computes_what_its_paper_says(papers, kind):
    built = build(papers, KINDS[kind])
    with torch.no_grad():
        given = built(torch.arange(papers.info["nodes"])).double()
    torch.testing.assert_close(given, dense_logits(built, kind), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", ["gcn", "appnp"])
def test_a_kind_computes_what_torch_geometric_does(papers, kind):
    layers = pytest.importorskip("torch_geometric.nn", reason="torch-geometric is not installed")
    built = build(papers, KINDS[kind])
    edges = built.graph.edges.long().T
    both = torch.cat([edges, edges.flip(0)], dim=1)
    x = torch.from_numpy(built.graph.features.toarray())
    with torch.no_grad():
        if kind == "gcn":
            first, second = layers.GCNConv(built.graph.width, 8), layers.GCNConv(8, 4)
            first.lin.weight.copy_(built.inputs.weight.T)
            first.bias.copy_(built.inputs.bias)
            second.lin.weight.copy_(built.outputs.weight)
            second.bias.copy_(built.outputs.bias)
            expected = second(F.relu(first(x, both)), both)
        else:
            start = built.outputs(F.relu(x @ built.inputs.weight + built.inputs.bias))
            expected = layers.APPNP(K=10, alpha=0.1)(start, both)
        given = built.logits(built.graph.whole())
    torch.testing.assert_close(given, expected, rtol=1e-4, atol=1e-4)


def test_features_are_scaled_by_what_they_are(papers, tmp_path):
    words = build(papers, MLP(**SMALL)).graph
    sums = words.features.sum(axis=1)
    np.testing.assert_allclose(sums[sums > 0], 1, rtol=1e-6)
    table, edges = circle()
    numbers = take(put(tmp_path / "source", nodes_csv=table.assign(same=3.0), edges_csv=edges))
    graph = build(numbers, MLP(**SMALL)).graph
    scaled = graph.features.toarray()
    np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(scaled.std(axis=0), [1, 1, 0], atol=1e-6)
    as_they_are = build(numbers, MLP(**SMALL, scaling="none")).graph
    np.testing.assert_array_equal(as_they_are.features.toarray(), read_features(numbers).toarray())


@pytest.mark.parametrize("kind", KINDS)
def test_the_graph_travels_with_the_weights(papers, kind, tmp_path):
    built = build(papers, KINDS[kind])
    save_weights(built, tmp_path)
    again = network(KINDS[kind], papers.info)
    load_weights(again, tmp_path)
    assert again.graph.ids == papers.table("nodes")["id"].tolist()
    np.testing.assert_array_equal(class_probabilities(again), class_probabilities(built))


# --- learning --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_bits_on_any_number_of_threads(papers, kind, tmp_path):
    weights = []
    for threads in (1, 2, 1):
        folder = tmp_path / str(len(weights))
        built, done = train_briefly(papers, KINDS[kind], folder, threads, max_epochs=2)
        assert done.steps == 10
        weights.append([it.detach().clone() for it in built.parameters()])
    set_threads(1)
    for other in weights[1:]:
        assert all(map(torch.equal, weights[0], other))


def test_learning_brings_the_loss_down(papers, tmp_path):
    settings = {"max_epochs": 30, "learning_rate": 0.02}
    built, done = train_briefly(papers, APPNP(hidden=16), tmp_path, **settings)
    assert done.history[-1]["val/loss"] < 0.7 * done.history[0]["val/loss"]
    asked = papers.examples("test")
    given = class_probabilities(built)[asked["node"]].argmax(1)
    references = predict_references(papers, ("train",))
    for name, other in references.items():
        by_reference = (other.argmax(1) == asked["label"]).mean()
        assert (given == asked["label"]).mean() > by_reference + 0.03, name


def test_labels_that_are_held_out_are_not_learned_from(papers, tmp_path):
    """With other labels on test and validation nodes the last weights have the same bits."""
    index = papers.index.copy()
    with DatasetWriter(tmp_path / "dataset") as writer:
        writer.resplit(papers, index["split"].to_numpy())
    changed = Dataset(tmp_path / "dataset")
    held_out = changed.index["split"] != "train"
    changed.index.loc[held_out, "label"] = (changed.index["label"][held_out] + 1) % 4
    changed.index.to_parquet(changed.folder / "index.parquet", index=False)
    one, _ = train_briefly(papers, APPNP(**SMALL), tmp_path / "one", keep="last")
    two, _ = train_briefly(Dataset(changed.folder), APPNP(**SMALL), tmp_path / "two", keep="last")
    assert all(map(torch.equal, one.parameters(), two.parameters()))


def test_draws_that_agree_cost_nothing_where_they_are_not_sharpened():
    logits = torch.randn(5, 3)
    assert disagreement([logits, logits], 1.0) == pytest.approx(0, abs=1e-12)
    assert disagreement([logits, logits], 0.5) > 0
    one, two = (torch.tensor([[p, 1 - p]], dtype=torch.float64).log() for p in (0.8, 0.6))
    mean = np.array([0.7, 0.3])
    target = mean**2 / (mean**2).sum()
    expected = np.mean([((np.array([p, 1 - p]) - target) ** 2).sum() for p in (0.8, 0.6)])
    assert disagreement([one, two], 0.5) == pytest.approx(expected)


def test_convolutions_have_a_decay_of_their_own(papers):
    params = PARAMS.model_copy(update={"model": KINDS["gcnii"]})
    made = learner(network(KINDS["gcnii"], papers.info), params, papers)
    groups = made.configure_optimizers().param_groups
    assert [it["weight_decay"] for it in groups] == [0.0002, 0.01]
    assert [len(it["params"]) for it in groups] == [4, 4]
    assert {id(p) for it in groups for p in it["params"]} == {id(p) for p in made.parameters()}


# --- references ------------------------------------------------------------------------------


def test_labels_spread_along_edges(tmp_path):
    table, edges = circle()
    table.loc[[0, 30, 60], "split"] = "train"
    table.loc[[5, 35, 65], "split"] = "validation"
    table["split"] = table["split"].fillna("test")
    alone = pd.DataFrame(
        {"id": ["alone"], "label": "red", "height": 1, "width": 1, "split": "test"}
    )
    files = {"nodes_csv": pd.concat([table, alone]), "edges_csv": edges}
    dataset = take(put(tmp_path / "source", **files))
    given = predict_references(dataset, ("train",))["label_propagation"]
    asked = dataset.examples("test")
    near = asked["node"].isin([1, 2, 3, 31, 32, 33, 61, 62, 63]).to_numpy()
    assert (given[near].argmax(1) == asked["label"][near]).all()
    np.testing.assert_allclose(given[-1], 1 / 3, rtol=1e-6, err_msg="no label reaches it")
    np.testing.assert_allclose(given.sum(axis=1), 1, rtol=1e-5)


def test_surroundings_count_what_is_known(tmp_path):
    nodes = "id,label,a\nx,red,1\ny,red,2\nz,blue,3\nw,,4\nalone,red,5\n"
    edges = "f,t\nx,y\nx,z\nx,w\nw,z\n"
    source = put(tmp_path / "source", nodes_csv=nodes, edges_csv=edges)
    around = describe_surroundings(take(source, train_per_class=1))
    assert around["degree"].tolist() == [3, 1, 2, 2, 0]
    assert around["homophily"].tolist()[:3] == [0.5, 1.0, 0.0]
    assert around["homophily"].isna().tolist() == [False, False, False, True, True]


def test_the_map_is_the_same_on_any_number_of_cores(papers):
    given = class_probabilities(build(papers, APPNP(**SMALL)))[:120]
    one = place(given)
    assert one.shape == (120, 2)
    np.testing.assert_array_equal(one, place(given))
    assert place(given[:3]).shape == (3, 2), "few nodes too"


# --- what is served --------------------------------------------------------------------------


def ask(built, dataset, **columns):
    inputs = pd.DataFrame({name: pd.Series(it, dtype=object) for name, it in columns.items()})
    return predict(built, inputs, dataset.info, {})


@pytest.fixture(scope="module")
def built(papers):
    return build(papers, APPNP(**SMALL))


def test_a_node_of_the_graph_is_answered_from_there(built, papers):
    asked = exam(papers, "test")
    answers = predict(built, asked[["node", "features", "neighbours"]], papers.info, {})
    assert (answers["answered_as"] == "known").all()
    nodes = papers.examples("test")["node"]
    np.testing.assert_array_equal(
        np.stack(answers["probabilities"]), class_probabilities(built)[nodes]
    )
    assert set(outcome(answers, asked)) >= {"id", "label", "correct", "loss"}
    only_id = ask(built, papers, node=asked["node"])
    pd.testing.assert_frame_equal(only_id, answers)


def test_a_new_node_takes_from_its_neighbours_and_changes_nobody(built, papers):
    features = np.zeros(160)
    features[[3, 5]] = 1
    known = class_probabilities(built)
    alone = ask(built, papers, features=[features])["probabilities"][0]
    near = ask(built, papers, features=[features], neighbours=[["p000", "p001"]])
    assert near["answered_as"][0] == "new"
    assert np.abs(np.array(near["probabilities"][0]) - alone).max() > 1e-3
    many = ask(
        built, papers,
        node=["p000", None, "somebody", None, None],
        features=[None, features, features.tolist(), features * 0, features],
        neighbours=[None, ["p000", "p001"], ["p001", "p000", "p000"], [], None],
    )  # fmt: skip
    assert many["error"].tolist() == [""] * 5
    for row in (1, 2):
        np.testing.assert_allclose(
            many["probabilities"][row], near["probabilities"][0], rtol=1e-5,
            err_msg="whoever else is asked for",
        )  # fmt: skip
    np.testing.assert_allclose(many["probabilities"][4], alone, rtol=1e-5)
    np.testing.assert_array_equal(many["probabilities"][0], known[0].tolist())


def test_a_new_node_without_edges_is_what_its_features_say(papers):
    """Its own value is all it takes: then every kind but gcnii is two dense layers."""
    for kind in ("mlp", "gcn", "appnp"):
        built = build(papers, KINDS[kind])
        features = read_features(papers)[[7]]
        x = torch.from_numpy(built.graph.scale(features).toarray())
        with torch.no_grad():
            hidden = F.relu(x @ built.inputs.weight + built.inputs.bias)
            expected = built.outputs(hidden).softmax(1).numpy()
        given = new_probabilities(built, features, [np.zeros(0, np.int64)])
        np.testing.assert_allclose(given, expected, rtol=1e-4, atol=1e-5)


def test_a_node_that_is_taken_out_and_given_back_takes_what_it_took(papers):
    """In one step from neighbours that stay, a new node's row is that of a known one."""
    built = build(papers, GCN(**SMALL))
    graph, features = built.graph, read_features(papers)
    node = int(describe_surroundings(papers)["degree"].idxmax())
    apart = graph.without(node)
    assert apart.adjacency.as_scipy()[[node]].nnz == 1, "itself"
    near = graph.neighbours(node)
    joined = graph.joined(apart, graph.scale(features[[node]]), [near])
    row = joined.adjacency.as_scipy().toarray()[-1]
    whole = graph.whole().adjacency.as_scipy().toarray()[node]
    assert (np.flatnonzero(row[:-1]) == near).all()
    # Neighbours have an edge less while it is out, and so count for a little more.
    assert (row[near] > whole[near]).all()
    np.testing.assert_allclose(row[-1], whole[node])


@pytest.mark.parametrize(
    ("row", "error"),
    [
        ({}, "nothing to answer: expected a node of the graph, or features of a new one"),
        ({"node": "nobody"}, "node nobody: not in the graph; a new one needs features"),
        ({"features": [1.0] * 159}, "159 features; expected 160, as the graph has"),
        ({"features": [1.0] * 159 + [np.nan]}, "features that are no numbers"),
        ({"features": ["many"] * 160}, "features that are no numbers"),
        ({"node": float("nan"), "features": []}, "nothing to answer"),
    ],
)
def test_a_row_that_cannot_be_answered_says_why(built, papers, row, error):
    inputs = {name: [row.get(name)] * 2 for name in ("node", "features", "neighbours")}
    inputs["node"][1] = "p001"
    answers = ask(built, papers, **inputs)
    assert answers["error"][0].startswith(error)
    assert answers[["label", "confidence", "probabilities", "answered_as"]].isna().all(axis=1)[0]
    assert answers["error"][1] == ""


def test_neighbours_that_the_graph_does_not_have_are_told(built, papers):
    features = [np.ones(160)] * 2
    answers = ask(built, papers, features=features, neighbours=[["p003", "p9999"], ["p003"]])
    assert answers["unknown_neighbours"].tolist() == [["p9999"], []]
    assert answers["probabilities"][0] == answers["probabilities"][1]


def test_the_exam_has_all_that_another_model_needs(built, papers):
    asked = exam(papers, "test")
    assert len(asked) == len(papers.rows("test"))
    first = papers.examples("test")["node"][0]
    np.testing.assert_array_equal(asked["features"][0], read_features(papers)[[first]].toarray()[0])
    names = np.array(built.graph.ids)
    assert asked["neighbours"][0] == names[built.graph.neighbours(first)].tolist()
    digest = exam_digest(asked)
    assert exam_digest(exam(papers, "test")) == digest
    asked.at[0, "neighbours"] = ["p000"]
    assert exam_digest(asked) != digest
    changed = exam(papers, "test")
    changed["features"][0][0] += 1
    assert exam_digest(changed) != digest


def test_a_model_is_asked_for_nodes_that_came_later(papers, tmp_path):
    """The exam of a graph that has grown, answered by what learned from fewer nodes."""
    (tmp_path / "all").mkdir()
    sample(tmp_path / "all")
    nodes, edges = (pd.read_csv(tmp_path / "all" / f"{it}.csv") for it in ("nodes", "edges"))
    few = nodes[:450]
    within = edges["citing"].isin(few["id"]) & edges["cited"].isin(few["id"])
    earlier = take(put(tmp_path / "few", nodes_csv=few, edges_csv=edges[within]), split="hash")
    later = take(tmp_path / "all", split="hash")
    built, _ = train_briefly(earlier, APPNP(hidden=16), tmp_path / "training", max_epochs=20)
    asked = exam(later, "test")
    answers = predict(built, asked[["node", "features", "neighbours"]], earlier.info, {})
    new = answers["answered_as"] == "new"
    assert new.sum() == (~asked["id"].isin(few["id"])).sum() > 20
    assert (answers["error"] == "").all()
    marked = outcome(answers, asked)["correct"]
    assert marked[~new].mean() > 0.7
    assert marked[new].mean() > 0.6, "four classes"
    assert any(answers["unknown_neighbours"].map(len) > 0), "they cite each other too"


def test_rows_of_a_table_are_read(papers, tmp_path):
    file = tmp_path / "nodes.csv"
    file.write_text("id,w003,w007,neighbours,remark\np001,,,,\n,1,,p000; p002,new\nx,2,many,,\n")
    rows = read_input(file, papers.info)
    assert rows["node"].tolist() == ["p001", "", "x"]
    assert rows["features"][0] is None
    assert np.flatnonzero(rows["features"][1]).tolist() == [3]
    assert rows["neighbours"][1] == ["p000", "p002"]
    assert rows["error"].isna().tolist() == [True, True, False]
    assert rows["error"][2] == "line 4: w007: 'many' is no number"
    file.write_text("name,age\nx,1\n")
    with pytest.raises(PenstockError, match="no column node; found name, age; expected the ids"):
        read_input(file, papers.info)


def test_of_numbers_none_may_be_missing(tmp_path):
    table, edges = circle()
    dataset = take(put(tmp_path / "source", nodes_csv=table, edges_csv=edges))
    file = tmp_path / "new.csv"
    file.write_text("node,height\nx,1\n")
    with pytest.raises(
        PenstockError, match="no column width; the model learned from height, width"
    ):
        read_input(file, dataset.info)
    file.write_text("node,height,width\nx,1,\nn3,,\n")
    rows = read_input(file, dataset.info)
    assert rows["error"].tolist()[0] == "line 2: width: '' is no number"
    assert rows["features"][1] is None


def test_the_interface_can_be_written_down():
    from penstock.pipelines.graph.predict import interface

    told = interface({}, {})
    assert [it.required for it in signature(told).inputs] == [False] * 3
