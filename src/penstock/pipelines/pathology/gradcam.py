"""Grad-CAM (Selvaraju et al. 2017): where in an image a network sees a class."""

import copy

import numpy as np
import torch
from torch import nn

from ...evaluation.inference import batch_size

BATCH_SHARE = 4  # gradients need the activations of all layers: smaller batches
STRENGTH = 0.6  # opacity of the map where it is strongest; the tissue stays visible


def gradcam(
    network: nn.Module, images: np.ndarray, classes_index: np.ndarray, layer: str
) -> np.ndarray:
    """Compute a map for each image, by MONAI.

    Args:
        network: takes images and gives logits, shape (batch, classes).
        images: uint8, shape (n, height, width, 3).
        classes_index: the class each map is for, shape (n,).
        layer: name of the module whose activations are looked at.

    Returns:
        float32, shape (n, height, width): 0 says nothing for the class, 1 the most in the image.
    """
    from monai.visualize.class_activation_maps import GradCAM  # slow to import

    # MONAI leaves its hooks on the network, and gradients: a copy keeps ours as it is.
    own = copy.deepcopy(network).requires_grad_(True)
    # MONAI's own takes the last axis of our images for their width.
    enlarge = nn.Upsample(size=images.shape[1:3], mode="bilinear", align_corners=False)
    cam = GradCAM(own, layer, upsampler=lambda _: enlarge, postprocessing=_normalise)
    device = next(own.parameters()).device
    maps = np.zeros(images.shape[:3], np.float32)
    size = max(1, batch_size(images) // BATCH_SHARE)
    for index in np.unique(classes_index):  # MONAI takes one class for a whole batch
        rows = np.flatnonzero(classes_index == index)
        for start in range(0, len(rows), size):
            part = rows[start : start + size]
            batch = torch.from_numpy(images[part]).to(device).float().requires_grad_(True)
            maps[part] = cam(batch, class_idx=int(index))[:, 0].detach().cpu().numpy()
    return maps


def _normalise(maps: torch.Tensor) -> torch.Tensor:
    """Divide each map by its maximum; one that is 0 throughout stays so."""
    return maps / maps.amax((1, 2, 3), keepdim=True).clamp_min(torch.finfo(maps.dtype).tiny)


def overlay(image: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """Lay a map over its image, the clearer the stronger: from blue through green to yellow.

    Args:
        image: uint8, shape (height, width, 3).
        heat: 0 to 1, shape (height, width).

    Returns:
        uint8, shape (height, width, 3).
    """
    from matplotlib import colormaps

    colour = colormaps["viridis"](heat)[..., :3] * 255
    opacity = STRENGTH * heat[..., None]
    mixed: np.ndarray = (image * (1 - opacity) + colour * opacity).round().astype(np.uint8)
    return mixed
