"""What a person looks at to judge a network that draws."""

import numpy as np
import pandas as pd

from ...evaluation import exhibits
from ...kinds.images.decode import encode
from .drawing import between, draw_from, noise_of, shown_labels
from .network import SHOWN, Drawing
from .sheets import COLUMNS, enlarge, tile

FRAME = 400  # milliseconds
WAYS, STEPS = 4, 10  # from seed to seed


def pictures(network: Drawing, images: np.ndarray, count: int) -> list[exhibits.Exhibit]:
    """Some of what was drawn, how it came to be, and what lies between two seeds.

    Args:
        network: draws.
        images: uint8, shape (pictures, height, width[, 3]), of the seeds 0, 1, ...
        count: how many are shown.
    """
    shown: list[exhibits.Exhibit] = [
        sheet(
            "Drawn pictures",
            images[:count],
            "The first seeds from 0 on, not chosen.",
        )
    ]
    if frames := int(network.filled):
        kept = network.sheets[:frames].cpu().numpy()
        sheets = np.stack([enlarge(tile(it)) for it in kept])
        note = f"The same {SHOWN} seeds in the course of the training."
        shown.append(exhibits.animation("How it learned to draw", sheets, FRAME, note))
    return [*shown, _ways(network)]


def _ways(network: Drawing) -> exhibits.Picture:
    """Ways from one picture to another."""
    ends = noise_of(np.arange(2 * WAYS), network.latent)
    ways = [between(ends[2 * it], ends[2 * it + 1], STEPS) for it in range(WAYS)]
    labels = np.repeat(shown_labels(WAYS, network.classes), STEPS)
    return sheet(
        "From seed to seed",
        draw_from(network, np.concatenate(ways), labels),
        "Each row goes from one seed to another: what is smooth in between was not memorised.",
    )


def nearest_pairs(
    images: np.ndarray, everything: np.ndarray, distance: np.ndarray, row: np.ndarray
) -> exhibits.Picture:
    """The drawn pictures that are nearest to a training image, and that image.

    Args:
        images: drawn, uint8.
        everything: all images of the dataset, which may be memory-mapped.
        distance: of each drawn picture to the nearest training image.
        row: where that is among all.
    """
    order = np.argsort(distance, kind="stable")[:10]
    return sheet(
        "Nearest training images",
        np.concatenate([images[order], everything[row[order]]]),
        "The drawn pictures that are nearest to a training image, the nearest first, above that "
        f"image: copies would look alike. The first differs by {distance[order[0]]:.3f} (root mean "
        "squared difference of pixels, from 0 to 1).",
    )


def tables(
    distances: pd.DataFrame, neighbours: pd.DataFrame, shares: pd.DataFrame
) -> list[exhibits.Exhibit]:
    """What was measured, beside what real images get."""
    return [
        exhibits.Table(
            "Distances",
            _named(distances),
            "How far pictures are from the test images: those of this model, real images of the "
            "validation split (no model gets much below), and noise.",
        ),
        exhibits.Table(
            "Near real images",
            _named(neighbours),
            "Precision and density: are the drawn near real ones? Recall and coverage: are the "
            "real near drawn ones? Beside it, what real images of the validation split get.",
        ),
        exhibits.Table(
            "Classes",
            shares.round(4),
            "Share of each class among the drawn, by what they look like, and among the test "
            "images. A class that is hardly drawn is lost (mode collapse).",
        ),
    ]


def _named(table: pd.DataFrame) -> pd.DataFrame:
    """A table with its index as a column, and four digits of each number."""
    return table.map(lambda value: f"{value:.4g}").rename_axis("").reset_index()


def sheet(title: str, images: np.ndarray, note: str, columns: int = COLUMNS) -> exhibits.Picture:
    """Images, shape (images, height, width[, 3]), in rows of so many, enlarged."""
    return exhibits.Picture(title, encode(enlarge(tile(images, columns))), note=note)
