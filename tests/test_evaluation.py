"""Numbers that people trust: against known values and known truths."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from penstock.evaluation import comparison, metrics
from penstock.evaluation.classification import evaluate_classes
from penstock.evaluation.comparison import (
    compare,
    exam_digest,
    paired_difference,
    score_digest,
)
from penstock.evaluation.inference import log_losses
from penstock.pipeline import Mean, Score


def test_the_interval_of_a_proportion_is_wilsons():
    # Wilson's interval for 81 of 263, from Newcombe 1998, table I.
    assert metrics.proportion_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    low, high = metrics.proportion_interval(20, 20)
    assert 0.8 < low < high == pytest.approx(1.0)


def test_log_loss_is_the_negative_log_of_what_the_truth_was_given():
    given = np.array([[0.5, 0.5], [0.1, 0.9]], np.float32)
    assert log_losses(given, np.array([0, 1])) == pytest.approx([np.log(2), -np.log(0.9)])
    assert np.isfinite(log_losses(np.array([[0.0, 1.0]], np.float32), np.array([0]))).all()


def test_a_calibrated_model_has_no_calibration_error_and_a_boaster_has():
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.5, 1, 100_000)
    honest = (rng.uniform(size=100_000) < confidence).astype(float)
    assert metrics.calibration_error(metrics.reliability(confidence, honest)) < 0.01
    boaster = metrics.reliability(np.full(1000, 0.99), np.repeat([0.0, 1.0], 500))
    assert metrics.calibration_error(boaster) == pytest.approx(0.49, abs=1e-6)


def test_per_class_scores_count_by_hand():
    table = metrics.per_class(np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1]), ["a", "b", "c"])
    assert table["recall"].tolist() == [0.5, 1.0, 0.0]
    assert table["precision"].tolist() == pytest.approx([1.0, 2 / 3, 0.0])
    assert table["examples"].tolist() == [2, 2, 0]


def test_a_small_but_steady_difference_is_seen():
    rng = np.random.default_rng(1)
    champion = (rng.uniform(size=5000) < 0.9).astype(float)
    challenger = champion.copy()
    wrong = np.flatnonzero(champion == 0)[:50]
    challenger[wrong] = 1
    difference = paired_difference(challenger, champion, np.arange(5000))
    assert difference.mean == pytest.approx(0.01)
    assert 0 < difference.low < 0.01 < difference.high


def test_the_interval_of_examples_on_their_own_is_bonett_and_prices():
    """Adding a pair to each side (2012), but around the mean as it is, and with Student's t."""
    gained, lost, count = 12, 5, 400
    ours = np.repeat([1.0, -1.0, 0.0], [gained, lost, count - gained - lost])
    p, q = (gained + 1) / (count + 2), (lost + 1) / (count + 2)
    half = 1.966 * np.sqrt((p + q - (p - q) ** 2) / (count + 2))
    found = paired_difference(ours, np.zeros(count), np.arange(count))
    assert found.high - found.mean == pytest.approx(half, rel=0.01)


@pytest.mark.parametrize(("units", "size"), [(200, 1), (30, 7), (6, 20)])
def test_the_interval_covers_the_truth_at_least_as_often_as_it_says(units, size):
    rng = np.random.default_rng(2)
    covered = 0
    for _ in range(200):
        hard = np.repeat(rng.uniform(0, 0.6, (2, units)), size, axis=1)  # for each model
        ours, theirs = rng.uniform(size=hard.shape) > hard
        difference = paired_difference(ours, theirs * 1.0, np.repeat(np.arange(units), size))
        covered += difference.low <= 0 <= difference.high
    assert covered >= 187, "95 % of 200, and what chance may take of it"


@pytest.mark.parametrize(("units", "ruled_out"), [(6, False), (360, False), (1000, True)])
def test_models_that_differ_nowhere_are_equal_only_as_far_as_units_tell(units, ruled_out):
    same = np.ones(units * 20)
    difference = paired_difference(same, same, np.repeat(np.arange(units), 20))
    assert difference.mean == 0
    assert (difference.low >= -0.005) is ruled_out
    rule_of_three = 3 / units
    assert difference.high > 0.8 * rule_of_three


def test_a_few_examples_that_differ_among_many_give_no_false_certainty():
    """One gained of 400, none lost: as many as 1 in 100 might be lost among others."""
    ours, theirs = np.ones(400), np.ones(400)
    theirs[7] = 0
    assert paired_difference(ours, theirs, np.arange(400)).low < -0.005


def test_one_unit_or_a_score_that_is_nan_leaves_nothing_to_say():
    ours = np.ones(50)
    assert np.isnan(paired_difference(ours, ours, np.zeros(50)).low)
    assert "one unit" in str(paired_difference(ours, ours, np.zeros(50)))
    ours[3] = np.nan
    assert np.isnan(paired_difference(ours, np.ones(50), np.arange(50)).low)


def test_units_are_those_of_the_score_and_examples_are_matched_by_id():
    ours = pd.DataFrame({"id": list("abcd"), "user": [1, 1, 2, 2], "error": [1.0, 2.0, 3.0, 4.0]})
    theirs = ours.iloc[::-1].assign(error=lambda it: it["error"] + 1)
    score = Score("test/mse", Mean("error"), unit="user", higher_is_better=False)
    difference = compare(ours, theirs, score)
    assert difference.mean == 1
    assert difference.units == 2
    assert compare(ours, theirs, Score("test/mse", Mean("error"))).units == 4, "no groups"
    assert np.isnan(compare(ours, theirs[1:], score).low), "one has no score of theirs"


