"""Text: how the defaults were chosen, and what they reach beside what is published.

    python benchmarks/text.py choose --source ../shared/data/text/tinyshakespeare.txt
    python benchmarks/text.py choose --source ../shared/data/text/tang_poems.txt
    python benchmarks/text.py compare --source ../shared/data/text/tinyshakespeare.txt
    python benchmarks/text.py compare --source ../shared/data/text/tang_poems.txt
    python benchmarks/text.py compare --source ... --only "GPU preset" --epochs 100   # with a GPU
    python benchmarks/text.py speed --source ../shared/data/text/tinyshakespeare.txt
    python benchmarks/text.py scale --source ../shared/data/text/tinyshakespeare.txt

Every network trains for the same time, `--minutes`, on the same cores: as many epochs as come into
it by the time that 30 steps take. `choose` looks at the validation split only. `compare` asks the
test split once for each network; for poems it also writes some, and counts how well they are made.
`speed` measures training beside a bare loop, and writing with and without a cache. `scale` ingests
1 GB, the text over and over with its words in another order.
"""

import argparse
import io
import re
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from itertools import combinations
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from typing import Any

import numpy as np
import psutil
import torch
from torch.nn import functional as F

from hardware import describe_hardware
from penstock import pipeline
from penstock.datasets.dataset import Dataset, DatasetWriter
from penstock.kinds.text.draws import Draw
from penstock.kinds.text.tokens import read_tokens
from penstock.learning.learner import make_optimizer
from penstock.learning.loading import batches
from penstock.learning.training import fit, seed
from penstock.pipelines.text import params as settings_of
from penstock.pipelines.text.cells import detach
from penstock.pipelines.text.ingest import ingest
from penstock.pipelines.text.network import network as build
from penstock.pipelines.text.recurrent import Recurrent
from penstock.pipelines.text.writing import write_text, write_tokens
from penstock.settings.explanation import default_params
from penstock.settings.file import parse_section

Settings = dict[str, dict[str, Any]]

SHAKESPEARE = {  # the last tenth is validation, as published; test is cut from the start
    "split": "in_order",
    "order": ["test", "train", "validation"],
    "test_share": 0.05,
    "validation_share": 0.1,
}
POEMS = {"documents": "line", "title_end": ":"}
POETRY: Settings = {"model": {"embedding": 256, "tied": True, "dropout": 0.4}}
NANO: Settings = {  # nanoGPT's settings for a CPU, of its README
    "model": {
        **{"kind": "transformer", "window": 64, "width": 128, "layers": 4, "heads": 4},
        **{"feed_forward": 512, "dropout": 0.0, "positions": "learned"},
    },
    "train": {"batch_size": 12, "learning_rate": 0.001, "weight_decay": 0.1, "warmup": 0.05},
}
GPU: Settings = {  # nanoGPT's settings for one GPU, likewise
    "model": {
        **{"kind": "transformer", "window": 256, "width": 384, "layers": 6, "heads": 6},
        **{"feed_forward": 1536, "dropout": 0.2, "positions": "rotary"},
    },
    "train": {
        **{"batch_size": 64, "learning_rate": 0.001, "weight_decay": 0.1, "warmup": 0.02},
        "keep": "best",
    },
}
SMALL: Settings = {
    "model": {"kind": "transformer"},
    "train": {"batch_size": 16, "learning_rate": 0.002, "weight_decay": 0.1},
}
COMPARED: dict[str, Settings] = {
    "lstm (default)": {},
    "transformer": SMALL,
    "nanoGPT's shape": NANO,
    "rnn": {"model": {"kind": "rnn", "hidden": 512}, "train": {"learning_rate": 0.002}},
    "GPU preset": GPU,
}
CANDIDATES: dict[str, Settings] = {
    "default": {},
    "hidden 384": {"model": {"hidden": 384}},
    "hidden 384, dropout 0.1": {"model": {"hidden": 384, "dropout": 0.1}},
    "hidden 768": {"model": {"hidden": 768}},
    "dropout 0.1": {"model": {"dropout": 0.1}},
    "dropout 0.5": {"model": {"dropout": 0.5}},
    "hidden 768, dropout 0.5": {"model": {"hidden": 768, "dropout": 0.5}},
    "two layers of 384": {"model": {"hidden": 384, "layers": 2}},
    "two layers of 512, dropout 0.5": {"model": {"hidden": 512, "layers": 2, "dropout": 0.5}},
    "window 128": {"model": {"window": 128}},
    "learning rate 0.002": {"train": {"learning_rate": 0.002}},
    "learning rate 0.008": {"train": {"learning_rate": 0.008}},
    "batch 64": {"train": {"batch_size": 64}},
    "weight decay 0.1": {"train": {"weight_decay": 0.1}},
    "no state carried": {"train": {"carry": False}},
    "gru": {"model": {"kind": "gru"}},
    "transformer": SMALL,
}
POEM_CANDIDATES: dict[str, Settings] = {
    "default": {},
    "tied, 256": POETRY,
    "tied, 256, dropout 0.5": {"model": {**POETRY["model"], "dropout": 0.5}},
    "tied, 384": {"model": {**POETRY["model"], "embedding": 384}},
    "tied, 256, learning rate 0.002": {**POETRY, "train": {"learning_rate": 0.002}},
    "tied, 256, weight decay 0.1": {**POETRY, "train": {"weight_decay": 0.1}},
    "tied, 256, hidden 384": {"model": {**POETRY["model"], "hidden": 384}},
    "transformer": {**SMALL, "model": {**SMALL["model"], "dropout": 0.3}},
}
PILOT = 30  # steps
WRITTEN = 200  # poems
ROUNDS = 7  # pairs of timings
WINDOW = 512  # tokens that are written with and without a cache


