"""How good an autoencoder is: what its images cost, what it removes, what it finds strange."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from torch import nn

from ...datasets.dataset import Dataset
from ...evaluation import exhibits
from ...evaluation.metrics import mean_interval
from ...pipeline import Evaluation
from .network import Variational
from .params import Params
from .predict import reconstruct

SHOWN = 10


def evaluate_coding(network: nn.Module, dataset: Dataset, params: Params) -> Evaluation:
    """Make every test image again; remove noise; tell images of another kind by their loss."""
    rows = dataset.rows("test")
    examples = dataset.examples("test")
    images = dataset.array("images")[rows]
    made, losses = reconstruct(network, images)
    scores = examples[["id", "sha256", "label"]].assign(loss=losses)
    known = np.ones(len(rows), bool)
    if left_out := params.train.without:
        known = (examples["label"] != dataset.info["classes"].index(left_out)).to_numpy()
    name = "bound" if isinstance(network, Variational) else "cross_entropy"
    metrics = _with_interval(f"test/{name}", losses)
    squared = _squared_error(images, made)
    metrics |= _with_interval("test/squared_error", squared)
    gains, noisy, cleaned = _denoise(network, images, params.evaluate.noise)
    metrics |= _with_interval("test/denoising_gain", gains)
    strange = list(_strange(network, images[known], losses[known], images[~known], losses[~known]))
    for kind, value, low, high in strange:
        metrics[f"test/auroc_{kind}"] = value
        metrics[f"test/auroc_{kind}_low"], metrics[f"test/auroc_{kind}_high"] = low, high
    metrics["test/examples"] = len(rows)
    return Evaluation(
        metrics,
        scores,
        [
            _rows(
                "Images and what was made of them",
                [images, made],
                "Test images at even distances, above what the code makes of them.",
            ),
            _rows(
                "Noise removed",
                [noisy, cleaned],
                "Test images with noise, above what the network makes of them.",
            ),
            _costly(images, made, losses),
            exhibits.Table(
                "Images of another kind",
                pd.DataFrame(strange, columns=["kind", "AUROC", "low", "high"]).round(4),
                "How well the loss tells them from test images: 0.5 is chance, 1 is without a "
                "mistake.",
            ),
        ],
        plots={"strange": pd.DataFrame(strange, columns=["kind", "auroc", "low", "high"])},
        meanings={
            "test/denoising_gain": f"decibels by which noise of {params.evaluate.noise} is less",
        },
    )


def _with_interval(name: str, values: np.ndarray) -> dict[str, float]:
    low, high = mean_interval(values)
    return {name: float(values.mean()), f"{name}_low": low, f"{name}_high": high}


def _squared_error(images: np.ndarray, made: np.ndarray) -> np.ndarray:
    """Mean squared error of each, on a scale of 0 to 1."""
    apart = (images.astype(np.float32) - made) / 255
    error: np.ndarray = np.square(apart).reshape(len(images), -1).mean(1).astype(np.float64)
    return error


def _denoise(
    network: nn.Module, images: np.ndarray, deviation: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How many decibels of noise are removed from each image; noisy images; what is made of them.

    Above 0 the network helps; below, it blurs more than it removes.
    """
    chance = np.random.default_rng(0)
    noise = chance.standard_normal(images.shape, np.float32) * np.float32(deviation)
    noisy = (images / np.float32(255) + noise).clip(0, 1).astype(np.float32)
    cleaned, _ = reconstruct(network, images, noisy)
    shown = (noisy * 255).round().astype(np.uint8)
    least = 1e-8
    before, after = _squared_error(images, shown) + least, _squared_error(images, cleaned) + least
    return 10 * np.log10(before / after), shown, cleaned


def _strange(
    network: nn.Module,
    images: np.ndarray,
    losses: np.ndarray,
    left_out: np.ndarray,
    their_losses: np.ndarray,
) -> Iterator[tuple[str, float, float, float]]:
    """For each kind of strange images, how well their loss tells them: AUROC and its interval."""
    chance = np.random.default_rng(0)
    blanked = images.copy()
    side = images.shape[1]
    blanked[:, side // 4 : 3 * side // 4, side // 4 : 3 * side // 4] = 0
    kinds = {
        "mirrored": images[:, :, ::-1],
        "blanked": blanked,
        "noise": chance.integers(0, 256, images.shape, np.uint8),
    }
    for kind, strange in kinds.items():
        yield kind, *_auroc(losses, reconstruct(network, np.ascontiguousarray(strange))[1])
    if len(left_out):
        yield "left_out", *_auroc(losses, their_losses)


def _auroc(usual: np.ndarray, strange: np.ndarray) -> tuple[float, float, float]:
    """Area under the curve, and its 95 % interval (DeLong et al. 1988)."""
    from scipy.stats import rankdata

    m, n = len(strange), len(usual)
    ranks = rankdata(np.concatenate([strange, usual]))
    above = (ranks[:m] - rankdata(strange)) / n  # share of the usual that each is above
    below = 1 - (ranks[m:] - rankdata(usual)) / m
    area = float(above.mean())
    error = float(np.sqrt(above.var(ddof=1) / m + below.var(ddof=1) / n))
    return area, max(0.0, area - 1.96 * error), min(1.0, area + 1.96 * error)


def _rows(title: str, sheets: list[np.ndarray], note: str) -> exhibits.Picture:
    chosen = np.linspace(0, len(sheets[0]) - 1, min(SHOWN, len(sheets[0]))).astype(int)
    shown = np.concatenate([sheet[chosen] for sheet in sheets])
    return exhibits.gallery(title, shown, [""] * len(shown), [False] * len(shown), note)


def _costly(images: np.ndarray, made: np.ndarray, losses: np.ndarray) -> exhibits.Picture:
    worst = np.argsort(-losses, kind="stable")[:SHOWN]
    shown = np.concatenate([images[worst], made[worst]])
    captions = [f"{losses[row]:.3g}" for row in worst] + [""] * len(worst)
    return exhibits.gallery(
        "Costliest images",
        shown,
        captions,
        [False] * len(shown),
        "The test images with the highest loss, above what was made of them.",
    )
