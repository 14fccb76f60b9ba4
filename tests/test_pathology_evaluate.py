"""What is measured and served of the tissue classifier, with networks made by hand."""

import io
import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch import nn

from penstock.commands.predict import save_binaries
from penstock.datasets.dataset import Dataset, DatasetWriter
from penstock.evaluation.exhibits import Picture
from penstock.evaluation.inference import class_probabilities
from penstock.kinds.images.decode import encode
from penstock.messages.errors import PenstockError
from penstock.pipeline import load
from penstock.pipelines.pathology import predict as served
from penstock.pipelines.pathology.evaluate import evaluate
from penstock.pipelines.pathology.gradcam import gradcam, overlay
from penstock.pipelines.pathology.params import Evaluate
from penstock.tracking.champion import read_options
from penstock.tracking.packaging import signature

SIDE = 32


class Tiny(nn.Module):
    """One convolution; by hand it finds brightness."""

    cam_layer = "features"

    def __init__(self, by_hand: bool = False) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.features = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(inplace=True))
        self.classifier = nn.Linear(4, 2)
        if by_hand:
            for parameter in self.parameters():
                nn.init.constant_(parameter, 0)
            nn.init.constant_(self.features[0].weight[0], 1 / 27)
            self.classifier.weight.data[1, 0] = 1

    def forward(self, images):
        maps = self.features(images.float().permute(0, 3, 1, 2) / 255)
        return self.classifier(maps.mean((2, 3)))


@pytest.fixture
def dataset(tmp_path):
    """90 noisy images, the malignant ones brighter, three to a group."""
    rng = np.random.default_rng(0)
    label = np.repeat(np.arange(30) % 2, 3).astype(np.int16)
    images = rng.integers(0, 160, (90, SIDE, SIDE, 3)) + 40 * label[:, None, None, None]
    images = images.astype(np.uint8)
    index = pd.DataFrame(
        {
            "id": [f"{i}.png" for i in range(90)],
            "split": np.repeat(["train", "validation", "test"], 30),
            "label": label,
            "group": [f"group-{i // 3}" for i in range(90)],
            "sha256": [f"{i:064x}" for i in range(90)],
            **{c: rng.uniform(size=90).astype(np.float32) for c in ("red", "green", "blue")},
        }
    )
    with DatasetWriter(tmp_path / "dataset") as writer:
        writer.add(index, {"images": images})
        for name, image in zip(index["id"][60:], images[60:], strict=True):
            writer.keep(name, encode(image))
        writer.info = {
            "classes": ["benign", "malignant"],
            "image_size": [SIDE, SIDE],
            **{"fit": "resize", "min_side": 8, "max_pixels": 10**6, "depth": 16},
        }
    return Dataset(tmp_path / "dataset")


def settings(**changes):
    return SimpleNamespace(evaluate=Evaluate(gallery=4, resamples=100, **changes))


