"""A network's first filters beside the classical kernels of image processing."""

import textwrap
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure, SubFigure
from PIL import Image
from torch import nn

from ...evaluation import exhibits, figures
from .kernels import KERNELS, filter_images

SHOWN = len(KERNELS)  # filters, so that both rows are equally long
LEAST = 1e-9  # a smaller range of values is rounding
NOTE = (
    "Each kernel or filter stands above what it makes of the image on the left: a weight of 0 is "
    "middle grey, higher ones are brighter and lower ones darker, and each result goes from its "
    "least value in black to its greatest in white."
)


def first_layer_filters(network: nn.Module, image: np.ndarray) -> list[exhibits.Picture]:
    """Draw classical kernels, filters of the first convolution, and what both make of an image.

    The kernels see a colour image in grey. The filters see it as in the network, with its scaling,
    border and stride.

    Args:
        network: takes uint8 images, shape (batch, height, width[, 3]).
        image: uint8, shape (height, width[, 3]).

    Returns:
        One picture; none if the network has no convolution.
    """
    layer = next((it for it in network.modules() if isinstance(it, nn.Conv2d)), None)
    if layer is None:
        return []
    grey = np.asarray(Image.fromarray(image).convert("L"))
    filtered = [filter_images(grey / 255, kernel) for kernel in KERNELS.values()]
    weights = layer.weight.detach().double().cpu().numpy()  # (filters, channels, rows, columns)
    filters = weights[:, 0] if weights.shape[1] == 1 else np.moveaxis(weights, 1, -1)
    names = [str(number + 1) for number in range(len(filters))][:SHOWN]
    figure = Figure(figsize=(0.95 * (SHOWN + 1), 4.7))
    above, below = figure.subfigures(2, 1, squeeze=False)[:, 0]
    _draw(above, "Classical kernels", grey, KERNELS.items(), filtered)
    _draw(
        below,
        f"First layer, {len(names)} of {len(filters)} filters",
        image,
        zip(names, filters, strict=False),
        _responses(network, layer, image)[:SHOWN],
    )
    return [exhibits.figure("First-layer filters", figure, NOTE)]


def _responses(network: nn.Module, layer: nn.Module, image: np.ndarray) -> np.ndarray:
    """What a layer of a network answers to an image, shape (filters, height, width)."""
    found = []

    def keep(_layer: nn.Module, _inputs: Any, output: torch.Tensor) -> None:
        found.append(output.double().cpu().clone())  # the next layer may write over its input

    handle = layer.register_forward_hook(keep)
    device = next(network.parameters()).device
    network.eval()
    try:
        with torch.inference_mode():
            network(torch.from_numpy(image[None].copy()).to(device))
    finally:
        handle.remove()
    responses: np.ndarray = found[0][0].numpy()
    return responses


def _draw(
    part: SubFigure,
    title: str,
    image: np.ndarray,
    kernels: Iterable[tuple[str, np.ndarray]],
    results: Iterable[np.ndarray],
) -> None:
    """Named kernels in a row, what each makes of an image below it, the image on the left."""
    part.suptitle(title, x=0.012, y=0.97, ha="left", fontsize=9)
    places = {"left": 0.012, "right": 0.988, "top": 0.84, "bottom": 0.03}
    axes = part.subplots(2, SHOWN + 1, gridspec_kw={**places, "wspace": 0.1, "hspace": 0.1})
    for axis in axes.flat:
        axis.set_axis_off()
    shown = [(axes[1, 0], "image", image / 255)]
    for (name, kernel), result, (above, below) in zip(kernels, results, axes.T[1:], strict=False):
        shown += [(above, name, _around_grey(kernel)), (below, "", _from_black_to_white(result))]
    for axis, name, values in shown:
        axis.imshow(values, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        axis.set_title(textwrap.fill(name, 14), fontsize=7, pad=3)
        axis.set_axis_on()
        axis.set(xticks=[], yticks=[])
        axis.spines[:].set(visible=True, color=figures.GREY, linewidth=0.5)


def _around_grey(weights: np.ndarray) -> np.ndarray:
    """Scale weights to 0 to 1, with 0 at a half."""
    finite = _finite(weights)
    scaled: np.ndarray = 0.5 + finite / (2 * max(np.abs(finite).max(), LEAST))
    return scaled


def _from_black_to_white(result: np.ndarray) -> np.ndarray:
    """Scale a result from 0 to 1; one without contrast stays at a half."""
    finite = _finite(result)
    low, high = finite.min(), finite.max()
    if high - low < LEAST:
        return np.full(finite.shape, 0.5)
    scaled: np.ndarray = (finite - low) / (high - low)
    return scaled


def _finite(values: np.ndarray) -> np.ndarray:
    """Put 0 for what is not a number: a training may have diverged, and the gate will say so."""
    return np.where(np.isfinite(values), values, 0)
