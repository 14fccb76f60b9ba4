"""Products of sparse and dense matrices, with gradients that are the same on any number of threads.

PyTorch's own gradient of such a product takes twice as long. Here a gradient is a product as well,
with the transpose, and each of its values is summed by one thread, in one order.
"""

import warnings
from functools import cached_property
from typing import Any

import numpy as np
import torch
from scipy.sparse import csr_array

# PyTorch calls sparse rows a beta each time a process first makes some.
warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")


class SparseMatrix:
    """A matrix by rows (CSR): where each row starts, the columns of its values, the values.

    Attributes:
        starts: int64, shape (rows + 1,).
        columns: int64, shape (values,).
        values: float32, shape (values,).
        shape: rows and columns.
        symmetric: whether it is its own transpose.
    """

    def __init__(
        self,
        starts: torch.Tensor,
        columns: torch.Tensor,
        values: torch.Tensor,
        width: int,
        symmetric: bool = False,
    ) -> None:
        self.starts, self.columns, self.values = starts.long(), columns.long(), values
        self.shape = (len(starts) - 1, width)
        self.symmetric = symmetric

    @classmethod
    def of(cls, matrix: csr_array, device: torch.device, symmetric: bool = False) -> "SparseMatrix":
        """A matrix of SciPy's on a device."""
        starts, columns, values = (
            torch.from_numpy(np.ascontiguousarray(it)).to(device)
            for it in (matrix.indptr, matrix.indices, matrix.data.astype(np.float32))
        )
        return cls(starts, columns, values, matrix.shape[1], symmetric)

    def as_scipy(self) -> csr_array:
        """The same as a matrix of SciPy's."""
        parts = (self.values, self.columns, self.starts)
        return csr_array(tuple(it.cpu().numpy() for it in parts), self.shape)

    @cached_property
    def _transpose(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Starts and columns of the transpose, and which value is at each place of it."""
        order = torch.argsort(self.columns, stable=True)
        counts = torch.bincount(self.columns, minlength=self.shape[1])
        starts = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
        rows = torch.repeat_interleave(
            torch.arange(self.shape[0], device=self.columns.device), self.starts.diff()
        )
        return starts, rows[order], order

    def times(self, dense: torch.Tensor, values: torch.Tensor | None = None) -> torch.Tensor:
        """The product with a dense matrix, (columns, n) -> (rows, n).

        Args:
            dense: what gradients flow to.
            values: in the place of its own, after dropout say; no gradient flows to them.
        """
        product: torch.Tensor = _Product.apply(
            dense, self.values if values is None else values, self
        )
        return product

    def forwards(self, dense: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
        """The product, without gradients."""
        return _csr(self.starts, self.columns, values, self.shape) @ dense

    def backwards(self, dense: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
        """The product of the transpose, likewise."""
        if self.symmetric and values is self.values:
            return self.forwards(dense, values)
        starts, columns, order = self._transpose
        return _csr(starts, columns, values[order], self.shape[::-1]) @ dense


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, dense: torch.Tensor, values: torch.Tensor, matrix: SparseMatrix
    ) -> torch.Tensor:
        ctx.values, ctx.matrix = values, matrix
        return matrix.forwards(dense, values)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        return ctx.matrix.backwards(gradient.contiguous(), ctx.values), None, None


def _csr(
    starts: torch.Tensor, columns: torch.Tensor, values: torch.Tensor, shape: tuple[int, ...]
) -> torch.Tensor:
    # What it is made of was checked where it was read; to check it in each step takes time.
    return torch.sparse_csr_tensor(starts, columns, values, shape, check_invariants=False)
