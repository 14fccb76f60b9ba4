"""Ratings: how settings were chosen, what classical libraries reach, how fast it is, how it grows.

    python benchmarks/ratings.py choose      # settings by their error on the validation split
    python benchmarks/ratings.py compare     # test error beside Surprise's models, on one split
    python benchmarks/ratings.py train       # rows/s of the neural recipe against other loops
    python benchmarks/ratings.py scale       # 1, 5 and 25 million ratings: rows/s and memory

`compare` needs scikit-surprise, which is no dependency of Penstock: `pip install scikit-surprise`.
Nothing in `choose` sees the test split; `compare` reports on it what `choose` chose.
"""

import argparse
import io
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, TensorDataset

from hardware import describe_hardware
from penstock.datasets.dataset import Dataset
from penstock.learning.learner import make_optimizer
from penstock.learning.training import seed
from penstock.pipelines.ratings import train as ratings_train
from penstock.pipelines.ratings.network import network
from penstock.pipelines.ratings.params import Bayesian, Factors, Neural, Params
from penstock.pipelines.ratings.predict import rank_items, rate_pairs
from penstock.project.workspace import Workspace
from penstock.settings.explanation import default_params
from penstock.stages.ingest import ingest
from penstock.stages.train import train_network

COLUMNS = ("user", "item", "rating")
PARAMS = default_params("ratings")
# Of the kinds by gradient descent; `bpmf` has the defaults.
DESCENT = {
    "max_epochs": 20,
    "batch_size": 1024,
    "learning_rate": 0.005,
}
RECIPE = {"max_epochs": 3, "batch_size": 256, "learning_rate": 0.001, "schedule": "constant"}


def main() -> None:
    """Print the hardware, then what was asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["choose", "compare", "train", "scale", *PARTS])
    parser.add_argument("--source", default="../shared/data/movielens-latest-small")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[256, 4096, 16384])
    parser.add_argument("--millions", type=float, nargs="+", default=[1, 5, 25])
    options = parser.parse_args()
    if options.what in PARTS:  # what `scale` starts
        run_part(options.what, Path(options.source))
        return
    print(describe_hardware(), flush=True)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        if options.what == "scale":
            for millions in options.millions:
                scale(folder / f"{millions:g}", int(millions * 1e6))
            return
        dataset = ingested(folder, Path(options.source))
        if options.what == "choose":
            choose(dataset)
        elif options.what == "compare":
            compare(dataset)
        else:
            for batch_size in options.batch_sizes:
                measure_training(dataset, options.rounds, batch_size)


def ingested(folder: Path, source: Path) -> Dataset:
    """The dataset that the defaults make of a source."""
    params = PARAMS.model_copy(update={"source": str(source.resolve())})
    return ingest(Workspace(folder, "ratings", params, folder / "ratings"))


def with_settings(model: Any, refit: bool, **train: Any) -> Params:
    """Parameters with another model and training."""
    changed = PARAMS.train.model_copy(update={**train, "on_validation_too": refit})
    return PARAMS.model_copy(update={"model": model, "train": changed})


def trained(dataset: Dataset, params: Params) -> Any:
    """A trained recommender and how its training went."""
    with tempfile.TemporaryDirectory() as temporary, redirect_stdout(io.StringIO()):
        model, training = train_network("ratings", params, dataset, Path(temporary) / "checkpoints")
    return model.eval(), training


def error(model: Any, dataset: Dataset, split: str) -> float:
    """RMSE on a split."""
    rows, columns = dataset.rows(split), dataset.columns("user", "item", "rating")
    predicted = rate_pairs(model, columns["user"][rows], columns["item"][rows])
    return float(np.sqrt(np.mean((columns["rating"][rows] - predicted) ** 2)))


def choose(dataset: Dataset) -> None:
    """Print the validation error of settings; the model sees the training split only."""
    candidates: list[tuple[Any, dict[str, Any]]] = [
        *((Bayesian(factors=f), {}) for f in (8, 12, 16, 20)),
        *((Bayesian(samples=s), {"max_epochs": e}) for s, e in ((20, 100), (40, 100), (80, 240))),
        *((Factors(penalty=p), DESCENT) for p in (0.05, 0.1, 0.15, 0.2)),
        *((Factors(factors=f), DESCENT) for f in (8, 64)),
        *((Factors(), {**DESCENT, "max_epochs": e}) for e in (10, 40)),
        *((Neural(), {**RECIPE, "max_epochs": e}) for e in (2, 3, 4, 10)),
    ]
    for model, train in candidates:
        recommender, training = trained(dataset, with_settings(model, False, **train))
        settings = {**model.model_dump(exclude={"popularity"}), **train}
        print(
            f"validation RMSE {error(recommender, dataset, 'validation'):.4f}  "
            f"{training.seconds:5.1f} s  {settings}",
            flush=True,
        )
    choose_popularity(dataset)


def choose_popularity(dataset: Dataset) -> None:
    """Print how good lists are on the validation split for each weight of popularity."""
    from penstock.pipelines.ratings import ranking

    model, _ = trained(dataset, with_settings(Bayesian(), False))
    columns = dataset.columns("user", "item", "rating")
    shape = dataset.info["users"], dataset.info["items"]
    train, rows = dataset.rows("train"), dataset.rows("validation")
    liked = rows[columns["rating"][rows] >= PARAMS.evaluate.relevant]
    seen = ranking.pairs(columns["user"][train], columns["item"][train], shape)
    relevant = ranking.pairs(columns["user"][liked], columns["item"][liked], shape)
    users = np.flatnonzero(np.diff(relevant.indptr))
    there = np.bincount(columns["item"][train], minlength=shape[1]) > 0
    for weight in (0.0, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 2.0, 5.0):
        model.popularity = weight
        lists = ranking.best_items(lambda it: rank_items(model, it), users, seen, there, 10)
        judged = ranking.judge(lists, users, relevant).mean()
        print(
            f"popularity {weight}: validation NDCG at 10 {judged['ndcg']:.4f}, "
            f"coverage {ranking.coverage(lists, there):.3f}"
        )


def compare(dataset: Dataset) -> None:
    """Print test errors of ours and of Surprise's, all fitted on train and validation."""
    for model, train in ((Bayesian(), {}), (Factors(), DESCENT), (Neural(), RECIPE)):
        errors, times = [], []
        for number in range(3):
            params = with_settings(model, True, **train, seed=number)
            recommender, training = trained(dataset, params)
            errors.append(error(recommender, dataset, "test"))
            times.append(training.seconds)
        shown = ", ".join(f"{it:.4f}" for it in errors)
        print(
            f"ours, {model.kind}: test RMSE {shown} (seeds 0 to 2), {max(times):.0f} s at most",
            flush=True,
        )
    compare_surprise(dataset)


