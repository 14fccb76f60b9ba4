"""Numbers that people trust: against known values and known truths."""

import numpy as np
import pytest

from penstock.evaluation import metrics
from penstock.evaluation.comparison import paired_bootstrap
from penstock.evaluation.inference import log_losses


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


def test_paired_bootstrap_sees_a_small_but_steady_difference():
    rng = np.random.default_rng(1)
    champion = (rng.uniform(size=5000) < 0.9).astype(float)
    challenger = champion.copy()
    wrong = np.flatnonzero(champion == 0)[:50]
    challenger[wrong] = 1
    difference = paired_bootstrap(challenger, champion, 500)
    assert difference.mean == pytest.approx(0.01)
    assert 0 < difference.low < 0.01 < difference.high
    assert paired_bootstrap(champion, champion, 500) == (0, 0, 0)


def test_paired_bootstrap_covers_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(2)
    covered = 0
    for _ in range(100):
        champion, challenger = rng.uniform(size=(2, 200)) < 0.8
        difference = paired_bootstrap(challenger, champion, 200)
        covered += difference.low <= 0 <= difference.high
    assert 88 <= covered <= 100
