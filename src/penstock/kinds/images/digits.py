"""Real handwritten digits without a download: scikit-learn's bundled set in MNIST's files."""

from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

from .idx import write_idx

TEST_SHARE = 0.2


def write_digits(folder: Path) -> None:
    """Write the 1,797 digits of scikit-learn (8x8, 43 writers; UCI 1998) as four IDX .gz files.

    Each is scaled to MNIST's box of 20x20 within 28x28. The last fifth becomes the test files.
    """
    digits = load_digits()
    images = np.stack([_upscale(image) for image in digits.images])
    labels = digits.target.astype(np.uint8)
    first_test = round(len(images) * (1 - TEST_SHARE))
    for prefix, part in (("train", slice(first_test)), ("t10k", slice(first_test, None))):
        write_idx(folder / f"{prefix}-images-idx3-ubyte.gz", images[part])
        write_idx(folder / f"{prefix}-labels-idx1-ubyte.gz", labels[part])


def _upscale(image: np.ndarray) -> np.ndarray:
    """8x8 values of 0-16 -> 28x28 values of 0-255, the digit in the middle 20x20."""
    grey = Image.fromarray((image * (255 / 16)).astype(np.uint8))
    return np.pad(np.asarray(grey.resize((20, 20), Image.Resampling.BICUBIC)), 4)
