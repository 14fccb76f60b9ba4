"""Dialogue: how the defaults were chosen, what each kind of model reaches, how fast it answers.

    python benchmarks/dialogue.py choose --source ../shared/data/dialog/pairs.tsv
    python benchmarks/dialogue.py compare --source ../shared/data/dialog/pairs.tsv
    python benchmarks/dialogue.py compare --source ... --only transformer
    python benchmarks/dialogue.py latency --source ../shared/data/dialog/pairs.tsv

`choose` looks at the validation split only. `compare` asks the test split once for each kind of
model, and for the text pipeline's language model on the same tokens, which is scored without the
turns before and with them. Epochs are fixed, since a shared machine is now fast and now slow; the
seconds that processors worked are printed. `latency` times answers one at a time, on one thread.
"""

import argparse
import io
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
import torch

from hardware import describe_hardware
from penstock import pipeline
from penstock.datasets.dataset import Dataset, DatasetWriter
from penstock.learning.sources import Stream
from penstock.learning.training import fit, seed
from penstock.pipelines.dialogue import params as settings_of
from penstock.pipelines.dialogue.answering import answerer
from penstock.pipelines.dialogue.corpus import read_corpus
from penstock.pipelines.dialogue.ingest import ingest
from penstock.pipelines.dialogue.predict import interface
from penstock.pipelines.dialogue.stretches import read_stretches
from penstock.pipelines.text import network as language_models
from penstock.pipelines.text import params as language_settings
from penstock.pipelines.text.learner import LanguageModel
from penstock.pipelines.text.scoring import score
from penstock.settings.explanation import default_params
from penstock.settings.file import parse_section

Settings = dict[str, dict[str, Any]]

WRITING = {"optimizer": "adamw", "learning_rate": 0.003, "batch_size": 32}
KINDS: dict[str, Settings] = {
    "retrieval": {"model": {"kind": "retrieval"}},
    "seq2seq": {"model": {"kind": "seq2seq"}, "train": {**WRITING, "max_epochs": 7}},
    "transformer": {"model": {"kind": "transformer"}, "train": {**WRITING, "max_epochs": 5}},
    "seq2seq, 64 units": {  # the tutorial's, with attention
        "model": {"kind": "seq2seq", "cell": "lstm", "embedding": 64, "hidden": 64},
        "train": {**WRITING, "max_epochs": 7},
    },
}
CANDIDATES: dict[str, Settings] = {
    "default": {},
    "width 128": {"model": {"width": 128}},
    "width 512": {"model": {"width": 512}},
    "131,072 buckets": {"model": {"buckets": 131_072}},
    "one turn": {"model": {"turns": 1}},
    "two turns": {"model": {"turns": 2}},
    "six turns": {"model": {"turns": 6}},
    "batch 128": {"train": {"batch_size": 128}},
    "batch 512": {"train": {"batch_size": 512}},
    "feature dropout 0": {"model": {"feature_dropout": 0.0}},
    "feature dropout 0.5": {"model": {"feature_dropout": 0.5}},
    "dropout 0": {"model": {"dropout": 0.0}},
    "dropout 0.5": {"model": {"dropout": 0.5}},
    "learning rate 0.02": {"train": {"learning_rate": 0.02}},
    "learning rate 0.1": {"train": {"learning_rate": 0.1}},
    "adam": {"train": {"optimizer": "adam", "learning_rate": 0.01}},
    "four epochs": {"train": {"max_epochs": 4}},
}
LANGUAGE = {"embedding": 192, "hidden": 384, "tied": True, "dropout": 0.3}
LANGUAGE_EPOCHS = 8
ASKED = 300  # contexts that are timed


def make(settings: Settings, epochs: int | None = None) -> Any:
    """The pipeline's parameters with some of them changed, on one thread."""
    default = default_params("dialogue").model_dump(mode="json")
    kinds = {
        "retrieval": settings_of.Retrieval,
        "seq2seq": settings_of.Seq2Seq,
        "transformer": settings_of.Transformer,
    }
    model = {"kind": "retrieval", **settings.get("model", {})}
    changed = {
        "model": kinds[model["kind"]](**model).model_dump(mode="json"),
        "train": {**default["train"], "min_steps": 0, "threads": 1, **settings.get("train", {})},
    }
    if epochs is not None:
        changed["train"]["max_epochs"] = epochs
    return parse_section("dialogue", {**default, **changed}, Path("params.yaml"))


@contextmanager
def ingested(source: Path, params: Any) -> Iterator[Dataset]:
    """The dataset of a source, in a scratch folder."""
    with tempfile.TemporaryDirectory() as folder:
        with DatasetWriter(Path(folder) / "dataset") as writer:
            ingest(source, writer, params)
        yield Dataset(Path(folder) / "dataset")


def train(dataset: Dataset, params: Any) -> tuple[Any, dict[str, float]]:
    """Train: the network, its last metrics, and the seconds that processors worked."""
    module = pipeline.load("dialogue", "train")
    seed(params.train)
    network = pipeline.load("dialogue", "network").network(params.model, dataset.info)
    started = time.process_time()
    learner = module.learner(network, params, dataset)
    sources = [module.source(dataset, (it,), params) for it in ("train", "validation")]
    return network, _fit(learner, sources, params.train, started)


def _fit(learner: Any, sources: list[Any], settings: Any, started: float) -> dict[str, float]:
    memory = psutil.virtual_memory().available
    with tempfile.TemporaryDirectory() as folder, redirect_stdout(io.StringIO()):
        done = fit(learner, *sources, settings, Path(folder), lambda *_: None, memory)
    return {**done.history[-1], "epochs": done.epochs, "seconds": time.process_time() - started}


