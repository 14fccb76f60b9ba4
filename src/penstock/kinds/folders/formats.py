"""Formats that are no folders of files: how to turn each into what can be read."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

LOOKED_AT = 2_000  # files, two levels deep: what a source is shows soon

ARCHIVE = "unpack it there; Penstock opens no archives that you have not looked into"
LISTED = "write labels.csv beside the files, with the columns file and label"
# What a file's name ends with -> what it is, and what to do.
FORMATS = {
    **dict.fromkeys((".zip", ".tar", ".tgz", ".gz", ".rar", ".7z"), ("an archive", ARCHIVE)),
    **dict.fromkeys(
        (".npz", ".npy"),
        ("NumPy arrays", "write each row as a file, with Pillow's Image.fromarray say"),
    ),
    **dict.fromkeys(
        (".h5", ".hdf5", ".mat"),
        ("HDF5 or MATLAB arrays", "write each row as a file, with h5py or scipy.io say"),
    ),
    **dict.fromkeys(
        (".pkl", ".pickle", ".pt", ".pth", "_batch_1", "_batch"),
        ("pickled, which runs code when it is opened", "write each row as a file, where you trust"),
    ),
    ".tfrecord": ("TFRecord", "write each record as a file, with TensorFlow"),
    **dict.fromkeys(
        (".parquet", ".arrow"), ("a table of files", "write the bytes of each row as a file")
    ),
    ".mdb": ("LMDB", "write each value as a file, with lmdb"),
    ".xml": ("annotations in XML, as Pascal VOC's", LISTED),
    ".json": ("annotations in JSON, as COCO's", LISTED),
    **dict.fromkeys((".csv", ".tsv", ".xlsx"), ("a table, perhaps of labels", LISTED)),
    ".txt": ("lists or annotations, as YOLO's or transcripts", LISTED),
}


def how_to_convert(source: Path) -> str:
    """What a source holds that is no folder of files, and what to do; empty if nothing is known."""
    names = sorted(islice(_files(source), LOOKED_AT))
    for ending, (what, remedy) in FORMATS.items():
        found = [name for name in names if name.lower().endswith(ending)]
        if found:
            return f"{found[0]} is {what}: {remedy}"
    return ""


def _files(source: Path) -> Iterator[str]:
    for pattern in ("*", "*/*"):
        for path in source.glob(pattern):
            if path.is_file() and not path.name.startswith("."):
                yield path.relative_to(source).as_posix()
