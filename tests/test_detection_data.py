"""Boxes of images: every one taken or rejected by name, the same data in any format."""

import csv
import io
import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from penstock.datasets.dataset import Dataset, DatasetWriter
from penstock.datasets.digest import digest_files
from penstock.messages.errors import PenstockError
from penstock.pipelines.detection.annotations import Box
from penstock.pipelines.detection.decode import decode, fitted, scales
from penstock.pipelines.detection.expectations import expectations, tables
from penstock.pipelines.detection.ingest import ingest
from penstock.pipelines.detection.params import Data, Expectations
from penstock.pipelines.detection.sample import sample
from penstock.pipelines.detection.taken import take_boxes
from penstock.stages.validate import check
from test_pathology_data import bomb, pixels, put, saved

NAMES = ["car", "person"]
WIDTH, HEIGHT = 80, 60
# Image -> boxes: class, left, top, right, bottom.
TRUTH = {
    "a": [("person", 10, 5, 30, 50), ("car", 40, 20, 79, 55)],
    "b": [("car", 0, 0, 80, 60), ("car", 3, 3, 20, 20), ("person", 60, 1, 70, 33)],
    "c": [],
    "d": [("person", 33, 7, 41, 59)],
    "e": [("car", 5, 6, 7, 8)],
    "f": [("person", 20, 20, 60, 60)],
}


def picture(seed, width=WIDTH, height=HEIGHT, **options):
    return saved(pixels(seed, height, width), "JPEG", quality=95, **options)


def images(root, names=TRUTH, folder="images"):
    for seed, name in enumerate(names):
        put(root, f"{folder}/{name}.jpg", picture(seed))


def xml(boxes, width=WIDTH, height=HEIGHT, more=""):
    objects = "".join(
        f"<object><name>{name}</name><difficult>0</difficult><bndbox><xmin>{x}</xmin><ymin>{y}"
        f"</ymin><xmax>{r}</xmax><ymax>{b}</ymax></bndbox></object>"
        for name, x, y, r, b in boxes
    )
    size = f"<size><width>{width}</width><height>{height}</height><depth>3</depth></size>"
    return f"<annotation>{size}{objects}{more}</annotation>".encode()


def as_voc(root):
    images(root)
    for name, boxes in TRUTH.items():
        put(root, f"Annotations/{name}.xml", xml(boxes))


def coco(truth=TRUTH, **changes):
    content = {
        "images": [
            {"id": n, "file_name": f"{name}.jpg", "width": WIDTH, "height": HEIGHT}
            for n, name in enumerate(truth)
        ],
        "categories": [{"id": 7, "name": "person"}, {"id": 3, "name": "car"}],
        "annotations": [
            {
                "id": 1,
                "image_id": n,
                "category_id": {"person": 7, "car": 3}[name],
                "bbox": [x, y, right - x, bottom - y],
                "iscrowd": 0,
            }
            for n, boxes in enumerate(truth.values())
            for name, x, y, right, bottom in boxes
        ],
    }
    return json.dumps(content | changes).encode()


def as_coco(root):
    images(root)
    put(root, "annotations/instances.json", coco())


def as_yolo(root):
    images(root)
    put(root, "data.yaml", b"names: {0: person, 1: car}\nnc: 2\n")
    for name, boxes in TRUTH.items():
        lines = [
            f"{0 if kind == 'person' else 1} {(x + r) / 2 / WIDTH:.6f} {(y + b) / 2 / HEIGHT:.6f} "
            f"{(r - x) / WIDTH:.6f} {(b - y) / HEIGHT:.6f}"
            for kind, x, y, r, b in boxes
        ]
        if lines:  # an image without objects has no file
            put(root, f"labels/{name}.txt", "\n".join(lines).encode())


def as_csv(root):
    images(root)
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(["filename", "class", "xmin", "ymin", "xmax", "ymax"])
    for name, boxes in TRUTH.items():
        writer.writerows([f"images/{name}.jpg", *box] for box in boxes or [[""] * 5])
    put(root, "boxes.csv", buffer.getvalue().encode())


FORMATS = {"voc": as_voc, "coco": as_coco, "yolo": as_yolo, "csv": as_csv}


def read(source, folder, **settings):
    data = Data(height=64, width=64, **settings)
    with DatasetWriter(folder) as writer:
        ingest(source, writer, SimpleNamespace(data=data))
    return Dataset(folder)


def boxes_of(dataset, name):
    """Class and corners of the boxes of an image."""
    row = dataset.index.set_index("id").loc[name]
    part = slice(row["start"], row["stop"])
    labels = [dataset.info["classes"][it] for it in dataset.array("labels")[part]]
    return sorted(zip(labels, *dataset.array("boxes")[part].T.tolist(), strict=True))


