"""How well replies are written: what the right ones take, and what the written ones are like."""

import numpy as np
import pandas as pd

from ...datasets.dataset import Dataset
from ...evaluation import exhibits
from ...evaluation.grouped import group_intervals
from ...kinds.text.cost import nats_per_character
from ...kinds.text.ngrams import ngram_nats
from ...pipeline import Evaluation
from .answering import Replier
from .card import write_card
from .corpus import Corpus, read_corpus
from .normal import same_words
from .params import Params
from .predict import interface
from .replies import describe_replies
from .stretches import join_replies, read_stretches, score_stretches
from .writers import Writer

WAYS = ("greedy", "beam", "nucleus")
ORDER = 3  # tokens of the longer n-grams


def evaluate_writing(network: Writer, dataset: Dataset, params: Params) -> Evaluation:
    """Score every test reply; write replies in three ways."""
    model, examples = params.model, dataset.examples("test")
    source = read_stretches(dataset, ("test",), network.turns, network.context)
    nats = score_stretches(network, source)
    scores = examples[["id", "group", "sha256", "characters"]].assign(nats=nats)
    tokens = int((source.stops - source.starts - source.rows["skipped"]).sum())
    words = int(examples["words"].sum()) + len(examples)  # an end counts as a word
    trained = read_stretches(dataset, params.train.splits, network.turns, network.context)
    rows = [("this model", float(nats.sum()))]
    for name, order in (("how often tokens are", 1), (f"{ORDER}-grams, Kneser-Ney", ORDER)):
        counted = ngram_nats(
            join_replies(trained), join_replies(source), dataset.info["vocabulary"], order
        )
        rows.append((name, float(counted.sum())))
    compared = pd.DataFrame(rows, columns=["by", "nats"])
    compared["perplexity per token"] = np.exp(compared["nats"] / tokens)
    compared["perplexity per word"] = np.exp(compared["nats"] / words)
    corpus = read_corpus(dataset, ("test",), model.turns)
    told, described = _write_all(network, dataset, corpus, params)
    groups = examples["group"].to_numpy()
    metrics = _measure(scores, compared, groups, params.evaluate.resamples)
    usual = described.set_index("written").loc["nucleus"].to_dict()
    metrics |= {f"test/{name}": float(value) for name, value in usual.items()}
    metrics |= {
        "test/known_replies": dataset.info["known_replies"]["test"],
        "test/units": len(np.unique(groups)),
        "test/examples": len(examples),
    }
    return Evaluation(
        metrics,
        scores,
        [
            write_card(dataset, params),
            exhibits.Table(
                "What the test replies take",
                compared.drop(columns="nats").round(2),
                f"Perplexity by token, {tokens:,} of them, and by word or mark, {words:,}: the end "
                "of a reply is one of either.",
            ),
            exhibits.Table(
                "Replies to test contexts",
                told.head(params.evaluate.shown),
                "Greedy: the likeliest token each time. Beam: the likeliest reply. Nucleus: "
                "by chance among the likeliest tokens, seed 0.",
            ),
            exhibits.Table(
                "What the replies are like",
                described.round(4),
                "Different words and pairs of words over all; words of a reply; shares of replies "
                "that fit nearly anywhere, and that stand in the training split word for word.",
            ),
        ],
        plots={"compared": compared},
        meanings={
            "test/gain_over_baseline": "nats a character fewer than by how often tokens are",
            "test/distinct_1": "different words of the replies written, over all words",
            "test/distinct_2": "likewise, pairs of words",
            "test/words": "of a reply",
            "test/generic": "share of replies that fit nearly anywhere",
            "test/copied": "share of replies that stand in the training split word for word",
            "test/answered": "share of contexts that got a reply",
            "test/known_replies": "share of the test replies that stand in the training split",
        },
    )


def _measure(
    scores: pd.DataFrame, compared: pd.DataFrame, groups: np.ndarray, resamples: int
) -> dict[str, float]:
    """What the replies take, with intervals by groups of dialogues, beside how often tokens are."""
    nats, characters = (scores[it].to_numpy(float) for it in ("nats", "characters"))

    def mean(weights: np.ndarray) -> dict[str, float]:
        return {"nats": nats_per_character(scores, weights)}

    low, high = group_intervals(mean, groups, resamples)["nats"]
    value = float(nats.sum() / characters.sum())
    usual = float(compared["nats"].iloc[1] / characters.sum())
    found = {
        "test/nats_per_character": value,
        "test/nats_per_character_low": low,
        "test/nats_per_character_high": high,
        "test/gain_over_baseline": usual - value,
    }
    for unit in ("token", "word"):
        ours, theirs = compared[f"perplexity per {unit}"].iloc[:2]
        found[f"test/perplexity_per_{unit}"] = float(ours)
        found[f"test/unigram_perplexity_per_{unit}"] = float(theirs)
    return found


def _write_all(
    network: Writer, dataset: Dataset, corpus: Corpus, params: Params
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Reply to contexts at even distances in each way: some of them, and what all are like."""
    settings, by = params.evaluate, Replier(network, dataset.info)
    count = min(settings.generated, len(corpus.replies))
    rows = np.linspace(0, len(corpus.replies) - 1, count).astype(int)
    options = interface(dataset.info, {"kind": params.model.kind}).options
    written = {
        way: [by.answer(corpus.context(row), {**options, "decoding": way}).reply for row in rows]
        for way in WAYS
    }
    memory = network.memory
    trained = {same_words(memory.texts[it]) for it in memory.replies.tolist()}
    said = {**written, "what was said": [corpus.texts[corpus.replies[row]] for row in rows]}
    described = pd.DataFrame(
        [
            {"written": way, **describe_replies(replies, settings.generic, trained)}
            for way, replies in said.items()
        ]
    )
    shown = np.linspace(0, count - 1, min(settings.shown, count)).astype(int)
    table = pd.DataFrame(
        {
            "context": [" / ".join(corpus.context(rows[it])) for it in shown],
            "what was said": [said["what was said"][it] for it in shown],
            **{way: [written[way][it] or "(none)" for it in shown] for way in WAYS},
        }
    )
    return table, described
