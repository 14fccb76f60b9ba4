"""Finding a class: areas, thresholds and intervals, against scikit-learn and known truths."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from penstock.evaluation.grouped import (
    accuracy_by_group,
    accuracy_interval,
    group_intervals,
    share_without_exception,
)
from penstock.pipelines.pathology.detection import (
    areas,
    choose_threshold,
    evaluate_detection,
    highest_threshold,
)


def scored(seed=0, examples=300):
    rng = np.random.default_rng(seed)
    positive = rng.uniform(size=examples) < 0.3
    scores = (0.3 * positive + rng.uniform(size=examples)).round(2)  # with ties
    return scores.astype(np.float32), positive, rng.integers(0, 3, examples).astype(float)


def test_weights_count_examples_as_often():
    scores, positive, weights = scored()
    times = weights.astype(int)
    repeated = areas(np.repeat(scores, times), np.repeat(positive, times), np.ones(times.sum()))
    assert areas(scores, positive, weights) == pytest.approx(repeated)


def test_areas_of_one_side_only_are_undefined():
    scores, positive = np.array([0.1, 0.9]), np.array([True, False])
    assert np.isnan(areas(scores, positive, np.array([1.0, 0.0]))).all()


@given(
    st.lists(st.tuples(st.integers(0, 20), st.booleans()), min_size=1, max_size=60),
    st.floats(0.01, 1),
)
def test_the_threshold_is_the_highest_that_finds_enough(examples, required):
    scores = np.array([score for score, _ in examples]) / 20
    positive = np.array([truth for _, truth in examples])
    threshold = highest_threshold(scores, positive, np.ones(len(scores)), required)
    if not positive.any():
        assert np.isnan(threshold)
        return
    assert (scores[positive] >= threshold).mean() >= required
    assert (scores[positive] >= np.nextafter(threshold, 2)).mean() < required


@pytest.mark.parametrize(
    ("each", "told"), [(9, "not chosen: 9 positive"), (49, "uncertain"), (60, "chosen on 60")]
)
def test_a_threshold_says_whether_it_was_chosen_on_enough(each, told):
    rng = np.random.default_rng(0)
    positive = np.repeat([True, False], each)
    scores = np.where(positive, 0.7, 0.3) + rng.normal(0, 0.1, 2 * each)
    found = choose_threshold(scores, positive, np.arange(2 * each), 0.95, 200)
    assert told in found.note
    assert ("uncertain" in found.note) == (each == 49)
    if each == 9:
        assert found.value == 0.5
        assert np.isnan(found.low)
    else:
        assert found.low <= found.value <= found.high
        assert found.low < found.high


def test_intervals_are_wider_when_examples_are_copies():
    rng = np.random.default_rng(3)
    once = (rng.uniform(size=60) < 0.8).astype(float)
    values, groups = np.repeat(once, 10), np.repeat(np.arange(60), 10)

    def mean(weights):
        return {"mean": float(weights @ values / weights.sum())}

    low, high = group_intervals(mean, groups, 500)["mean"]
    naive_low, naive_high = group_intervals(mean, np.arange(len(values)), 500)["mean"]
    assert high - low > 2.5 * (naive_high - naive_low)
    assert low < once.mean() < high
    assert group_intervals(mean, groups, 500)["mean"] == (low, high)


def test_an_accuracys_interval_is_that_of_its_groups():
    rng = np.random.default_rng(4)
    groups = rng.integers(0, 30, 400)
    correct = (rng.uniform(size=30) < 0.7)[groups]
    low, high = accuracy_interval(correct, groups, 500)
    plain = group_intervals(lambda w: {"a": float(w @ correct / w.sum())}, groups, 500)["a"]
    assert (low, high) == pytest.approx(plain)
    assert accuracy_interval(np.ones(9), np.arange(9), 100) == share_without_exception(
        1.0, np.arange(9)
    )
    assert np.isnan(accuracy_interval(np.array([1, 0]), np.zeros(2), 100)).all()


def test_groups_are_counted():
    scores = pd.DataFrame({"group": ["a", "b", "a", "b"], "correct": [1, 0, 0, 0]})
    assert accuracy_by_group(scores).to_numpy().tolist() == [["a", 2, 1, 0.5], ["b", 2, 2, 0.0]]


def test_one_group_tells_nothing_of_others_and_no_mistake_is_no_certainty():
    interval = group_intervals(lambda w: {"sum": float(w.sum())}, np.zeros(9), 100)["sum"]
    assert np.isnan(interval).all()
    low, high = share_without_exception(1.0, np.repeat(np.arange(10), 5))
    assert 0.6 < low < 0.8
    assert high == pytest.approx(1)


def test_metrics_count_by_hand_and_leave_out_what_is_undefined():
    given = np.array([0.9, 0.6, 0.4, 0.7, 0.2, 0.1])
    probabilities = np.stack([1 - given, given], 1)
    labels, groups = np.array([1, 1, 1, 0, 0, 0]), np.arange(6)
    metrics = evaluate_detection(probabilities, labels, groups, 1, 0.4, 200)
    assert metrics["test/sensitivity"] == 1
    assert metrics["test/specificity"] == pytest.approx(2 / 3)
    assert metrics["test/accuracy"] == pytest.approx(4 / 6)
    assert metrics["test/roc_auc"] == pytest.approx(7 / 9)
    for name in ("accuracy", "roc_auc", "pr_auc", "sensitivity", "specificity"):
        low, high = metrics[f"test/{name}_low"], metrics[f"test/{name}_high"]
        assert low <= metrics[f"test/{name}"] <= high + 1e-9
        assert low < high
    alone = evaluate_detection(probabilities[:3], labels[:3], groups[:3], 1, 0.4, 200)
    assert set(alone) == {
        f"test/{name}{end}" for name in ("accuracy", "sensitivity") for end in ("", "_low", "_high")
    }, "nothing is negative"


def test_of_many_classes_the_roc_auc_is_the_mean_of_each_against_the_rest():
    rng = np.random.default_rng(5)
    labels = rng.integers(0, 3, 200)
    logits = rng.normal(size=(200, 3)) + np.eye(3)[labels]
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    metrics = evaluate_detection(probabilities, labels, np.arange(200), 2, 0.5, 100)
    expected = roc_auc_score(labels, probabilities, multi_class="ovr", average="macro")
    assert metrics["test/roc_auc"] == pytest.approx(expected)