def test_grad_cam_lights_up_the_bright_half_and_leaves_the_network_alone():
    network = Tiny(by_hand=True).eval()
    images = np.full((3, SIDE, SIDE, 3), 10, np.uint8)
    images[:, :, SIDE // 2 :] = 240
    before = {name: value.clone() for name, value in network.state_dict().items()}
    maps = gradcam(network, images, np.array([1, 0, 1]), "features")
    assert maps.shape == (3, SIDE, SIDE)
    assert maps.dtype == np.float32
    assert maps.min() >= 0
    assert maps[0].max() == pytest.approx(1)
    assert maps[0, :, SIDE // 2 + 2 :].mean() > 0.8 > 0.2 > maps[0, :, : SIDE // 2 - 2].mean()
    assert not maps[1].any()  # nothing in it speaks for the other class
    np.testing.assert_array_equal(maps[0], maps[2])
    assert not network.features._forward_hooks
    assert all(parameter.grad is None for parameter in network.parameters())
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


def test_an_overlay_leaves_what_says_nothing_as_it_is():
    image = np.full((SIDE, SIDE, 3), 200, np.uint8)
    heat = np.zeros((SIDE, SIDE), np.float32)
    heat[:4] = 1
    mixed = overlay(image, heat)
    assert (mixed[4:] == image[4:]).all()
    assert (mixed[:4] != image[:4]).any()


def test_rows_are_read_from_the_whole_array(dataset):
    network, images = Tiny(), dataset.array("images")
    rows = dataset.rows("test")
    np.testing.assert_allclose(
        class_probabilities(network, images, rows), class_probabilities(network, images[rows])
    )


@pytest.mark.parametrize("by_hand", [False, True])
def test_everything_is_measured(dataset, by_hand):
    found = evaluate(Tiny(by_hand).eval(), dataset, settings())
    for name in ("accuracy", "roc_auc", "pr_auc", "sensitivity", "specificity"):
        low, high = found.metrics[f"test/{name}_low"], found.metrics[f"test/{name}_high"]
        assert 0 <= low <= found.metrics[f"test/{name}"] <= high + 1e-9 <= 1 + 2e-9
    assert found.metrics["test/groups"] == 10
    assert found.metrics["test/examples"] == 30
    assert 0 <= found.metrics["test/mean_colour_accuracy"] <= 0.9
    if by_hand:  # it sees how bright an image is, and that is the truth here
        assert found.metrics["test/roc_auc"] == 1
        assert found.metrics["test/sensitivity"] >= 0.9
    shown = {it.title: it for it in found.exhibits}
    pictures = [it for it in found.exhibits if isinstance(it, Picture)]
    titles = {it.title for it in pictures}
    assert {"ROC curve", "Precision and recall", "Confusion matrix", "Calibration"} <= titles
    assert any(title.startswith("Grad-CAM") for title in titles)
    assert pictures[-1].title == "First-layer filters"
    assert all(it.note for it in pictures)
    assert len(shown) == len(found.exhibits), "titles differ"
    assert "roc" in found.plots
    worst = shown["Groups with most errors"].rows
    assert worst["errors"].is_monotonic_decreasing
    assert list(worst.columns) == ["group", "examples", "errors", "accuracy"]
    assert "group" in found.scores
    json.dumps(found.metrics, allow_nan=False)


def test_an_unknown_positive_class_is_named(dataset):
    with pytest.raises(PenstockError, match="malign: no such class; there is: benign, malignant"):
        evaluate(Tiny(), dataset, settings(positive="malign"))


def test_predictions_are_what_evaluate_measured_and_bring_a_map_if_asked(dataset, monkeypatch):
    monkeypatch.setattr(served, "CHUNK_BYTES", 3 * SIDE**2 * 7)  # 7 images at a time
    network = Tiny().eval()
    scores = evaluate(network, dataset, settings()).scores
    exam = served.exam(dataset, "test")
    inputs = exam[["image"]]
    plain = served.predict(network, inputs, dataset.info, {"gradcam": False})
    assert list(plain) == list(served.interface(dataset.info, {}).outputs)
    assert plain["gradcam"].isna().all()
    again = served.outcome(plain, exam)
    pd.testing.assert_frame_equal(again, scores)
    inputs = pd.DataFrame({"image": [inputs["image"][0], b"not an image", inputs["image"][1]]})
    mapped = served.predict(network, inputs, dataset.info, {"gradcam": True})
    assert mapped["error"].astype(bool).tolist() == [False, True, False]
    assert mapped["gradcam"][1] is None
    with Image.open(io.BytesIO(mapped["gradcam"][0])) as picture:
        assert picture.size == (SIDE, SIDE)
    assert len(served.predict(network, inputs.head(0), dataset.info, {"gradcam": True})) == 0


def test_options_are_read_like_yaml_and_refused_in_one_line():
    known = served.interface({}, {}).options
    assert read_options("pathology", known, ["gradcam=true"]) == {"gradcam": True}
    assert read_options("x", {"share": 0.5}, ["share=1"]) == {"share": 1.0}
    with pytest.raises(PenstockError, match="gradcm=true: no such option; there is: gradcam"):
        read_options("pathology", known, ["gradcm=true"])
    with pytest.raises(PenstockError, match="mnist takes none"):
        read_options("mnist", {}, ["gradcam=true"])
    for wrong in ("gradcam", "gradcam=7", "gradcam=[", "gradcam=perhaps"):
        with pytest.raises(PenstockError, match="expected gradcam= and a bool, false say"):
            read_options("pathology", known, [wrong])


def test_the_signature_has_the_options():
    spec = signature(served.interface({}, {})).params.params[0]
    assert (spec.name, spec.default, spec.dtype.name) == ("gradcam", False, "boolean")
    assert signature(load("mnist", "predict").interface({}, {})).params is None


def test_pictures_are_saved_under_the_name_of_their_input(tmp_path):
    picture = encode(np.zeros((SIDE, SIDE, 3), np.uint8))
    rows = [
        {"file": "a/tile.png", "gradcam": picture},
        {"file": "b/tile.png", "gradcam": picture},
        {"file": "bad.png", "gradcam": None},
    ]
    save_binaries(rows, tmp_path / "maps")
    names = sorted(path.name for path in (tmp_path / "maps").iterdir())
    assert names == ["tile-2.gradcam.png", "tile.gradcam.png"]


@pytest.mark.pipeline
def test_an_option_that_is_not_there_is_one_line(project, tmp_path):
    file = tmp_path / "zero.png"
    file.write_bytes(encode(np.zeros((SIDE, SIDE, 3), np.uint8)))
    done = project.run("penstock", "predict", "mnist", str(file), "-o", "gradcam=true", check=False)
    assert done.returncode == 1
    assert done.stderr == ("penstock: error: -o gradcam=true: no such option; mnist takes none\n")
