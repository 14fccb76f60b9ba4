"""Running a trained network over many examples, plain torch."""

import numpy as np
import torch
from torch import nn

BATCH = 1024


def class_probabilities(network: nn.Module, inputs: np.ndarray) -> np.ndarray:
    """Probability of each class for each input.

    Args:
        network: gives logits, shape (batch, classes).
        inputs: shape (examples, ...); may be memory-mapped.

    Returns:
        float32, shape (examples, classes).
    """
    network.eval()
    device = next(network.parameters()).device
    parts = []
    with torch.inference_mode():
        for start in range(0, len(inputs), BATCH):
            batch = torch.from_numpy(np.array(inputs[start : start + BATCH]))
            parts.append(network(batch.to(device)).float().softmax(1).cpu().numpy())
    return np.concatenate(parts)


def log_losses(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Negative log of the probability given to each true class, shape (examples,)."""
    given = probabilities[np.arange(len(labels)), labels]
    losses: np.ndarray = -np.log(np.clip(given, np.finfo(np.float32).tiny, 1))
    return losses