@pytest.mark.parametrize("kind", FORMATS)
def test_boxes_are_read_as_they_were_written(kind, tmp_path):
    FORMATS[kind](tmp_path / "source")
    dataset = read(tmp_path / "source", tmp_path / "dataset")
    assert not len(dataset.rejected)
    assert dataset.info["classes"] == NAMES
    for name, boxes in TRUTH.items():
        assert boxes_of(dataset, f"images/{name}.jpg") == sorted(boxes)
    assert dataset.index.set_index("id").loc["images/c.jpg", "boxes"] == 0


def test_the_same_data_in_any_format_is_the_same_dataset(tmp_path):
    digests = set()
    for kind, write in FORMATS.items():
        write(tmp_path / kind)
        dataset = read(tmp_path / kind, tmp_path / f"{kind}-dataset")
        digests.add((dataset.info["digest"], digest_files(dataset.folder)))
    assert len(digests) == 1


def test_kitti_and_penn_fudan_are_read_too(tmp_path):
    kitti = tmp_path / "kitti"
    images(kitti, ["000001"], "training/image_2")
    lines = [
        "Car 0.00 0 -1.6 {} 1.5 1.6 3.7 1 1.7 30 -1.6",
        "DontCare -1 -1 -10 {} -1 -1 -1 -1 -1 -1 -10",
    ]
    text = "\n".join([lines[0].format("3.5 4 20.25 30"), lines[1].format("40 1 50 20")])
    put(kitti, "training/label_2/000001.txt", text.encode())
    dataset = read(kitti, tmp_path / "one")
    assert boxes_of(dataset, "training/image_2/000001.jpg") == [("Car", 3.5, 4, 20.25, 30)]

    penn = tmp_path / "penn"
    images(penn, ["FudanPed00001"], "PNGImages")
    put(penn, "PedMasks/FudanPed00001_mask.png", saved(np.zeros((60, 80), np.uint8)))
    text = (
        'Objects with ground truth : 1 { "PASpersonWalking" }\n'
        'Bounding box for object 1 "PASpersonWalking" (Xmin, Ymin) - (Xmax, Ymax) : '
        "(16, 12) - (31, 40)\n"
    )
    put(penn, "Annotation/FudanPed00001.txt", text.encode())
    dataset = read(penn, tmp_path / "two")
    shown = boxes_of(dataset, "PNGImages/FudanPed00001.jpg")
    assert shown == [("PASpersonWalking", 16, 12, 31, 40)]
    assert dataset.rejected["id"].tolist() == ["PedMasks"], "a folder of masks, once"


BAD = {
    "outside": ((90, 5, 99, 9), "outside the image of 80x60"),
    "touching from outside": ((80, 5, 99, 9), "outside the image of 80x60"),
    "empty": ((5, 5, 5, 20), "empty: no width or no height"),
    "inverted": ((30, 5, 10, 20), "inverted"),
    "a sliver": ((79.5, 5, 99, 20), "0.5x15 pixels in the image; at least 1"),
    "twice": ((10, 5, 30, 50), "a second box of this class at this place"),
}


@pytest.mark.parametrize("what", BAD)
def test_a_bad_box_is_rejected_by_name_and_the_image_is_taken(what, tmp_path):
    corners, reason = BAD[what]
    images(tmp_path / "source", ["a"])
    boxes = [("person", 10, 5, 30, 50), ("person", *corners)]
    put(tmp_path / "source", "images/a.xml", xml(boxes))
    dataset = read(tmp_path / "source", tmp_path / "dataset")
    assert boxes_of(dataset, "images/a.jpg") == [("person", 10, 5, 30, 50)]
    ((name, why),) = dataset.rejected.itertuples(index=False)
    assert name == f"images/a.jpg: person at {', '.join(f'{it:g}' for it in corners)}"
    assert reason in why
    assert dataset.info["found"] == 2


def test_a_box_over_the_edge_is_clipped_and_said(tmp_path, capsys):
    images(tmp_path / "source", ["a"])
    put(tmp_path / "source", "images/a.xml", xml([("person", -4, 50, 30, 64)]))
    dataset = read(tmp_path / "source", tmp_path / "dataset")
    assert boxes_of(dataset, "images/a.jpg") == [("person", 0, 50, 30, 60)]
    assert dataset.index["clipped"].tolist() == [1]
    assert "were clipped, of images/a.jpg the first" in capsys.readouterr().out


