"""Batches by index: whole batches at a time, from memory or streamed from disk, alike."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, cast

import torch
from torch.utils.data import DataLoader, Sampler

from .sources import Batch, Episodes, Source, Stream

MEMORY_SHARE = 0.5  # of what is free; the rest is left to activations and other processes


class IndexBatches(Sampler[torch.Tensor]):
    """Positions of each batch's examples; shuffled anew each epoch, the same for the same seed.

    A last batch that is not full is dropped when shuffling (batch norm needs company), unless
    every example counts, and kept otherwise.
    """

    def __init__(
        self,
        examples: int,
        batch_size: int,
        seed: int | None,
        drop_last: bool = True,
        renew: Callable[[int], None] | None = None,
        in_order: bool = False,
    ) -> None:
        """Set up; `renew` is told each epoch before its batches are asked for."""
        self.examples = examples
        self.batch_size = min(batch_size, examples)
        self.seed = seed
        self.drop_last = drop_last and seed is not None
        self.renew = renew
        self.in_order = in_order or seed is None
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch's order; Lightning calls this."""
        self.epoch = epoch

    def __len__(self) -> int:
        full, rest = divmod(self.examples, self.batch_size)
        return full + (rest > 0 and not self.drop_last)

    def __iter__(self) -> Iterator[torch.Tensor]:
        if self.renew:
            self.renew(self.epoch)
        if self.in_order:
            order = torch.arange(self.examples)
        else:
            generator = torch.Generator().manual_seed(
                cast("int", self.seed) * 1_000_003 + self.epoch
            )
            order = torch.randperm(self.examples, generator=generator)
        for batch in range(len(self)):
            yield order[batch * self.batch_size : (batch + 1) * self.batch_size]


def choose_loading(
    sources: Sequence[Source],
    device: torch.device,
    wanted: Literal["auto", "memory", "stream"],
    memory: int,
) -> tuple[Literal["memory", "stream"], str]:
    """Decide whether examples are held in memory or streamed.

    Args:
        sources: what is read.
        device: where it would be held.
        wanted: the choice, or `auto`.
        memory: free bytes of main memory, for the CPU; a GPU is asked for its own.

    Returns:
        The choice and, for the person watching, the reason.
    """
    needed = sum(it.nbytes for it in sources)
    free = torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else memory
    sizes = f"{needed / 1e6:,.0f} MB of examples, {free / 1e6:,.0f} MB free on {device.type}"
    if wanted != "auto":
        return wanted, f"as train.loading says; {sizes}"
    return ("memory" if needed <= MEMORY_SHARE * free else "stream"), sizes


def batches(
    source: Source,
    batch_size: int,
    *,
    seed: int | None = None,
    drop_last: bool = True,
    loading: Literal["memory", "stream"] = "stream",
    workers: int = 0,
    device: torch.device | str = "cpu",
) -> DataLoader[Batch]:
    """Load a source's examples in batches: shuffled by `seed`, or in order without one.

    A stream is read in order always.
    """
    renew = source.renew if isinstance(source, Episodes | Stream) else None
    in_order = isinstance(source, Stream)
    sampler = IndexBatches(len(source), batch_size, seed, drop_last, renew, in_order)
    device = torch.device(device)
    generator = torch.Generator()  # of its own: loading must not move the random state of training
    if loading == "memory" or renew:
        held: Any = source.hold(device)
        return DataLoader(held, batch_size=None, sampler=sampler, generator=generator)
    streamed: Any = source
    return DataLoader(
        streamed,
        batch_size=None,
        sampler=sampler,
        generator=generator,
        num_workers=workers,
        persistent_workers=workers > 0,
        pin_memory=device.type == "cuda",
    )
