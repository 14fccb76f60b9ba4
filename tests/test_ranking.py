"""Lists of recommended items, baselines and Gibbs sampling, apart from any stage."""

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score, ndcg_score

from penstock.pipelines.ratings.baselines import Biases, predict_by_neighbours
from penstock.pipelines.ratings.gibbs import Evidence, Prior, draw_prior
from penstock.pipelines.ratings.ranking import best_items, coverage, judge, pairs

USERS, ITEMS = 40, 25


@pytest.fixture
def scores():
    return np.random.default_rng(0).permutation(USERS * ITEMS).reshape(USERS, ITEMS) / 1000


@pytest.fixture
def relevant():
    chance = np.random.default_rng(1)
    return pairs(
        np.repeat(np.arange(USERS), 4), chance.integers(0, ITEMS, 4 * USERS), (USERS, ITEMS)
    )


def everything(scores, top, seen=None):
    seen = pairs([], [], scores.shape) if seen is None else seen
    there = np.ones(scores.shape[1], bool)
    return best_items(lambda it: scores[it], np.arange(len(scores)), seen, there, top)


def test_lists_are_the_best_that_is_new(scores):
    seen = pairs(np.arange(USERS), scores.argmax(1), scores.shape)
    lists = everything(scores, 5, seen)
    expected = np.argsort(-scores, 1)[:, 1:6]
    assert (lists == expected).all()


def test_a_user_who_has_seen_all_gets_what_is_left(scores):
    users, items = np.repeat(0, ITEMS - 1), np.arange(1, ITEMS)
    lists = everything(scores, 5, pairs(users, items, scores.shape))
    assert lists[0].tolist() == [0, -1, -1, -1, -1]


def test_whole_lists_are_judged_as_scikit_learn_does(scores, relevant):
    relevant.data[:] = 1
    truth = np.asarray(relevant.todense()) > 0
    relevant = pairs(*np.nonzero(truth), truth.shape)
    judged = judge(everything(scores, ITEMS), np.arange(USERS), relevant)
    assert judged["ndcg"].mean() == pytest.approx(ndcg_score(truth, scores))
    precisions = [average_precision_score(t, s) for t, s in zip(truth, scores, strict=True)]
    assert judged["average_precision"].tolist() == pytest.approx(precisions)
    assert (judged["recall"] == 1).all()


def test_short_lists_are_judged_by_hand(scores):
    relevant = pairs([0, 0, 0], [1, 2, 3], (1, ITEMS))
    judged = judge(np.array([[1, 9, 3, 8]]), np.array([0]), relevant).iloc[0]
    assert judged["precision"] == 0.5
    assert judged["recall"] == pytest.approx(2 / 3)
    assert judged["f1"] == pytest.approx(2 * 0.5 * (2 / 3) / (0.5 + 2 / 3))
    assert judged["ndcg"] == pytest.approx((1 + 1 / 2) / (1 + 1 / np.log2(3) + 1 / 2))
    assert judged["average_precision"] == pytest.approx((1 + 2 / 3) / 3)
    assert coverage(np.array([[1, -1], [1, 2]]), np.array([True] * 4)) == 0.5


def low_rank(rank=2, noise=0.3, density=0.5):
    chance = np.random.default_rng(0)
    p, q = chance.normal(size=(80, rank)), chance.normal(size=(60, rank))
    users, items = np.nonzero(chance.random((80, 60)) < density)
    truth = 3 + (p[users] * q[items]).sum(1) * 0.7
    return users, items, (truth + chance.normal(0, noise, len(truth))).astype(np.float32), truth


def test_neighbours_see_what_biases_do_not():
    users, items, ratings, truth = low_rank()
    train = np.arange(len(users)) % 5 > 0
    biases = Biases.fit(users[train], items[train], ratings[train], (80, 60))
    by_biases = biases.predict(users[~train], items[~train])
    given = users[train], items[train], ratings[train]
    by_neighbours = predict_by_neighbours(
        biases, given, (users[~train], items[~train]), (80, 60), 20
    )
    errors = [np.mean((it - truth[~train]) ** 2) for it in (by_biases, by_neighbours)]
    assert errors[1] < 0.8 * errors[0]


def test_a_draw_centres_on_the_least_squares_solution():
    torch.manual_seed(0)
    design, vector = torch.randn(500, 3), torch.tensor([1.0, -2.0, 0.5])
    target = design @ vector
    evidence = Evidence(2, 3, torch.device("cpu"))
    for part in torch.arange(500).split(128):
        evidence.add(torch.zeros(len(part), dtype=torch.long), design[part], target[part])
    prior = Prior(torch.tensor([9.0, 9.0, 9.0]), torch.eye(3))
    drawn = evidence.draw(prior, torch.tensor(100.0))
    assert torch.allclose(drawn[0], vector, atol=0.05)
    assert torch.equal(drawn[1], prior.mean), "without ratings it is the prior's mean"
    exact = (target - design @ drawn[0]).square().sum().item()
    assert evidence.misfit(drawn).item() == pytest.approx(exact, abs=1e-2)


def test_the_prior_follows_the_vectors():
    torch.manual_seed(0)
    vectors = torch.randn(20_000, 3) * torch.tensor([1.0, 2.0, 0.5]) + torch.tensor(
        [1.0, 0.0, -3.0]
    )
    prior = draw_prior(vectors)
    assert torch.allclose(prior.mean, torch.tensor([1.0, 0.0, -3.0]), atol=0.1)
    widths = torch.linalg.inv(prior.precision).diagonal().sqrt()
    assert torch.allclose(widths, torch.tensor([1.0, 2.0, 0.5]), rtol=0.05)
