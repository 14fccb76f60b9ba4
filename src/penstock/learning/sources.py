"""Where batches come from: rows of arrays, windows of a stream, the whole, episodes.

A source answers with whole batches, by the positions of their examples, so that sampling, seeding
and resuming are the same for all of them (loading.py).
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol, Self

import numpy as np
import torch

from ..messages.errors import PenstockError

if TYPE_CHECKING:
    from ..datasets.dataset import Dataset

Batch = dict[str, torch.Tensor]
Arrays = Mapping[str, np.ndarray]


class Source(Protocol):
    """Examples to learn from, or to validate on."""

    @property
    def nbytes(self) -> int:
        """Memory that holding it takes."""

    def __len__(self) -> int:
        """How many examples there are."""

    def __getitem__(self, index: torch.Tensor) -> Batch:
        """The batch of the examples at some positions, shape (batch,)."""

    def hold(self, device: torch.device) -> "Source":
        """The same examples in the memory of a device, where a batch is fast to make."""


class Rows:
    """A row of each array for each example, read from memory-mapped files as it is asked for."""

    def __init__(self, arrays: Arrays, rows: np.ndarray) -> None:
        """Take over arrays, and which of their rows are the examples."""
        self.arrays = arrays
        self.rows = rows

    @property
    def nbytes(self) -> int:
        """Memory that the rows take."""
        return len(self) * sum(it.nbytes // max(len(it), 1) for it in self.arrays.values())

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: torch.Tensor) -> Batch:
        rows = self.rows[index.numpy()]
        return {name: _tensor(array[rows]) for name, array in self.arrays.items()}

    def hold(self, device: torch.device) -> "HeldRows":
        """The rows as tensors."""
        return HeldRows(
            {name: _tensor(it[self.rows]).to(device) for name, it in self.arrays.items()}
        )


class HeldRows:
    """Rows as tensors on the training device; a batch is one indexing operation."""

    def __init__(self, tensors: Batch) -> None:
        """Take over tensors, a row per example."""
        self.tensors = tensors

    @property
    def nbytes(self) -> int:
        """Memory that the tensors take."""
        return sum(it.nbytes for it in self.tensors.values())

    def __len__(self) -> int:
        return len(next(iter(self.tensors.values())))

    def __getitem__(self, index: torch.Tensor) -> Batch:
        return {
            name: tensor.index_select(0, index.to(tensor.device))
            for name, tensor in self.tensors.items()
        }

    def hold(self, device: torch.device) -> Self:
        """Itself."""
        return self


class Windows:
    """Windows over streams (text, say): as many values from each start; they may overlap.

    A batch has (batch, length) values of each stream.
    """

    def __init__(self, streams: Arrays, starts: np.ndarray, length: int) -> None:
        """Take over streams of equal length, and where the windows start."""
        self.streams: Mapping[str, np.ndarray | torch.Tensor] = streams
        self.starts = torch.from_numpy(np.asarray(starts, np.int64))
        self.offsets = torch.arange(length)

    @property
    def nbytes(self) -> int:
        """Memory that the streams take; windows are made as they are asked for."""
        return sum(it.nbytes for it in self.streams.values())

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, index: torch.Tensor) -> Batch:
        places = self.starts[index.to(self.starts.device)][:, None] + self.offsets
        return {
            name: it[places] if isinstance(it, torch.Tensor) else _tensor(it[places.numpy()])
            for name, it in self.streams.items()
        }

    def hold(self, device: torch.device) -> "Windows":
        """The streams, and where windows start, as tensors."""
        held = Windows({}, self.starts.numpy(), len(self.offsets))
        held.streams = {
            name: it if isinstance(it, torch.Tensor) else _tensor(it).to(device)
            for name, it in self.streams.items()
        }
        held.starts, held.offsets = self.starts.to(device), self.offsets.to(device)
        return held


class Stream:
    """Windows over a stream, in order: a row of a batch goes on where it ended in the one before.

    The stream is read in as many places at a time as a batch has rows, in each epoch from another
    place on, and in a circle. A batch is `tokens`, int64 (batch, length + 1): the last token of a
    window is the first of the next.
    """

    nbytes = 0  # read as it is needed: a batch is small

    def __init__(self, tokens: np.ndarray, length: int, batch_size: int, seed: int) -> None:
        """Take over a stream, which may be memory-mapped, longer than a window.

        Raises:
            PenstockError: it is not.
        """
        if len(tokens) < length + 1:
            raise PenstockError(
                f"train: {len(tokens):,} tokens to learn from; expected more than model.window: "
                f"{length}; add text, or set a shorter window"
            )
        self.tokens, self.length, self.seed = tokens, length, seed
        self.rows = min(batch_size, (len(tokens) - 1) // length)
        self.apart = (len(tokens) - 1) // self.rows
        self.offset = 0

    def renew(self, epoch: int) -> None:
        """Read from another place."""
        chance = torch.Generator().manual_seed(self.seed * 1_000_003 + epoch)
        self.offset = int(torch.randint(len(self.tokens), (1,), generator=chance))

    def __len__(self) -> int:
        return self.rows * (self.apart // self.length)

    def __getitem__(self, index: torch.Tensor) -> Batch:
        windows, rows = index.numpy() // self.rows, index.numpy() % self.rows
        starts = self.offset + rows * self.apart + windows * self.length
        places = (starts[:, None] + np.arange(self.length + 1)) % len(self.tokens)
        return {"tokens": _tensor(self.tokens[places].astype(np.int64))}

    def hold(self, device: torch.device) -> Self:
        """Itself."""
        return self


class Ragged:
    """Stretches of arrays, each example's of its own length; padded to the longest of the batch.

    A batch has (batch, longest, ...) values of each array, `lengths`, shape (batch,), and a row of
    each of the `rows`.
    """

    def __init__(
        self,
        arrays: Arrays,
        starts: np.ndarray,
        stops: np.ndarray,
        rows: Arrays | None = None,
        padding: int = 0,
    ) -> None:
        """Take over arrays, where each example starts and stops in them, and rows beside those."""
        self.arrays = arrays
        self.starts, self.stops = starts, stops
        self.rows = rows or {}
        self.padding = padding

    @property
    def nbytes(self) -> int:
        """Memory that all arrays take."""
        return sum(it.nbytes for it in (*self.arrays.values(), *self.rows.values()))

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, index: torch.Tensor) -> Batch:
        rows = index.cpu().numpy()
        starts, lengths = self.starts[rows], self.stops[rows] - self.starts[rows]
        batch = {
            name: _tensor(self._padded(array, starts, lengths))
            for name, array in self.arrays.items()
        }
        return {
            **batch,
            "lengths": _tensor(lengths.astype(np.int64)),
            **{name: _tensor(it[rows]) for name, it in self.rows.items()},
        }

    def _padded(self, array: np.ndarray, starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        shape = (len(starts), int(lengths.max()), *array.shape[1:])
        padded = np.full(shape, self.padding, array.dtype)
        for row, (start, length) in enumerate(zip(starts, lengths, strict=True)):
            padded[row, :length] = array[start : start + length]
        return padded

    def hold(self, device: torch.device) -> "Ragged":
        """The arrays in main memory: Lightning moves each batch, whose shape is known only then."""
        arrays, rows = (
            {name: np.array(it) for name, it in part.items()} for part in (self.arrays, self.rows)
        )
        return Ragged(arrays, self.starts, self.stops, rows, self.padding)


class Whole:
    """All there is in one batch: a graph, say, or which of its nodes are learned from.

    A batch that is the whole may come several times an epoch, for what is done after each epoch
    costs more than a small step.
    """

    def __init__(self, arrays: Arrays, times: int = 1) -> None:
        """Take over arrays of any shapes, and how often they are asked for in an epoch."""
        self.times = times
        self.tensors = {name: _tensor(array) for name, array in arrays.items()}

    @property
    def nbytes(self) -> int:
        """Memory that the tensors take."""
        return sum(it.nbytes for it in self.tensors.values())

    def __len__(self) -> int:
        return self.times

    def __getitem__(self, index: torch.Tensor) -> Batch:
        return self.tensors

    def hold(self, device: torch.device) -> "Whole":
        """The tensors on a device."""
        held = Whole({}, self.times)
        held.tensors = {name: it.to(device) for name, it in self.tensors.items()}
        return held


class Episodes:
    """Examples that learning makes itself, by playing say: anew at the start of each epoch."""

    nbytes = 0  # in memory always, and not there yet

    def __init__(self, make: Callable[[int], Arrays], examples: int, seed: int) -> None:
        """Set up: `make(seed)` answers with arrays of so many rows."""
        self.make = make
        self.examples = examples
        self.seed = seed
        self._rows = HeldRows({})

    def renew(self, epoch: int) -> None:
        """Make the examples of an epoch: by the same network and seed, the same ones."""
        made = self.make(self.seed * 1_000_003 + epoch)
        self._rows = HeldRows({name: _tensor(it) for name, it in made.items()})

    def __len__(self) -> int:
        return self.examples

    def __getitem__(self, index: torch.Tensor) -> Batch:
        return self._rows[index]

    def hold(self, device: torch.device) -> Self:
        """Itself."""
        return self


def labelled_rows(dataset: "Dataset", array: str, splits: tuple[str, ...]) -> Rows:
    """Examples that have a label: a batch is `inputs`, rows of an array, and `label`, (batch,)."""
    arrays = {"inputs": dataset.array(array), "label": dataset.index["label"].to_numpy()}
    return Rows(arrays, dataset.rows(*splits))


def _tensor(rows: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(rows))
