"""Pictures from seeds: the same for a seed whoever asks, when, and beside which others."""

import copy
from typing import TYPE_CHECKING

import numpy as np
import torch

from .pixels import as_images

if TYPE_CHECKING:
    from .network import Drawing

BATCH = 128


def noise_of(seeds: np.ndarray, latent: int) -> np.ndarray:
    """Standard normal numbers of each seed, float64, shape (seeds, latent).

    By NumPy's generator: PyTorch's gives other bits on other processors.
    """
    drawn = [np.random.default_rng(int(seed)).standard_normal(latent) for seed in seeds]
    return np.stack(drawn) if drawn else np.zeros((0, latent))


def draw(network: "Drawing", seeds: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Draw a picture for each seed.

    In double precision, on the CPU: what rounding differs by, between batches, thread counts and
    processors, is then far too small to turn a pixel of 8 bits.

    Args:
        network: draws.
        seeds: whole numbers from 0 on, shape (pictures,).
        labels: class of each; of no account where it cannot be asked for one.

    Returns:
        uint8, shape (pictures, height, width[, 3]).
    """
    return draw_from(network, noise_of(seeds, network.latent), labels)


def draw_from(network: "Drawing", noise: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Draw from random numbers, shape (pictures, latent), as `draw` does."""
    exact = copy.deepcopy(network).cpu().double().eval()
    parts = [np.zeros((0, *network.sheets.shape[2:]), np.uint8)]
    with torch.inference_mode():
        for start in range(0, len(noise), BATCH):
            batch = torch.from_numpy(noise[start : start + BATCH])
            of_class = torch.from_numpy(labels[start : start + BATCH].astype(np.int64))
            parts.append(as_images(exact.draw(batch, of_class)).numpy())
    return np.concatenate(parts)


def shown_labels(count: int, classes: int) -> np.ndarray:
    """Classes of the pictures of a sheet: each in turn, or nothing but zeros if there are none."""
    return np.arange(count) % max(classes, 1)


def between(first: np.ndarray, second: np.ndarray, steps: int) -> np.ndarray:
    """Random numbers on the way from one picture to another, shape (steps, latent).

    On the great circle: on a straight line they would come too near to zero, where none is drawn
    in training (White 2016, "Sampling generative networks").
    """
    from scipy.spatial import geometric_slerp  # slow to import

    lengths = np.linalg.norm(first), np.linalg.norm(second)
    way = geometric_slerp(first / lengths[0], second / lengths[1], np.linspace(0, 1, steps))
    long: np.ndarray = way * np.linspace(*lengths, steps)[:, None]
    return long
