"""The page on own data, to the letter: each tree in it is made, and read by its pipeline."""

import re
from pathlib import Path

import numpy as np
import pytest

from penstock import pipeline
from penstock.datasets.dataset import Dataset, DatasetWriter
from penstock.kinds.images.idx import write_idx
from penstock.settings.explanation import default_params
from test_public_layouts import content_of, put

PAGE = (Path(__file__).parent.parent / "docs" / "own-data.md").read_text()
LISTS = (".csv", ".data", ".sgf", ".xml", ".yaml")


def trees():
    """Pipeline, the paths of each tree, and the contents of its lists, if it has some."""
    for section in re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]:
        name = re.match(r".*`(\w+)`\n", section)
        for tree in re.findall(r"```tree\n.*?(?=```tree|\Z)", section, re.DOTALL):
            blocks = r"```(tree|csv|xml|yaml|text)\n(.*?)```"
            (_, text), *lists = re.findall(blocks, tree, re.DOTALL)
            yield name[1], text.split(), [content for _, content in lists]


def write(root, path, contents):
    if path.endswith(LISTS) or (contents and path.endswith(".txt")):
        put(root, path, contents.pop(0).encode())
    elif path.endswith((".txt", ".md")):
        put(root, path, f"Dear {path},\nhow do you do?\n".encode())
    elif "ubyte" in path:
        (root / path).parent.mkdir(exist_ok=True)
        count, rng = (60 if "train" in path else 20), np.random.default_rng(len(path))
        shape = (count, 28, 28) if "images" in path else (count,)
        write_idx(root / path, rng.integers(0, 10, shape))
    else:
        put(root, path, content_of(path))


@pytest.mark.parametrize(
    ("name", "paths", "contents"), [pytest.param(*it, id=f"{it[0]}-{it[1][0]}") for it in trees()]
)
def test_a_tree_is_read(name, paths, contents, tmp_path):
    waiting = list(contents)
    for path in paths:
        write(tmp_path, path, waiting)
    assert not waiting, "each list has a file"
    params = default_params(name)
    classes = sorted({it.split("/")[-2] for it in paths})
    chosen = {"classes": classes} if name == "mnist" and len(classes) == 2 else {}
    if name == "generation":
        chosen = {"fit": "resize", "colour": "rgb"}
    if name == "go":
        chosen = {f"{split}_openings": 2 for split in ("test", "validation", "train")}
    params = params.model_copy(update={"data": params.data.model_copy(update=chosen)})
    (top,) = {path.split("/")[0] for path in paths}
    with DatasetWriter(tmp_path / "dataset") as writer:
        pipeline.load(name, "ingest").ingest(tmp_path / top, writer, params)
    dataset = Dataset(tmp_path / "dataset")
    assert not len(dataset.rejected)
    if name == "control":
        own = {Path(path).stem for path in paths if path.endswith(".txt")}
        assert set(dataset.info["maps"]) == own or not own
        return
    if name == "go":
        assert dataset.table("records")["id"].tolist() == ["club/first.sgf"]
        return
    examples = [path for path in paths if not path.endswith(LISTS) and "ubyte" not in path]
    assert len(dataset.index) == (
        len(examples) or 80 if "ubyte" in paths[0] else len(examples) or 2
    )
    if any("patient" in it or "speaker" in it for it in contents):
        assert dataset.index["group"].nunique() == 2
    if "/valid/" in paths[2 % len(paths)]:
        assert list(dataset.info["splits"]) == ["test", "train", "validation"]


def test_every_pipeline_is_on_the_page():
    assert {name for name, *_ in trees()} == set(pipeline.names())
