"""Networks, loaders and augmentation, apart from any stage."""

import ast
import sys
from pathlib import Path

import grimp
import numpy as np
import pytest
import torch

from penstock.learning.loading import batches, choose_loading
from penstock.learning.sources import Episodes, Ragged, Rows, Whole, Windows
from penstock.learning.training import plan_epochs
from penstock.messages.errors import PenstockError
from penstock.pipelines.mnist.augmentation import RandomShift, shift_sideways
from penstock.pipelines.mnist.network import network
from penstock.pipelines.mnist.params import CNN, MLP
from penstock.settings.explanation import default_params
from penstock.settings.sections import TrainParams

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
INFO = {"image_size": [28, 28], "classes": [str(digit) for digit in range(10)]}

# Parameter counts follow from each published recipe; 431,080 and 814,090 are quoted widely.
RECIPES = {
    "keras 32-64": (CNN(channels=[32, 64], dense=64, batch_norm=False), 121_930),
    "16-32 same": (CNN(channels=[16, 32], padding="same", batch_norm=False), 206_922),
    "LeNet 20-50": (CNN(channels=[20, 50], kernel=5, dense=500, batch_norm=False), 431_080),
    "MLP 1024": (MLP(hidden=[1024]), 814_090),
}


@pytest.mark.parametrize("recipe", RECIPES)
def test_published_recipes_can_be_expressed(recipe):
    model, parameters = RECIPES[recipe]
    built = network(model, INFO)
    assert sum(p.numel() for p in built.parameters()) == parameters
    assert built(torch.zeros(2, 28, 28, dtype=torch.uint8)).shape == (2, 10)


def test_a_network_that_leaves_nothing_of_the_image_is_refused():
    with pytest.raises(PenstockError, match="leave nothing of 28x28"):
        network(CNN(channels=[8, 8, 8, 8], kernel=5), INFO)


@pytest.fixture
def arrays():
    return {"inputs": np.arange(100, dtype=np.uint8)[:, None], "label": np.arange(100)}


@pytest.mark.parametrize("workers", [0, 2])
def test_memory_and_streaming_give_the_same_batches(arrays, workers):
    rows = np.arange(10, 97)
    options = {"batch_size": 16, "seed": 3}
    source = Rows(arrays, rows)
    memory = batches(source, loading="memory", **options)
    stream = batches(source, loading="stream", workers=workers, **options)
    for epoch in range(2):
        for loader in (memory, stream):
            loader.sampler.set_epoch(epoch)
        ours, theirs = (
            [batch["label"].tolist() for batch in loader] for loader in (memory, stream)
        )
        assert ours == theirs
        assert len(ours) == len(memory) == 5


def test_an_epoch_sees_each_example_once_in_a_new_order(arrays):
    loader = batches(Rows(arrays, np.arange(96)), 16, seed=0, loading="memory")
    orders = []
    for epoch in range(2):
        loader.sampler.set_epoch(epoch)
        orders.append([label for batch in loader for label in batch["label"].tolist()])
    assert sorted(orders[0]) == sorted(orders[1]) == list(range(96))
    assert orders[0] != orders[1]


def test_validation_keeps_its_order_and_its_last_batch(arrays):
    loader = batches(Rows(arrays, np.arange(50)), 16)
    assert [label for batch in loader for label in batch["label"].tolist()] == list(range(50))


def test_what_does_not_fit_in_memory_is_streamed(arrays):
    huge = {"inputs": np.lib.stride_tricks.as_strided(np.zeros(1), (10**7, 10**6), (0, 0))}
    device = torch.device("cpu")
    large, small = [Rows(huge, np.arange(10**7))], [Rows(arrays, np.arange(100))]
    assert choose_loading(large, device, "auto", 10**9)[0] == "stream"
    assert choose_loading(small, device, "auto", 10**9)[0] == "memory"
    assert choose_loading(small, device, "stream", 10**9)[0] == "stream"


def every_batch(source, loading):
    loader = batches(source, 4, seed=1, drop_last=False, loading=loading)
    return [{name: it.tolist() for name, it in batch.items()} for batch in loader]


@pytest.mark.parametrize("loading", ["memory", "stream"])
def test_windows_over_a_stream_may_overlap(loading):
    stream = np.arange(1000, dtype=np.int32)
    source = Windows({"tokens": stream}, np.arange(0, 990, 3), 8)
    assert len(source) == 330
    windows = [it for batch in every_batch(source, loading) for it in batch["tokens"]]
    assert sorted(windows) == [list(range(at, at + 8)) for at in range(0, 990, 3)]


