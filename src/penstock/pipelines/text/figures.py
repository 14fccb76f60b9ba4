"""Figures of a language model."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure

from ...evaluation.figures import BLUE, GREY
from ...kinds.text.transformer import Transformer

MOST_LAYERS, MOST_HEADS = 4, 6  # of which attention is shown


def baseline_figure(compared: pd.DataFrame) -> Figure:
    """Bits a byte of each model, the last one's in blue."""
    figure = Figure(figsize=(6, 0.35 * len(compared) + 0.8), layout="constrained")
    axis = figure.subplots()
    colours = [GREY] * (len(compared) - 1) + [BLUE]
    bars = axis.barh(compared["model"], compared["bits per byte"], color=colours)
    axis.bar_label(bars, fmt="%.3f", padding=3, fontsize=8)
    axis.invert_yaxis()
    axis.set(xlabel="bits per byte")
    axis.margins(x=0.12)
    return figure


def place_figure(places: np.ndarray, nats: np.ndarray) -> Figure:
    """Mean nats by how many tokens stand before, in bins that double."""
    bins = np.floor(np.log2(np.maximum(places, 1))).astype(int)
    table = pd.DataFrame({"bin": bins, "place": places, "nats": nats}).groupby("bin").mean()
    figure = Figure(figsize=(4.6, 3), layout="constrained")
    axis = figure.subplots()
    axis.plot(table["place"], table["nats"], color=BLUE, marker="o", markersize=4)
    axis.set(xlabel="tokens before", ylabel="nats a token", xscale="log")
    return figure


def attention_figure(network: Transformer, tokens: np.ndarray, letters: Sequence[str]) -> Figure:
    """What each token looks at: a picture a head, a row of them a layer.

    Args:
        network: whose attention is shown.
        tokens: shape (time,).
        letters: how each is written.
    """
    network.eval()
    device = next(network.parameters()).device
    with torch.inference_mode():
        shown = network.attention(torch.from_numpy(tokens).to(device)[None])[:, 0].cpu().numpy()
    shown = shown[:MOST_LAYERS, :MOST_HEADS]
    layers, heads = shown.shape[:2]
    figure = Figure(figsize=(2.6 * heads, 2.6 * layers), layout="constrained")
    names = [it.replace("\n", "\u23ce") for it in letters]
    for (layer, head), axis in np.ndenumerate(figure.subplots(layers, heads, squeeze=False)):
        axis.imshow(shown[layer, head] ** 0.5, cmap="Blues", vmin=0, vmax=1)
        axis.set_title(f"layer {layer + 1}, head {head + 1}", fontsize=7)
        axis.set_xticks(range(len(names)), names, fontsize=4)
        axis.set_yticks(range(len(names)), names, fontsize=4)
        axis.tick_params(length=0)
    return figure
