"""How good a network draws: how near its pictures are to real ones, how varied, how new."""

from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from ...datasets.dataset import Dataset
from ...evaluation import exhibits
from ...evaluation.comparison import statistic_difference
from ...evaluation.metrics import proportion_interval
from ...pipeline import Evaluation
from .decode import encode_all
from .drawing import between, draw, draw_from, noise_of, shown_labels
from .measures import (
    DRAWN,
    REAL,
    features_of,
    frechet_distance,
    kernel_distance,
    manifold_metrics,
    nearest,
    scored_distance,
)
from .network import SHOWN, Drawing
from .params import Params
from .predict import exam as ask
from .predict import outcome
from .ruler import Ruler, read_ruler, train_ruler
from .sheets import tile

MOST = 5000  # pictures that neighbours are looked for among
LOOKED_AT = 1000  # pictures that are compared with all of the training split
APART = 10**9  # seeds of pictures that are learned from: others than those of the exam
LEARNED = 10_000  # so many are learned from, at most
CLASSIFIER_STEPS = 600
LOST = 0.1  # of a class's share among real images: a class drawn less often is all but lost
FRAME = 400  # milliseconds


def evaluate_drawing(network: Drawing, dataset: Dataset, params: Params) -> Evaluation:
    """Measure the pictures that are drawn beside the test images."""
    classes, settings = dataset.info["classes"], params.evaluate
    exam = ask(dataset, "test")
    images = draw(network, exam["seed"].to_numpy(), exam["label"].to_numpy())
    scores = outcome(pd.DataFrame({"picture": encode_all(images)}), exam)
    ruler = read_ruler(exam["ruler"].iloc[0], images.shape[1:])
    drawn, real = features_of(scores, DRAWN), features_of(scores, REAL)
    distances = _distances(scores, drawn, real, _validation(dataset, ruler), images, ruler)
    metrics = {
        "test/frechet_distance": distances["frechet distance"][0],
        **_interval(scores),
        "test/frechet_floor": distances["frechet distance"][1],
        "test/kernel_distance": distances["kernel distance"][0],
    }
    near, best = _manifold(drawn, real, _validation(dataset, ruler), settings.neighbours)
    metrics |= {f"test/{name}": value for name, value in near.items()}
    shares = _class_shares(scores, len(classes))
    metrics["test/rarest_class"] = float((shares["drawn"] / shares["real"]).min())
    metrics["test/classes_drawn"] = int((shares["drawn"] > LOST * shares["real"]).sum())
    metrics["test/diversity"] = float(drawn.var(0).sum() / real.var(0).sum())
    metrics["test/examples"] = len(scores)
    if network.classes:
        metrics |= _as_asked(scores)
        metrics |= _learned_from_drawn(network, dataset)
    copies, closest = _memorisation(images, dataset)
    metrics |= copies
    _say_collapse(metrics, len(classes))
    return Evaluation(
        metrics,
        scores,
        [
            *_pictures(network, images, params),
            exhibits.Table(
                "Distances",
                _table(distances, ("this model", "real validation images", "noise")),
                "How far pictures are from the test images: of this model, of real images that are "
                "others (no model gets much below them), and of noise.",
            ),
            exhibits.Table(
                "Near real images",
                _table({k: (near[k], best[k]) for k in near}, ("this model", "real images")),
                "Precision and density: are the drawn near real ones? Recall and coverage: are the "
                "real near drawn ones? Beside it, what other real images get.",
            ),
            exhibits.Table(
                "Classes",
                shares.assign(**{"class": classes})[["class", "drawn", "real"]].round(4),
                "Share of each class among the drawn, as the ruler sees them, and among the test "
                "images. A class that is hardly drawn was lost (mode collapse).",
            ),
            *closest,
        ],
        plots={"classes": shares.assign(**{"class": classes})},
        meanings={
            "test/frechet_distance": f"features of a classifier that is right on "
            f"{_ruler_accuracy(dataset, ruler):.2%} of the test images",
        },
    )


def _validation(dataset: Dataset, ruler: Ruler) -> np.ndarray:
    """Features of the real validation images."""
    images = dataset.array("images")[dataset.rows("validation")]
    return ruler.measure(images)[0].astype(np.float64)


def _ruler_accuracy(dataset: Dataset, ruler: Ruler) -> float:
    rows = dataset.rows("test")
    _, found = ruler.measure(dataset.array("images")[rows])
    return float((found == dataset.index["label"].to_numpy()[rows]).mean())


def _distances(
    scores: pd.DataFrame,
    drawn: np.ndarray,
    real: np.ndarray,
    other: np.ndarray,
    images: np.ndarray,
    ruler: Ruler,
) -> dict[str, tuple[float, ...]]:
    """Each distance of the drawn, of other real images, and of noise, from the test images."""
    noise = np.random.default_rng(0).integers(0, 256, images.shape, np.uint8)
    far = ruler.measure(noise)[0].astype(np.float64)
    count = min(len(other), len(drawn))
    compared = {
        "frechet distance": [frechet_distance(it, real) for it in (drawn, other, far)],
        f"frechet distance, {count:,} each": [
            frechet_distance(it[:count], real) for it in (drawn, other, far)
        ],
    }
    kernel = [kernel_distance(it, real) for it in (drawn, other, far)]
    compared["kernel distance"] = [mean for mean, _ in kernel]
    compared["its standard deviation over subsets"] = [deviation for _, deviation in kernel]
    return {name: tuple(values) for name, values in compared.items()}


def _interval(scores: pd.DataFrame) -> dict[str, float]:
    """95 % interval of the Frechet distance, from leaving out each repeat in turn."""
    found = statistic_difference(
        partial(scored_distance, scores), scores["repeat"].to_numpy(), span=1.0
    )
    return {
        "test/frechet_distance_low": max(0.0, found.low),
        "test/frechet_distance_high": found.high,
    }