@pytest.mark.parametrize("loading", ["memory", "stream"])
def test_ragged_examples_are_padded_to_the_longest_of_their_batch(loading):
    texts = [list(range(1, 1 + length)) for length in (1, 5, 3, 2, 7, 4, 6)]
    stops = np.cumsum([len(it) for it in texts])
    starts = stops - [len(it) for it in texts]
    tokens = np.concatenate(texts).astype(np.int16)
    label = np.arange(len(texts))
    source = Ragged({"tokens": tokens}, starts, stops, {"label": label}, padding=-1)
    seen = {}
    for batch in every_batch(source, loading):
        assert len(batch["tokens"][0]) == max(batch["lengths"])
        for row, length, number in zip(
            batch["tokens"], batch["lengths"], batch["label"], strict=True
        ):
            assert row[length:] == [-1] * (len(row) - length)
            seen[number] = row[:length]
    assert [seen[number] for number in range(len(texts))] == texts


def test_a_whole_is_one_batch():
    arrays = {"edges": np.array([[0, 1], [1, 2]]), "labels": np.arange(3)}
    (batch,) = every_batch(Whole(arrays), "memory")
    assert batch == {"edges": [[0, 1], [1, 2]], "labels": [0, 1, 2]}
    for loading in ("memory", "stream"):
        often = list(batches(Whole(arrays, 3), 1, seed=0, loading=loading))
        assert [it["labels"].tolist() for it in often] == [[0, 1, 2]] * 3, "as often as is asked"


def test_episodes_are_made_anew_in_each_epoch_and_again_from_the_same_seed():
    def play(seed):
        return {"state": np.random.default_rng(seed).integers(0, 1000, 20)}

    def epochs(seed):
        loader = batches(Episodes(play, 20, seed), 4, seed=seed, loading="stream")
        made = []
        for epoch in range(2):
            loader.sampler.set_epoch(epoch)
            made.append([number for batch in loader for number in batch["state"].tolist()])
        return made

    ours, again, others = epochs(0), epochs(0), epochs(1)
    assert ours == again
    assert ours[0] != ours[1]
    assert ours != others


@pytest.mark.parametrize(
    ("examples", "epochs", "min_steps", "planned"),
    [(54_000, 5, 600, 5), (1_300, 5, 600, 60), (50, 5, 600, 600), (1_300, 5, 0, 5)],
)
def test_small_data_gets_more_epochs(examples, epochs, min_steps, planned):
    params = TrainParams(max_epochs=epochs, min_steps=min_steps, batch_size=128)
    assert plan_epochs(examples, params)[0] == planned


def test_random_shift_moves_each_image_within_its_limit():
    torch.manual_seed(0)
    images = torch.zeros(200, 9, 9, dtype=torch.uint8)
    images[:, 4, 4] = 255
    moved = RandomShift(2)(images)
    assert (moved.flatten(1).sum(1) == 255).all()
    rows, columns = np.unravel_index(moved.flatten(1).argmax(1).numpy(), (9, 9))
    assert set(rows) == set(columns) == {2, 3, 4, 5, 6}
    assert RandomShift(0)(images) is images


@pytest.mark.parametrize("pixels", [-3, 0, 3])
def test_shift_sideways_fills_with_background(pixels):
    images = torch.ones(1, 2, 8)
    moved = shift_sideways(images, pixels)
    assert moved.sum() == 2 * (8 - abs(pixels))
    assert moved[0, 0, 0 if pixels > 0 else -1] == (0 if pixels else 1)


def test_the_gpu_benchmark_needs_only_its_few_libraries():
    """A bare GPU machine has these, and tqdm, which Lightning brings."""
    few = {"torch", "pytorch_lightning", "numpy", "pandas", "pyarrow", "sklearn", "tqdm"}
    graph = grimp.build_graph(
        "penstock",
        include_external_packages=True,
        exclude_type_checking_imports=True,
        cache_dir=None,
    )
    tree = ast.parse((BENCHMARKS / "gpu.py").read_text())
    used = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    ours = {module for module in used if module.startswith("penstock")}
    assert "penstock.learning.training" in ours
    needed = ours | {up for module in ours for up in graph.find_upstream_modules(module)}
    outside = {module for module in needed if not module.startswith("penstock")}
    assert outside - set(sys.stdlib_module_names) <= few


def test_the_gpu_benchmark_trains_by_the_defaults(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import gpu

    params = default_params("mnist")
    assert params.train.model_dump() == gpu.TRAIN
    assert params.model.model_dump() == gpu.MODEL
