"""How good a network draws: how near its pictures are to real ones, how varied, how new."""

from functools import partial

import numpy as np
import pandas as pd
from tqdm import tqdm

from ...datasets.dataset import Dataset
from ...evaluation.comparison import statistic_difference
from ...evaluation.metrics import mean_interval, proportion_interval
from ...kinds.images.decode import encode
from ...pipeline import Evaluation
from . import drawing_exhibits as show
from .drawing import draw, shown_labels
from .frechet import DRAWN, REAL, features_of, frechet_distance, scored_distance
from .measures import diversity, kernel_distances, manifold_metrics, nearest, rarest_class
from .network import Drawing
from .params import Params
from .predict import REPEATS, outcome
from .predict import exam as ask
from .ruler import Ruler, ruler_of
from .ruler_training import train_ruler

CHUNK = 512  # pictures between two steps of a progress bar
MOST = 5000  # pictures that neighbours are looked for among
LOOKED_AT = 1000  # pictures that are compared with all of the training split
NEAREST = 0.01  # share of test images that are nearest to the training split
APART = 10**9  # seeds of pictures that are learned from: others than those of the exam
LEARNED = 10_000  # so many are learned from, at most
CLASSIFIER_STEPS = 600
LOST = 0.1  # of a class's share among real images: a class drawn less often is all but lost


def evaluate_drawing(network: Drawing, dataset: Dataset, params: Params) -> Evaluation:
    """Measure the pictures that are drawn beside the test images."""
    exam = ask(dataset, "test")
    images = _draw_all(network, exam["seed"].to_numpy(), exam["label"].to_numpy())
    scores = outcome(pd.DataFrame({"picture": [encode(it) for it in images]}), exam)
    ruler = ruler_of(dataset)
    other, _ = ruler.measure(dataset.array("images")[dataset.rows("validation")])
    distances = _distances(scores, other.astype(np.float64), images.shape, ruler)
    neighbours = _neighbours(scores, other.astype(np.float64), params.evaluate.neighbours)
    shares = _class_shares(scores, dataset.info["classes"])
    everything = dataset.array("images")
    distance, row = nearest(images[:LOOKED_AT], everything, dataset.rows("train"))
    metrics = {
        "test/frechet_distance": float(distances["this model"].iloc[0]),
        **_interval(scores),
        "test/frechet_floor": float(distances["real images"].iloc[0]),
        **_kernel_distance(scores),
        **{f"test/{it}": neighbours.loc[it, "this model"] for it in neighbours.index},
        "test/rarest_class": rarest_class(
            scores["looks_like"].to_numpy(), scores["label"].to_numpy()
        ),
        "test/classes_drawn": int((shares["drawn"] > LOST * shares["real"]).sum()),
        "test/diversity": diversity(features_of(scores, DRAWN), features_of(scores, REAL)),
        **_copies(distance, dataset),
        "test/examples": len(scores),
    }
    if network.classes:
        metrics |= _as_asked(scores) | _learned_from_drawn(network, dataset)
    _say_collapse(metrics, len(shares))
    exhibits = [
        *show.pictures(network, images, params.evaluate.gallery),
        *show.tables(distances, neighbours, shares),
        show.nearest_pairs(images, everything, distance, row),
    ]
    return Evaluation(
        metrics,
        scores,
        exhibits,
        plots={"classes": shares},
        meanings={
            "test/frechet_distance": "by a classifier that is right on "
            f"{_ruler_accuracy(dataset, ruler):.2%} of the test images",
        },
    )


