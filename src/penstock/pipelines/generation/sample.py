"""Real handwritten digits without a download: scikit-learn's bundled set in MNIST's files."""

from pathlib import Path

from ...kinds.images.digits import write_digits


def sample(folder: Path) -> None:
    """Write four IDX .gz files."""
    write_digits(folder)