def test_boxes_of_classes_not_asked_for_are_rejected(tmp_path):
    as_voc(tmp_path / "source")
    dataset = read(tmp_path / "source", tmp_path / "dataset", classes=["person"])
    assert dataset.info["classes"] == ["person"]
    assert len(dataset.array("boxes")) == 4
    assert set(dataset.rejected["reason"]) == {"unknown class; there is: person"}


number = st.floats(-50, 150, allow_nan=False).map(lambda it: round(it, 1))


@given(st.lists(st.tuples(st.sampled_from(["car", "person", "ufo"]), *[number] * 4), max_size=12))
def test_every_box_is_taken_or_rejected_and_what_is_taken_is_sound(found):
    boxes = [Box(name, corners) for name, *corners in found]
    taken = take_boxes([Box(it.name, tuple(it.corners)) for it in boxes], 80, 60, NAMES, 1.0)
    assert len(taken.corners) + len(taken.rejected) == len(boxes)
    arrays = taken.arrays()
    kept = arrays["boxes"]
    assert kept.shape == (len(taken.corners), 4)
    assert (kept[:, 2:] - kept[:, :2] >= 1 - 1e-4).all()
    assert (kept >= 0).all()
    assert (kept <= [80, 60, 80, 60]).all()
    assert len(
        {(*box, label) for box, label in zip(taken.corners, taken.labels, strict=True)}
    ) == len(kept)


def test_a_turned_image_has_its_boxes_as_it_is_seen(tmp_path):
    """Orientation 6: the camera was held upright, and 80x60 pixels are seen as 60x80."""
    exif = Image.Exif()
    exif[0x0112] = 6
    content = picture(0, exif=exif)
    put(tmp_path / "source", "a.jpg", content)
    put(tmp_path / "source", "a.xml", xml([("person", 5, 5, 50, 75)], 60, 80))
    put(tmp_path / "source", "b.jpg", picture(1, exif=exif))
    put(tmp_path / "source", "b.xml", xml([("person", 5, 5, 75, 50)], 80, 60))
    dataset = read(tmp_path / "source", tmp_path / "dataset")
    assert dataset.index[["width", "height"]].to_numpy().tolist() == [[60, 80]]
    ((name, why),) = dataset.rejected.itertuples(index=False)
    assert name == "b.jpg"
    assert "annotated at 80x60 pixels, and is 60x80 as it is seen" in why
    letterbox = decode(content, 64, 64, 10**6)
    assert (letterbox.pixels[:, 48:] == 114).all(), "grey on the right of an upright image"


def test_boxes_follow_their_image_into_the_letterbox():
    grey = np.zeros((50, 200, 3), np.uint8)
    grey[10:40, 60:180] = 255
    letterbox = decode(saved(grey), 96, 128, 10**6)
    assert fitted(200, 50, 96, 128) == (128, 32)
    box = np.array([60, 10, 180, 40]) * scales(np.array([200]), np.array([50]), 96, 128)[0]
    bright = letterbox.pixels[:32, :, 0] > 127
    rows, columns = np.flatnonzero(bright.any(1)), np.flatnonzero(bright.any(0))
    seen = [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]
    assert box == pytest.approx(seen, abs=1)
    assert (letterbox.pixels[32:] == 114).all()


def test_files_that_are_no_images_or_have_no_annotation_are_rejected(tmp_path):
    source = tmp_path / "source"
    as_voc(source)
    put(source, "images/g.jpg", picture(0))
    put(source, "Annotations/g.xml", xml([]))
    put(source, "images/h.jpg", b"no image")
    put(source, "Annotations/h.xml", xml([]))
    put(source, "images/i.png", bomb())
    put(source, "Annotations/i.xml", xml([], 30_000, 30_000))
    put(source, "images/j.jpg", picture(9))
    put(source, "Annotations/k.xml", xml([]))
    put(source, "Annotations/l.xml", b"<annotation><object></annotation>")
    put(source, "Annotations/m.xml", b'<!DOCTYPE a [<!ENTITY b "c">]><annotation/>')
    dataset = read(source, tmp_path / "dataset")
    reasons = dict(dataset.rejected.itertuples(index=False))
    assert reasons["images/g.jpg"] == "the same image as images/a.jpg"
    assert "not an image file" in reasons["images/h.jpg"]
    assert "too large" in reasons["images/i.png"]
    assert "no annotation" in reasons["images/j.jpg"]
    assert reasons["Annotations/k.xml"] == "no image of that name"
    assert "damaged XML" in reasons["Annotations/l.xml"]
    assert "defines entities" in reasons["Annotations/m.xml"]
    assert len(dataset.index) == len(TRUTH)


