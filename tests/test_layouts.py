"""Layouts that people publish: read as what they mean, or refused with what to do."""

from types import SimpleNamespace

import numpy as np
import pytest

from penstock.datasets.dataset import Dataset, DatasetWriter
from penstock.kinds.images.decode import encode
from penstock.kinds.images.idx import write_idx
from penstock.messages.errors import PenstockError
from penstock.pipelines.mnist import decode, params
from penstock.pipelines.mnist import ingest as mnist
from penstock.pipelines.pathology.ingest import ingest
from penstock.pipelines.pathology.params import Data
from test_pathology_data import pixels, put, saved

CLASSES = ("benign", "malignant")


def made(source, folder, **settings) -> Dataset:
    data = Data(**{"image_size": 32, "min_side": 16, "max_pixels": 10**6, **settings})
    with DatasetWriter(folder) as writer:
        ingest(source, writer, SimpleNamespace(data=data))
    return Dataset(folder)


def fill(source, *folders, each=6):
    """Images in class folders below each of some folders, every one different."""
    for number, folder in enumerate(folders):
        for label, name in enumerate(CLASSES):
            for image in range(each):
                content = saved(pixels(1000 * number + 100 * label + image))
                put(source, f"{folder}/{name}/{image:02}.png".lstrip("/"), content)


@pytest.mark.parametrize(
    ("folders", "splits"),
    [
        (("train", "valid", "test"), {"train": "train", "validation": "valid", "test": "test"}),
        (("Training", "Testing"), {"train": "Training", "test": "Testing"}),
        (("train", "val"), {"train": "train", "validation": "val"}),
    ],
)
@pytest.mark.parametrize("wrapper", ["", "download/"])
def test_folders_of_splits_are_the_publishers_splits(tmp_path, capsys, folders, splits, wrapper):
    source = tmp_path / "source"
    fill(source, *(f"{wrapper}{folder}" for folder in folders), each=30)
    dataset = made(source, tmp_path / "dataset", test_share=0.3, validation_share=0.3)
    assert dataset.info["classes"] == list(CLASSES)
    said = capsys.readouterr().out
    for split in ("train", "validation", "test"):
        ids = dataset.examples(split)["id"]
        assert len(ids), split
        if split in splits and split != "train":
            assert set(ids.str.split("/").str[0]) == {splits[split]}
        elif split != "train":
            assert set(ids.str.split("/").str[0]) == {splits["train"]}
            assert f"no {split} split in the source: 30% of train" in said
    assert set(dataset.examples("train")["id"].str.split("/").str[0]) == {splits["train"]}
    assert ("download/ is the only folder" in said) == bool(wrapper)
    labels = dataset.index["id"].str.split("/").str[1].map(CLASSES.index)
    assert (labels == dataset.index["label"]).all()


def test_an_image_of_train_that_is_in_test_too_stays_in_test(tmp_path):
    source = tmp_path / "source"
    fill(source, "train", "test")
    put(source, "train/benign/again.png", (source / "test/benign/00.png").read_bytes())
    dataset = made(source, tmp_path / "dataset")
    (again,) = dataset.rejected.itertuples()
    assert (again.id, again.reason) == (
        "train/benign/again.png",
        "the same image as test/benign/00.png",
    )


def test_splits_that_hold_files_are_not_taken_for_classes(tmp_path):
    source = tmp_path / "source"
    for split in ("train", "test"):
        put(source, f"{split}/1.png", saved(pixels(len(split))))
    with pytest.raises(PenstockError, match="test, train are splits, and hold files rather than"):
        made(source, tmp_path / "dataset")


def test_classes_that_are_named_like_splits_among_others_are_classes(tmp_path):
    source = tmp_path / "source"
    for name in ("train", "bus"):
        for image in range(6):
            put(source, f"{name}/{image}.png", saved(pixels(10 * len(name) + image)))
    assert made(source, tmp_path / "dataset").info["classes"] == ["bus", "train"]


def test_one_class_is_refused_by_name(tmp_path):
    source = tmp_path / "source"
    for image in range(3):
        put(source, f"only/{image}.png", saved(pixels(image)))
    with pytest.raises(PenstockError, match=r"1 folders with images \(only\)"):
        made(source, tmp_path / "dataset")


@pytest.mark.parametrize(
    ("shape", "settings"),
    [((50, 50), {}), ((50, 30), {"fit": "resize"}), ((50, 50), {"image_size": 50})],
)
def test_idx_images_of_any_size_are_fitted_as_those_that_are_predicted(
    tmp_path, capsys, shape, settings
):
    source, rng = tmp_path / "source", np.random.default_rng(0)
    source.mkdir()
    images = rng.integers(0, 256, (40, *shape)).astype(np.uint8)
    images[3] = 0
    for prefix, part in (("train", slice(30)), ("t10k", slice(30, None))):
        write_idx(source / f"{prefix}-images-idx3-ubyte.gz", images[part])
        write_idx(source / f"{prefix}-labels-idx1-ubyte.gz", rng.integers(0, 10, 40)[part] % 10)
    data = params.Data(**settings)
    with DatasetWriter(tmp_path / "dataset") as writer:
        mnist.ingest(source, writer, SimpleNamespace(data=data))
    dataset = Dataset(tmp_path / "dataset")
    fitted = "are fitted into 28x28" in capsys.readouterr().out
    assert fitted == ("image_size" not in settings)
    blank = {"train/00003": "blank: no digit stands out from the background"}
    rejected = dict(dataset.rejected.itertuples(index=False, name=None))
    assert rejected == (blank if not settings else {})
    position = dataset.index.index[dataset.index["id"] == "train/00007"][0]
    served = decode.decode(encode(images[7]), data.image_size, data.fit)
    assert (dataset.array("images")[position] == served).all()


def test_a_groups_csv_that_leaves_files_out_is_refused_unless_asked(tmp_path):
    source = tmp_path / "source"
    fill(source, "")
    put(source, "groups.csv", b"file,patient\nbenign/00.png,p1\nmalignant/00.png,p2\n")
    with pytest.raises(PenstockError, match=r"leaves out 10 of 12 files, benign/01\.png the first"):
        made(source, tmp_path / "refused")
    dataset = made(source, tmp_path / "dataset", ungrouped="alone")
    assert dataset.index["group"].nunique() == 12


@pytest.mark.parametrize(
    ("name", "hinted"), [("C{patient}P{image}", True), ("{patient}{image}", False)]
)
def test_names_that_look_like_patients_are_a_hint(tmp_path, capsys, name, hinted):
    source = tmp_path / "source"
    for label in CLASSES:
        for patient in range(101, 104):
            for image in range(2):
                file = name.format(patient=patient, image=image)
                content = saved(pixels(hash((label, patient, image)) % 10**6))
                put(source, f"{label}/{file}.png", content)
    made(source, tmp_path / "dataset")
    assert ("C101 4 times: if that is a patient" in capsys.readouterr().out) == hinted
