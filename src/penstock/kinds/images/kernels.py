"""Classical kernels of image processing; results are those of scipy.ndimage."""

import numpy as np

TRUNCATE = 4  # a Gaussian ends at so many standard deviations, as scipy's does

SOBEL = np.array([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]])
"""Slope to the right, smoothed downwards by 1, 2, 1 (Sobel and Feldman 1968)."""
PREWITT = np.array([[-1.0, 0, 1], [-1, 0, 1], [-1, 0, 1]])
"""Slope to the right, smoothed downwards by 1, 1, 1 (Prewitt 1970)."""
LAPLACE = np.array([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]])
"""Sum of the second differences along both axes."""


def mean(size: int = 3) -> np.ndarray:
    """Mean of a square, `size` pixels on each side, an odd number."""
    return np.full((size, size), 1 / size**2)


def gaussian(sigma: float = 1.0) -> np.ndarray:
    """Smoothing by a Gaussian of standard deviation `sigma` in pixels, above 0; its sum is 1."""
    _, weights = _bell(sigma)
    return np.outer(weights, weights)


def laplacian_of_gaussian(sigma: float = 1.0) -> np.ndarray:
    """Laplacian of a Gaussian of standard deviation `sigma` in pixels (Marr and Hildreth 1980).

    The sum of second derivatives along both axes, each smoothed along the other.
    """
    offsets, weights = _bell(sigma)
    second = (offsets**2 / sigma**4 - 1 / sigma**2) * weights
    return np.outer(second, weights) + np.outer(weights, second)


def _bell(sigma: float) -> tuple[np.ndarray, np.ndarray]:
    """Offsets from the middle in pixels, and a Gaussian's weight at each."""
    radius = int(TRUNCATE * sigma + 0.5)
    offsets = np.arange(-radius, radius + 1, dtype=float)
    weights = np.exp(-0.5 * (offsets / sigma) ** 2)
    return offsets, weights / weights.sum()


KERNELS: dict[str, np.ndarray] = {
    "mean": mean(),
    "Gaussian": gaussian(),
    "Sobel x": SOBEL,
    "Sobel y": SOBEL.T,
    "Prewitt x": PREWITT,
    "Prewitt y": PREWITT.T,
    "Laplace": LAPLACE,
    "Laplacian of Gaussian": laplacian_of_gaussian(),
}


def filter_images(images: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Correlate images with a kernel; beyond an edge they are mirrored, the edge pixel too.

    Args:
        images: shape (..., height, width), of any size, smaller than the kernel too.
        kernel: shape (rows, columns), odd numbers; not turned, as a convolution would have it.

    Returns:
        float64, the shape of `images`.

    Raises:
        ValueError: the kernel has no middle.
    """
    rows, columns = kernel.shape
    if rows % 2 == 0 or columns % 2 == 0:
        raise ValueError(f"kernel of {rows}x{columns}: both must be odd")
    height, width = images.shape[-2:]
    border = [(0, 0)] * (images.ndim - 2) + [(rows // 2, rows // 2), (columns // 2, columns // 2)]
    padded = np.pad(images.astype(float), border, mode="symmetric")
    result = np.zeros(images.shape)
    for (row, column), weight in np.ndenumerate(kernel):
        result += weight * padded[..., row : row + height, column : column + width]
    return result
