"""Environments as tables: they do what gymnasium does. Maps and files that are not right."""

import json
import warnings

import gymnasium
import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.datasets.dataset import Dataset, DatasetWriter
from penstock.messages.errors import PenstockError
from penstock.pipelines.control import exact
from penstock.pipelines.control.environment import read_environment
from penstock.pipelines.control.episodes import draw_chance, draw_starts, follow, play
from penstock.pipelines.control.expectations import tables as tables_of
from penstock.pipelines.control.ingest import ingest
from penstock.pipelines.control.tables import Tables, join, places_of, read_tables
from penstock.pipelines.control.world import World
from penstock.settings.explanation import default_params

LAKE = "id: FrozenLake-v1\nmax_episode_steps: 100\n"
# What is told, and the best return by backward induction (Sutton and Barto 2018, chapter 4).
KNOWN = {
    "4x4": (LAKE, 0.7442),
    "4x4, 200 steps": ("id: FrozenLake-v1\nmax_episode_steps: 200\n", 0.8167),
    "8x8": ("id: FrozenLake8x8-v1\n", 0.9132),
    "not slippery": (LAKE + "arguments: {is_slippery: false}\n", 1.0),
    "seldom slippery": (
        LAKE + "arguments: {success_rate: 0.8, reward_schedule: [2, -1, 0]}\n",
        None,
    ),
    "cliff": ("id: CliffWalking-v1\nmax_episode_steps: 200\n", -13.0),
    "slippery cliff": ("id: CliffWalkingSlippery-v1\nmax_episode_steps: 200\n", None),
    "taxi": ("id: Taxi-v4\n", 7.93),
    "rain": ("id: Taxi-v4\narguments: {is_rainy: true}\n", None),
}


def read(folder, text, maps=None, **data):
    source = folder / "source"
    source.mkdir()
    (source / "environment.yaml").write_text(text)
    for name, content in (maps or {}).items():
        (source / f"{name}.txt").write_text(content)
    params = default_params("control")
    few = {"test_episodes": 40, "validation_episodes": 20, "train_episodes": 30, **data}
    params = params.model_copy(update={"data": params.data.model_copy(update=few)})
    with DatasetWriter(folder / "dataset") as writer:
        ingest(source, writer, params)
    return Dataset(folder / "dataset")


def all_tables(dataset) -> Tables:
    return read_tables(dataset)


def made(folder, dataset, text, maps=None):
    """The environment itself, as anybody would make it."""
    told = dict(dataset.info["arguments"])
    if maps:
        told |= {"desc": next(iter(maps.values())).split(), "map_name": None}
    limit = dataset.info["limit"]
    return gymnasium.make(dataset.info["environment"], max_episode_steps=limit, **told)


@pytest.mark.parametrize("name", KNOWN)
def test_the_tables_are_gymnasiums_transitions(name, tmp_path):
    dataset = read(tmp_path, KNOWN[name][0])
    tables, environment = all_tables(dataset), made(tmp_path, dataset, KNOWN[name][0])
    seen = 0
    for state, actions in environment.unwrapped.P.items():
        for action, outcomes in actions.items():
            there = tables.probability[state, action] > 0
            ours = list(
                zip(
                    tables.probability[state, action][there].tolist(),
                    tables.next_state[state, action][there].tolist(),
                    tables.reward[state, action][there].tolist(),
                    tables.ended[state, action][there].tolist(),
                    strict=True,
                )
            )
            assert ours == [tuple(it) for it in outcomes if it[0] > 0]
            seen += len(ours)
    assert seen == (tables.probability > 0).sum()
    assert tables.initial.tolist() == environment.unwrapped.initial_state_distrib.tolist()