def compare_surprise(dataset: Dataset) -> None:
    """Surprise's models on the same rows; the tuned one is tuned on the validation split."""
    try:
        from surprise import SVD, KNNBaseline, SVDpp
    except ImportError:
        print("scikit-surprise is not installed: not compared")
        return
    grid = [
        {"n_factors": f, "reg_all": r, "n_epochs": e, "lr_all": 0.005}
        for f in (20, 100)
        for r in (0.02, 0.05, 0.1)
        for e in (20, 40, 60)
    ]
    tried = [
        (surprise_error(SVD(random_state=0, **it), dataset, ("train",), "validation"), n)
        for n, it in enumerate(grid)
    ]
    best = grid[min(tried)[1]]
    print(f"Surprise: the best SVD of {len(grid)} on validation: {min(tried)[0]:.4f} {best}")
    knn = KNNBaseline(verbose=False, sim_options={"name": "pearson_baseline", "user_based": False})
    for name, algorithm in (
        ("SVD", SVD(random_state=0)),
        ("tuned SVD", SVD(random_state=0, **best)),
        ("KNNBaseline, items", knn),
        ("SVD++", SVDpp(random_state=0)),
    ):
        started = time.perf_counter()
        found = surprise_error(algorithm, dataset, ("train", "validation"), "test")
        print(f"Surprise, {name}: test RMSE {found:.4f}, {time.perf_counter() - started:.0f} s")


def surprise_error(algorithm: Any, dataset: Dataset, splits: tuple[str, ...], on: str) -> float:
    """RMSE of one of Surprise's models."""
    import pandas as pd
    from surprise import Dataset as Table
    from surprise import Reader

    columns = pd.DataFrame(dataset.columns("user", "item", "rating"))
    reader = Reader(rating_scale=tuple(dataset.info["scale"]))
    with redirect_stdout(io.StringIO()):
        algorithm.fit(
            Table.load_from_df(columns.iloc[dataset.rows(*splits)], reader).build_full_trainset()
        )
    test = columns.iloc[dataset.rows(on)]
    squared = [
        (row.rating - algorithm.predict(row.user, row.item).est) ** 2 for row in test.itertuples()
    ]
    return float(np.sqrt(np.mean(squared)))


def measure_training(dataset: Dataset, rounds: int, batch_size: int) -> None:
    """The neural recipe, an epoch with validation: our stage, a bare loop, rows one by one."""
    epochs = 2 if batch_size < 1000 else 8
    settings = {**RECIPE, "batch_size": batch_size, "max_epochs": epochs}
    params = with_settings(Neural(), False, **settings)
    pairs = []
    for number in range(rounds):
        turns = [stage, bare, by_row] if number % 2 else [bare, by_row, stage]
        speeds = {turn.__name__: turn(dataset, params) for turn in turns}
        pairs.append((speeds["stage"], speeds["bare"], speeds["by_row"]))
    ours, theirs, rows = (statistics.median(column) for column in zip(*pairs, strict=True))
    for name, other in (("a bare loop by index", 1), ("a DataLoader by row", 2)):
        ratios = [pair[0] / pair[other] for pair in pairs]
        speed = (theirs, rows)[other - 1]
        print(
            f"batches of {params.train.batch_size}: stage {ours:,.0f} rows/s, {name} {speed:,.0f}: "
            f"ratio {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}) over "
            f"{len(pairs)} pairs"
        )


