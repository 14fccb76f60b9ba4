"""From sound files in folders, one per word, to examples."""

import re
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pandas as pd

from ...datasets.dataset import DatasetWriter
from ...datasets.splits import Splitter, group_splitter, hash_splits
from ...kinds.folders.class_folders import usable_classes
from ...kinds.folders.collector import Collector
from ...kinds.folders.examples import Example, Read, read_example
from ...kinds.folders.formats import LISTED
from ...kinds.folders.groups import GROUPS, not_there, read_groups
from ...kinds.folders.labels import LABELS, find_classes
from ...kinds.folders.layout import published_splitter, unwrap
from ...kinds.folders.marked import collect_marked
from ...messages.errors import PenstockError, raise_if_temporary
from ...messages.printable import printable
from .decode import centre, open_recording
from .params import RATE, Data, Params

LISTS = {"test": "testing_list.txt", "validation": "validation_list.txt"}
NOISE = "_background_noise_"  # a folder of Speech Commands that is no word
# Google's Speech Commands, then Free Spoken Digits.
SPEAKERS = (r"(?P<speaker>.+)_nohash_\d+", r"[^_]+_(?P<speaker>.+)_\d+")
TOLD = 3  # files whose speakers are shown
LARGEST = 2**28  # bytes of a file
TYPES = {
    "label": np.int16,
    **dict.fromkeys(("rate", "channels"), np.int32),
    **dict.fromkeys(("seconds", "peak", "clipped"), np.float32),
}


def ingest(source: Path, writer: DatasetWriter, params: Params) -> None:
    """Decode every file of every word; split by speaker unless told otherwise.

    The speaker is what groups.csv or labels.csv says, else what `data.speaker` finds in the file's
    name; a file without one is rejected. So is a recording that was seen before, whoever speaks.

    Raises:
        PenstockError: fewer than two words with recordings, folders of speakers, or a list that is
            not there or is damaged.
    """
    data = params.data
    read = _reader(data)
    source = unwrap(source, (GROUPS, LABELS, *LISTS.values()))
    found = find_classes(source, ignored=(GROUPS, *LISTS.values()))
    groups = read_groups(source / GROUPS) or found.groups
    missing = list(not_there(groups, found))
    noise = found.files.pop(NOISE, [])
    classes = usable_classes(source, found, read, "recording")
    for name, reason in found.rejected + missing:
        writer.reject(name, reason)
    writer.reject_all(noise, "background noise, no word")
    files, class_of = found.all_files(), found.classes_of_files()
    speakers = {file: groups.get(file, find_speaker(file, data.speaker)) for file in files}
    _tell_speakers(speakers, groups)
    _refuse_speakers_as_words(source, class_of, speakers)
    split = _splitter(source, data, speakers)
    if found.splits:
        split = published_splitter(found.splits, data.test_share, data.validation_share)

    def place(file: str, example: Example) -> dict[str, Any] | str:
        if (speaker := speakers[file]) is None:
            return _no_speaker(data.speaker)
        label = classes.index(class_of[file])
        return {"label": label, "group": speaker or example.columns["sha256"], "speaker": speaker}

    Collector(source, writer, "waveforms", "recording", TYPES, split).collect(files, read, place)
    writer.info = {
        "classes": classes,
        "rate": RATE,
        "samples": data.samples,
        "min_duration": data.min_duration,
        "max_duration": data.max_duration,
    }


def ingest_feedback(folder: Path, writer: DatasetWriter, params: Params) -> None:
    """Add words that people named where a model was wrong.

    The speaker is what raw/groups.csv says, else what `data.speaker` finds in the file's name.
    """

    def describe(file: str, group: str | None, example: Example) -> dict[str, Any] | str:
        speaker = group or find_speaker(file, params.data.speaker)
        if speaker is None:
            return _no_speaker(params.data.speaker)
        return {"group": speaker or example.columns["sha256"], "speaker": speaker}

    read = _reader(params.data)
    collect_marked(folder, writer, "waveforms", "recording", TYPES, read, describe)


def _reader(data: Data) -> Read:
    return partial(read_example, decode=partial(_decode, data=data), largest=LARGEST)


def _tell_speakers(speakers: dict[str, str | None], groups: dict[str, str]) -> None:
    """Say by examples which speaker the pattern finds in names."""
    named = [file for file in speakers if file not in groups and speakers[file] != ""][:TOLD]
    told = [f"{printable(it)}: {printable(speakers[it] or 'none')}" for it in named]
    if told:
        print(f"  speakers by file names: {', '.join(told)}")


def _refuse_speakers_as_words(
    source: Path, class_of: dict[str, str], speakers: dict[str, str | None]
) -> None:
    """Stop where the folders are speakers, as AudioMNIST's are: they would be learned as words.

    Raises:
        PenstockError: most files lie in a folder that is named as their speaker.
    """
    theirs = [file for file, speaker in speakers.items() if speaker == class_of[file]]
    if len(theirs) > len(speakers) / 2:
        raise PenstockError(
            f"{source}: the folders are speakers, not words: {theirs[0]} is of speaker "
            f"{speakers[theirs[0]]}; sort the files into a folder per word, or {LISTED}"
        )


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


def _decode(content: bytes, data: Data) -> tuple[np.ndarray, dict[str, Any]]:
    """Decode one file; what the index says of it."""
    opened = open_recording(content, data.min_duration, data.max_duration)
    return centre(opened.waveform, data.samples), {
        **{"rate": opened.rate, "channels": opened.channels, "encoding": opened.encoding},
        **{"seconds": opened.seconds, "peak": opened.peak, "clipped": opened.clipped},
    }


def _splitter(source: Path, data: Data, speakers: dict[str, str | None]) -> Splitter:
    """How rows of the index get their split."""
    lists = {split: source / name for split, name in LISTS.items()}
    # One list alone is a slip: then `official` says which is missing.
    there = any(path.exists() for path in lists.values())
    if data.split == "official" or (data.split == "auto" and there):
        listed = {file: split for split, path in lists.items() for file in _read_list(path)}
        return lambda rows: rows["id"].map(listed).fillna("train").to_numpy()
    if data.split == "pattern":
        return partial(_by_pattern, data=data)
    return group_splitter(
        "ranked" if data.split == "ranked" else "hash",
        *(data.test_share, data.validation_share),
        list(speakers),
        [speaker or file for file, speaker in speakers.items()],
    )


def _by_pattern(rows: pd.DataFrame, data: Data) -> np.ndarray:
    """Test and validation by what file names hold; validation by content where nothing is said."""
    if data.validation_pattern:
        rest = _matching(rows["id"], data.validation_pattern, "validation", "train")
    else:
        shares = {"validation": data.validation_share, "train": 1 - data.validation_share}
        rest = hash_splits(rows["sha256"], shares)
    return _matching(rows["id"], data.test_pattern, "test", rest)


def _matching(names: pd.Series, pattern: str, split: str, others: np.ndarray | str) -> np.ndarray:
    return np.where([bool(re.search(pattern, name)) for name in names], split, others)


def _read_list(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise_if_temporary(error, path)
        reason = getattr(error, "strerror", None) or "not UTF-8"
        raise PenstockError(
            f"{path}: cannot be read ({reason}); expected a list of files, a line each; "
            "put it there, or choose another data.split"
        ) from None