def test_corners_that_are_no_numbers_are_rejected_by_place(tmp_path):
    source = tmp_path / "source"
    images(source, ["a"])
    more = "<object><name>car</name><bndbox><xmin>x</xmin></bndbox></object>"
    put(source, "a.xml", xml([("car", 1, 1, 9, "nan"), ("car", 1, 1, 20, 20)], more=more))
    dataset = read(source, tmp_path / "dataset")
    assert dict(dataset.rejected.itertuples(index=False)) == {
        "a.xml: object 1 (car)": "a corner is nan: expected a number",
        "a.xml: object 3 (car)": "a corner is x: expected a number",
    }


def test_what_coco_lists_and_what_is_there_must_agree(tmp_path):
    source = tmp_path / "source"
    images(source, ["a", "b"])
    more = [
        {"id": 1, "image_id": 0, "category_id": 9, "bbox": [1, 1, 5, 5]},
        {"id": 2, "image_id": 99, "category_id": 3, "bbox": [1, 1, 5, 5]},
        {"id": 3, "image_id": 0, "category_id": 3, "segmentation": [[1, 1, 5, 5]]},
        {"id": 4, "image_id": 0, "category_id": 3, "bbox": [2, 2, 9, 9], "iscrowd": 1},
    ]
    put(source, "train.json", coco(annotations=more))
    dataset = read(source, tmp_path / "dataset")
    reasons = dict(dataset.rejected.itertuples(index=False))
    assert reasons["train.json: annotation 1"] == "category 9 is not listed"
    assert reasons["train.json: annotation 2"] == "image 99 is not listed"
    assert "no box" in reasons["train.json: annotation 3"]
    assert "not there" in reasons["train.json: c.jpg"]
    assert dataset.array("crowd").tolist() == [1]
    assert dataset.index["crowd"].tolist() == [1, 0]


def test_yolo_has_polygons_and_says_what_is_wrong_with_a_line(tmp_path):
    source = tmp_path / "source"
    images(source, ["a"])
    put(source, "classes.txt", b"person\ncar\n")
    lines = ["1 0.1 0.2 0.5 0.1 0.4 0.9", "2 0.5 0.5 0.1 0.1", "0 0.5 0.5 0.1", "0 0.5 0.5 0.1 x"]
    put(source, "labels/a.txt", "\n".join(lines).encode())
    dataset = read(source, tmp_path / "dataset")
    (box,) = boxes_of(dataset, "images/a.jpg")
    assert box[0] == "car"
    assert list(box[1:]) == pytest.approx([8, 6, 40, 54])
    assert dataset.rejected["reason"].tolist() == [
        "class 2; expected 0 to 1",
        "3 numbers after the class; expected 4, or a polygon",
        "x: expected a number",
    ]


