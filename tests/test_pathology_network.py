"""The networks of pathology: every kind builds, answers and names the layer Grad-CAM looks at."""

import numpy as np
import pandas as pd
import pytest
import torch

from penstock.datasets.dataset import Dataset, DatasetWriter
from penstock.messages.errors import PenstockError
from penstock.pipelines.pathology.network import network
from penstock.pipelines.pathology.params import CNN, Dense, Residual
from penstock.pipelines.pathology.train import learner
from penstock.settings.explanation import default_params

INFO = {"image_size": [64, 64], "classes": ["a", "b", "c"]}
# The first is the published recipe: 3x3 convolutions 32, 64, 128 with bias, dense 128, classes.
PUBLISHED = CNN(batch_norm=False, pool="flatten")
WEIGHTS = (
    (3 * 9 + 1) * 32
    + (32 * 9 + 1) * 64
    + (64 * 9 + 1) * 128
    + (128 * 8 * 8 + 1) * 128
    + (128 + 1) * 3
)


@pytest.mark.parametrize("model", [CNN(), PUBLISHED, Residual(), Dense()], ids=lambda it: it.kind)
def test_every_kind_answers_for_uint8_images(model):
    made = network(model, INFO).eval()
    images = torch.randint(0, 256, (2, 64, 64, 3), dtype=torch.uint8)
    with torch.inference_mode():
        logits = made(images)
        assert torch.allclose(logits, made(images.float())), "augmented images come as float"
    assert logits.shape == (2, 3)
    assert made.cam_layer in dict(made.named_modules())


def test_the_published_recipe_has_its_size():
    made = network(PUBLISHED, INFO)
    assert sum(parameter.numel() for parameter in made.parameters()) == WEIGHTS


def test_more_poolings_than_pixels_are_refused():
    with pytest.raises(PenstockError, match="use fewer channels or larger images"):
        network(CNN(channels=[8, 8, 8, 8, 8]), INFO | {"image_size": [16, 16]})


def test_what_training_measures_is_of_the_training_images_and_kept_in_the_weights(tmp_path):
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (40, 64, 64, 3), np.uint8)
    images[30:] //= 8  # the test split is darker
    labels = np.array([0] * 24 + [1] * 6 + [2] * 10)
    splits = ["train"] * 30 + ["test"] * 10
    index = pd.DataFrame({"id": [str(n) for n in range(40)], "split": splits, "label": labels})
    with DatasetWriter(tmp_path / "dataset") as writer:
        writer.add(index, {"images": images})
        writer.info = INFO
    params = default_params("pathology")
    made = network(params.model, INFO)
    weights = learner(made, params, Dataset(tmp_path / "dataset")).class_weights
    torch.testing.assert_close(made.mean, torch.tensor(images[:30].mean((0, 1, 2))).float())
    torch.testing.assert_close(made.std, torch.tensor(images[:30].std((0, 1, 2))).float())
    assert weights.tolist() == pytest.approx([30 / (3 * 24), 30 / (3 * 6), 10.0])
    again = network(params.model, INFO)
    again.load_state_dict(made.state_dict())
    torch.testing.assert_close(again.mean, made.mean)
