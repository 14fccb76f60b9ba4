"""Batches by index: whole batches at a time, from memory or streamed from disk, alike."""

from collections.abc import Iterator, Mapping
from typing import Literal

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

MEMORY_SHARE = 0.5  # of what is free; the rest is left to activations and other processes

Batch = dict[str, torch.Tensor]


class IndexBatches(Sampler[torch.Tensor]):
    """Positions of each batch's examples; shuffled anew each epoch, the same for the same seed.

    A last batch that is not full is dropped when shuffling (batch norm needs company), unless
    every example counts, and kept otherwise.
    """

    def __init__(
        self, examples: int, batch_size: int, seed: int | None, drop_last: bool = True
    ) -> None:
        self.examples = examples
        self.batch_size = min(batch_size, examples)
        self.seed = seed
        self.drop_last = drop_last and seed is not None
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch's order; Lightning calls this."""
        self.epoch = epoch

    def __len__(self) -> int:
        full, rest = divmod(self.examples, self.batch_size)
        return full + (rest > 0 and not self.drop_last)

    def __iter__(self) -> Iterator[torch.Tensor]:
        if self.seed is None:
            order = torch.arange(self.examples)
        else:
            generator = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)
            order = torch.randperm(self.examples, generator=generator)
        for batch in range(len(self)):
            yield order[batch * self.batch_size : (batch + 1) * self.batch_size]


class InMemory(Dataset[Batch]):
    """Examples as tensors on the training device; a batch is one indexing operation."""

    def __init__(
        self, arrays: Mapping[str, np.ndarray], rows: np.ndarray, device: torch.device
    ) -> None:
        self.tensors = {name: _tensor(array[rows]).to(device) for name, array in arrays.items()}

    def __getitem__(self, index: torch.Tensor) -> Batch:
        return {
            name: tensor.index_select(0, index.to(tensor.device))
            for name, tensor in self.tensors.items()
        }


class Streamed(Dataset[Batch]):
    """Examples read from memory-mapped files as they are asked for."""

    def __init__(self, arrays: Mapping[str, np.ndarray], rows: np.ndarray) -> None:
        self.arrays = arrays
        self.rows = rows

    def __getitem__(self, index: torch.Tensor) -> Batch:
        rows = self.rows[index.numpy()]
        return {name: _tensor(array[rows]) for name, array in self.arrays.items()}


def choose_loading(
    arrays: Mapping[str, np.ndarray],
    examples: int,
    device: torch.device,
    wanted: Literal["auto", "memory", "stream"],
    memory: int,
) -> tuple[Literal["memory", "stream"], str]:
    """Decide whether examples are held in memory or streamed.

    Args:
        arrays: what a batch is made of; a row per example.
        examples: how many of the rows are needed.
        device: where they would be held.
        wanted: the choice, or `auto`.
        memory: free bytes of main memory, for the CPU; a GPU is asked for its own.

    Returns:
        The choice and, for the person watching, the reason.
    """
    needed = examples * sum(_row_bytes(array) for array in arrays.values())
    free = torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else memory
    sizes = f"{needed / 1e6:,.0f} MB of examples, {free / 1e6:,.0f} MB free on {device.type}"
    if wanted != "auto":
        return wanted, f"as train.loading says; {sizes}"
    return ("memory" if needed <= MEMORY_SHARE * free else "stream"), sizes


def batches(
    arrays: Mapping[str, np.ndarray],
    rows: np.ndarray,
    batch_size: int,
    *,
    seed: int | None = None,
    drop_last: bool = True,
    loading: Literal["memory", "stream"] = "stream",
    workers: int = 0,
    device: torch.device | str = "cpu",
) -> DataLoader[Batch]:
    """Load the examples at `rows` in batches: shuffled by `seed`, or in order without one."""
    sampler = IndexBatches(len(rows), batch_size, seed, drop_last)
    device = torch.device(device)
    generator = torch.Generator()  # of its own: loading must not move the random state of training
    if loading == "memory":
        held = InMemory(arrays, rows, device)
        return DataLoader(held, batch_size=None, sampler=sampler, generator=generator)
    return DataLoader(
        Streamed(arrays, rows),
        batch_size=None,
        sampler=sampler,
        generator=generator,
        num_workers=workers,
        persistent_workers=workers > 0,
        pin_memory=device.type == "cuda",
    )


def _row_bytes(array: np.ndarray) -> int:
    return array.nbytes // max(len(array), 1)


def _tensor(rows: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(rows))