LAYOUTS = {
    "lists": lambda name, split: f"JPEGImages/{name}",
    "folders": lambda name, split: f"{split}/images/{name}",
    "folders with years": lambda name, split: f"images/{split}2017/{name}",
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_splits_of_the_publisher_are_kept(layout, tmp_path):
    source = tmp_path / "source"
    splits = dict(zip("abcdef", ["train"] * 3 + ["val"] + ["test"] * 2, strict=True))
    for seed, (name, split) in enumerate(splits.items()):
        path = LAYOUTS[layout](name, split)
        put(source, f"{path}.jpg", picture(seed))
        put(source, f"{path}.xml", xml(TRUTH[name]))
    if layout == "lists":
        for split in ("train", "val", "test"):
            names = [it for it, of in splits.items() if of == split]
            put(source, f"ImageSets/Main/{split}.txt", "\n".join(names).encode())
        put(source, "ImageSets/Main/trainval.txt", b"a\nb\nc\nd\n")
        put(source, "JPEGImages/z.jpg", picture(9))
        put(source, "JPEGImages/z.xml", xml([]))
    dataset = read(source, tmp_path / "dataset")
    given = [splits[it.removesuffix(".jpg")[-1]] for it in dataset.index["id"]]
    expected = ["validation" if it == "val" else it for it in given]
    assert dataset.index["split"].tolist() == expected
    if layout == "lists":
        assert dict(dataset.rejected.itertuples(index=False)) == {
            "JPEGImages/z.jpg": "in none of the publisher's splits"
        }


def test_an_image_in_two_splits_stops(tmp_path):
    source = tmp_path / "source"
    as_voc(source)
    put(source, "train.txt", b"a\nb\n")
    put(source, "test.txt", b"b\n")
    with pytest.raises(PenstockError, match=r"images/b.jpg is in train, and in test"):
        read(source, tmp_path / "dataset")


def test_a_group_is_in_one_split_only(tmp_path):
    source = tmp_path / "source"
    names = [f"{n:02}" for n in range(30)]
    images(source, names)
    rows = [f"images/{it}.jpg,{it},1,1,9,9" for it in names]
    rows = [row.replace(f",{it},", ",car,") for row, it in zip(rows, names, strict=True)]
    put(source, "boxes.csv", "\n".join(["file,label,xmin,ymin,xmax,ymax", *rows]).encode())
    groups = [f"images/{it}.jpg,film {int(it) // 3}" for it in names]
    put(source, "groups.csv", "\n".join(["file,group", *groups]).encode())
    for policy in ("hash", "ranked"):
        dataset = read(source, tmp_path / policy, split=policy)
        assert dataset.index["group"].nunique() == 10
        assert dataset.index.groupby("group")["split"].nunique().max() == 1
    put(source, "groups.csv", "\n".join(["file,group", *groups[:5]]).encode())
    with pytest.raises(PenstockError, match="leaves out 25 of 30 files"):
        read(source, tmp_path / "refused")


REFUSED = {
    "nothing": ({}, "no image files"),
    "no annotations": ({"a.jpg": None}, "no annotations; expected boxes in one of"),
    "two formats": (
        {"a.jpg": None, "a.xml": xml([]), "x.json": coco()},
        "annotations as voc and as coco; .* set data.format",
    ),
    "damaged JSON": ({"a.jpg": None, "x.json": b"{"}, "x.json: damaged JSON"),
    "names missing": ({"a.jpg": None, "a.txt": b"0 .5 .5 .1 .1"}, "no names for YOLO's class"),
    "names damaged": (
        {"a.jpg": None, "a.txt": b"0 .5 .5 .1 .1", "data.yaml": b"nc: 3"},
        r"data.yaml: no names of classes \(KeyError\('names'\)\)",
    ),
    "names nested": (
        {"a.jpg": None, "a.txt": b"0 .5 .5 .1 .1", "data.yaml": b"[" * 50_000},
        r"data.yaml: no names of classes .*not valid YAML: RecursionError",
    ),
    "no boxes": ({"a.jpg": None, "a.xml": xml([])}, "no boxes in 1 images"),
    "not UTF-8": ({"a.jpg": None, "a.txt": b"\xff\xfe"}, "a.txt: not UTF-8"),
    "a split that is none": (
        {"a.jpg": None, "x.csv": b"file,label,xmin,ymin,xmax,ymax,split\na.jpg,c,1,1,9,9,vali"},
        "line 2: split is vali",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_source_without_a_meaning_is_refused_in_a_line(what, tmp_path):
    files, words = REFUSED[what]
    (tmp_path / "source").mkdir()
    for path, content in files.items():
        put(tmp_path / "source", path, picture(0) if content is None else content)
    with pytest.raises(PenstockError, match=words) as stopped:
        read(tmp_path / "source", tmp_path / "dataset")
    assert "\n" not in str(stopped.value)


def test_the_sample_is_the_same_each_time_and_fit_to_learn_from(tmp_path):
    folders = tmp_path / "one", tmp_path / "two"
    for folder in folders:
        folder.mkdir()
        sample(folder)
    assert len({digest_files(it) for it in folders}) == 1
    dataset = read(folders[0], tmp_path / "dataset")
    assert not len(dataset.rejected)
    params = SimpleNamespace(expectations=Expectations())
    frames = tables(dataset)
    assert frames["classes"]["boxes"].min() >= 20
    results = check(list(expectations(params)), frames)
    assert not [it for it in results if not it["success"] and it["severity"] == "critical"]
    assert (dataset.index["boxes"] == 0).sum() >= 5, "some images are empty"


def test_a_class_that_a_split_lacks_shuts_the_gate(tmp_path):
    as_voc(tmp_path / "source")
    put(tmp_path / "source", "train.txt", b"a\nb\nc\n")
    put(tmp_path / "source", "val.txt", b"d\ne\n")
    put(tmp_path / "source", "test.txt", b"f\n")
    dataset = read(tmp_path / "source", tmp_path / "dataset")
    params = SimpleNamespace(expectations=Expectations(min_examples=1, min_boxes=1))
    results = check(list(expectations(params)), tables(dataset))
    (failed,) = [it for it in results if not it["success"] and it["severity"] == "critical"]
    assert failed["table"] == "classes"
    assert failed["few"] == [{"split": "test", "class": "car", "boxes": "0"}]
    frames = pd.DataFrame(tables(dataset)["boxes"])
    assert frames["side"].min() == pytest.approx(2 * 64 / 80)
