"""Gibbs sampling for factor models: Bayesian probabilistic matrix factorisation.

Salakhutdinov and Mnih 2008, Bayesian Probabilistic Matrix Factorization using Markov Chain Monte
Carlo, with biases as a factor whose partner is 1.
"""

from dataclasses import dataclass

import torch
from torch.distributions import Chi2, Gamma


@dataclass(frozen=True)
class Prior:
    """The normal distribution all vectors of a side come from: mean (k,), precision (k, k)."""

    mean: torch.Tensor
    precision: torch.Tensor


class Evidence:
    """What ratings say of the vectors of one side, summed up batch by batch.

    A rating is near `vector @ design + offset`, where the design is the other side's vector.

    Attributes:
        outer: sum of the outer products of the designs of each vector, (n, k, k).
        linear: sum of the designs times what is to be explained, (n, k).
        squares: sum of the squares of what is to be explained.
    """

    def __init__(self, count: int, width: int, device: torch.device) -> None:
        self.outer = torch.zeros(count, width * width, device=device)
        self.linear = torch.zeros(count, width, device=device)
        self.squares = torch.zeros((), dtype=torch.float64, device=device)
        self.ratings = 0

    def add(self, index: torch.Tensor, design: torch.Tensor, target: torch.Tensor) -> None:
        """Add ratings: whose they are (batch,), designs (batch, k), what is to explain (batch,)."""
        products = (design[:, :, None] * design[:, None, :]).flatten(1)
        self.outer.index_add_(0, index, products)
        self.linear.index_add_(0, index, design * target[:, None])
        self.squares += target.double().square().sum()
        self.ratings += len(target)

    def draw(self, prior: Prior, precision: torch.Tensor) -> torch.Tensor:
        """Draw every vector, given the prior and the precision of ratings; shape (n, k).

        A vector without ratings is the prior's mean.
        """
        width = len(prior.mean)
        posterior = precision * self.outer.view(-1, width, width) + prior.precision
        linear = precision * self.linear + prior.precision @ prior.mean
        lower = torch.linalg.cholesky(posterior)
        mean = torch.cholesky_solve(linear[:, :, None], lower)
        noise = torch.randn_like(mean)
        drawn = mean + torch.linalg.solve_triangular(lower.mT, noise, upper=True)
        return torch.where(self.rated[:, None], drawn[:, :, 0], prior.mean)

    @property
    def rated(self) -> torch.Tensor:
        """Which vectors have ratings, shape (n,): the others say nothing of the prior."""
        return self.outer.any(1)

    def misfit(self, vectors: torch.Tensor) -> torch.Tensor:
        """Sum of the squared errors of vectors, from the sums alone."""
        width = vectors.shape[1]
        explained = torch.einsum("nk,nk->", vectors.double(), self.linear.double())
        spread = torch.einsum(
            "nk,nkl,nl->",
            *(vectors.double(), self.outer.view(-1, width, width).double(), vectors.double()),
        )
        return self.squares - 2 * explained + spread


def draw_prior(vectors: torch.Tensor) -> Prior:
    """Draw the prior of a side given its vectors, (n, k), from a normal-Wishart distribution.

    As in the paper: scale matrix the identity, k degrees of freedom, mean 0 worth 2 observations.
    """
    count, width = vectors.shape
    worth = 2.0
    exact = vectors.double().cpu()  # in single precision a scatter can turn out singular
    mean = exact.mean(0)
    centred = exact - mean
    scatter = centred.T @ centred + torch.outer(mean, mean) * worth * count / (worth + count)
    identity = torch.eye(width, dtype=torch.float64)
    precision = _draw_wishart(torch.linalg.inv(identity + scatter), width + count)
    lower = torch.linalg.cholesky((worth + count) * precision)
    noise = torch.randn(width, 1, dtype=torch.float64)
    drawn = mean * count / (worth + count)
    drawn = drawn + torch.linalg.solve_triangular(lower.mT, noise, upper=True)[:, 0]
    return Prior(drawn.to(vectors), precision.to(vectors))


def _draw_wishart(scale: torch.Tensor, freedom: int) -> torch.Tensor:
    """Draw from a Wishart distribution by Bartlett's decomposition (1933).

    torch.distributions.Wishart takes large draws for asymmetric, and warns of every one.
    """
    width = len(scale)
    degrees = freedom - torch.arange(width, dtype=torch.float64)
    root = torch.randn(width, width, dtype=torch.float64).tril(-1) + torch.diag(
        Chi2(degrees).sample().sqrt()
    )
    lower = torch.linalg.cholesky((scale + scale.T) / 2) @ root
    return lower @ lower.T


def draw_precision(misfit: torch.Tensor, ratings: int) -> torch.Tensor:
    """Draw the precision of ratings given the sum of squared errors (Gamma, weak prior)."""
    shape = torch.tensor(1 + ratings / 2, dtype=torch.float64)
    return Gamma(shape, 1 + misfit.cpu() / 2).sample().to(torch.float32)
