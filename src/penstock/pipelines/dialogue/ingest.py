"""From files of dialogues to replies, each after the turns before it."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from ...datasets.dataset import DatasetWriter
from ...datasets.splits import hash_splits
from ...kinds.tables.raw_files import list_files
from ...kinds.text.tokens import BOUNDARY, Tokens, learn_byte_pairs
from ...messages.errors import PenstockError
from .dialogues import Dialogue, is_read, read_dialogues
from .near_duplicates import group_dialogues
from .normal import normalise, same_words, split_words
from .params import Data, Params

REPEATED = "the same dialogue stands at"


def ingest(source: Path, writer: DatasetWriter, params: Params) -> None:
    """Read every dialogue; reject those that are none; split groups of near-duplicates.

    Raises:
        PenstockError: there is no dialogue.
    """
    data = params.data
    taken = list(_take(source, writer, data))
    if not taken:
        writer.info = {}
        return
    normal = [[normalise(it) for it in dialogue.utterances] for dialogue in taken]
    repeated = sum(reason.startswith(REPEATED) for _, reason in writer.rejections())
    groups = group_dialogues(normal, data.near_duplicate)
    splits = _split(normal, groups, data)
    turns = _list_turns(taken, splits)
    tokens = learn_byte_pairs(
        turns["text"][turns["split"] == "train"].map(normalise), data.vocabulary
    )
    writer.table("turns", _encode(turns, tokens, writer).drop(columns="split"))
    index = _list_replies(turns, groups)
    writer.info = {
        "tokens": tokens.describe(),
        "vocabulary": len(tokens),
        "dialogues": len(taken),
        "groups": len(np.unique(groups)),
        "repeated": repeated,
        "near_duplicates": len(taken) - len(np.unique(groups)),
        "known_replies": _count_known(index, turns),
        "licence": data.licence,
        "separator": data.separator,
    }
    writer.add(index, {})
    print(
        f"  {len(taken):,} dialogues, {len(index):,} replies; {repeated:,} repeats rejected, "
        f"{writer.info['near_duplicates']:,} near-duplicates kept together; "
        f"{writer.info['known_replies']['test']:.1%} of the test replies stand in training"
    )


def _take(source: Path, writer: DatasetWriter, data: Data) -> Iterator[Dialogue]:
    """The dialogues of a source that have two utterances or more, each once."""
    files = [it for it in list_files(source, nested=True) if is_read(it)]
    if not files:
        raise PenstockError(
            f"{source}: no file; expected dialogues: .txt, .tsv or .csv, .yml or .yaml"
        )
    seen: dict[str, str] = {}
    for file in files:
        try:
            for dialogue in read_dialogues(file, data, writer.reject):
                kept = tuple(it for it in map(str.strip, dialogue.utterances) if normalise(it))
                said = "\n".join(same_words(normalise(it)) for it in kept)
                if reason := _complain(kept, seen.get(said), data):
                    writer.reject(dialogue.name, reason)
                    continue
                seen[said] = dialogue.name
                yield Dialogue(dialogue.name, kept)
        except PenstockError as error:
            if len(files) == 1:
                raise
            writer.reject(file.name, str(error).removeprefix(f"{file.name}: "))


def _complain(utterances: tuple[str, ...], known: str | None, data: Data) -> str:
    """What is wrong with a dialogue, or nothing."""
    if len(utterances) < 2:
        return f"{len(utterances)} utterance; expected two or more"
    longest = max(map(len, utterances))
    if longest > data.longest:
        return f"an utterance of {longest:,} characters; expected at most {data.longest:,}"
    for utterance in utterances:
        try:
            utterance.encode()
        except UnicodeEncodeError as error:
            return f"half a character (a lone surrogate) at {error.start:,}"
    return f"{REPEATED} {known}" if known else ""


def _split(normal: list[list[str]], groups: np.ndarray, data: Data) -> np.ndarray:
    """The split of each dialogue: by the smallest hash in its group, so their order is no matter.

    A dialogue that is added moves only those that it is a near-duplicate of.
    """
    digests = pd.Series([hashlib.sha256("\n".join(it).encode()).hexdigest() for it in normal])
    test, validation = data.test_share, data.validation_share
    shares = {"test": test, "validation": validation, "train": 1 - test - validation}
    return hash_splits(digests.groupby(groups).transform("min"), shares)


def _list_turns(taken: list[Dialogue], splits: np.ndarray) -> pd.DataFrame:
    """A row per utterance: its text as it stood in the file, dialogue, place, first row, split."""
    rows: list[tuple[str, int, int, int, str]] = []
    names = []
    for number, dialogue in enumerate(taken):
        begin = len(rows)
        for place, text in enumerate(dialogue.utterances):
            rows.append((text, number, place, begin, splits[number]))
            names.append(dialogue.name)
    turns = pd.DataFrame(rows, columns=["text", "dialogue", "place", "begin", "split"])
    return turns.astype({"dialogue": np.int32, "place": np.int32, "begin": np.int64}).assign(
        name=names
    )


def _encode(turns: pd.DataFrame, tokens: Tokens, writer: DatasetWriter) -> pd.DataFrame:
    """Write the tokens of all turns, each with an end; answer with where theirs start and stop.

    So a reply with the turns before it is one stretch of the stream.
    """
    starts, stops = [], []
    dtype = np.uint16 if len(tokens) <= 2**16 else np.int32
    for text in turns["text"]:
        turn = [*tokens.encode(normalise(text)), BOUNDARY]
        start, stop = writer.array("tokens", np.array(turn, dtype))
        starts.append(start)
        stops.append(stop)
    return turns.assign(start=np.array(starts, np.int64), stop=np.array(stops, np.int64))


def _list_replies(turns: pd.DataFrame, groups: np.ndarray) -> pd.DataFrame:
    """The index: a row per utterance but the first ones of dialogues.

    What tells a reply from others is the whole dialogue and its place there: a greeting and the
    usual answer to it, which many dialogues begin with, make no two of them one.
    """
    replies = turns[turns["place"] > 0]
    normal = turns["text"].map(normalise).to_numpy()
    whole = pd.Series(normal).groupby(turns["dialogue"].to_numpy()).agg("\n".join)
    digests = [
        hashlib.sha256(f"{whole[dialogue]}\n{place}".encode()).hexdigest()
        for dialogue, place in zip(replies["dialogue"], replies["place"], strict=True)
    ]
    return pd.DataFrame(
        {
            "id": replies["name"] + "/" + replies["place"].astype(str),
            "split": replies["split"],
            "group": groups[replies["dialogue"]],
            "dialogue": replies["dialogue"],
            "turn": replies.index.to_numpy(np.int64),
            "begin": replies["begin"],
            "characters": np.array([len(normal[it]) for it in replies.index], np.int32),
            "words": np.array([len(split_words(normal[it])) for it in replies.index], np.int32),
            "sha256": digests,
        }
    ).reset_index(drop=True)


def _count_known(index: pd.DataFrame, turns: pd.DataFrame) -> dict[str, float]:
    """What share of the replies held out the training split has word for word."""
    said = turns["text"].map(lambda it: same_words(normalise(it))).to_numpy()[index["turn"]]
    trained = set(said[index["split"] == "train"])
    held_out = {it: said[index["split"] == it] for it in ("validation", "test")}
    return {
        split: float(np.mean([it in trained for it in replies])) if len(replies) else 0.0
        for split, replies in held_out.items()
    }
