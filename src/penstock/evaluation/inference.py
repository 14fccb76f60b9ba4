"""Running a trained network over many examples, plain torch."""

import numpy as np
import torch
from torch import nn

BATCH, BATCH_BYTES = 1024, 2**21  # inputs at a time: so many, and no more bytes


def batch_size(inputs: np.ndarray) -> int:
    """How many inputs to take at a time, so that a network's activations fit into memory."""
    size = inputs.itemsize * int(np.prod(inputs.shape[1:]))
    return max(1, min(BATCH, BATCH_BYTES // size))


def class_probabilities(
    network: nn.Module, inputs: np.ndarray, rows: np.ndarray | None = None
) -> np.ndarray:
    """Probability of each class for each input.

    Args:
        network: gives logits, shape (batch, classes).
        inputs: shape (examples, ...); may be memory-mapped.
        rows: which of them, read a batch at a time; all if left out.

    Returns:
        float32, shape (examples, classes).
    """
    network.eval()
    device = next(network.parameters()).device
    rows = np.arange(len(inputs)) if rows is None else rows
    size = batch_size(inputs)
    parts = []
    with torch.inference_mode():
        for start in range(0, max(1, len(rows)), size):
            batch = torch.from_numpy(np.array(inputs[rows[start : start + size]]))
            parts.append(network(batch.to(device)).float().softmax(1).cpu().numpy())
    return np.concatenate(parts)


def log_losses(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Negative log of the probability given to each true class, shape (examples,)."""
    given = probabilities[np.arange(len(labels)), labels]
    losses: np.ndarray = -np.log(np.clip(given, np.finfo(np.float32).tiny, 1))
    return losses