def make(settings: Settings, data: dict[str, Any]) -> Any:
    """The pipeline's parameters with some of them changed."""
    default = default_params("text").model_dump(mode="json")
    kinds = {"lstm": settings_of.LSTM, "gru": settings_of.GRU, "rnn": settings_of.RNN}
    kinds["transformer"] = settings_of.Transformer
    model = {"kind": "lstm", **settings.get("model", {})}
    changed = {
        "data": {**default["data"], **data},
        "model": kinds[model["kind"]](**model).model_dump(mode="json"),
        "train": {**default["train"], "min_steps": 0, **settings.get("train", {})},
    }
    return parse_section("text", {**default, **changed}, Path("params.yaml"))


def train(
    dataset: Dataset, params: Any, minutes: float, epochs: int | None
) -> tuple[Any, dict[str, float]]:
    """Train for so long, or so many epochs: the network, and how it went."""
    if epochs is None:
        source = pipeline.load("text", "train").source(dataset, ("train",), params)
        steps = len(source) // source.rows
        _, pilot = _fit(dataset, params, 1, PILOT)
        epochs = max(1, int(60 * minutes / (pilot["seconds"] * steps / PILOT)))
    return _fit(dataset, params, epochs, None)


def _fit(
    dataset: Dataset, params: Any, epochs: int, steps: int | None
) -> tuple[Any, dict[str, float]]:
    """Train for so many epochs, or for a few steps."""
    module = pipeline.load("text", "train")
    source = module.source(dataset, ("train",), params)
    held_out = None if steps else module.source(dataset, ("validation",), params)
    if steps:
        source.apart = steps * source.length
    settings = params.train.model_copy(update={"max_epochs": epochs})
    if steps:
        settings = settings.model_copy(update={"keep": "last"})
    seed(settings)
    network = build(params.model, dataset.info)
    learner = module.learner(network, params, dataset)
    memory = psutil.virtual_memory().available
    with tempfile.TemporaryDirectory() as folder, redirect_stdout(io.StringIO()):
        done = fit(learner, source, held_out, settings, Path(folder), lambda *_: None, memory)
    best = min((it["val/loss"] for it in done.history if "val/loss" in it), default=float("nan"))
    return network, {
        **done.history[-1],
        "seconds": done.seconds,
        "epochs": done.epochs,
        "speed": done.examples_per_second * (done.tokens or 1),
        "best": best,
    }


@contextmanager
def ingested(source: Path, params: Any) -> Iterator[Dataset]:
    """The dataset of a source, in a scratch folder."""
    with tempfile.TemporaryDirectory() as folder:
        with DatasetWriter(Path(folder) / "dataset") as writer, redirect_stdout(io.StringIO()):
            ingest(source, writer, params)
        yield Dataset(Path(folder) / "dataset")


def choose(dataset: Dataset, data: dict[str, Any], them: dict[str, Settings], how: Any) -> None:
    """Validation loss by settings."""
    for name, settings in them.items():
        if how.only and how.only != name:
            continue
        _, found = train(dataset, make(settings, data), how.minutes, how.epochs)
        print(
            f"{name:34} validation {found['val/loss']:.4f} nats a token (best epoch "
            f"{found['best']:.4f}), training {found['train/loss']:.4f}; {found['epochs']} epochs, "
            f"{found['seconds']:.0f} s, {found['speed']:,.0f} tokens/s",
            flush=True,
        )


