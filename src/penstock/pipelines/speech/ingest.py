"""From sound files in folders, one per word, to examples."""

import hashlib
import re
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from ...datasets.class_folders import list_class_folders, usable_classes
from ...datasets.collector import Collector
from ...datasets.dataset import DatasetWriter
from ...datasets.groups import read_groups
from ...datasets.parallel import in_order
from ...datasets.splits import Splitter, group_splitter, hash_splits
from ...errors import PenstockError
from .decode import centre, open_recording
from .params import RATE, Data, Params

GROUPS = "groups.csv"
LISTS = {"test": "testing_list.txt", "validation": "validation_list.txt"}
NOISE = "_background_noise_"  # a folder of Speech Commands that is no word
# Google's Speech Commands, then Free Spoken Digits.
SPEAKERS = (r"(?P<speaker>.+)_nohash_\d+", r"[^_]+_(?P<speaker>.+)_\d+")
LARGEST = 2**28  # bytes of a file
TYPES = {
    "label": np.int16,
    **dict.fromkeys(("rate", "channels"), np.int32),
    **dict.fromkeys(("seconds", "peak", "clipped"), np.float32),
}


@dataclass(frozen=True)
class Example:
    """A decoded recording with its columns of the index."""

    waveform: np.ndarray
    columns: dict[str, Any]


def ingest(source: Path, writer: DatasetWriter, params: Params) -> None:
    """Decode every file of every word's folder; split by speaker unless told otherwise.

    The speaker is what groups.csv says, else what `data.speaker` finds in the file's name; a file
    without one is rejected. So is a recording that was seen before, whoever speaks.

    Raises:
        PenstockError: fewer than two folders with recordings, or a list that is not there or is
            damaged.
    """
    data = params.data
    found = list_class_folders(source, ignored=(GROUPS, *LISTS.values()))
    noise = found.files.pop(NOISE, [])
    found.rejected += [(file, "background noise, no word") for file in noise]
    classes = usable_classes(source, found, lambda file: _is_recording(file, data), "recording")
    for name, reason in found.rejected:
        writer.reject(name, reason)
    files = sorted(file for part in found.files.values() for file in part)
    groups = read_groups(source / GROUPS)
    named = {file: groups.get(file, find_speaker(file, data.speaker)) for file in files}
    split = _splitter(source, data, named)
    collector = Collector(writer, "waveforms", "recording", TYPES, split)
    results = in_order(partial(_read, data=data), [source / file for file in files])
    bar = tqdm(results, total=len(files), unit="file", disable=not sys.stderr.isatty(), leave=False)
    for (file, speaker), result in zip(named.items(), bar, strict=True):
        if isinstance(result, str):
            writer.reject(file, result)
        elif speaker is None:
            writer.reject(file, _no_speaker(data.speaker))
        else:
            label = classes.index(file.split("/")[0])
            group = speaker or result.columns["sha256"]
            row = {"id": file, "label": label, "group": group, "speaker": speaker}
            collector.take({**row, **result.columns}, result.waveform)
    collector.flush()
    writer.info = {
        "classes": classes,
        "rate": RATE,
        "samples": data.samples,
        "min_duration": data.min_duration,
        "max_duration": data.max_duration,
    }


def find_speaker(file: str, pattern: str) -> str | None:
    """The speaker by a file's name; empty if nobody asks (`none`), None if the name has none."""
    if pattern == "none":
        return ""
    name = PurePosixPath(file).stem
    if pattern == "auto":
        matches = (re.fullmatch(known, name) for known in SPEAKERS)
        match = next((it for it in matches if it), None)
    else:
        match = re.search(pattern, name)
    return (match["speaker"] or None) if match else None


def _no_speaker(pattern: str) -> str:
    expected = "SPEAKER_nohash_N or WORD_SPEAKER_N" if pattern == "auto" else pattern
    return f"no speaker in its name; expected {expected}; set data.speaker, or list it in {GROUPS}"


def _read(path: Path, data: Data) -> Example | str:
    """Decode one file and describe it, or say why not."""
    try:
        if path.stat().st_size > LARGEST:
            return f"too large a file: above {LARGEST:,} bytes"
        content = path.read_bytes()
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    try:
        opened = open_recording(content, data.min_duration, data.max_duration)
    except ValueError as error:
        return str(error)
    waveform = centre(opened.waveform, data.samples)
    columns = {
        "sha256": hashlib.sha256(waveform.tobytes()).hexdigest(),
        **{"rate": opened.rate, "channels": opened.channels, "encoding": opened.encoding},
        **{"seconds": opened.seconds, "peak": opened.peak, "clipped": opened.clipped},
    }
    return Example(waveform, columns)


def _is_recording(path: Path, data: Data) -> bool:
    return isinstance(_read(path, data), Example)


def _splitter(source: Path, data: Data, speakers: dict[str, str | None]) -> Splitter:
    """How rows of the index get their split."""
    lists = {split: source / name for split, name in LISTS.items()}
    there = all(path.is_file() for path in lists.values())
    if data.split == "official" or (data.split == "auto" and there):
        return _by_lists({split: _read_list(path) for split, path in lists.items()})
    if data.split == "pattern":
        return partial(_by_pattern, data=data)
    groups = [speaker or file for file, speaker in speakers.items()]
    return group_splitter(
        "ranked" if data.split == "ranked" else "hash",
        *(data.test_share, data.validation_share),
        list(speakers),
        groups,
    )


def _by_lists(lists: dict[str, set[str]]) -> Splitter:
    def split(rows: pd.DataFrame) -> np.ndarray:
        return np.array(
            [
                next((split for split, files in lists.items() if file in files), "train")
                for file in rows["id"]
            ]
        )

    return split


def _by_pattern(rows: pd.DataFrame, data: Data) -> np.ndarray:
    """Test and validation by what file names hold; validation by content where nothing is said."""
    test = rows["id"].str.contains(data.test_pattern)
    if data.validation_pattern:
        validation = rows["id"].str.contains(data.validation_pattern)
    else:
        shares = {"validation": data.validation_share, "train": 1 - data.validation_share}
        validation = hash_splits(rows["sha256"], shares) == "validation"
    return np.where(test, "test", np.where(validation, "validation", "train"))


def _read_list(path: Path) -> set[str]:
    try:
        return set(path.read_text(encoding="utf-8").splitlines())
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8"
        raise PenstockError(
            f"{path}: cannot be read ({reason}); expected a list of files, a line each; "
            "put it there, or choose another data.split"
        ) from None
