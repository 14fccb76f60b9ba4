"""How well replies are found: among fixed candidates, beside baselines; and which are given."""

import numpy as np
import pandas as pd

from ...datasets.dataset import Dataset
from ...evaluation import exhibits
from ...evaluation.grouped import group_intervals
from ...pipeline import Evaluation
from .card import write_card
from .corpus import Corpus, draw_candidates, read_corpus
from .finding import Finder
from .normal import same_words
from .params import Evaluate, Params
from .ranking import judge, score_bm25
from .replies import describe_replies
from .retrieval import Retrieval, measure_matches

MEASURES = {
    "hit_of_10": "recall_at_1_of_10",
    "hit_of_100": "recall_at_1_of_100",
    "reciprocal_rank": "mrr",
}
BINS = 5  # of confidence


def evaluate_retrieval(network: Retrieval, dataset: Dataset, params: Params) -> Evaluation:
    """Score every test context among fixed candidates; reply to some of them."""
    corpus = read_corpus(dataset, ("test",), params.model.turns)
    examples = dataset.examples("test")
    groups = examples["group"].to_numpy()
    judged = _judge_all(network, corpus)
    ours = judged["this model"]
    scores = pd.concat(
        [examples[["id", "group", "sha256", "characters"]], ours[["hit_of_10", "hit_of_100"]]],
        axis=1,
    )
    metrics = _measure(judged, groups, params.evaluate.resamples)
    finder = Finder(network)
    told, confidence, replies = _reply(finder, corpus, params.evaluate)
    trained = {same_words(network.memory.texts[it]) for it in network.memory.replies.tolist()}
    described = describe_replies(replies, params.evaluate.generic, trained)
    metrics |= {f"test/{name}": value for name, value in described.items()}
    metrics |= {
        "test/known_replies": dataset.info["known_replies"]["test"],
        "test/units": len(np.unique(groups)),
        "test/examples": len(examples),
    }
    rows = [(name, *(table[it].mean() for it in MEASURES)) for name, table in judged.items()]
    compared = pd.DataFrame(rows, columns=["by", *MEASURES.values()])
    return Evaluation(
        metrics,
        scores,
        [
            write_card(dataset, params),
            exhibits.Table(
                "Which reply was it",
                compared.round(4),
                "How often the reply that was given comes first among 10, and among 100, of the "
                "test split, the same for all; and the mean of 1 over its rank among 100. A "
                "candidate that says the same counts as right.",
            ),
            exhibits.Table(
                "Replies to test contexts",
                told.head(params.evaluate.shown),
                "From all replies of the training split.",
            ),
            exhibits.Table(
                "What confidence is worth",
                _by_confidence(confidence, ours),
                "Test contexts by the confidence of the reply given to them, and how often the "
                "right one came first among 10: model.least_confidence refuses those below it.",
            ),
            exhibits.Table("What the mixture weighs", _mixture_table(network)),
        ],
        plots={"compared": compared},
        meanings=_meanings(),
    )


def _meanings() -> dict[str, str]:
    return {
        "test/gain_over_baseline": "recall of 10, beyond that of TF-IDF with all turns",
        "test/mrr": "mean of 1 over the rank among 100",
        "test/distinct_1": "different words of the replies given, over all words",
        "test/distinct_2": "likewise, pairs of words",
        "test/words": "of a reply",
        "test/generic": "share of replies that fit nearly anywhere",
        "test/copied": "share of replies that stand in training: all, where they are found",
        "test/answered": "share of contexts that got a reply",
        "test/known_replies": "share of the test replies that stand in the training split",
    }


def _judge_all(network: Retrieval, corpus: Corpus) -> dict[str, pd.DataFrame]:
    """Judge the model and baselines on the same candidates."""
    offered = corpus.replies[draw_candidates(len(corpus.replies))]
    said = corpus.said[offered]
    right = said == said[:, :1]
    matches = measure_matches(network, corpus, offered)
    memory = network.memory
    replies = [memory.texts[it] for it in memory.replies.tolist()]
    by = {
        "TF-IDF, the last turn": matches[..., 1],
        "TF-IDF, all turns": matches[..., 1:].sum(2),
        "BM25, all turns": score_bm25(corpus, offered, replies),
        "the encoder alone": matches[..., 0],
        "this model": matches @ network.mixture.double().cpu().numpy(),
    }
    return {name: judge(scores, right) for name, scores in by.items()}


def _measure(
    judged: dict[str, pd.DataFrame], groups: np.ndarray, resamples: int
) -> dict[str, float]:
    """Recalls and ranks of the model, with intervals by groups of dialogues; and of baselines."""
    ours = judged["this model"]

    def mean(weights: np.ndarray) -> dict[str, float]:
        total = weights.sum()
        return {it: float(weights @ ours[it].to_numpy() / total) for it in MEASURES}

    intervals = group_intervals(mean, groups, resamples)
    found: dict[str, float] = {}
    for column, name in MEASURES.items():
        found[f"test/{name}"] = float(ours[column].mean())
        found[f"test/{name}_low"], found[f"test/{name}_high"] = intervals[column]
    for baseline, short in (("TF-IDF, all turns", "tfidf"), ("BM25, all turns", "bm25")):
        for column, name in MEASURES.items():
            found[f"test/{short}_{name}"] = float(judged[baseline][column].mean())
    gain = found["test/recall_at_1_of_10"] - found["test/tfidf_recall_at_1_of_10"]
    return found | {"test/gain_over_baseline": gain}


def _reply(
    finder: Finder, corpus: Corpus, settings: Evaluate
) -> tuple[pd.DataFrame, pd.Series, list[str]]:
    """Reply to contexts at even distances: a table of some, confidence by row, the replies."""
    count = min(settings.generated, len(corpus.replies))
    rows = np.linspace(0, len(corpus.replies) - 1, count).astype(int)
    answers = [finder.answer(corpus.context(row), {"why": False}) for row in rows]
    order = np.linspace(0, count - 1, min(settings.shown, count)).astype(int)
    table = pd.DataFrame(
        [
            (
                " / ".join(corpus.context(rows[it])),
                corpus.texts[corpus.replies[rows[it]]],
                answers[it].reply or f"(none: {answers[it].refusal})",
                round(answers[it].confidence, 4),
            )
            for it in order
        ],
        columns=["context", "what was said", "reply", "confidence"],
    )
    confidence = pd.Series([it.confidence for it in answers], index=rows)
    return table, confidence, [it.reply for it in answers]


def _by_confidence(confidence: pd.Series, judged: pd.DataFrame) -> pd.DataFrame:
    """Hits of contexts by how sure the reply was, in parts of as many contexts."""
    hits = judged["hit_of_10"].to_numpy()[confidence.index]
    order = np.argsort(-confidence.to_numpy(), kind="stable")
    parts = [it for it in np.array_split(order, BINS) if len(it)]
    rows = [
        (round(float(confidence.iloc[it].min()), 4), len(it), round(float(hits[it].mean()), 3))
        for it in parts
    ]
    return pd.DataFrame(rows, columns=["confidence, at least", "contexts", "recall_at_1_of_10"])


def _mixture_table(network: Retrieval) -> pd.DataFrame:
    names = [
        "the encoder's cosine",
        *(f"TF-IDF with turn {1 + it}, the latest first" for it in range(network.turns)),
    ]
    weights = network.mixture.cpu().numpy().round(3)
    return pd.DataFrame({"signal": names, "weight": weights.astype(float)})
