"""The exhibit that shows a network's first filters beside the classical kernels."""

import io
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from torch import nn

from penstock.datasets.dataset import Dataset, DatasetWriter
from penstock.kinds.images import first_layer, kernels
from penstock.kinds.images.first_layer import first_layer_filters
from penstock.pipelines.mnist.evaluate import evaluate
from penstock.pipelines.mnist.network import MEAN, STD
from penstock.pipelines.mnist.network import network as digit_network
from penstock.pipelines.mnist.params import CNN, MLP
from penstock.pipelines.mnist.params import Evaluate as DigitEvaluate
from penstock.pipelines.pathology import params as tiles
from penstock.pipelines.pathology.network import network as tile_network

TITLE = "First-layer filters"
FRAME = 14  # the grey of the frames is a little blue
INFO = {"image_size": [28, 28], "classes": ["no", "yes"]}


def noise(*shape):
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def colour(picture):
    """How far apart red, green and blue are at most: in the upper half, in the lower."""
    with Image.open(io.BytesIO(picture.content)) as image:
        pixels = np.asarray(image.convert("RGB"))
    return [int(np.ptp(half, axis=2).max()) for half in np.array_split(pixels, 2)]


def test_a_cnn_of_digits_is_drawn_in_grey_and_the_same_each_time():
    network, image = digit_network(CNN(), INFO), noise(28, 28)
    (picture,), (again,) = (first_layer_filters(network, image) for _ in range(2))
    assert picture.title == TITLE
    assert picture.note.endswith(".")
    assert picture.content == again.content
    assert colour(picture)[0] == colour(picture)[1] <= FRAME
    (other,) = first_layer_filters(digit_network(CNN(), INFO), image)
    assert other.content != picture.content


def test_without_a_convolution_there_is_nothing_to_draw():
    assert first_layer_filters(digit_network(MLP(), INFO), noise(28, 28)) == []


@pytest.mark.parametrize("kind", [tiles.CNN, tiles.Residual, tiles.Dense])
def test_filters_of_a_network_of_colour_images_are_drawn_in_colour(kind):
    network = tile_network(kind(kind=kind.model_fields["kind"].default), INFO)
    (picture,) = first_layer_filters(network, noise(32, 32, 3))
    above, below = colour(picture)
    assert above <= FRAME < 100 < below
    assert not any(it._forward_hooks for it in network.modules())


def test_a_layer_answers_as_in_the_network():
    """With its scaling, and before a next layer that writes over what it is given."""
    image = noise(12, 9)
    network = digit_network(CNN(channels=[4]), {**INFO, "image_size": [12, 9]})
    network.layers.insert(1, nn.ReLU(inplace=True))
    layer = network.layers[0]
    scaled = (image / 255 - MEAN) / STD
    found = first_layer._responses(network, layer, image)
    assert found.shape == (4, 10, 7)
    for response, weights in zip(found, layer.weight.detach().numpy()[:, 0], strict=True):
        inside = kernels.filter_images(scaled, weights)[1:-1, 1:-1]
        np.testing.assert_allclose(response, inside, atol=1e-5)


@pytest.mark.filterwarnings("error")
def test_a_network_that_diverged_and_an_image_without_contrast_are_drawn():
    network, image = digit_network(CNN(batch_norm=False), INFO), np.zeros((28, 28), np.uint8)
    for value in (0.0, np.nan, np.inf):
        nn.init.constant_(network.layers[0].weight, value)
        assert first_layer_filters(network, image)
    assert first_layer_filters(digit_network(CNN(channels=[3]), INFO), image), "fewer than kernels"


@pytest.mark.parametrize(("model", "drawn"), [(CNN(), True), (MLP(hidden=[8]), False)])
def test_the_report_of_digits_ends_with_it(tmp_path, model, drawn):
    index = pd.DataFrame({"id": [str(it) for it in range(12)], "split": "test"})
    index["label"] = np.arange(12) % 2
    index["sha256"] = [f"{it:064x}" for it in range(12)]
    with DatasetWriter(tmp_path / "dataset") as writer:
        writer.add(index, {"images": noise(12, 28, 28)})
        writer.info = INFO
    settings = SimpleNamespace(evaluate=DigitEvaluate(gallery=4, max_shift=1))
    found = evaluate(digit_network(model, INFO), Dataset(tmp_path / "dataset"), settings)
    titles = [it.title for it in found.exhibits]
    assert titles.count(TITLE) == drawn
    assert (titles[-1] == TITLE) == drawn