def rmse(scores, weights):
    return float(np.sqrt(weights @ np.square(scores["error"].to_numpy()) / weights.sum()))


ROOT = Score("test/rmse", rmse, unit="user", span=5.0, higher_is_better=False)


def errors(*values, per_user=5):
    users = np.repeat(np.arange(len(values) // per_user), per_user)
    return pd.DataFrame({"id": range(len(values)), "user": users, "error": values})


def test_a_score_may_be_any_statistic_of_units():
    rng = np.random.default_rng(0)
    theirs = errors(*rng.normal(0, 1, 2000))
    ours = theirs.assign(error=theirs["error"] * 0.9)
    found = compare(ours, theirs.sample(frac=1, random_state=0), ROOT)
    gain = rmse(theirs, np.ones(2000)) - rmse(ours, np.ones(2000))
    assert found.mean == pytest.approx(gain, rel=1e-3)
    assert 0 < found.low < gain < found.high
    assert found.units == 400
    worse = compare(theirs, ours, ROOT)
    assert (worse.low, worse.high) == pytest.approx((-found.high, -found.low))


def test_a_statistic_of_a_mean_agrees_with_the_mean():
    rng = np.random.default_rng(1)
    ours, theirs = (errors(*rng.normal(0, 1, 1000), per_user=2) for _ in range(2))
    mean = Score("test/error", Mean("error"), unit="user")
    same = replace(mean, statistic=lambda scores, weights: mean.statistic(scores, weights))
    exact, found = compare(ours, theirs, mean), compare(ours, theirs, same)
    assert found == pytest.approx(exact)


def test_more_units_than_can_be_left_out_one_by_one_are_dealt_into_blocks(monkeypatch):
    rng = np.random.default_rng(2)
    ours, theirs = (errors(*rng.normal(0, 1, 1200), per_user=2) for _ in range(2))
    exact = compare(ours, theirs, ROOT)
    monkeypatch.setattr(comparison, "BLOCKS", 60)
    found = compare(ours, theirs, ROOT)
    assert found.units == exact.units == 600
    assert found.mean == pytest.approx(exact.mean, abs=1e-3)
    assert found.high - found.low == pytest.approx(exact.high - exact.low, rel=0.5)


def test_a_few_units_that_differ_give_a_statistic_no_false_certainty():
    """One of 400 units is better by a little: others might be worse."""
    theirs = errors(*np.ones(400), per_user=1)
    ours = theirs.assign(error=np.where(theirs["id"] == 7, 0.0, 1.0))
    assert compare(ours, theirs, ROOT).low < 0


def test_no_statistic_gives_false_certainty():
    few = errors(*np.ones(20))
    mean = replace(ROOT, statistic=Mean("error"))
    assert compare(few, few, ROOT).low == compare(few, few, mean).low < -1
    one = few.assign(user=0)
    assert np.isnan(compare(one, one, ROOT).low)
    assert np.isnan(compare(few, few[1:], ROOT).low), "one has no score of theirs"


def test_a_loss_by_a_statistic_is_not_hidden_by_few_units():
    """20 units of 5 that share an error; a true loss of 0.1: at most 2.5 % may pass, and luck."""
    rng = np.random.default_rng(4)
    passed = 0
    for _ in range(100):
        theirs = errors(*(rng.normal(0, 1, 100)))
        factor = np.repeat(rng.normal(1.1, 0.2, 20), 5)
        ours = theirs.assign(error=theirs["error"] * factor)
        passed += compare(ours, theirs, ROOT).low >= 0
    assert passed <= 7


def test_what_a_score_means_is_its_description_and_its_code():
    digests = {
        score_digest(score, outcome)
        for score in (
            ROOT,
            replace(ROOT, span=4.0),
            replace(ROOT, statistic=Mean("error")),
            replace(ROOT, statistic=Mean("other")),
        )
        for outcome in (compare, evaluate_classes)
    }
    assert len(digests) == 8
    assert score_digest(ROOT, compare) == score_digest(replace(ROOT), compare)


def test_an_exam_is_its_questions_and_answers():
    exam = pd.DataFrame({"id": ["a", "b"], "image": [b"1", b"2"], "label": [0, 1]})
    digests = {
        exam_digest(it)
        for it in (
            exam,
            exam.assign(image=[b"1", b"3"]),
            exam.assign(label=[1, 1]),
            exam.rename(columns={"label": "group"}),
            exam[::-1],
        )
    }
    assert len(digests) == 5
    assert exam_digest(exam) == exam_digest(exam.copy())


def test_a_loss_is_not_hidden_by_groups_of_examples_that_are_alike():
    """6 groups of 20, a loss of 0.03 and a tolerance of 0.005: at most 2.5 % may pass."""
    rng = np.random.default_rng(3)
    passed = 0
    for _ in range(400):
        loss = np.repeat(rng.normal(0.03, 0.12, 6), 20)
        luck = rng.uniform(size=120)
        gained, lost = luck < 0.1 - loss / 2, luck > 0.9 - loss / 2
        found = paired_difference(gained * 1.0, lost * 1.0, np.repeat(np.arange(6), 20))
        passed += found.low >= -0.005
    assert passed <= 10
