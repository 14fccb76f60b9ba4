"""Training by Lightning on a toy problem: what each setting does."""

import numpy as np
import pytest
import torch
from torch import nn

from penstock.datasets.dataset import Dataset
from penstock.learning import checkpoints
from penstock.learning.checkpoints import unfinished
from penstock.learning.classifier import Classifier
from penstock.learning.device import choose_device
from penstock.learning.learner import Learner
from penstock.learning.sources import Rows
from penstock.learning.training import fit, seed
from penstock.messages.errors import PenstockError
from penstock.project.workspace import Workspace
from penstock.settings.sections import ClassifierParams
from penstock.stages.train import train_network

EXAMPLES = 400


@pytest.fixture(scope="module")
def arrays():
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(EXAMPLES, 8)).astype(np.float32)
    noise = rng.normal(size=EXAMPLES)
    return {"inputs": inputs, "label": (inputs.sum(1) + noise > 0).astype(np.int64)}


def trained(arrays, tmp_path, tell=lambda *_: None, kind=Classifier, held_out=True, **settings):
    params = ClassifierParams(**{"batch_size": 32, "max_epochs": 3, "min_steps": 0, **settings})
    seed(params)
    network = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Dropout(0.1), nn.Linear(32, 2))
    rows = np.arange(EXAMPLES)
    sources = Rows(arrays, rows[:300]), Rows(arrays, rows[300:])
    with unfinished(tmp_path / "c", f"seed-{params.seed}") as folder:
        validation = sources[1] if held_out else None
        learner = kind(network, params)
        training = fit(learner, sources[0], validation, params, folder, tell, 10**9)
    assert not (tmp_path / "c").exists(), "checkpoints are removed in the end"
    return training, network.eval()


def losses(network, arrays):
    inputs, labels = (torch.from_numpy(arrays[name][300:]) for name in ("inputs", "label"))
    with torch.no_grad():
        return nn.functional.cross_entropy(network(inputs), labels).item()