def _manifold(
    drawn: np.ndarray, real: np.ndarray, other: np.ndarray, neighbours: int
) -> tuple[dict[str, float], dict[str, float]]:
    """Precision, recall, density, coverage: of the drawn, and of other real images."""
    count = min(MOST, len(real))
    as_real = min(count, len(other))
    return (
        manifold_metrics(drawn[:count], real[:count], neighbours),
        manifold_metrics(other[:as_real], real[:count], neighbours),
    )


def _class_shares(scores: pd.DataFrame, classes: int) -> pd.DataFrame:
    """Share of each class among the drawn, by what they look like, and among the real."""
    drawn, real = (
        np.bincount(scores[column], minlength=classes) / len(scores)
        for column in ("looks_like", "label")
    )
    return pd.DataFrame({"drawn": drawn, "real": real})


def _as_asked(scores: pd.DataFrame) -> dict[str, float]:
    """How many look like the class that was asked for."""
    right = int((scores["looks_like"] == scores["label"]).sum())
    low, high = proportion_interval(right, len(scores))
    share = right / len(scores)
    return {"test/as_asked": share, "test/as_asked_low": low, "test/as_asked_high": high}


def _learned_from_drawn(network: Drawing, dataset: Dataset) -> dict[str, float]:
    """Train a classifier on drawn pictures only, and test it on the real ones."""
    count = min(LEARNED, len(dataset.rows("train")))
    labels = shown_labels(count, network.classes)
    images = draw(network, APART + np.arange(count), labels)
    index = pd.DataFrame({"split": "train", "label": labels})
    print(f"  a classifier learns from {count:,} drawn pictures, to be tested on real ones")
    learned = train_ruler(images, index, network.classes, CLASSIFIER_STEPS)
    rows = dataset.rows("test")
    _, found = learned.measure(dataset.array("images")[rows])
    right = int((found == dataset.index["label"].to_numpy()[rows]).sum())
    low, high = proportion_interval(right, len(rows))
    share = right / len(rows)
    return {
        "test/drawn_to_real_accuracy": share,
        "test/drawn_to_real_accuracy_low": low,
        "test/drawn_to_real_accuracy_high": high,
    }


def _memorisation(
    images: np.ndarray, dataset: Dataset
) -> tuple[dict[str, float], list[exhibits.Exhibit]]:
    """Are pictures nearer to images that were learned from than new real images are?"""
    everything, training = dataset.array("images"), dataset.rows("train")
    learned = everything[training]
    test = everything[dataset.rows("test")][:LOOKED_AT]
    ours, positions = nearest(images[:LOOKED_AT], learned)
    theirs, _ = nearest(test, learned)
    copies = float((ours < np.quantile(theirs, 0.01)).mean())
    order = np.argsort(ours, kind="stable")[:10]
    pairs = np.concatenate([images[order], learned[positions[order]]])
    captions = [f"{value:.3f}" for value in ours[order]] + ["training"] * len(order)
    sheet = exhibits.gallery(
        "Nearest training images",
        pairs,
        captions,
        [False] * len(pairs),
        "The drawn pictures that are nearest to a training image (root mean squared difference), "
        "above that image: copies would look alike.",
    )
    return {
        "test/copies": copies,
        "test/distance_to_training": float(np.median(ours) / np.median(theirs)),
    }, [sheet]


def _pictures(network: Drawing, images: np.ndarray, params: Params) -> list[exhibits.Exhibit]:
    """Pictures to look at: some, how they came to be, and what lies between them."""
    gallery = images[: params.evaluate.gallery]
    shown: list[exhibits.Exhibit] = [
        exhibits.gallery(
            "Drawn pictures",
            gallery,
            [str(seed) for seed in range(len(gallery))],
            [False] * len(gallery),
            "The first seeds, not chosen.",
        )
    ]
    if frames := int(network.filled):
        sheets = np.stack([tile(it) for it in network.sheets[:frames].cpu().numpy()])
        shown.append(
            exhibits.animation(
                "How it learned to draw",
                sheets,
                FRAME,
                f"The same {SHOWN} seeds in the course of the training.",
            )
        )
    shown.append(_walk(network))
    return shown


def _walk(network: Drawing) -> exhibits.Exhibit:
    """Four ways from one picture to another, ten steps each."""
    ends = noise_of(np.arange(8), network.latent)
    ways = [between(ends[2 * it], ends[2 * it + 1], 10) for it in range(4)]
    labels = np.repeat(shown_labels(4, network.classes), 10)
    images = draw_from(network, np.concatenate(ways), labels)
    return exhibits.gallery(
        "From seed to seed",
        images,
        [""] * len(images),
        [False] * len(images),
        "Each row goes from one seed to another: what is smooth in between was not memorised.",
    )


def _table(values: dict[str, tuple[float, ...]], columns: tuple[str, ...]) -> pd.DataFrame:
    records: list[dict[str, Any]] = [
        {"": name, **{k: f"{v:.4g}" for k, v in zip(columns, them, strict=True)}}
        for name, them in values.items()
    ]
    return pd.DataFrame(records)


def _say_collapse(metrics: dict[str, float], classes: int) -> None:
    """Say it on the terminal if classes were lost, or pictures are all alike."""
    lost = classes - int(metrics["test/classes_drawn"])
    if lost or metrics["test/diversity"] < 0.5:
        print(
            f"  mode collapse: {lost} of {classes} classes are hardly drawn, and the pictures vary "
            f"{metrics['test/diversity']:.2f} times as much as real ones; train longer, or with a "
            "lower learning rate"
        )