def stage(dataset: Dataset, params: Params) -> float:
    """Rows/s of the train stage."""
    return float(trained(dataset, params)[1].examples_per_second)


def bare(dataset: Dataset, params: Params) -> float:
    """Rows/s of the loop one would write by hand, whole training set as tensors."""
    train = params.train
    seed(train)
    model = network(params.model, dataset.info)
    ratings_train.learner(model, params, dataset)
    columns = dataset.columns(*COLUMNS)
    started = time.perf_counter()
    parts = {
        split: [torch.from_numpy(it[dataset.rows(split)]) for it in columns.values()]
        for split in ("train", "validation")
    }
    optimizer = make_optimizer(model, train)
    size, count = train.batch_size, len(parts["train"][0])
    for _ in range(train.max_epochs):
        for index in torch.randperm(count)[: count // size * size].split(size):
            step(model, optimizer, [it[index] for it in parts["train"]])
        with torch.inference_mode():
            for batch in zip(*(it.split(8 * size) for it in parts["validation"]), strict=True):
                (batch[2] - model(batch[0], batch[1])).square().mean()
    return train.max_epochs * (count // size * size) / (time.perf_counter() - started)


def by_row(dataset: Dataset, params: Params) -> float:
    """Rows/s with a DataLoader that takes rows one by one, as most examples do; no validation."""
    train = params.train
    seed(train)
    model = network(params.model, dataset.info)
    ratings_train.learner(model, params, dataset)
    rows = dataset.rows("train")
    tensors = [torch.from_numpy(it[rows]) for it in dataset.columns(*COLUMNS).values()]
    loader = DataLoader(TensorDataset(*tensors), train.batch_size, shuffle=True, drop_last=True)
    optimizer = make_optimizer(model, train)
    started = time.perf_counter()
    for batch in loader:
        step(model, optimizer, batch)
    return len(loader) * train.batch_size / (time.perf_counter() - started)


def step(model: Any, optimizer: torch.optim.Optimizer, batch: Any) -> None:
    """One step of gradient descent."""
    loss, _ = model.loss(*batch)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


PARTS = ("ingest", "validate", "mf", "bpmf")


def scale(folder: Path, count: int) -> None:
    """Ingest, validate and one epoch of two kinds, each in a process of its own."""
    folder.mkdir()
    write_ratings(folder / "ratings.csv", count)
    size = (folder / "ratings.csv").stat().st_size / 1e6
    print(f"{count:,} ratings, {size:,.0f} MB of CSV", flush=True)
    for part in PARTS:
        process = subprocess.Popen([sys.executable, __file__, part, "--source", str(folder)])
        _, status, usage = os.wait4(process.pid, 0)
        print(f"    peak {usage.ru_maxrss / 1e6:.2f} GB resident, status {status}", flush=True)
    shutil.rmtree(folder)


def run_part(part: str, folder: Path) -> None:
    """One part of `scale`: prints its seconds, without imports, and rows/s."""
    params = PARAMS.model_copy(update={"source": str(folder / "ratings.csv")})
    workspace = Workspace(folder, "ratings", params, folder / "ratings")
    started = time.perf_counter()
    with redirect_stdout(io.StringIO()):
        if part == "ingest":
            dataset = ingest(workspace)
        elif part == "validate":
            from penstock.pipelines.ratings.expectations import expectations, tables
            from penstock.stages.validate import check

            started = time.perf_counter()
            dataset = Dataset(workspace.dataset)
            check(list(expectations(params)), tables(dataset))
        else:
            dataset = Dataset(workspace.dataset)
            model = Factors() if part == "mf" else Bayesian(samples=1)
            epoch = {"max_epochs": 1, "batch_size": 16_384, "learning_rate": 0.005}
            trained(dataset, with_settings(model, True, **epoch))
    seconds = time.perf_counter() - started
    name = part if part in PARTS[:2] else f"one epoch of {part}"
    print(f"  {name}: {seconds:.1f} s, {dataset.info['found'] / seconds:,.0f} rows/s", flush=True)


def write_ratings(file: Path, count: int) -> None:
    """Ratings of count / 150 users for count / 400 items, in the order of users."""
    chance = np.random.default_rng(0)
    users, items = max(100, count // 150), max(100, count // 400)
    with file.open("w") as out:
        out.write("userId,movieId,rating,timestamp\n")
        for start in range(0, count, 1_000_000):
            size = min(1_000_000, count - start)
            first, last = start * users // count, (start + size) * users // count
            user = np.sort(chance.integers(first, max(first + 1, last), size))
            item = np.minimum((chance.pareto(0.6, size) * items / 200).astype(int), items - 1)
            rating = np.clip(np.round(chance.normal(7, 2, size)), 1, 10) / 2
            time_ = chance.integers(10**9, 17 * 10**8, size)
            rows = zip(user.tolist(), item.tolist(), rating.tolist(), time_.tolist(), strict=True)
            out.writelines(f"{u},{i},{r},{t}\n" for u, i, r, t in rows)


if __name__ == "__main__":
    main()