def choose(dataset: Dataset, only: str, epochs: int | None) -> None:
    """Validation loss and recall by settings of retrieval."""
    for name, settings in CANDIDATES.items():
        if only in ("", name):
            _, found = train(dataset, make(settings, epochs))
            print(
                f"{name:22} validation loss {found['val/loss']:.4f}, recall of 100 "
                f"{found['val/recall']:.4f}; training {found['train/loss']:.4f}; "
                f"{found['epochs']} epochs, {found['seconds']:.0f} processor seconds",
                flush=True,
            )


def compare(dataset: Dataset, only: str, epochs: int | None) -> None:
    """What each kind of model reaches on the test split, and the text pipeline's model."""
    for name, settings in KINDS.items():
        if only not in ("", name):
            continue
        params = make(settings, epochs)
        network, found = train(dataset, params)
        network.eval()
        evaluation = pipeline.load("dialogue", "evaluate").evaluate(network, dataset, params)
        weights = sum(it.numel() for it in network.parameters())
        print(
            f"{name}: {weights:,} weights; {found['epochs']} epochs in {found['seconds']:.0f} "
            f"processor seconds; validation {found['val/loss']:.4f}",
            flush=True,
        )
        for metric, value in evaluation.metrics.items():
            print(f"    {metric} {value:.4f}", flush=True)
        for exhibit in evaluation.exhibits:
            if hasattr(exhibit, "rows"):
                print(f"  {exhibit.title}\n{_as_text(exhibit.rows)}", flush=True)
    if only in ("", "text"):
        compare_text(dataset, epochs or LANGUAGE_EPOCHS)


def _as_text(rows: pd.DataFrame) -> str:
    texts = rows.select_dtypes(exclude="number").map(lambda it: str(it)[-70:])
    return rows.assign(**texts).to_string(index=False)


def compare_text(dataset: Dataset, epochs: int) -> None:
    """The text pipeline's language model: on the same tokens, and the same replies."""
    settings = default_params("text").train.model_copy(
        update={"max_epochs": epochs, "min_steps": 0, "threads": 1}
    )
    model = language_settings.LSTM(**LANGUAGE)
    seed(settings)
    network = language_models.network(model, dataset.info)
    started = time.process_time()
    said = dataset.table("turns")
    spans = [
        said.loc[begin:turn, ["start", "stop"]].to_numpy()
        for begin, turn in _dialogues(dataset, "train")
    ]
    stream = dataset.array("tokens")
    tokens = np.concatenate([stream[it[0, 0] : it[-1, 1]] for it in spans])
    source = Stream(tokens, model.window, settings.batch_size, settings.seed)
    learner = LanguageModel(network, settings)
    found = _fit(learner, [source, None], settings, started)
    replies = read_stretches(dataset, ("test",), turns=4, context=96)
    words = int(dataset.examples("test")["words"].sum()) + len(replies)
    for name, reads in (("without the turns before", False), ("with them", True)):
        asked = []
        for start, skipped, stop in zip(
            replies.starts, replies.rows["skipped"], replies.stops, strict=True
        ):
            said_before = np.concatenate([[0], stream[start : start + skipped if reads else start]])
            reply = stream[start + skipped : stop].astype(np.int64)
            asked.append((said_before.astype(np.int64), reply))
        nats = score(network, asked, dataset.info["vocabulary"]).nats
        print(
            f"text's lstm, {name}: perplexity {np.exp(nats.mean()):.2f} a token, "
            f"{np.exp(nats.sum() / words):.2f} a word; {found['seconds']:.0f} processor seconds",
            flush=True,
        )


def _dialogues(dataset: Dataset, split: str) -> list[tuple[int, int]]:
    """The first and the last turn of each dialogue of a split."""
    ends = dataset.examples(split).groupby("begin")["turn"].max()
    return list(zip(map(int, ends.index), map(int, ends), strict=True))


def latency(dataset: Dataset, only: str, epochs: int | None) -> None:
    """Milliseconds that an answer takes, one at a time, on one thread; /why included."""
    torch.set_num_threads(1)
    for name, settings in KINDS.items():
        if only not in ("", name):
            continue
        params = make(settings, epochs or 1)
        network, _ = train(dataset, params)
        by = answerer(network.eval(), dataset.info)
        options = interface(dataset.info, {"kind": params.model.kind}).options | {"why": True}
        corpus = read_corpus(dataset, ("test",), params.model.turns)
        rows = np.linspace(0, len(corpus.replies) - 1, ASKED + 1).astype(int)
        by.answer(corpus.context(rows[0]), options)
        took = []
        for row in rows[1:]:
            started = time.perf_counter()
            by.answer(corpus.context(row), options)
            took.append(1000 * (time.perf_counter() - started))
        middle, late, last = np.quantile(took, [0.5, 0.95, 1])
        print(
            f"{name}: median {middle:.1f} ms, 95 % within {late:.1f} ms, all within {last:.1f} ms "
            f"({ASKED} answers)",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=["choose", "compare", "latency"])
    parser.add_argument("--source", type=Path, required=True, help="dialogues, or pairs")
    parser.add_argument("--only", default="", help="the settings of this name")
    parser.add_argument("--epochs", type=int, help="of training, in place of those that are set")
    arguments = parser.parse_args()
    print(describe_hardware(), flush=True)
    with ingested(arguments.source, make({})) as dataset:
        {"choose": choose, "compare": compare, "latency": latency}[arguments.what](
            dataset, arguments.only, arguments.epochs
        )


if __name__ == "__main__":
    main()
