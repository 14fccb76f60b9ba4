"""How good an autoencoder is: what its images cost, what it removes, what it finds strange."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pandas as pd
import torch

from ...datasets.dataset import Dataset
from ...evaluation import exhibits
from ...evaluation.metrics import mean_interval
from ...pipeline import Evaluation
from .drawing_exhibits import sheet
from .network import Coding, Variational
from .params import Params
from .pixels import as_images, scale
from .predict import reconstruct, squared_error

SHOWN = 10
WAYS = 4  # from image to image
LEAST = 1e-8  # squared error: a smaller one counts as this
KINDS = ["kind", "auroc", "low", "high"]


def evaluate_coding(network: Coding | Variational, dataset: Dataset, params: Params) -> Evaluation:
    """Make every test image again; remove noise; tell images of another kind."""
    examples, images = dataset.examples("test"), dataset.array("images")[dataset.rows("test")]
    made, losses = reconstruct(network, images)
    gains, noisy, cleaned = _denoise(network, images, params.evaluate.noise)
    left_out = np.zeros(len(images), bool)
    if params.train.without:
        label = dataset.info["classes"].index(params.train.without)
        left_out = (examples["label"] == label).to_numpy()
    errors = squared_error(images, made)
    strange = pd.DataFrame(_strange(network, images, errors, left_out), columns=KINDS)
    name = "bound" if isinstance(network, Variational) else "cross_entropy"
    metrics = {
        **_with_interval(f"test/{name}", losses),
        **_with_interval("test/squared_error", errors),
        **_with_interval("test/denoising_gain", gains),
    }
    for kind, *found in strange.itertuples(index=False):
        names = (f"test/auroc_{kind}{end}" for end in ("", "_low", "_high"))
        metrics |= dict(zip(names, found, strict=True))
    return Evaluation(
        {**metrics, "test/examples": len(images)},
        examples[["id", "sha256", "label"]].assign(loss=losses),
        _exhibits(network, images, (made, losses), (noisy, cleaned), strange),
        plots={"strange": strange},
        meanings={
            "test/denoising_gain": f"decibels by which noise of {params.evaluate.noise} is less",
        },
    )


def _exhibits(
    network: Coding | Variational,
    images: np.ndarray,
    coded: tuple[np.ndarray, np.ndarray],
    denoised: tuple[np.ndarray, np.ndarray],
    strange: pd.DataFrame,
) -> list[exhibits.Exhibit]:
    made, losses = coded
    chosen = np.linspace(0, len(images) - 1, min(SHOWN, len(images))).astype(int)
    worst = np.argsort(-losses, kind="stable")[:SHOWN]
    return [
        _pairs(
            "Images and what was made of them",
            images[chosen],
            made[chosen],
            "Test images at even distances, above what the code makes of them.",
        ),
        _pairs(
            "Noise removed",
            denoised[0][chosen],
            denoised[1][chosen],
            "Test images with noise, above what the network makes of them.",
        ),
        _pairs(
            "Costliest images",
            images[worst],
            made[worst],
            "The test images with the highest loss, above what was made of them.",
        ),
        _ways(network, images[chosen]),
        exhibits.Table(
            "Images of another kind",
            strange.round(4),
            "How well the squared error tells them from test images: 0.5 is chance.",
        ),
    ]


def _with_interval(name: str, values: np.ndarray) -> dict[str, float]:
    low, high = mean_interval(values)
    return {name: float(values.mean()), f"{name}_low": low, f"{name}_high": high}


def _denoise(
    network: Coding | Variational, images: np.ndarray, deviation: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How many decibels of noise are removed from each image; noisy images; what is made of them.

    Above 0 the network helps; below, it blurs more than it removes.
    """
    chance = np.random.default_rng(0)
    noise = chance.standard_normal(images.shape, np.float32) * np.float32(deviation)
    noisy = (images / np.float32(255) + noise).clip(0, 1).astype(np.float32)
    cleaned, _ = reconstruct(network, images, noisy)
    shown = (noisy * 255).round().astype(np.uint8)
    before, after = (squared_error(images, it) + LEAST for it in (shown, cleaned))
    return 10 * np.log10(before / after), shown, cleaned


def _strange(
    network: Coding | Variational, images: np.ndarray, errors: np.ndarray, left_out: np.ndarray
) -> Iterator[tuple[str, float, float, float]]:
    """For each kind of strange images, how well their error tells them: AUROC and its interval."""
    known, usual = images[~left_out], errors[~left_out]
    blanked, middle = known.copy(), slice(images.shape[1] // 4, 3 * images.shape[1] // 4)
    blanked[:, middle, middle] = 0
    kinds = {
        "mirrored": np.ascontiguousarray(known[:, :, ::-1]),
        "blanked": blanked,
        "noise": np.random.default_rng(0).integers(0, 256, known.shape, np.uint8),
    }
    for kind, strange in kinds.items():
        yield kind, *_auroc(usual, squared_error(strange, reconstruct(network, strange)[0]))
    if left_out.any():
        yield "left_out", *_auroc(usual, errors[left_out])


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


def _pairs(title: str, above: np.ndarray, below: np.ndarray, note: str) -> exhibits.Picture:
    return sheet(title, np.concatenate([above, below]), note, len(above))


def _ways(network: Coding | Variational, images: np.ndarray) -> exhibits.Picture:
    """Ways through the space of codes, from one image to another."""
    device = next(network.parameters()).device
    with torch.inference_mode():
        pictures = scale(torch.from_numpy(images[: WAYS + 1]).to(device))
        ways = [
            torch.lerp(first, second, share)
            for first, second in pairwise(network.code(pictures))
            for share in torch.linspace(0, 1, SHOWN).tolist()
        ]
        made = as_images(network.decoder(torch.stack(ways)).sigmoid()).cpu().numpy()
    note = "Each row goes from the code of one test image to that of another."
    return sheet("From code to code", made, note, SHOWN)
