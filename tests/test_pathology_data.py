"""Tissue images: every file taken or rejected by name, groups whole, the same bytes each time."""

import csv
import io
import os
import struct
import zlib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from penstock.datasets.dataset import Dataset, DatasetWriter
from penstock.datasets.digest import digest_files
from penstock.datasets.splits import ranked_splits
from penstock.kinds.folders import collector
from penstock.kinds.folders.groups import read_groups
from penstock.kinds.images.decode import Header, encode
from penstock.messages.errors import PenstockError
from penstock.pipelines.pathology.decode import decode, open_image
from penstock.pipelines.pathology.expectations import expectations, tables
from penstock.pipelines.pathology.ingest import ingest
from penstock.pipelines.pathology.params import Data, Expectations
from penstock.pipelines.pathology.sample import sample
from penstock.stages.validate import check

SIZE = 32
SHARES = {"test": 0.2, "validation": 0.1, "train": 0.7}
LIMITS = {"size": SIZE, "fit": "resize", "min_side": 16, "max_pixels": 1_000_000}


def pixels(seed: int, height: int = 48, width: int = 40) -> np.ndarray:
    """Smooth enough for JPEG, different for each seed."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 5, 3), np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))


def saved(image: Image.Image | np.ndarray, kind: str = "PNG", **options: object) -> bytes:
    if isinstance(image, np.ndarray):
        image = Image.fromarray(image)
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def bomb(side: int = 30_000) -> bytes:
    """A PNG whose header promises 900 million pixels, and which holds a few KB."""

    def part(name: bytes, content: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(name + content))
        return struct.pack(">I", len(content)) + name + content + checksum

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    data = part(b"IDAT", zlib.compress(bytes(3_000_000)))
    return b"\x89PNG\r\n\x1a\n" + part(b"IHDR", header) + data + part(b"IEND", b"")


def put(folder: Path, name: str, content: bytes) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)


def tidy(folder: Path, count: int = 12) -> Path:
    for number in range(count):
        for offset, label in ((0, "benign"), (100, "malignant")):
            put(folder, f"{label}/{number:02}.png", saved(pixels(number + offset)))
    return folder


def listed(folder: Path, rows: list[tuple[str, ...]]) -> None:
    with (folder / "groups.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)


def made(source: Path, folder: Path, **data: object) -> Dataset:
    chosen = Data(**{"image_size": SIZE, "min_side": 16, "max_pixels": 1_000_000, **data})
    with DatasetWriter(folder) as writer:
        ingest(source, writer, SimpleNamespace(data=chosen))
    return Dataset(folder)


def rejected(dataset: Dataset) -> dict[str, str]:
    assert dataset.rejected["id"].is_unique
    return dict(zip(dataset.rejected["id"], dataset.rejected["reason"], strict=True))


@pytest.fixture
def messy(tmp_path: Path) -> Path:
    source = tidy(tmp_path / "source", 4)
    exif = Image.Exif()
    exif[0x0112] = 6
    grey = pixels(200)[..., 0]
    rgba = np.dstack([pixels(201), np.full((48, 40), 128, np.uint8)])
    deep = Image.fromarray(pixels(202)[..., 0].astype(np.uint16) * 257)
    whole = saved(pixels(203, 200, 200), "JPEG", quality=95)
    files = {
        "benign/truncated.jpg": whole[: len(whole) // 2],
        "benign/text.png": b"not a picture",
        "benign/empty.png": b"",
        "benign/one.png": saved(pixels(204, 1, 1)),
        "benign/bomb.png": bomb(),
        "benign/blank.png": saved(Image.new("RGB", (40, 40), "white")),
        "benign/animation.gif": saved(pixels(205), "GIF"),
        "benign/again.png": saved(pixels(0)),
        "malignant/float.tif": saved(Image.fromarray(grey.astype(np.float32)), "TIFF"),
        "malignant/cmyk.jpg": saved(Image.fromarray(pixels(206)).convert("CMYK"), "JPEG"),
        "malignant/deep.tif": saved(deep, "TIFF"),
        "malignant/grey.png": saved(grey),
        "malignant/bits.png": saved(Image.fromarray(grey).convert("1")),
        "malignant/palette.png": saved(Image.fromarray(pixels(207)).quantize(16)),
        "malignant/alpha.png": saved(rgba),
        "malignant/turned.jpg": saved(pixels(208), "JPEG", exif=exif),
        "malignant/deep down/图像一.webp": saved(pixels(209), "WEBP", lossless=True),
        "malignant/.hidden.png": b"",
        "readme.txt": b"about",
        ".DS_Store": b"",
    }
    for name, content in files.items():
        put(source, name, content)
    (source / "normal").mkdir()
    put(source, "notes/about.txt", b"no picture")
    (tmp_path / "elsewhere.png").write_bytes(saved(pixels(210)))
    (source / "benign" / "out.png").symlink_to(tmp_path / "elsewhere.png")
    (source / "benign" / "broken.png").symlink_to("nowhere.png")
    (source / "benign" / "circle").symlink_to(source)
    (source / "benign" / "within.png").symlink_to("../malignant/grey.png")
    os.mkfifo(source / "benign" / "pipe.png")
    return source


@pytest.fixture(scope="module")
def tiles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sample")
    sample(folder)
    return folder


REASONS = {
    "benign/again.png": "the same image as benign/00.png",
    "benign/animation.gif": "not an image file; expected JPEG, PNG, TIFF, BMP, WEBP",
    "benign/blank.png": "blank: one colour throughout",
    "benign/bomb.png": "too large: above 1,000,000 pixels or Pillow's limit",
    "benign/broken.png": "a broken link",
    "benign/circle": "a link to a folder; put the files themselves there",
    "benign/empty.png": "not an image file; expected JPEG, PNG, TIFF, BMP, WEBP",
    "benign/one.png": "too small: 1x1; at least 16 pixels on each side",
    "benign/out.png": "a link out of the source",
    "benign/pipe.png": "neither a file nor a folder",
    "benign/text.png": "not an image file; expected JPEG, PNG, TIFF, BMP, WEBP",
    "benign/truncated.jpg": "truncated JPEG file",
    "malignant/float.tif": "32-bit values, of which none is known to be white; "
    "save it with 8 or 16",
    "malignant/grey.png": "the same image as benign/within.png",
    "normal": "class folder with no image",
    "notes": "class folder with no image",
    "notes/about.txt": "not an image file; expected JPEG, PNG, TIFF, BMP, WEBP",
    "readme.txt": "not in a class folder",
}
ODD = {
    "malignant/alpha.png": "RGBA",
    "malignant/bits.png": "1",
    "malignant/cmyk.jpg": "CMYK",
    "malignant/deep down/图像一.webp": "RGB",
    "malignant/deep.tif": "I;16",
    "benign/within.png": "L",
    "malignant/palette.png": "P",
    "malignant/turned.jpg": "RGB",
}


def test_every_file_is_taken_or_rejected_by_name(messy, tmp_path):
    dataset = made(messy, tmp_path / "dataset")
    assert rejected(dataset) == REASONS
    plain = {f"{label}/{n:02}.png" for label in ("benign", "malignant") for n in range(4)}
    assert set(dataset.index["id"]) == plain | set(ODD)
    modes = dict(zip(dataset.index["id"], dataset.index["mode"], strict=True))
    assert {name: modes[name] for name in ODD} == ODD
    info = dataset.info
    assert info["found"] == info["examples"] + info["rejected"]
    assert info["classes"] == ["benign", "malignant"]
    for row, image in zip(dataset.index.itertuples(), dataset.array("images"), strict=True):
        assert row.label == info["classes"].index(row.id.split("/")[0])
        assert (image == decode((messy / row.id).read_bytes(), **LIMITS)).all(), row.id
        assert row.red == pytest.approx(image[..., 0].mean() / 255)
    for file in (tmp_path / "dataset").iterdir():
        assert str(tmp_path).encode() not in file.read_bytes()


def test_rejections_leave_the_other_files_as_they_were(messy, tmp_path):
    alone = made(tidy(tmp_path / "alone", 4), tmp_path / "a").index.set_index("id")
    among = made(messy, tmp_path / "b").index.set_index("id")
    pd.testing.assert_frame_equal(alone, among.loc[alone.index])


def test_what_may_not_be_read_is_rejected_by_name(tmp_path, monkeypatch):
    source = tidy(tmp_path / "source", 4)

    # As root nothing is unreadable, so the refusal is played.
    def refuse(path):
        if path.name == "01.png":
            raise PermissionError(13, "Permission denied", str(path))
        with path.open("rb") as file:
            return file.read()

    monkeypatch.setattr(Path, "read_bytes", refuse)
    dataset = made(source, tmp_path / "dataset")
    reason = "cannot be read: Permission denied"
    assert rejected(dataset) == {"benign/01.png": reason, "malignant/01.png": reason}
    assert dataset.info["examples"] == 6


def test_a_file_name_that_is_not_utf8_is_rejected(tmp_path):
    source = tidy(tmp_path / "source", 2)
    try:
        (source / "benign" / os.fsdecode(b"\xff.png")).write_bytes(saved(pixels(9)))
    except OSError:
        pytest.skip("this file system has only UTF-8 names")
    reasons = rejected(made(source, tmp_path / "dataset"))
    reason = "its name is not UTF-8; rename it"
    assert reasons == {r"benign/\udcff.png": reason}


def test_the_number_of_workers_does_not_show(messy, tmp_path, monkeypatch):
    monkeypatch.setattr(collector, "CHUNK", 5)
    digests = set()
    for workers in (1, 4):
        monkeypatch.setattr(os, "cpu_count", lambda workers=workers: workers)
        folder = made(messy, tmp_path / str(workers)).folder
        digests.add(digest_files(folder))
    assert len(digests) == 1


def test_one_class_is_not_enough(tmp_path):
    source = tidy(tmp_path / "source", 2)
    for file in (source / "malignant").iterdir():
        file.write_text("gone")
    with pytest.raises(PenstockError, match=r"source: 1 folders with images \(benign\)"):
        made(source, tmp_path / "dataset")


@pytest.mark.parametrize("split", ["hash", "ranked"])
def test_groups_stay_whole_and_missing_files_are_named(tmp_path, split):
    source = tidy(tmp_path / "source")
    rows = [(f"benign/{n:02}.png", f"patient {n // 3}") for n in range(12)]
    listed(source, [("file", "patient"), *rows, ("benign/gone.png", "patient 9")])
    dataset = made(source, tmp_path / "dataset", split=split, ungrouped="alone")
    assert rejected(dataset) == {"benign/gone.png": "listed in groups.csv, not there"}
    groups = dict(zip(dataset.index["id"], dataset.index["group"], strict=True))
    assert all(groups[name] == group for name, group in rows)
    own = dataset.index[dataset.index["label"] == 1]
    assert (own["group"] == own["sha256"]).all()
    assert tables(dataset)["groups"]["splits"].max() == 1
    assert tables(dataset)["splits"]["groups"].sum() == 4 + 12


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"name,group\na,b\n", "line 1: no column file; found name, group"),
        (b"file,label\na,b\n", "line 1: no column group"),
        (b"", "line 1: no column file; found nothing"),
        (b"file,group\na,1\nb,\n", "line 3: no value in column group"),
        (b"file,group\na,1\nb\n", "line 3: no value in column group"),
        (b"file,group\na,1\n./a,2\n", "line 3: a is in group 2, and in 1 above"),
        (b"file,group\n/etc/passwd,1\n", "line 2: file is /etc/passwd"),
        (b"file,group\n../a,1\n", r"line 2: file is \.\./a"),
        (b'file,group\n"a"b,1\n', "line 2: .*expected CSV"),
        (b"file,group\na,1\n\xff,2\n", "line 3: not UTF-8"),
    ],
)
def test_a_bad_groups_csv_is_refused_by_line_and_column(tmp_path, content, message):
    (tmp_path / "groups.csv").write_bytes(content)
    with pytest.raises(PenstockError, match=rf"groups\.csv: {message}"):
        read_groups(tmp_path / "groups.csv")


def test_the_column_of_groups_is_found_by_its_name_or_its_place(tmp_path):
    file = tmp_path / "groups.csv"
    for header, expected in (("file,slide,x", "1"), ("label,file,x,tile", "3")):
        values = {"file": "./a/b.png", "slide": "1", "x": "2", "tile": "3", "label": "4"}
        line = ",".join(values[name] for name in header.split(","))
        file.write_text(f"\ufeff{header}\n{line}\n", encoding="utf-8")
        assert read_groups(file) == {"a/b.png": expected}
    file.unlink()
    assert read_groups(file) == {}


@given(groups=st.lists(st.text(max_size=3), min_size=1))
def test_ranked_splits_keep_groups_whole_and_leave_no_split_empty(groups):
    splits = ranked_splits(groups, SHARES)
    dealt = dict(zip(groups, splits, strict=True))
    assert [dealt[group] for group in groups] == list(splits)
    assert len(set(splits)) == min(3, len(dealt))
    backwards = ranked_splits(groups[::-1], SHARES)
    assert list(backwards[::-1]) == list(splits)


@given(count=st.integers(10, 200))
@settings(max_examples=20)
def test_ranked_splits_meet_their_shares(count):
    splits = ranked_splits([str(number) for number in range(count)], SHARES)
    for split, share in SHARES.items():
        assert abs((splits == split).sum() - share * count) <= 2


@given(image=hnp.arrays(np.uint8, (SIZE, SIZE, 3)), fit=st.sampled_from(["resize", "crop"]))
@settings(max_examples=20)
def test_an_encoded_image_decodes_to_the_same_pixels(image, fit):
    image = image.copy()
    image[0], image[1] = 0, 255  # not blank
    limits = {**LIMITS, "fit": fit, "min_side": 500}
    assert (decode(encode(image), **limits) == image).all()


def test_16_bits_are_scaled_and_not_clipped():
    ramp = np.linspace(0, 65535, SIZE * SIZE).reshape(SIZE, SIZE).astype(np.uint16)
    expected = (ramp / 257).round().astype(np.uint8)
    for kind in ("PNG", "TIFF"):
        image = decode(saved(Image.fromarray(ramp), kind), **LIMITS)
        assert (image == expected[..., None]).all()


def test_colours_transparency_and_orientation_come_out_as_seen():
    red = np.zeros((SIZE, SIZE, 3), np.uint8)
    red[:, SIZE // 2 :] = (200, 0, 0)
    for image in (Image.fromarray(red).convert("CMYK"), Image.fromarray(red).quantize(4)):
        kind = "TIFF" if image.mode == "CMYK" else "PNG"
        assert np.abs(decode(saved(image, kind), **LIMITS).astype(int) - red).max() <= 1
    clear = np.dstack([red, np.where(red[..., 0], 255, 0).astype(np.uint8)])
    white = np.where(red.any(-1, keepdims=True), red, 255)
    assert (decode(saved(clear), **LIMITS) == white).all()
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise
    turned = decode(saved(red, exif=exif), **LIMITS)
    assert (turned == np.rot90(red, -1)).all()


def test_a_crop_keeps_the_middle_and_a_resize_all():
    wide = np.zeros((SIZE, 3 * SIZE, 3), np.uint8)
    wide[:, SIZE : 2 * SIZE] = pixels(1, SIZE, SIZE)
    assert (decode(saved(wide), **{**LIMITS, "fit": "crop"}) == wide[:, SIZE : 2 * SIZE]).all()
    assert decode(saved(wide), **LIMITS)[:, : SIZE // 4].max() <= 40


def test_a_large_jpeg_is_decoded_small_and_keeps_its_facts():
    content = saved(pixels(1, 900, 1000), "JPEG", quality=95)
    image, header = open_image(content, **LIMITS)
    assert header == Header(1000, 900, "RGB", "JPEG")
    slow = np.asarray(Image.open(io.BytesIO(content)).resize((SIZE, SIZE)))
    assert np.abs(image.astype(int) - slow).mean() < 3


@given(where=st.floats(0.05, 0.95), kind=st.sampled_from(["JPEG", "PNG", "TIFF", "BMP", "WEBP"]))
@settings(max_examples=40, deadline=None)
def test_a_file_cut_off_is_refused_with_a_reason_that_is_always_the_same(where, kind):
    content = saved(pixels(1, 100, 100), kind)
    reasons = set()
    for _ in range(2):
        with pytest.raises(ValueError) as caught:
            decode(content[: int(where * len(content))], **LIMITS)
        reasons.add(str(caught.value))
    (reason,) = reasons
    assert "\n" not in reason
    assert "0x" not in reason


def test_expectations_hold_for_the_sample_and_name_tables_that_exist(tiles, tmp_path):
    dataset = made(tiles, tmp_path / "dataset", image_size=96)
    assert dataset.info["rejected"] == 0
    frames = tables(dataset)
    limits = Expectations()
    named = list(expectations(SimpleNamespace(expectations=limits, data=Data())))
    assert {expectation.table for expectation in named} == set(frames)
    for expectation in named:
        assert expectation.arguments["column"] in frames[expectation.table]
    assert frames["splits"]["examples"].min() >= limits.min_examples
    assert frames["splits"]["groups"].min() >= limits.min_groups
    assert frames["classes"]["share"].min() >= 0.2
    assert frames["examples"]["sharpness"].min() > limits.min_sharpness
    assert frames["examples"]["brightness"].between(*limits.brightness).all()
    assert frames["examples"]["width"].min() >= Data().image_size
    means = frames["examples"][["red", "green", "blue"]].mean()
    assert means.between(*limits.colour).all()
    inverted = 1 - means
    assert not inverted.between(*limits.colour).all()


def test_the_sample_is_the_same_each_time_and_mean_colour_tells_nothing(tiles, tmp_path):
    sample(tmp_path)
    assert digest_files(tmp_path) == digest_files(tiles)
    rows = pd.read_csv(tiles / "groups.csv")
    assert len(rows) == 360
    images = np.stack([np.asarray(Image.open(tiles / name)) for name in rows["file"]])
    assert images.shape[1:] == (128, 128, 3)
    model = make_pipeline(StandardScaler(), LogisticRegression())
    folds = StratifiedGroupKFold(5, shuffle=True, random_state=0)
    means = images.mean((1, 2))
    scores = cross_val_score(model, means, rows["label"], groups=rows["group"], cv=folds)
    assert scores.mean() < 0.6


@pytest.mark.parametrize(("depth", "passes"), [(16, False), (12, True)])
def test_12_bits_in_files_of_16_are_noticed_and_can_be_said(tmp_path, depth, passes):
    source = tmp_path / "source"
    for label, name in enumerate(("benign", "malignant")):
        for number in range(6):
            deep = pixels(100 * label + number)[..., 0].astype(np.uint16) * 16  # to 4,080
            put(source, f"{name}/{number}.png", saved(Image.fromarray(deep)))
    data = Data(image_size=SIZE, min_side=16, depth=depth)
    with DatasetWriter(tmp_path / "dataset") as writer:
        ingest(source, writer, SimpleNamespace(data=data))
    dataset = Dataset(tmp_path / "dataset")
    limits = SimpleNamespace(data=data, expectations=Expectations())
    (found,) = check([it for it in expectations(limits) if it.table == "deep"], tables(dataset))
    assert found["success"] == passes
    assert found["severity"] == "critical"
    assert "data.depth" in found["meaning"]
    brightest = dataset.array("images").max()
    assert brightest > 200 if passes else brightest < 17
    row = dataset.index.iloc[0]
    content = (source / row["id"]).read_bytes()
    served = decode(content, SIZE, "resize", 16, 10**6, dataset.info["depth"])
    assert (served == dataset.array("images")[0]).all(), "what is served is what was learned"
