"""What is easy to predict ratings with: the mean, biases, neighbours. A model must do better."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csc_matrix, csr_matrix
from tqdm import tqdm

ITEM_DAMPING, USER_DAMPING = 10.0, 5.0  # ratings worth of the mean; about Koren's 25 and 10, halved
SIMILAR = 100.0  # users in common at which a similarity counts half (Koren 2008, lambda 2)
BLOCK = 2**24  # similarities held at a time


@dataclass(frozen=True)
class Biases:
    """Mean, and how far each user and item is from it (Koren 2008, section 2.1)."""

    mean: float
    users: np.ndarray
    items: np.ndarray

    @classmethod
    def fit(
        cls, users: np.ndarray, items: np.ndarray, ratings: np.ndarray, shape: tuple[int, int]
    ) -> "Biases":
        """Damped means: of items first, then of what is left for users; then both once more."""
        mean = float(ratings.mean(dtype=np.float64))
        of_users, of_items = np.zeros(shape[0]), np.zeros(shape[1])
        counts = np.bincount(users, minlength=shape[0]), np.bincount(items, minlength=shape[1])
        for _ in range(5):
            left = np.bincount(items, ratings - mean - of_users[users], minlength=shape[1])
            of_items = left / (counts[1] + ITEM_DAMPING)
            left = np.bincount(users, ratings - mean - of_items[items], minlength=shape[0])
            of_users = left / (counts[0] + USER_DAMPING)
        return cls(mean, of_users, of_items)

    def predict(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        """Ratings of pairs, shape (pairs,)."""
        predicted: np.ndarray = self.mean + self.users[users] + self.items[items]
        return predicted


def predict_by_neighbours(
    biases: Biases,
    train: tuple[np.ndarray, np.ndarray, np.ndarray],
    test: tuple[np.ndarray, np.ndarray],
    shape: tuple[int, int],
    neighbours: int,
) -> np.ndarray:
    """Item-based neighbours on what biases leave (Koren 2008, section 2.2).

    Similarity is the correlation of two items over the users they share, shrunk by their number.

    Args:
        biases: fitted on the same ratings.
        train: users, items, ratings.
        test: users and items to predict.
        shape: number of users and items.
        neighbours: most similar items, of those the user has rated, that count.

    Returns:
        Ratings of the test pairs.
    """
    users, items, ratings = train
    left = (ratings - biases.predict(users, items)).astype(np.float32)
    values = csc_matrix((left, (users, items)), shape=shape)
    squares = values.multiply(values).tocsc()
    ones = csc_matrix((np.ones(len(left), np.float32), (users, items)), shape=shape)
    of_users = csr_matrix((left, (users, items)), shape=shape)
    predicted = biases.predict(*test)
    order = np.argsort(test[1], kind="stable")
    size = max(1, BLOCK // shape[1])
    bar = tqdm(range(0, shape[1], size), "neighbours", disable=None, leave=False)
    for start in bar:
        first, last = np.searchsorted(test[1][order], [start, start + size])
        if first == last:
            continue
        block = slice(start, min(start + size, shape[1]))
        common = (ones[:, block].T @ ones).toarray()
        spread = (squares[:, block].T @ ones).toarray() * (ones[:, block].T @ squares).toarray()
        similar = (values[:, block].T @ values).toarray()
        similar /= np.sqrt(np.maximum(spread, 1e-12))
        similar *= common / (common + SIMILAR)
        for row in order[first:last]:
            mine = slice(*of_users.indptr[test[0][row] : test[0][row] + 2])
            near = similar[test[1][row] - start, of_users.indices[mine]]
            if len(near) > neighbours:
                best = np.argpartition(-near, neighbours)[:neighbours]
            else:
                best = np.arange(len(near))
            weights = np.maximum(near[best], 0)
            if (total := weights.sum()) > 0:
                predicted[row] += weights @ of_users.data[mine][best] / total
    return predicted
