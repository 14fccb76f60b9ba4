"""Recommenders: from indices of users and items to ratings."""

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from .vocabulary import Vocabulary

if TYPE_CHECKING:
    from ...datasets.dataset import Dataset
    from .params import Bayesian, Factors, Neural

START = 0.1  # standard deviation of the first factors


class Recommender(nn.Module):
    """What all kinds share: the scale, the mean, who is known, and what ids stand for.

    The index after the last user is a user that nobody knows, and so for items. What the training
    split has no rating of gets no factors, and so what is known of the other side.
    """

    mean: torch.Tensor
    user_counts: torch.Tensor
    item_counts: torch.Tensor

    popularity = 0.0

    def __init__(self, info: dict[str, Any]) -> None:
        super().__init__()
        self.users, self.items = info["users"], info["items"]
        self.low, self.high = info["scale"]
        self.register_buffer("mean", torch.tensor(0.0))
        self.register_buffer("user_counts", torch.zeros(self.users + 1, dtype=torch.int32))
        self.register_buffer("item_counts", torch.zeros(self.items + 1, dtype=torch.int32))
        self.vocabulary = Vocabulary()

    def measure(self, dataset: "Dataset", rows: np.ndarray) -> None:
        """Count what is not trained, in the rows learned from; take over ids and titles."""
        columns = dataset.columns("user", "item", "rating")
        self.mean.fill_(float(columns["rating"][rows].mean(dtype="float64")))
        for side, counts in (("user", self.user_counts), ("item", self.item_counts)):
            index = torch.from_numpy(columns[side][rows])
            counts.copy_(torch.bincount(index, minlength=len(counts)))
            for name, table in self.named_children():
                if isinstance(table, nn.Embedding) and name.startswith(side):
                    table.weight.data[counts == 0] = 0
        self.vocabulary.fill(dataset.table("users"), dataset.table("items"), columns)

    def rate(self, users: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
        """Ratings, not yet held to the scale, of users and items, both of shape (batch,)."""
        raise NotImplementedError

    def forward(self, users: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
        """Indices of users and items, shape (batch,) -> ratings on the scale, shape (batch,)."""
        return self.rate(users, items).clamp(self.low, self.high)

    def rate_all(self, users: torch.Tensor) -> torch.Tensor:
        """Rate every item for each user, not held to the scale: (batch,) -> (batch, items)."""
        items = torch.arange(self.items, device=users.device)
        return torch.stack([self.rate(user.expand(self.items), items) for user in users])

    def rank_all(self, users: torch.Tensor) -> torch.Tensor:
        """Scores by which items are recommended: (batch,) -> (batch, items).

        A rating says how much an item would be liked by who takes it up, and how often it is rated
        how likely that is; so both count.
        """
        return self.rate_all(users) + self.popularity * self.item_counts[:-1].float().log1p()


class FactorModel(Recommender):
    """Mean, biases and the product of factors (Koren, Bell and Volinsky 2009)."""

    def __init__(self, info: dict[str, Any], factors: int) -> None:
        super().__init__(info)
        self.user_factors = _embedding(self.users + 1, factors, START)
        self.item_factors = _embedding(self.items + 1, factors, START)
        self.user_bias = _embedding(self.users + 1, 1, 0.0)
        self.item_bias = _embedding(self.items + 1, 1, 0.0)

    def parts(self, users: torch.Tensor, items: torch.Tensor) -> list[torch.Tensor]:
        """Factors of users and items, shape (batch, factors), and their biases, (batch, 1)."""
        return [
            self.user_factors(users),
            self.item_factors(items),
            self.user_bias(users),
            self.item_bias(items),
        ]

    def rate(self, users: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
        """Mean + biases + product of factors."""
        return self._rate(*self.parts(users, items))

    def _rate(
        self, p: torch.Tensor, q: torch.Tensor, b: torch.Tensor, c: torch.Tensor
    ) -> torch.Tensor:
        return self.mean + (b + c)[:, 0] + (p * q).sum(1)

    def rate_all(self, users: torch.Tensor) -> torch.Tensor:
        """Rate every item by one product of matrices."""
        items = torch.arange(self.items, device=users.device)
        p, q, b, c = self.parts(users, items)
        return torch.addmm(self.mean + b + c.T, p, q.T)


class MatrixFactorization(FactorModel):
    """Factors by gradient descent, shrunk by one penalty."""

    def __init__(self, info: dict[str, Any], model: "Factors") -> None:
        super().__init__(info, model.factors)
        self.penalty = model.penalty

    def loss(
        self, users: torch.Tensor, items: torch.Tensor, ratings: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Squared error, and the squares of what a rating is made of; and the errors."""
        parts = self.parts(users, items)
        errors = ratings - self._rate(*parts)
        squares = torch.stack([part.square().sum(1) for part in parts]).sum(0)
        return (errors.square() + self.penalty * squares).mean(), errors


class BayesianFactorization(FactorModel):
    """The mean of many factor models, drawn from what is likely given the ratings.

    A mean of products is a product of longer vectors, so the samples lie side by side in one
    factor model, which rates as any other does.
    """

    kept: torch.Tensor

    def __init__(self, info: dict[str, Any], model: "Bayesian") -> None:
        super().__init__(info, model.factors * model.samples)
        self.width, self.samples = model.factors, model.samples
        for table in (self.user_factors, self.item_factors):
            nn.init.zeros_(table.weight)
        self.register_buffer("kept", torch.tensor(0))

    def keep(self, users: torch.Tensor, items: torch.Tensor) -> None:
        """Add a sample to the mean: factors and, in the last column, biases of all."""
        slot, kept = int(self.kept), int(self.kept) + 1
        part = slice(slot * self.width, (slot + 1) * self.width)
        for table, bias, sample in (
            (self.user_factors, self.user_bias, users),
            (self.item_factors, self.item_bias, items),
        ):
            table.weight.data *= (slot / kept) ** 0.5
            table.weight.data[:, part] = sample[:, :-1] / kept**0.5
            bias.weight.data += (sample[:, -1:] - bias.weight.data) / kept
        self.kept.fill_(kept)


class NeuralRecommender(Recommender):
    """Embeddings of user and item, concatenated, a dense layer with ReLU, one output."""

    def __init__(self, info: dict[str, Any], model: "Neural") -> None:
        super().__init__(info)
        self.user_factors = _embedding(self.users + 1, model.factors, START)
        self.item_factors = _embedding(self.items + 1, model.factors, START)
        self.layers = nn.Sequential(
            nn.Linear(2 * model.factors, model.dense), nn.ReLU(), nn.Linear(model.dense, 1)
        )

    def rate(self, users: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
        """The network's output, on top of the mean."""
        both = torch.cat([self.user_factors(users), self.item_factors(items)], 1)
        return self.mean + self.layers(both)[:, 0]

    def loss(
        self, users: torch.Tensor, items: torch.Tensor, ratings: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Squared error; and the errors."""
        errors = ratings - self.rate(users, items)
        return errors.square().mean(), errors


def network(model: "Factors | Neural | Bayesian", info: dict[str, Any]) -> Recommender:
    """Build the recommender for a dataset's users and items."""
    kinds: dict[str, Any] = {
        "mf": MatrixFactorization,
        "neural": NeuralRecommender,
        "bpmf": BayesianFactorization,
    }
    built: Recommender = kinds[model.kind](info, model)
    built.popularity = model.popularity
    return built


def _embedding(count: int, factors: int, deviation: float) -> nn.Embedding:
    table = nn.Embedding(count, factors)
    nn.init.normal_(table.weight, 0, deviation)
    return table
