"""Products of sparse and dense matrices, with gradients that are the same on any number of threads.

A row of such a product is a weighted sum of rows of the dense matrix: what PyTorch calls a bag of
embeddings. That takes a quarter of the time of its sparse matrices, and one thread sums a row, in
order. (cuSPARSE, by which those are multiplied on a GPU, gives other bits each time.) A gradient is
a product as well, with the transpose.
"""

from functools import cached_property
from typing import Any

import numpy as np
import torch
from scipy.sparse import csr_array
from torch.nn import functional as F


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

    def transposed_times(self, dense: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
        """The product of the transpose, with values in the place of its own; without gradients."""
        if self.symmetric and values is self.values:
            return _sum_rows(self.starts, self.columns, values, dense)
        starts, columns, order = self._transpose
        return _sum_rows(starts, columns, values[order], dense)


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, dense: torch.Tensor, values: torch.Tensor, matrix: SparseMatrix
    ) -> torch.Tensor:
        ctx.values, ctx.matrix = values, matrix
        return _sum_rows(matrix.starts, matrix.columns, values, dense)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        return ctx.matrix.transposed_times(gradient.contiguous(), ctx.values), None, None


def _sum_rows(
    starts: torch.Tensor, columns: torch.Tensor, values: torch.Tensor, dense: torch.Tensor
) -> torch.Tensor:
    return F.embedding_bag(
        columns, dense, starts, mode="sum", per_sample_weights=values, include_last_offset=True
    )
