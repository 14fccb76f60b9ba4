"""Learning to act: algorithms of textbooks, side by side, taken up again; what they reach."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from penstock.datasets.dataset import Dataset
from penstock.evaluation.comparison import compare
from penstock.learning import checkpoints
from penstock.learning.training import seed as fix_seed
from penstock.messages.errors import PenstockError
from penstock.pipelines.control import exact, predict
from penstock.pipelines.control.evaluate import evaluate
from penstock.pipelines.control.learner import Chance
from penstock.pipelines.control.network import POINTS, network
from penstock.pipelines.control.params import DeepQ, Table
from penstock.pipelines.control.tables import Tables, read_tables
from penstock.pipelines.control.train import learner, source
from penstock.settings.explanation import default_params
from penstock.settings.file import parse_section
from penstock.stages.train import train_network
from test_control_data import KNOWN, LAKE, read

TABLES = ("q_learning", "sarsa", "expected_sarsa", "double_q")
SHORT = {"max_epochs": 2, "epoch_steps": 60, "batch_size": 25, "environments": 8, "threads": 1}


def params(model=None, **train):
    whole = default_params("control")
    changed = {**SHORT, **train}
    if model is not None and model.kind == "dqn":
        changed = {"learning_rate": (0.003, 0.001), "memory": 1000, **changed}
    return whole.model_copy(
        update={
            "model": model or Table(runs=2),
            "train": whole.train.model_copy(update=changed),
        }
    )


def trained(dataset, folder, settings):
    return train_network("control", settings, dataset, folder / "checkpoints")[0]


@pytest.fixture(scope="module")
def lake(tmp_path_factory) -> Dataset:
    return read(tmp_path_factory.mktemp("lake"), LAKE)


@pytest.fixture(scope="module")
def cliff(tmp_path_factory) -> Dataset:
    return read(tmp_path_factory.mktemp("cliff"), KNOWN["cliff"][0])


def of(dataset) -> Tables:
    return read_tables(dataset)


class Textbook:
    """One environment, one step after another (Sutton and Barto 2018, sections 6.4 to 6.7)."""

    def __init__(self, tables, kind, starts, settings, periods):
        self.tables, self.kind, self.starts = tables, kind, starts
        self.alpha, self.gamma, self.epsilon = settings
        self.periods = periods
        self.length = -(-tables.limit // periods)
        self.actions = tables.reward.shape[1]
        shape = 2 if kind == "double_q" else 1, periods, tables.states, self.actions
        self.values = np.zeros(shape)
        self.state, self.elapsed, self.action = starts[0], 0, None

    def choose(self, values, chance):
        """As the lanes do: at random, or the first of equally good ones, by the tie's order."""
        if chance.explore < self.epsilon:
            return int(chance.explore * self.actions / self.epsilon)
        first = int(chance.tie * self.actions)
        order = [(first + it) % self.actions for it in range(self.actions)]
        return max(order, key=lambda it: (values[it] > values.max() - 1e-12, -order.index(it)))

    def at(self, elapsed):
        return min(elapsed // self.length, self.periods - 1)

    def step(self, chance):
        tables, period = self.tables, self.at(self.elapsed)
        wanted = self.values[:, period, self.state].sum(0)
        action = self.action if self.kind == "sarsa" else self.choose(wanted, chance)
        shares = np.cumsum(tables.probability[self.state, action])
        outcome = int((shares > chance.outcome).argmax())
        place = self.state, action, outcome
        state, reward = int(tables.next_state[place]), tables.reward[place]
        ended, cut = bool(tables.ended[place]), self.elapsed + 1 >= tables.limit
        after = self.at(self.elapsed + 1)
        there = self.values[:, after, state]
        learns = 0 if chance.coin < 0.5 or self.kind != "double_q" else 1
        following = self.choose(there[0], chance) if self.kind == "sarsa" else None
        future = {
            "q_learning": lambda: there[0].max(),
            "sarsa": lambda: there[0][following],
            "expected_sarsa": lambda: (
                (1 - self.epsilon) * there[0].max() + self.epsilon * there[0].mean()
            ),
            "double_q": lambda: there[1 - learns][there[learns].argmax()],
        }[self.kind]()
        if ended or (cut and self.periods > 1):
            future = 0.0
        again = self.starts[int(chance.start * len(self.starts))]
        begun = self.choose(self.values[0, 0, again], chance) if self.kind == "sarsa" else None
        value = self.values[learns, period, self.state, action]
        self.values[learns, period, self.state, action] += self.alpha * (
            reward + self.gamma * future - value
        )
        over = ended or cut
        self.state, self.elapsed = (again, 0) if over else (state, self.elapsed + 1)
        self.action = begun if over else following


@pytest.mark.parametrize("periods", [1, 3])
@pytest.mark.parametrize("kind", TABLES)
def test_one_environment_is_the_algorithm_of_the_textbook(kind, periods, tmp_path):
    dataset = read(tmp_path, "id: CliffWalking-v1\nmax_episode_steps: 30\n")
    rates = (0.5, 0.9, 0.2)
    settings = params(
        Table(kind=kind, runs=1, periods=periods),
        environments=1,
        learning_rate=(rates[0], rates[0]),
        discount=rates[1],
        epsilon=(rates[2], rates[2]),
    )
    fix_seed(settings.train)
    ours = learner(network(settings.model, dataset.info), settings, dataset)
    tables = of(dataset)
    starts = dataset.examples("train")["state"].tolist()
    theirs = Textbook(tables, kind, starts, rates, periods)
    theirs.action = int(ours.action[0]) if kind == "sarsa" else None
    draws = np.random.default_rng(3).random((2000, len(Chance._fields), 1), np.float32)
    sums = torch.zeros(3, dtype=torch.float64)
    for numbers in torch.from_numpy(draws):
        ours.learn(Chance(*numbers), 0.0, sums)
        theirs.step(Chance(*numbers[:, 0].tolist()))
    shape = ours.network.copies, periods, tables.states, theirs.actions
    found = ours.network.table[0].reshape(shape).numpy()
    assert found == pytest.approx(theirs.values, abs=1e-9)
    assert (theirs.values != 0).sum() > 50
    assert (ours.state.item(), ours.elapsed.item()) == (theirs.state, theirs.elapsed)


def test_what_several_lanes_find_of_one_value_is_averaged(lake):
    settings = params(
        Table(runs=1, periods=1), environments=3, learning_rate=(0.5, 0.5), discount=0.9
    )
    ours = learner(network(settings.model, lake.info), settings, lake)
    ours.state = torch.tensor([14, 14, 9])
    with torch.no_grad():
        ours.network.table[0, 0, 14] = torch.tensor([0.0, 0.0, 0.3, 0.0])
        ours.network.table[0, 0, 9] = torch.tensor([0.0, 0.5, 0.0, 0.0])
    chance = torch.tensor([[0.99], [0.0], [0.5], [0.0], [0.0]]).repeat(1, 3)
    chance[2] = torch.tensor([0.5, 0.1, 0.5])  # to the goal; down, where it stays; on to 13
    ours.learn(Chance(*chance), 0.0, torch.zeros(3, dtype=torch.float64))
    table = ours.network.table[0, 0].numpy()
    # 1 from the goal, and 0.9 * 0.3 from where the third outcome leads, on average.
    assert table[14, 2] == pytest.approx(0.3 + 0.5 * ((1 - 0.3) + (0.9 * 0.3 - 0.3)) / 2)
    assert table[9, 1] == pytest.approx(0.5 + 0.5 * (0.0 - 0.5))


def test_a_cut_is_an_end_only_for_who_knows_the_time(tmp_path):
    dataset = read(tmp_path, "id: CliffWalking-v1\nmax_episode_steps: 1\n")
    found = {}
    for periods in (1, 2):
        settings = params(Table(runs=1, periods=periods), discount=0.9)
        ours = learner(network(settings.model, dataset.info), settings, dataset)
        assert ours.network.periods == 1, "an episode of one step has one part"
        ours.network.periods = periods
        move = ours.move(torch.zeros(8, dtype=torch.int64), _same(8), torch.zeros(3))
        assert move.over.all()
        found[periods] = move.final.all().item()
    assert found == {1: False, 2: True}


def _same(lanes):
    return Chance(*torch.full((len(Chance._fields), lanes), 0.5))


@pytest.mark.parametrize("model", [*(Table(kind=it, runs=2) for it in TABLES), DeepQ(runs=2)])
def test_a_training_broken_off_goes_on_to_the_same_bits(model, lake, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(checkpoints, "EVERY", 0)
    settings = params(model, max_epochs=4)

    def train(folder, stop=None):
        def tell(epoch, _):
            if epoch["epoch"] == stop:
                raise KeyboardInterrupt

        return train_network("control", settings, lake, tmp_path / folder, tell)[0]

    whole = train("a").state_dict()
    with pytest.raises(KeyboardInterrupt):
        train("b", stop=3)
    same = train("b").state_dict()
    assert "goes on after epoch 2/4" in capsys.readouterr().out
    assert all(torch.equal(whole[name], same[name]) for name in whole)
    assert whole["points"] == 4


@pytest.mark.parametrize("model", [Table(runs=2), DeepQ(runs=2)])
def test_threads_and_repeats_change_no_bit_and_seeds_do(model, lake, tmp_path):
    found = {}
    few = {"max_epochs": 1, "epoch_steps": 30}
    for name, more in {"a": {}, "b": {}, "two": {"threads": 2}, "seed": {"seed": 1}}.items():
        more |= few
        found[name] = trained(lake, tmp_path / name, params(model, **more)).values()
    torch.set_num_threads(1)
    assert (found["a"] == found["b"]).all()
    assert (found["a"] == found["two"]).all()
    assert (found["a"] != found["seed"]).any()
    assert (found["a"][0] != found["a"][1]).any(), "each run has chance of its own"


def test_a_run_learns_the_same_whatever_learns_beside_it(lake, tmp_path):
    """The lanes of other runs share nothing with those of a run but the clock."""
    settings = params(Table(runs=3, periods=2))
    (tmp_path / "x").mkdir()
    several = trained(lake, tmp_path / "x", settings)
    fix_seed(settings.train)
    ours = learner(network(settings.model, lake.info), settings, lake)
    drawn = source(lake, ("train",), settings).make(5)["chance"]
    alone = learner(
        network(Table(runs=1, periods=2), lake.info), params(Table(runs=1, periods=2)), lake
    )
    sums = torch.zeros(3, dtype=torch.float64)
    ours.state = alone.state.repeat(3)
    for numbers in torch.from_numpy(drawn):
        ours.learn(Chance(*numbers), 0.5, sums)
        alone.learn(Chance(*numbers[:, 8:16]), 0.5, sums)
    assert torch.equal(ours.network.table[1], alone.network.table[0])
    assert several.runs == 3


def test_frozen_lake_is_learned(lake, tmp_path):
    settings = params(
        Table(), environments=512, epoch_steps=200, max_epochs=12, learning_rate=(0.5, 0.01)
    )
    actor = trained(lake, tmp_path, settings)
    metrics = evaluate(actor, lake, settings).metrics
    assert metrics["test/best_return"] == pytest.approx(0.7442, abs=5e-5)
    assert metrics["test/best_timeless_return"] == pytest.approx(0.7402, abs=5e-5)
    assert metrics["test/expected_return"] > 0.7
    assert metrics["test/regret"] == pytest.approx(
        metrics["test/best_return"] - metrics["test/expected_return"]
    )
    assert metrics["test/random_return"] == pytest.approx(0.0139, abs=5e-4)


def test_sarsa_takes_the_safe_path_and_q_learning_the_short_one(cliff, tmp_path):
    found = {}
    for kind in ("q_learning", "sarsa", "expected_sarsa"):
        settings = params(
            Table(kind=kind, runs=3, periods=1),
            environments=32,
            epoch_steps=250,
            max_epochs=10,
            learning_rate=(0.5, 0.02),
            epsilon=(0.1, 0.1),
            discount=0.99,
        )
        actor = trained(cliff, tmp_path / kind, settings)
        found[kind] = evaluate(actor, cliff, settings).metrics
    assert found["q_learning"]["test/return"] == -13
    for kind in ("sarsa", "expected_sarsa"):
        assert found[kind]["test/return"] <= -15, "further from the edge"
        safe, bold = (found[it]["test/exploring_return"] for it in (kind, "q_learning"))
        assert safe > bold + 10, "who tries something at times must not walk at the edge"


def test_a_network_learns_too(cliff, tmp_path):
    settings = params(
        DeepQ(runs=2, periods=1, hidden=[32]),
        environments=16,
        epoch_steps=250,
        max_epochs=6,
        learning_rate=(0.003, 0.0005),
        target_rate=0.05,
        epsilon=(0.5, 0.1),
        discount=0.99,
        memory=20_000,
        keep="best",
    )
    actor = trained(cliff, tmp_path, settings)
    assert evaluate(actor, cliff, settings).metrics["test/return"] == -13


def test_the_run_that_does_best_on_validation_acts(lake, tmp_path):
    actor = trained(lake, tmp_path, params(Table(runs=4), max_epochs=3))
    last = actor.curve[int(actor.points) - 1]
    assert last[int(actor.kept)] == last.max()
    assert actor.curve_steps[:3].tolist() == [60 * 8, 2 * 60 * 8, 3 * 60 * 8]


def test_a_long_training_keeps_points_at_even_distances(lake, tmp_path):
    settings = params(Table(runs=1), max_epochs=3 * POINTS, epoch_steps=1, batch_size=1)
    actor = trained(lake, tmp_path, settings)
    assert int(actor.points) == POINTS
    assert set(np.diff(actor.curve_steps.numpy())) == {3 * 8}


def test_a_table_measures_nothing_that_stops_it(lake, tmp_path):
    with pytest.raises(PenstockError, match="keep: last and patience: null"):
        trained(lake, tmp_path, params(Table(runs=1), keep="best"))


def test_the_rate_of_a_table_is_refused_for_a_network():
    section = default_params("control").model_dump(mode="json")
    section["model"] = DeepQ().model_dump(mode="json")
    with pytest.raises(PenstockError, match=r"learning_rate: 0\.5: for dqn it is Adam's"):
        parse_section("control", section, Path("params.yaml"))


SERVED = [
    ("4x4", Table(runs=2)),
    ("4x4", DeepQ(runs=2)),
    ("cliff", Table(kind="double_q", runs=1, periods=1)),
    ("taxi", Table(kind="sarsa", runs=1)),
]


@pytest.mark.parametrize(("name", "model"), SERVED)
def test_what_is_served_is_marked_as_what_was_measured(name, model, tmp_path):
    dataset = read(tmp_path, KNOWN[name][0])
    settings = params(model, max_epochs=1)
    actor = trained(dataset, tmp_path, settings).eval()
    measured = evaluate(actor, dataset, settings)
    exam = predict.exam(dataset, "test")
    interface = predict.interface(dataset.info, {"kind": model.kind})
    answers = predict.predict(actor, exam[list(interface.inputs)], dataset.info, interface.options)
    marked = predict.outcome(answers, exam)
    assert marked.equals(measured.scores)
    assert (answers["return"] == marked["return"]).all()
    value = interface.score.statistic(marked, np.ones(len(marked)))
    assert measured.metrics["test/return"] == pytest.approx(value)
    assert compare(measured.scores, marked, interface.score).mean == 0
    titles = [it.title for it in measured.exhibits]
    assert len(set(titles)) == len(titles)
    assert any(title.startswith("Values and policy") for title in titles)
    assert any(title.startswith("An episode that is") for title in titles)


def test_questions_are_answered_by_state_by_seed_or_with_what_is_wrong(lake, tmp_path):
    actor = trained(lake, tmp_path, params())
    asked = pd.DataFrame(
        {
            "map": [None, "4x4", "", "sea", None, None, None, None, None],
            "state": [3.0, None, 14.0, 0.0, 16.0, 2.5, None, 0.0, 3.0],
            "step": [None, 0.0, 99.0, None, None, None, 1.0, 100.0, 4.0],
            "seed": [None, 7.0, None, None, None, None, None, None, 1.0],
        }
    )
    found = predict.predict(actor, asked, lake.info, {"animation": True})
    assert found["error"].tolist() == [
        *[""] * 3,
        "map sea: not learned; there is: 4x4",
        "state 16: expected a whole number from 0 to 15",
        "state 2.5: expected a whole number from 0 to 15",
        "no state and no seed",
        "step 100: expected a whole number from 0 to 99",
        "step 4: an episode of a seed has no steps behind it; leave one out",
    ]
    values = actor.values()[int(actor.kept)]
    for row, (period, state) in enumerate([(0, 3), (0, 0), (4, 14)]):
        assert found["values"][row] == values[period, state].tolist()
        assert found["action"][row] == lake.info["actions"][values[period, state].argmax()]
        assert found["value"][row] == values[period, state].max()
    assert found["return"].isna().tolist() == [True, False, *[True] * 7]
    exam = predict.exam(lake, "test")
    measured = predict.outcome(
        predict.predict(actor, exam[list(predict.INPUTS)], lake.info, {"animation": False}), exam
    )
    assert found["return"][1] == measured["return"][7], "seed 7 is the eighth question"
    assert found["steps"][1] == len(found["actions"][1])
    assert [it[:4] if it else None for it in found["animation"][:3]] == [None, b"GIF8", None]


def test_of_several_maps_one_must_be_named(tmp_path):
    maps = {"lake": "SFF\nFHF\nFFG\n", "pond": "SFG\n"}
    dataset = read(tmp_path, LAKE, maps)
    actor = trained(dataset, tmp_path, params(Table(runs=1), environments=64, epoch_steps=250))
    asked = pd.DataFrame({"map": [None, "pond", "lake"], "state": [0.0, 1.0, 8.0]})
    found = predict.predict(actor, asked, dataset.info, {"animation": False})
    assert found["error"].tolist() == ["no map; there is: lake, pond", "", ""]
    assert found["action"][1] == "right"
    measured = evaluate(actor, dataset, params(Table(runs=1)))
    (table,) = [it.rows for it in measured.exhibits if it.title == "Maps"]
    assert table["map"].tolist() == ["lake", "pond"]
    assert table["episodes"].tolist() == [40, 40]
    mean = measured.scores.groupby("map")["return"].mean()
    assert table["return"].tolist() == pytest.approx([mean["lake"], mean["pond"]])
    assert measured.metrics["test/best_return"] == pytest.approx(table["best return"].mean())


def test_a_champion_is_asked_about_the_world_as_it_is_now(lake, tmp_path):
    """Its policy is that of the map it knows; it is marked in the one there is."""
    actor = trained(lake, tmp_path, params(Table(), environments=256, epoch_steps=400))
    firm = read(tmp_path, LAKE + "arguments: {is_slippery: false}\n")
    exam = predict.exam(firm, "test")
    answers = predict.predict(actor, exam[list(predict.INPUTS)], lake.info, {"animation": False})
    marked = predict.outcome(answers, exam)
    kept = actor.values()[int(actor.kept)].argmax(2)
    expected = exact.policy_returns(of(firm), kept)[0]
    assert (marked["return"] == expected).all(), "without chance each episode is the same"
    (tmp_path / "other").mkdir()
    wider = read(tmp_path / "other", LAKE, {"4x4": "SFFFF\nFFFFG\n"})
    exam = predict.exam(wider, "test")
    answers = predict.predict(actor, exam[list(predict.INPUTS)], lake.info, {"animation": False})
    assert set(answers["error"]) == {
        "map 4x4: 10 states and 4 actions; 16 and 4 when it was learned"
    }
    assert (predict.outcome(answers, exam)["return"] == 0).all()


def test_what_is_not_answered_counts_as_the_worst_there_is(cliff):
    exam = predict.exam(cliff, "test").head(4)
    up, right, down = 0.0, 1.0, 2.0
    short = [up, *[right] * 11, down]
    given = pd.DataFrame({"actions": [short, short[:5], None, [9.0, *short]]})
    marked = predict.outcome(given, exam)
    assert marked["return"].tolist() == [-13, -5 - 195 * 100, -200 * 100, -200 * 100]
    assert marked["won"].tolist() == [1, 0, 0, 0]
    assert marked["steps"].tolist() == [13, 5, 0, 0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("row,column\n1,2\n", "no column state or seed; found row, column"),
        ("", "not a table"),
        ("a,b\n1,2,3\n4\n5,6,7,8\n", "not a table"),
    ],
)
def test_questions_that_are_no_table_are_refused(content, message, tmp_path):
    (tmp_path / "asked.csv").write_text(content)
    with pytest.raises(PenstockError, match=message):
        predict.read_input(tmp_path / "asked.csv", {})


def test_questions_are_read_as_far_as_they_can_be(tmp_path):
    (tmp_path / "asked.csv").write_text("seed,note\n 3 ,x\nmany,y\n,z\n")
    rows = predict.read_input(tmp_path / "asked.csv", {})
    assert rows["seed"].tolist()[0] == 3
    assert rows["error"].tolist() == ["", "seed many: expected a whole number", ""]
    assert rows["note"].tolist() == ["x", "y", "z"]
    assert rows["state"].isna().all()
