"""What is served: the turns of a dialogue -> a reply, or why there is none."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ...kinds.text.cost import BY_CHARACTER
from ...kinds.text.tokens import read_tokens
from ...pipeline import Interface, Mean, Score
from .answer import Answer
from .answering import answerer
from .corpus import draw_candidates, list_corpus
from .decoding import Decoding
from .network import Network
from .normal import normalise, same_words
from .ranking import judge
from .retrieval import Retrieval, measure_matches
from .stretches import build_stretches, score_stretches
from .writers import Writer

if TYPE_CHECKING:
    from ...datasets.dataset import Dataset

OUTPUTS = {
    "reply": "string",
    "confidence": "double",
    "refusal": "string",
    "nearest": "strings",
    "similarity": "array",
    "scores": "array",
    "nats": "double",
    "error": "string",
}
WHY = {"why": False}


def interface(info: dict[str, Any], model: dict[str, Any]) -> Interface:
    """A context is replied to; what finds replies scores candidates, what writes them a reply."""
    if model["kind"] == "retrieval":
        recall = Score("test/recall_at_1_of_10", Mean("hit_of_10"), unit="group")
        inputs = {"context": "strings", "candidates": "optional strings"}
        outputs = {name: it for name, it in OUTPUTS.items() if name != "nats"}
        return Interface(inputs, outputs, recall, WHY)
    usual = Decoding()
    options = {"decoding": usual.kind, **{k: v for k, v in usual.__dict__.items() if k != "kind"}}
    outputs = {name: it for name, it in OUTPUTS.items() if name != "scores"}
    inputs = {"context": "strings", "reply": "optional string"}
    return Interface(inputs, outputs, BY_CHARACTER, {**WHY, **options})


def predict(
    network: Network, inputs: pd.DataFrame, info: dict[str, Any], options: dict[str, Any]
) -> pd.DataFrame:
    """Reply to contexts, a row each.

    A context is its turns, the earliest first. Where replies are found, a row with `candidates`
    gets their `scores`, and the best of them as reply. Where they are written, a row with a `reply`
    gets the `nats` that it takes, and no other. Option `why`: the nearest training contexts, with
    their replies; where replies are written, the options of `Decoding`.

    Raises:
        PenstockError: an option is out of range.
    """
    asked = inputs.reset_index(drop=True)
    contexts = [_read_list(it) for it in asked["context"]]
    given = "candidates" if isinstance(network, Retrieval) else "reply"
    offered = [_read_list(it) for it in asked.get(given, [None] * len(asked))]
    answers: list[dict[str, Any]] = [{} for _ in contexts]
    rows = [row for row, it in enumerate(offered) if it]
    if rows:
        said = [contexts[it] for it in rows]
        scored = (
            _choose(network, said, [offered[it] for it in rows])
            if isinstance(network, Retrieval)
            else _cost(network, said, [offered[it][0] for it in rows], info)
        )
        for row, it in zip(rows, scored, strict=True):
            answers[row] = it
    by = answerer(network, info)
    for row, context in enumerate(contexts):
        if not offered[row]:
            answers[row] = _told(by.answer(context, options))
    columns = interface(info, {"kind": "retrieval" if given == "candidates" else ""}).outputs
    return pd.DataFrame(answers, columns=list(columns)).assign(error="")


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


def _choose(
    network: Retrieval, contexts: Sequence[list[str]], candidates: Sequence[list[str]]
) -> list[dict[str, Any]]:
    """Score the candidates of each context, of which it may have any number."""
    most = max(map(len, candidates))
    filled = [[*it, *[it[0]] * (most - len(it))] for it in candidates]
    corpus, offered = list_corpus(contexts, filled, network.turns)
    matches = measure_matches(network, corpus, offered)
    answers = []
    for row, scores in enumerate(matches @ network.mixture.double().cpu().numpy()):
        scores = scores[: len(candidates[row])]
        best = int(scores.argmax())
        likely = np.exp(scores - scores.max())
        reply = Answer(candidates[row][best], float(likely[best] / likely.sum()))
        answers.append({**_told(reply), "scores": scores.tolist()})
    return answers


def _cost(
    network: Writer, contexts: Sequence[list[str]], replies: Sequence[str], info: dict[str, Any]
) -> list[dict[str, Any]]:
    """What given replies take, in nats."""
    source = build_stretches(read_tokens(info["tokens"]), contexts, replies, network)
    return [{"nats": float(it)} for it in score_stretches(network, source)]


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
    """Mark answers: whether the best of 10 and of all candidates is right; or what replies take."""
    about = exam[["id", "group", "sha256", "characters"]].reset_index(drop=True)
    if "scores" not in predictions:
        return about.assign(nats=predictions["nats"].to_numpy(np.float64))
    scores = np.array(predictions["scores"].tolist(), np.float64)
    said = [[same_words(normalise(it)) for it in row] for row in exam["candidates"]]
    right = np.array([[it == row[0] for it in row] for row in said])
    return about.join(judge(scores, right)[["hit_of_10", "hit_of_100"]])


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