@pytest.mark.parametrize("optimizer", ["adamw", "adam", "sgd"])
@pytest.mark.parametrize("schedule", ["one_cycle", "constant"])
def test_every_optimiser_and_schedule_learns(arrays, tmp_path, optimizer, schedule):
    rate = 0.1 if optimizer == "sgd" else 0.01
    told = []
    settings = {"optimizer": optimizer, "schedule": schedule, "learning_rate": rate}
    training, network = trained(
        arrays, tmp_path, lambda epoch, _: told.append(epoch), max_epochs=5, **settings
    )
    assert told == training.history
    assert training.steps == 5 * (300 // 32)
    assert training.history[-1]["val/accuracy"] > 0.7
    assert losses(network, arrays) == pytest.approx(training.history[-1]["val/loss"], rel=1e-4)


@pytest.mark.parametrize(("epochs", "steps"), [(1, 9), (2, 10), (1, 10), (1, 1)])
def test_few_steps_have_a_schedule_too(arrays, tmp_path, epochs, steps):
    """PyTorch divides by zero when the rate rises over exactly one step."""
    settings = {"batch_size": 300 * epochs // steps, "max_epochs": epochs, "warmup": 0.1}
    training, network = trained(arrays, tmp_path, **settings)
    assert training.steps == steps
    assert np.isfinite(losses(network, arrays))


def test_the_same_seed_gives_the_same_weights_and_another_does_not(arrays, tmp_path):
    one, two, other = (trained(arrays, tmp_path, seed=s)[1].state_dict() for s in (1, 1, 2))
    assert all((one[name] == two[name]).all() for name in one)
    assert any((one[name] != other[name]).any() for name in one)


def interrupt_after(epochs):
    def tell(epoch, _):
        if epoch["epoch"] == epochs:
            raise KeyboardInterrupt

    return tell


@pytest.mark.parametrize(
    "settings",
    [
        {"schedule": "one_cycle"},
        {"optimizer": "sgd", "schedule": "constant"},
        {"keep": "best", "learning_rate": 0.05, "schedule": "constant"},
        {"patience": 3, "learning_rate": 0.05, "schedule": "constant", "max_epochs": 60},
        {"loading": "stream", "workers": 1},
    ],
    ids=str,
)
def test_a_training_broken_off_goes_on_to_the_same_bits(
    arrays, tmp_path, monkeypatch, capsys, settings
):
    monkeypatch.setattr(checkpoints, "EVERY", 0)
    settings = {"max_epochs": 8, **settings}
    whole, weights = trained(arrays, tmp_path, **settings)
    for epochs in (3, 5):
        with pytest.raises(KeyboardInterrupt):
            trained(arrays, tmp_path, interrupt_after(epochs), **settings)
    told = []
    resumed, same = trained(arrays, tmp_path, lambda epoch, _: told.append(epoch), **settings)
    assert "goes on after epoch 4/" in capsys.readouterr().out, "the last whole one"
    assert told == whole.history[4:]
    assert resumed.history == whole.history
    one, two = weights.state_dict(), same.state_dict()
    assert all(torch.equal(one[name], two[name]) for name in one)


@pytest.mark.pipeline
def test_the_stage_goes_on_with_the_same_dataset_and_settings_only(project, monkeypatch, capsys):
    monkeypatch.setattr(checkpoints, "EVERY", 0)
    project.set(train={"max_epochs": 4})
    workspace = Workspace.open("mnist", project.root)

    def train(tell=lambda *_: None, number=0):
        params = workspace.params.model_copy(
            update={"train": workspace.params.train.model_copy(update={"seed": number})}
        )
        dataset = Dataset(workspace.dataset)
        return train_network("mnist", params, dataset, workspace.checkpoints, tell)

    whole, _ = train()
    for number in (1, 0):  # what the first leaves is not for the second
        with pytest.raises(KeyboardInterrupt):
            train(interrupt_after(3), number)
    (left,) = workspace.checkpoints.iterdir()
    assert {file.name for file in left.iterdir()} == {"last.ckpt"}
    capsys.readouterr()
    same, _ = train()
    assert "goes on after epoch 2/4" in capsys.readouterr().out
    assert not workspace.checkpoints.exists()
    one, two = whole.state_dict(), same.state_dict()
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_what_has_other_settings_does_not_go_on(arrays, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(checkpoints, "EVERY", 0)
    with pytest.raises(KeyboardInterrupt):
        trained(arrays, tmp_path, interrupt_after(2))
    assert len(trained(arrays, tmp_path, seed=2)[0].history) == 3
    assert "goes on" not in capsys.readouterr().out


def test_without_a_checkpoint_nothing_is_left(arrays, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        trained(arrays, tmp_path, interrupt_after(2), keep="best")
    assert not (tmp_path / "c").exists()


def test_a_training_that_fails_leaves_no_checkpoint(arrays, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, "EVERY", 0)

    def fail(*_):
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        trained(arrays, tmp_path, fail)
    assert not (tmp_path / "c").exists()


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
    plain, clipped, low, both = (
        trained(arrays, tmp_path, **settings)[1].state_dict()
        for settings in (
            {},
            {"gradient_clip": 1e-3},
            {"precision": "bf16-mixed"},
            {"precision": "bf16-mixed", "gradient_clip": 1e-3},
        )
    )
    assert any((plain[name] != clipped[name]).any() for name in plain)
    assert any((plain[name] != low[name]).any() for name in plain)
    assert any((both[name] != low[name]).any() for name in plain), "fused, in mixed precision"


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


class Unwatched(Classifier):
    MONITOR = None


def test_a_training_without_validation_has_its_curves(arrays, tmp_path):
    training, _ = trained(arrays, tmp_path, kind=Unwatched, held_out=False)
    assert [epoch["epoch"] for epoch in training.history] == [1, 2, 3]
    first, *_, last = (epoch["train/loss"] for epoch in training.history)
    assert last < first
    assert not any(name.startswith("val/") for name in training.history[0])


@pytest.mark.parametrize("settings", [{"keep": "best"}, {"patience": 2}])
def test_where_nothing_is_measured_nothing_is_chosen_by_it(arrays, tmp_path, settings):
    with pytest.raises(PenstockError, match="nothing to choose by; set keep: last and patience"):
        trained(arrays, tmp_path, kind=Unwatched, **settings)


class Adversaries(Learner):
    """Two networks with an optimiser each; the second unlearns what the first does."""

    def __init__(self, network, params):
        super().__init__(network, params)
        self.other = nn.Linear(8, 2)
        self.automatic_optimization = False

    def configure_optimizers(self):
        return [torch.optim.SGD(it.parameters(), lr=0.1) for it in (self.network, self.other)]

    def training_step(self, batch, _):
        for optimizer, network, sign in zip(
            self.optimizers(), (self.network, self.other), (1, -1), strict=True
        ):
            loss = nn.functional.cross_entropy(network(batch["inputs"]), batch["label"])
            optimizer.zero_grad()
            self.manual_backward(sign * loss)
            optimizer.step()
        self.add(len(batch["label"]), loss.detach() * len(batch["label"]))

    def validation_step(self, batch, _):
        loss = nn.functional.cross_entropy(self.network(batch["inputs"]), batch["label"])
        self.add(len(batch["label"]), loss * len(batch["label"]))


def test_a_learner_may_have_two_networks_and_an_optimiser_for_each(arrays, tmp_path):
    training, _ = trained(arrays, tmp_path, kind=Adversaries, max_epochs=5, gradient_clip=1.0)
    assert training.history[-1]["val/loss"] < training.history[0]["val/loss"]
    assert training.history[-1]["train/loss"] > training.history[0]["train/loss"]