def compare(dataset: Dataset, data: dict[str, Any], them: dict[str, Settings], how: Any) -> None:
    """What each network reaches on the test split."""
    for name, settings in them.items():
        if how.only and how.only != name:
            continue
        params = make(settings, data)
        network, found = train(dataset, params, how.minutes, how.epochs)
        evaluation = pipeline.load("text", "evaluate").evaluate(network, dataset, params)
        weights = sum(it.numel() for it in network.parameters())
        print(
            f"{name}: {weights:,} weights; {found['epochs']} epochs in {found['seconds']:.0f} s, "
            f"{found['speed']:,.0f} tokens/s; validation {found['val/loss']:.4f} nats a token "
            f"(best epoch {found['best']:.4f}), training {found['train/loss']:.4f}",
            flush=True,
        )
        for metric, value in evaluation.metrics.items():
            print(f"    {metric} {value:.4f}", flush=True)
        print(evaluation.plots["baselines"].round(4).to_string(index=False), flush=True)
        if data == POEMS:
            judge_poems(network, dataset)


def judge_poems(network: Any, dataset: Dataset) -> None:
    """How well poems are made that the network wrote, beside real ones that it never saw."""
    tokens = read_tokens(dataset.info["tokens"])
    texts = {
        split: [it.decode() for it in dataset.raw(dataset.examples(split)["id"])]
        if split == "test"
        else _decode(dataset, split)
        for split in ("train", "test")
    }
    rhymes = Counter(pair for text in texts["train"] for pair in _rhymes(_body(text)))
    for temperature in (0.6, 0.8, 1.0):
        written = [
            "".join(write_text(network, tokens, "", 300, Draw(temperature, 0, number)))
            for number in range(WRITTEN)
        ]
        _tell_poems(f"written at {temperature}", written, rhymes)
    _tell_poems("test poems", texts["test"], rhymes)
    for text in written[:3]:
        print(f"    {text}")


def _decode(dataset: Dataset, split: str) -> list[str]:
    tokens, stream = read_tokens(dataset.info["tokens"]), dataset.array("tokens")
    parts = np.array(tokens.content, dtype=object)
    rows = dataset.examples(split)
    return [
        b"".join(parts[stream[start:stop]]).decode("utf-8", "replace")
        for start, stop in zip(rows["start"], rows["stop"], strict=True)
    ]


def _body(text: str) -> str:
    return text.partition(":")[2]


def _couplets(body: str) -> list[list[str]]:
    """The lines of each couplet: a couplet ends with a full stop, its lines with a comma."""
    return [it.split("，") for it in re.split("[。！？]", body) if it]


def _rhymes(body: str) -> list[tuple[str, str]]:
    """Pairs of last characters of couplets, which rhyme in most poems."""
    ends = [couplet[-1][-1] for couplet in _couplets(body) if couplet[-1]]
    return [(min(pair), max(pair)) for pair in combinations(ends, 2)]


def _tell_poems(name: str, poems: list[str], rhymes: Counter[tuple[str, str]]) -> None:
    """Shares of couplets with two lines of equal length, of poems in one metre, and of rhymes.

    A rhyme counts if the training poems have it.
    """
    couplets = [couplet for poem in poems for couplet in _couplets(_body(poem))]
    pairs = [it for it in couplets if len(it) == 2]
    equal = [it for it in pairs if len(it[0]) == len(it[1])]
    usual = [it for it in equal if len(it[0]) in (5, 7)]
    metres = [{len(line) for it in _couplets(_body(poem)) for line in it} for poem in poems]
    rhymed = [pair in rhymes for poem in poems for pair in _rhymes(_body(poem))]
    chance = np.random.default_rng(0)
    ends = [couplet[-1][-1] for couplet in couplets if couplet[-1]]
    mixed = [tuple(sorted(chance.choice(ends, 2))) in rhymes for _ in range(2000)]
    count = max(1, len(couplets))
    print(
        f"    {name}: {len(couplets):,} couplets; two lines of equal length "
        f"{len(equal) / count:.3f}, of five or seven {len(usual) / count:.3f}; "
        f"poems in one metre {np.mean([len(it) == 1 for it in metres]):.3f}; last characters that "
        f"rhyme in the training poems {np.mean(rhymed):.3f}, by chance {np.mean(mixed):.3f}",
        flush=True,
    )