@pytest.mark.parametrize("name", KNOWN)
def test_an_episode_is_gymnasiums_of_the_same_seed(name, tmp_path):
    dataset = read(tmp_path, KNOWN[name][0])
    tables, environment = all_tables(dataset), made(tmp_path, dataset, KNOWN[name][0])
    asked = dataset.examples("test")
    assert asked["seed"].tolist() == list(range(40))
    chance = draw_chance(asked["seed"].to_numpy(), tables.limit + 1)
    policy = np.random.default_rng(0).integers(0, tables.reward.shape[1], (1, 4, tables.states))
    length = exact.period_length(tables.limit, 4)
    by = follow(policy, length, np.zeros(40, int))
    played = play(World(tables), by, asked["state"].to_numpy(), chance[:, 1:])
    for row, seed in enumerate(asked["seed"]):
        state, _ = environment.reset(seed=int(seed))
        visited, total, step = [state], 0.0, 0
        ended = cut = False
        while not (ended or cut):
            action = policy[0, step // length, state]
            state, reward, ended, cut, _ = environment.step(action)
            visited.append(state)
            total, step = total + reward, step + 1
        assert played.states[row, : step + 1].tolist() == visited
        assert played.returns[row] == total
        assert played.steps[row] == step
        assert played.over[row]
        assert (played.actions[row, step:] == -1).all()


@pytest.mark.parametrize("name", [it for it in KNOWN if KNOWN[it][1] is not None])
def test_the_best_return_is_the_known_one(name, tmp_path):
    tables = all_tables(read(tmp_path, KNOWN[name][0]))
    assert tables.initial @ exact.best_returns(tables) == pytest.approx(KNOWN[name][1], abs=5e-5)


def test_lanes_that_learn_meet_the_outcomes_as_often_as_they_are_likely(tmp_path):
    tables = all_tables(read(tmp_path, KNOWN["seldom slippery"][0]))
    lanes = 100_000
    state, action = torch.full((lanes,), 14), torch.full((lanes,), 2)
    chance = torch.from_numpy(np.random.default_rng(0).random(lanes, np.float32))
    step = World(tables).step(state, action, chance)
    for probability, following in zip(
        tables.probability[14, 2], tables.next_state[14, 2], strict=True
    ):
        share = float((step.state == following).double().mean())
        deviation = (probability * (1 - probability) / lanes) ** 0.5
        assert share == pytest.approx(probability, abs=5 * deviation)
    assert step.reward[step.state == 15].unique().tolist() == [2.0]


@st.composite
def processes(draw):
    """Small decision processes, with actions that have few or many outcomes."""
    states, actions, outcomes = (draw(st.integers(1, most)) for most in (6, 3, 3))
    chance = np.random.default_rng(draw(st.integers(0, 10**6)))
    shape = states, actions, outcomes
    probability = chance.dirichlet(np.ones(outcomes), (states, actions))
    if outcomes > 1 and draw(st.booleans()):
        probability[0] = np.eye(outcomes)[chance.integers(0, outcomes, actions)]
    ended = chance.random(shape) < 0.2
    return Tables(
        chance.integers(0, states, shape).astype(np.int32),
        probability,
        chance.integers(-3, 4, shape).astype(np.float64),
        ended,
        ended & (chance.random(shape) < 0.5),
        chance.dirichlet(np.ones(states)),
        draw(st.integers(1, 12)),
    )


@settings(deadline=None)
@given(processes(), st.integers(0, 100), st.sampled_from([0.0, 0.3, 1.0]))
def test_no_policy_is_worth_more_than_the_best(tables, seed, epsilon):
    periods = 1 + seed % 4
    chance = np.random.default_rng(seed)
    policy = chance.integers(0, tables.reward.shape[1], (periods, tables.states))
    ours = exact.policy_returns(tables, policy, epsilon)
    assert (ours <= exact.best_returns(tables) + 1e-9).all()
    assert (tables.worst * tables.limit <= ours + 1e-9).all() or tables.worst > 0


@settings(deadline=None, max_examples=20)
@given(processes(), st.integers(0, 100))
def test_what_is_expected_of_a_policy_is_what_it_gets_on_average(tables, seed):
    periods, episodes = 1 + seed % 3, 3000
    policy = np.random.default_rng(seed).integers(
        0, tables.reward.shape[1], (1, periods, tables.states)
    )
    chance = np.random.default_rng(seed + 1).random((episodes, tables.limit + 1))
    starts = draw_starts(tables.initial, chance[:, 0])
    by = follow(policy, exact.period_length(tables.limit, periods), np.zeros(episodes, int))
    played = play(World(tables), by, starts, chance[:, 1:])
    for of, found in (
        (tables, played.returns),
        (tables.counting_wins(), played.won.astype(float)),
    ):
        expected = float(exact.policy_returns(of, policy[0])[starts].mean())
        error = found.std() / episodes**0.5
        assert found.mean() == pytest.approx(expected, abs=5 * error + 0.01)


@settings(deadline=None)
@given(st.lists(processes(), min_size=1, max_size=3))
def test_tables_are_packed_joined_and_parted_without_loss(parts):
    actions, outcomes = parts[0].reward.shape[1:]
    parts = [it for it in parts if it.reward.shape[1:] == (actions, outcomes)]
    whole = Tables.from_bytes(join(parts).to_bytes())
    first = 0
    for part in parts:
        again = whole.part(slice(first, first + part.states))
        first += part.states
        for name in ("next_state", "probability", "reward", "ended", "won", "initial"):
            assert (getattr(again, name) == getattr(part, name)).all()
    assert whole.limit == parts[0].limit


def test_value_iteration_agrees_with_backward_induction_where_time_is_plenty(tmp_path):
    tables = all_tables(read(tmp_path, KNOWN["taxi"][0]))
    swept = exact.value_iteration(tables, 1.0).round(9)
    returns = exact.policy_returns(tables, swept.argmax(1)[None])
    assert tables.initial @ returns == pytest.approx(7.93)


@pytest.mark.parametrize(
    "content", [b"", b"nothing", b"x\x9c\x03\x00\x00\x00\x00\x01", b"\x80\x04K\x01."]
)
def test_bytes_that_are_no_tables_are_refused(content):
    with pytest.raises(ValueError, match="no tables of an environment"):
        Tables.from_bytes(content)


def test_tables_that_lead_out_of_themselves_are_refused(tmp_path):
    tables = all_tables(read(tmp_path, LAKE))
    for changed in (
        {"next_state": tables.next_state + 1},
        {"next_state": tables.next_state - 1},
        {"next_state": tables.next_state[:, :2]},
        {"limit": 10**9},
    ):
        broken = Tables(**{**vars(tables), **changed})
        with pytest.raises(ValueError, match="no tables of an environment"):
            Tables.from_bytes(broken.to_bytes())


BAD_MAPS = {
    "ragged": ("SFF\nFFFF\nFFG\n", "map.txt: line 2 has 4 letters; expected 3, as in line 1"),
    "unknown letter": ("SFF\nFxF\nFFG\n", "map.txt: line 2, column 2: 'x'; expected S (start)"),
    "blank line": ("SFF\n\nFFG\n", "map.txt: line 2 has 0 letters; expected 3"),
    "no goal": ("SFF\nFFF\n", "map.txt: no goal; expected a letter G; add it"),
    "no start": ("FFF\nFFG\n", "map.txt: no start; expected a letter S; add it"),
    "empty": ("\n \n", "map.txt: empty; expected lines of S (start)"),
    "walled": (
        "SHF\nHHF\nFFG\n",
        "map.txt: no goal can be reached from the start in line 1, column 1; open a way to one",
    ),
    "one of two starts": (
        "SFG\nHHH\nFHS\n",
        "map.txt: no goal can be reached from the start in line 3, column 3",
    ),
    "vast": ("S" + "F" * 30_000 + "G", "map.txt: 30,002 bytes; expected a map of at most 10,000"),
    "wide": ("S" + "F" * 10_000 + "G", "maps of 10,004 places together; expected at most 10,000"),
    "control characters": ("S\x1b[31mG", "map.txt: line 1, column 2: '\\x1b'; expected"),
}


@pytest.mark.parametrize("name", BAD_MAPS)
def test_a_bad_map_is_refused_by_name(name, tmp_path):
    content, message = BAD_MAPS[name]
    slippery = LAKE + "arguments: {is_slippery: false}\n"
    with pytest.raises(PenstockError) as error:
        read(tmp_path, slippery, {"good": "SG\n", "map": content})
    assert message in str(error.value)
    assert "\n" not in str(error.value)


BAD_FILES = {
    "no YAML": ("id: [\n", "environment.yaml: not valid YAML"),
    "nested": ("[" * 50_000, "environment.yaml: not valid YAML: RecursionError"),
    "twice": (
        "id: Taxi-v4\nid: Taxi-v4\n",
        "environment.yaml: not valid YAML: found duplicate key",
    ),
    "no keys": ("FrozenLake-v1\n", "environment.yaml: expected id, max_episode_steps, arguments"),
    "no id": ("max_episode_steps: 10\n", "environment.yaml: id: field required"),
    "unknown key": (LAKE + "slippery: true\n", "environment.yaml: slippery: extra inputs are not"),
    "unknown": ("id: FrozenLak-v1\n", "id: FrozenLak-v1: no environment with finite states"),
    "a module": ("id: 'os:FrozenLake-v1'\n", "id: os:FrozenLake-v1: no environment"),
    "no tables": ("id: Blackjack-v1\n", "id: Blackjack-v1: no environment with finite states"),
    "no limit": ("id: CliffWalking-v1\n", "max_episode_steps: missing, and CliffWalking-v1 has no"),
    "limit 0": (
        "id: Taxi-v4\nmax_episode_steps: 0\n",
        "max_episode_steps: input should be greater",
    ),
    "unknown argument": (LAKE + "arguments: {slip: 1}\n", "FrozenLake-v1 does not take them"),
    "another map": (LAKE + "arguments: {map_name: 5x5}\n", "FrozenLake-v1 does not take them"),
    "a window": (LAKE + "arguments: {render_mode: human}\n", "arguments.render_mode: nobody"),
    "hidden": ("id: Taxi-v4\narguments: {fickle_passenger: true}\n", "depends on more than"),
    "no share": (LAKE + "arguments: {success_rate: 1.5}\n", "probabilities outside 0 to 1"),
    "no reward": (LAKE + "arguments: {reward_schedule: [1]}\n", "does not take them"),
    "infinite": (LAKE + "arguments: {reward_schedule: [.inf, 0, 0]}\n", "rewards that are not"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_environment_is_refused_by_name(name, tmp_path):
    text, message = BAD_FILES[name]
    with pytest.raises(PenstockError) as error:
        read(tmp_path, text)
    assert "environment.yaml: " in str(error.value)
    assert message in str(error.value)
    assert len(str(error.value).splitlines()) == 1


def test_a_source_without_an_environment_or_with_a_map_too_many_is_refused(tmp_path):
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "map.txt").write_text("SG")
    params = default_params("control")
    with (
        pytest.raises(PenstockError, match="not there; expected it to say which"),
        DatasetWriter(tmp_path / "dataset") as writer,
    ):
        ingest(tmp_path / "source", writer, params)
    for number, (text, message) in enumerate(
        (
            (KNOWN["taxi"][0], "map.txt: a map, but Taxi-v4 takes none; take it out"),
            (LAKE + "arguments: {map_name: 4x4}\n", "there are maps beside this file"),
        )
    ):
        (tmp_path / str(number)).mkdir()
        with pytest.raises(PenstockError, match=message):
            read(tmp_path / str(number), text, {"map": "SG\n"})


def test_several_maps_are_one_world_and_other_files_are_rejected(tmp_path):
    maps = {"pond": "SFG\n", "lake": "SFF\r\nFHF\r\nFFG\r\n"}
    source = tmp_path / "source"
    source.mkdir()
    (source / "notes.md").write_text("mine")
    (source / "old").mkdir()
    (source / "old" / "lake.txt").write_text("SG")
    source.rename(tmp_path / "kept")
    dataset = read(tmp_path, LAKE, maps)
    assert len(dataset.rejected) == 0
    assert dataset.info["maps"] == {
        "lake": {"lines": ["SFF", "FHF", "FFG"], "states": 9},
        "pond": {"lines": ["SFG"], "states": 3},
    }
    assert dataset.index.groupby(["map", "split"]).size().to_dict() == {
        (name, split): count
        for name in maps
        for split, count in (("test", 40), ("validation", 20), ("train", 30))
    }
    whole = all_tables(dataset)
    assert whole.initial.nonzero()[0].tolist() == [0, 9]
    pond = whole.part(places_of(dataset.info, "pond"))
    environment = made(tmp_path, dataset, LAKE, {"pond": "SFG"})
    assert pond.reward[1, 2].max() == 1
    assert [it[1] for it in environment.unwrapped.P[1][2]] == pond.next_state[1, 2].tolist()
    index = dataset.index
    assert (index["row"] == index["state"] + np.where(index["map"] == "pond", 9, 0)).all()
    for name in ("notes.md", "old"):
        (tmp_path / "kept" / name).rename(source / name)
    with DatasetWriter(tmp_path / "again") as writer:
        ingest(source, writer, default_params("control"))
    rejected = Dataset(tmp_path / "again").rejected
    assert rejected["id"].tolist() == ["notes.md", "old/lake.txt"]
    assert rejected["reason"][0].startswith("no map; expected environment.yaml")


def test_a_changed_map_makes_other_questions(tmp_path):
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
    first = read(tmp_path / "a", LAKE, {"map": "SFF\nFFG\n"})
    same = read(tmp_path / "b", LAKE, {"map": "SFF\nFFG\n"})
    other = read(tmp_path / "c", LAKE, {"map": "SFF\nFHG\n"})
    assert (first.index == same.index).all(axis=None)
    assert first.info["digest"] == same.info["digest"]
    assert not set(first.index["sha256"]) & set(other.index["sha256"])
    assert first.index["sha256"].is_unique


def test_a_goal_out_of_reach_within_the_limit_is_found_before_training(tmp_path):
    dataset = read(tmp_path, "id: FrozenLake-v1\nmax_episode_steps: 3\n")
    maps = tables_of(dataset)["maps"]
    assert maps["best_success"].tolist() == [0.0]
    (tmp_path / "b").mkdir()
    maps = tables_of(read(tmp_path / "b", LAKE))["maps"]
    assert maps["best_success"][0] == pytest.approx(0.7442, abs=5e-5)
    assert maps["random_success"][0] == pytest.approx(0.0139, abs=5e-4)


def test_the_start_of_taxis_is_drawn_as_gymnasium_does(tmp_path):
    dataset = read(tmp_path, KNOWN["taxi"][0], test_episodes=300)
    environment = gymnasium.make("Taxi-v4")
    asked = dataset.examples("test")
    found = [environment.reset(seed=seed)[0] for seed in range(300)]
    assert asked["state"].tolist() == found
    assert len(set(found)) > 100


def test_what_the_dataset_says_of_itself_is_plain(tmp_path):
    dataset = read(tmp_path, KNOWN["cliff"][0])
    info = json.loads((dataset.folder / "dataset.json").read_text())
    assert info["maps"]["cliff"]["lines"][3] == "SCCCCCCCCCCG"
    assert info["actions"] == ["up", "right", "down", "left"]
    assert info["span"] == pytest.approx(187), "from -13 to standing still for 200 steps"
    (dataset.folder.parent / "lake").mkdir()
    assert read(dataset.folder.parent / "lake", LAKE).info["span"] == 1


def test_an_environment_file_may_leave_the_limit_to_gymnasium(tmp_path):
    (tmp_path / "environment.yaml").write_text("id: FrozenLake8x8-v1\n")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_environment(tmp_path / "environment.yaml").limit == 200


def test_questions_of_a_split_are_seeds_of_their_own(tmp_path):
    index = read(tmp_path, LAKE).index
    seeds = index.groupby("split")["seed"].agg(["min", "max", "nunique"])
    assert seeds.loc["test"].tolist() == [0, 39, 40]
    assert seeds.loc["validation"].tolist() == [1_000_000, 1_000_019, 20]
    assert seeds.loc["train"].tolist() == [2_000_000, 2_000_029, 30]
    assert isinstance(index, pd.DataFrame)
