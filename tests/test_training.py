"""Training by Lightning on a toy problem: what each setting does."""

import numpy as np
import pytest
import torch
from torch import nn

from penstock.errors import PenstockError
from penstock.learning.classifier import Classifier
from penstock.learning.device import choose_device
from penstock.learning.training import fit, seed
from penstock.params import TrainParams

EXAMPLES = 400


@pytest.fixture(scope="module")
def arrays():
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(EXAMPLES, 8)).astype(np.float32)
    noise = rng.normal(size=EXAMPLES)
    return {"inputs": inputs, "label": (inputs.sum(1) + noise > 0).astype(np.int64)}


def trained(arrays, tmp_path, **settings):
    params = TrainParams(**{"batch_size": 32, "max_epochs": 3, "min_steps": 0, **settings})
    seed(params)
    learner = Classifier(nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 2)), params)
    rows = np.arange(EXAMPLES)
    told = []
    folder = tmp_path / "c"
    training = fit(learner, arrays, rows[:300], rows[300:], params, folder, told.append, 10**9)
    assert told == training.history
    assert not folder.exists(), "checkpoints are removed in the end"
    return training, learner.network


def losses(network, arrays):
    inputs, labels = (torch.from_numpy(arrays[name][300:]) for name in ("inputs", "label"))
    with torch.no_grad():
        return nn.functional.cross_entropy(network(inputs), labels).item()


@pytest.mark.parametrize("optimizer", ["adamw", "adam", "sgd"])
@pytest.mark.parametrize("schedule", ["one_cycle", "constant"])
def test_every_optimiser_and_schedule_learns(arrays, tmp_path, optimizer, schedule):
    rate = 0.1 if optimizer == "sgd" else 0.01
    training, network = trained(
        arrays, tmp_path, optimizer=optimizer, schedule=schedule, learning_rate=rate, max_epochs=5
    )
    assert training.steps == 5 * (300 // 32)
    assert training.history[-1]["val/accuracy"] > 0.7
    assert losses(network, arrays) == pytest.approx(training.history[-1]["val/loss"], rel=1e-4)


def test_the_same_seed_gives_the_same_weights_and_another_does_not(arrays, tmp_path):
    one, two, other = (trained(arrays, tmp_path, seed=s)[1].state_dict() for s in (1, 1, 2))
    assert all((one[name] == two[name]).all() for name in one)
    assert any((one[name] != other[name]).any() for name in one)


def test_training_stops_early_when_validation_stops_improving(arrays, tmp_path):
    training, _ = trained(
        arrays, tmp_path, patience=2, max_epochs=60, learning_rate=0.05, schedule="constant"
    )
    assert training.epochs < 60
    losses = [epoch["val/loss"] for epoch in training.history]
    assert np.argmin(losses) == len(losses) - 3


def test_the_best_or_the_last_weights_are_kept(arrays, tmp_path):
    settings = {"max_epochs": 40, "learning_rate": 0.05, "schedule": "constant"}
    training, best = trained(arrays, tmp_path, keep="best", **settings)
    curve = [epoch["val/loss"] for epoch in training.history]
    assert min(curve) < curve[-1], "the toy problem must overfit, or this shows nothing"
    assert losses(best, arrays) == pytest.approx(min(curve), rel=1e-4)
    _, last = trained(arrays, tmp_path, keep="last", **settings)
    assert losses(last, arrays) == pytest.approx(curve[-1], rel=1e-4)


def test_gradients_are_clipped_and_precision_is_lowered_when_asked(arrays, tmp_path):
    plain, clipped, low = (
        trained(arrays, tmp_path, **settings)[1].state_dict()
        for settings in ({}, {"gradient_clip": 1e-3}, {"precision": "bf16-mixed"})
    )
    assert any((plain[name] != clipped[name]).any() for name in plain)
    assert any((plain[name] != low[name]).any() for name in plain)


def test_label_smoothing_and_weight_decay_change_what_is_learned(arrays, tmp_path):
    plain, smooth, decayed = (
        trained(arrays, tmp_path, max_epochs=20, **settings)[1]
        for settings in (
            {"weight_decay": 0.0},
            {"weight_decay": 0.0, "label_smoothing": 0.5},
            {"weight_decay": 5.0},
        )
    )
    inputs = torch.from_numpy(arrays["inputs"])
    with torch.no_grad():
        confident = [net(inputs).softmax(1).max(1).values.mean() for net in (plain, smooth)]
    assert confident[1] < confident[0]
    assert decayed[0].weight.norm() < plain[0].weight.norm()


def test_an_accelerator_that_is_not_there_is_refused():
    assert choose_device("cpu").type == "cpu"
    if not torch.cuda.is_available():
        with pytest.raises(PenstockError, match="finds none on this machine"):
            choose_device("gpu")