def speed(dataset: Dataset, data: dict[str, Any], steps: int) -> None:
    """Training beside a bare loop, in pairs; writing with and without a cache."""
    for name in ("lstm (default)", "transformer"):
        params = make(COMPARED[name], data)
        ratios = []
        for _ in range(ROUNDS):
            bare = _bare(dataset, params, steps)
            _, found = _fit(dataset, params, 1, steps)
            ratios.append(bare / found["seconds"])
        low, middle, high = np.quantile(ratios, [0, 0.5, 1])
        print(
            f"training, {name}: {middle:.3f} of a bare loop's speed ({ROUNDS} pairs of {steps} "
            f"steps, {low:.3f} to {high:.3f})",
            flush=True,
        )
    shape = settings_of.Transformer(window=WINDOW + 1, width=192, layers=4, dropout=0.0)
    network = build(shape, dataset.info).eval()
    ratios = []
    for _ in range(3):
        started = time.perf_counter()
        for _ in write_tokens(network, np.array([0]), WINDOW, Draw(seed=1)):
            pass
        cached = time.perf_counter() - started
        started = time.perf_counter()
        read = [0]
        with torch.inference_mode():
            for _ in range(WINDOW):
                logits, _ = network(torch.tensor([read]))
                read.append(2 + int(logits[0, -1, 2:].argmax()))
        ratios.append((time.perf_counter() - started) / cached)
    print(
        f"writing {WINDOW} tokens: {np.median(ratios):.1f} times as fast with a cache "
        f"({min(ratios):.1f} to {max(ratios):.1f})"
    )


def _bare(dataset: Dataset, params: Any, steps: int) -> float:
    """Seconds that so many steps take in a loop of plain PyTorch."""
    seed(params.train)
    source = pipeline.load("text", "train").source(dataset, ("train",), params)
    source.apart = steps * source.length
    network = build(params.model, dataset.info).train()
    optimizer = make_optimizer(network, params.train)
    state, started = None, time.perf_counter()
    for batch in batches(source, params.train.batch_size, seed=0):
        tokens = batch["tokens"]
        logits, state = network(tokens[:, :-1], state)
        state = detach(state) if isinstance(network, Recurrent) else None
        loss = F.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), params.train.gradient_clip)
        optimizer.step()
    return time.perf_counter() - started


def scale(source: Path, size: int) -> None:
    """Seconds and memory that ingest takes for so many bytes."""
    words, chance, written = source.read_text().split(" "), np.random.default_rng(0), 0
    with tempfile.TemporaryDirectory() as folder:
        with (Path(folder) / "large.txt").open("w") as file:
            while written < size:
                written += file.write(" ".join(chance.permutation(words)))
        del words
        started = time.perf_counter()
        with ingested(Path(folder) / "large.txt", make({}, {})) as dataset:
            seconds, peak = time.perf_counter() - started, getrusage(RUSAGE_SELF).ru_maxrss
            print(
                f"{written / 1e9:.2f} GB: {seconds:.0f} s, at most {peak / 1e6:.2f} GB of memory, "
                f"imports included; {len(dataset.array('tokens')):,} tokens, "
                f"{dataset.info['examples']:,} blocks",
                flush=True,
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=["choose", "compare", "speed", "scale"])
    parser.add_argument("--source", type=Path, required=True, help="a text, or a poem a line")
    parser.add_argument("--minutes", type=float, default=10.0, help="of training, for each")
    parser.add_argument("--epochs", type=int, help="of training, in place of minutes")
    parser.add_argument("--only", default="", help="the network of this name")
    parser.add_argument("--steps", type=int, default=150, help="of a timing, for `speed`")
    arguments = parser.parse_args()
    print(describe_hardware(), flush=True)
    if arguments.what == "scale":
        return scale(arguments.source, 10**9)
    poems = "poem" in arguments.source.name
    data = POEMS if poems else SHAKESPEARE
    with ingested(arguments.source, make({}, data)) as dataset:
        if arguments.what == "speed":
            speed(dataset, data, arguments.steps)
        elif arguments.what == "choose":
            choose(dataset, data, POEM_CANDIDATES if poems else CANDIDATES, arguments)
        else:
            them = {"lstm, tied": POETRY} if poems else COMPARED
            compare(dataset, data, them, arguments)


if __name__ == "__main__":
    main()