def _draw_all(network: Drawing, seeds: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Draw many pictures, and show how far it is."""
    starts = tqdm(range(0, len(seeds), CHUNK), unit=f"{CHUNK} pictures", disable=None, leave=False)
    parts = [draw(network, seeds[it : it + CHUNK], labels[it : it + CHUNK]) for it in starts]
    return np.concatenate(parts)


def _ruler_accuracy(dataset: Dataset, ruler: Ruler) -> float:
    rows = dataset.rows("test")
    _, found = ruler.measure(dataset.array("images")[rows])
    return float((found == dataset.index["label"].to_numpy()[rows]).mean())


def _distances(
    scores: pd.DataFrame, other: np.ndarray, shape: tuple[int, ...], ruler: Ruler
) -> pd.DataFrame:
    """Distances of the drawn, of other real images, and of noise, from the test images."""
    real = features_of(scores, REAL)
    noise, _ = ruler.measure(np.random.default_rng(0).integers(0, 256, shape, np.uint8))
    compared = {
        "this model": features_of(scores, DRAWN),
        "real images": other,
        "noise": noise.astype(np.float64),
    }
    count = min(len(other), len(real))
    return pd.DataFrame(
        {
            name: [
                frechet_distance(them, real),
                frechet_distance(them[:count], real),
                kernel_distances(them, real, REPEATS).mean(),
            ]
            for name, them in compared.items()
        },
        index=[
            "Frechet distance",
            f"Frechet distance, {count:,} of each",
            "kernel distance",
        ],
    )


def _interval(scores: pd.DataFrame) -> dict[str, float]:
    """95 % interval of the Frechet distance, from leaving out each repeat in turn."""
    found = statistic_difference(partial(scored_distance, scores), scores["repeat"].to_numpy())
    return {
        "test/frechet_distance_low": max(0.0, found.low),
        "test/frechet_distance_high": found.high,
    }


def _kernel_distance(scores: pd.DataFrame) -> dict[str, float]:
    """Kernel distance, with its 95 % interval over the repeats."""
    found = kernel_distances(features_of(scores, DRAWN), features_of(scores, REAL), REPEATS)
    low, high = mean_interval(found)
    name = "test/kernel_distance"
    return {name: float(found.mean()), f"{name}_low": low, f"{name}_high": high}


def _neighbours(scores: pd.DataFrame, other: np.ndarray, k: int) -> pd.DataFrame:
    """Precision, recall, density and coverage: of the drawn, and of other real images."""
    drawn, real = (features_of(scores, it)[:MOST] for it in (DRAWN, REAL))
    return pd.DataFrame(
        {
            "this model": manifold_metrics(drawn, real, k),
            "real images": manifold_metrics(other[:MOST], real, k),
        }
    )


def _class_shares(scores: pd.DataFrame, classes: list[str]) -> pd.DataFrame:
    """Share of each class among the drawn, by what they look like, and among the real."""
    shares = {
        name: np.bincount(scores[column], minlength=len(classes)) / len(scores)
        for name, column in (("drawn", "looks_like"), ("real", "label"))
    }
    return pd.DataFrame({"class": classes, **shares})


def _copies(distance: np.ndarray, dataset: Dataset) -> dict[str, float]:
    """Are pictures nearer to images that were learned from than new real images are?"""
    everything, test = dataset.array("images"), dataset.rows("test")[:LOOKED_AT]
    usual, _ = nearest(everything[test], everything, dataset.rows("train"))
    return {
        "test/copies": float((distance < np.quantile(usual, NEAREST)).mean()),
        "test/distance_to_training": float(np.median(distance) / np.median(usual)),
    }


def _as_asked(scores: pd.DataFrame) -> dict[str, float]:
    """How many look like the class that was asked for."""
    return _share("as_asked", scores["looks_like"].to_numpy(), scores["label"].to_numpy())


def _learned_from_drawn(network: Drawing, dataset: Dataset) -> dict[str, float]:
    """Train a classifier on drawn pictures only, and test it on the real ones."""
    count = min(LEARNED, len(dataset.rows("train")))
    labels = shown_labels(count, network.classes)
    images = _draw_all(network, APART + np.arange(count), labels)
    index = pd.DataFrame({"split": "train", "label": labels})
    print(f"  a classifier learns from {count:,} drawn pictures, to be tested on real ones")
    learned = train_ruler(images, index, network.classes, CLASSIFIER_STEPS)
    rows = dataset.rows("test")
    _, found = learned.measure(dataset.array("images")[rows])
    return _share("drawn_to_real_accuracy", found, dataset.index["label"].to_numpy()[rows])


def _share(name: str, found: np.ndarray, expected: np.ndarray) -> dict[str, float]:
    """How many are as expected, with its interval."""
    right = int((found == expected).sum())
    low, high = proportion_interval(right, len(found))
    whole = f"test/{name}"
    return {whole: right / len(found), f"{whole}_low": low, f"{whole}_high": high}


def _say_collapse(metrics: dict[str, float], classes: int) -> None:
    """Say it on the terminal if classes were lost, or pictures are all alike."""
    lost = classes - int(metrics["test/classes_drawn"])
    if lost or metrics["test/diversity"] < 0.5:
        print(
            f"  mode collapse: {lost} of {classes} classes are hardly drawn, and the pictures vary "
            f"{metrics['test/diversity']:.2f} times as much as real ones; train longer, or with a "
            "lower learning rate"
        )
