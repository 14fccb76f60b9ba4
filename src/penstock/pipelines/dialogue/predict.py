"""What is served: the turns of a dialogue -> a reply, or why there is none."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ...pipeline import Interface, Mean, Score
from .answer import Answer
from .corpus import draw_candidates, list_corpus
from .finding import Finder
from .network import Network
from .normal import normalise, same_words
from .ranking import judge
from .retrieval import measure_matches

if TYPE_CHECKING:
    from ...datasets.dataset import Dataset

OUTPUTS = {
    "reply": "string",
    "confidence": "double",
    "refusal": "string",
    "nearest": "strings",
    "similarity": "array",
    "scores": "array",
    "error": "string",
}


def interface(info: dict[str, Any], model: dict[str, Any]) -> Interface:
    """A context is replied to; among candidates, if there are some, each gets a score."""
    recall = Score("test/recall_at_1_of_10", Mean("hit_of_10"), unit="group")
    inputs = {"context": "strings", "candidates": "optional strings"}
    return Interface(inputs, OUTPUTS, recall, {"why": False})


def predict(
    network: Network, inputs: pd.DataFrame, info: dict[str, Any], options: dict[str, Any]
) -> pd.DataFrame:
    """Reply to contexts, a row each.

    A context is its turns, the earliest first. Where a row has `candidates`, they get `scores`, and
    the best of them is the reply. Option `why`: the nearest training contexts, with their replies.
    """
    asked = inputs.reset_index(drop=True)
    contexts = [_read_list(it) for it in asked["context"]]
    candidates = [_read_list(it) for it in asked.get("candidates", pd.Series([None] * len(asked)))]
    answers: list[dict[str, Any]] = [{} for _ in contexts]
    offered = [row for row, it in enumerate(candidates) if it]
    for row, scores in zip(
        offered, _score_rows(network, contexts, candidates, offered), strict=True
    ):
        best = int(scores.argmax())
        likely = np.exp(scores - scores.max())
        found = Answer(candidates[row][best], float(likely[best] / likely.sum()))
        answers[row] = {**_told(found), "scores": scores.tolist()}
    finder = finder_of(network)
    for row, context in enumerate(contexts):
        if not candidates[row]:
            answers[row] = _told(finder.answer(context, options["why"]))
    return pd.DataFrame(answers, columns=list(OUTPUTS)).assign(error="")


def finder_of(network: Network) -> Finder:
    """What finds replies, kept with the network: the first answer embeds all there are."""
    if not hasattr(network, "finder"):
        network.finder = Finder(network)  # type: ignore[assignment]
    found: Finder = network.finder  # type: ignore[assignment]
    return found


def _told(answer: Answer) -> dict[str, Any]:
    told = {"reply": answer.reply, "confidence": answer.confidence, "refusal": answer.refusal}
    if answer.nearest:
        told |= {"nearest": answer.nearest, "similarity": answer.similarity}
    return told


def _read_list(value: Any) -> list[str]:
    """A list of texts, or nothing where a cell has none."""
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return []
    return [value] if isinstance(value, str) else list(value)


def _score_rows(
    network: Network,
    contexts: Sequence[list[str]],
    candidates: Sequence[list[str]],
    rows: Sequence[int],
) -> list[np.ndarray]:
    """Scores of the candidates of some rows, of which any may have any number."""
    if not rows:
        return []
    most = max(len(candidates[it]) for it in rows)
    filled = [[*candidates[it], *[candidates[it][0]] * (most - len(candidates[it]))] for it in rows]
    corpus, offered = list_corpus([contexts[it] for it in rows], filled, network.turns)
    scores = measure_matches(network, corpus, offered) @ network.mixture.double().cpu().numpy()
    return [it[: len(candidates[row])] for row, it in zip(rows, scores, strict=True)]


def exam(dataset: "Dataset", split: str) -> pd.DataFrame:
    """The contexts of a split as they stand in the files; fixed candidates, the right one first."""
    examples = dataset.examples(split)
    texts = dataset.table("turns")["text"].to_numpy()
    turns, begins = examples["turn"].to_numpy(), examples["begin"].to_numpy()
    replies = texts[turns]
    return examples[["id", "group", "sha256", "characters"]].assign(
        context=[texts[begin:turn].tolist() for begin, turn in zip(begins, turns, strict=True)],
        candidates=[replies[row].tolist() for row in draw_candidates(len(examples))],
        reply=replies,
    )


def outcome(predictions: pd.DataFrame, exam: pd.DataFrame) -> pd.DataFrame:
    """Mark answers: whether the best of 10 and of all candidates says what was said."""
    scores = np.array(predictions["scores"].tolist(), np.float64)
    said = [[same_words(normalise(it)) for it in row] for row in exam["candidates"]]
    right = np.array([[it == row[0] for it in row] for row in said])
    judged = judge(scores, right)[["hit_of_10", "hit_of_100"]]
    about = exam[["id", "group", "sha256"]].reset_index(drop=True)
    return pd.concat([about, judged], axis=1)


def read_input(file: Path, info: dict[str, Any]) -> pd.DataFrame:
    """Read contexts from a file of text: a line each, with tabs between turns if there are several.

    A line that is not UTF-8 is in the answer too, with its `error`. Blank lines are none; a file of
    nothing else is one context in which nothing is said.
    """
    rows: list[dict[str, Any]] = []
    for number, line in enumerate(file.read_bytes().removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            rows.append({"context": line.decode().rstrip("\r").split("\t"), "error": ""})
        except UnicodeDecodeError as error:
            reason = f"line {number}: not UTF-8 (byte {error.start:,}: {error.reason}); convert it"
            rows.append({"context": [""], "error": reason})
    if not rows:
        rows.append({"context": [""], "error": ""})
    return pd.DataFrame(rows)
