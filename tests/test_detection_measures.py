"""How detections are marked: as COCO's evaluation does, for images of any weights."""

from functools import partial

import numpy as np
import pandas as pd
import pytest
from faster_coco_eval import COCO, COCOeval_faster

from penstock.evaluation.comparison import compare
from penstock.messages.errors import PenstockError
from penstock.pipelines.detection import predict as served
from penstock.pipelines.detection.average_precision import (
    FALSE,
    IGNORED,
    THRESHOLDS,
    Truth,
    mark,
    match,
    scored_average_precision,
)
from penstock.pipelines.detection.coco_metrics import as_coco, measure_coco
from penstock.pipelines.detection.counting import count
from penstock.pipelines.detection.detections import MOST, Found
from penstock.pipelines.detection.mistakes import find_mistakes
from penstock.pipelines.detection.predict import (
    as_candidates,
    from_candidates,
    interface,
    mark_images,
    outcome,
)
from penstock.stages import proof

CLASSES = ["a", "b", "c"]
SIZE = (200, 150)


def truth_of(boxes, labels=None, crowd=None):
    boxes = np.array(boxes, np.float64).reshape(-1, 4)
    labels = np.zeros(len(boxes), np.int64) if labels is None else np.array(labels)
    return Truth(boxes, labels, np.zeros(len(boxes), bool) if crowd is None else np.array(crowd))


def found_of(boxes, confidence, labels=None):
    boxes = np.array(boxes, np.float64).reshape(-1, 4)
    labels = np.zeros(len(boxes), np.int64) if labels is None else np.array(labels)
    return Found(boxes, labels, np.array(confidence, np.float64))


def random_images(count, seed, ties=False, crowds=0.1):
    """Objects, and detections that are some of them moved, some anywhere, some twice."""
    chance = np.random.default_rng(seed)
    truths, found = [], []
    for _ in range(count):
        n = chance.integers(0, 9)
        corner = chance.uniform(0, [140, 90], (n, 2))
        boxes = np.hstack([corner, corner + chance.uniform(8, 60, (n, 2))])
        labels = chance.integers(0, len(CLASSES), n)
        truths.append(Truth(boxes, labels, chance.random(n) < crowds))
        repeated = np.repeat(np.arange(n), chance.integers(0, 4, n))
        moved = boxes[repeated] + chance.normal(0, 4, (len(repeated), 4))
        extra = chance.integers(0, 4)
        corner = chance.uniform(0, [140, 90], (extra, 2))
        moved = np.vstack([moved, np.hstack([corner, corner + chance.uniform(8, 60, (extra, 2))])])
        moved[:, 2:] = np.maximum(moved[:, 2:], moved[:, :2] + 1)
        wrong = chance.integers(0, len(CLASSES), len(repeated) + extra)
        said = np.where(
            chance.random(len(wrong)) < 0.2,
            wrong,
            np.append(labels[repeated], wrong[len(repeated) :]),
        )
        confidence = chance.random(len(said))
        if ties:
            confidence = confidence.round(1)
        order = np.argsort(-confidence, kind="stable")
        found.append(Found(moved[order], said[order], confidence[order]))
    return truths, found


def by_reference(truths, found, **settings):
    """What faster-coco-eval answers when it is asked by hand."""
    truth = COCO(as_coco(truths, [SIZE] * len(truths), CLASSES))
    answers = [
        {
            "image_id": number,
            "category_id": int(label) + 1,
            "bbox": [*box[:2], *(box[2:] - box[:2])],
            "score": float(score),
        }
        for number, it in enumerate(found, 1)
        for box, label, score in zip(it.boxes, it.labels, it.confidence, strict=True)
    ]
    measured = COCOeval_faster(truth, truth.loadRes(answers), "bbox")
    measured.params.maxDets = [1, 10, MOST]
    measured.run()
    return measured


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_average_precision_is_that_of_the_reference(seed, ties):
    truths, found = random_images(25, seed, ties)
    reference = by_reference(truths, found)
    marked = mark(truths, found, len(CLASSES))
    ours = marked.average_precision(np.ones(25))
    precision = reference.eval["precision"][..., 0, -1]  # thresholds, recalls, classes
    expected = np.where(precision < 0, np.nan, precision).mean(1)
    if ties:  # of equally sure detections of two images any may come first
        assert ours == pytest.approx(expected, abs=0.02, nan_ok=True)
    else:
        assert ours == pytest.approx(expected, abs=1e-6, nan_ok=True)
        assert np.nanmean(ours) == pytest.approx(reference.stats[0], abs=1e-6)
        assert np.nanmean(ours[0]) == pytest.approx(reference.stats[1], abs=1e-6)
    coco = measure_coco(truths, found, [SIZE] * 25, CLASSES)
    assert coco.mean() == pytest.approx(reference.stats[0], abs=1e-9)
    assert coco.mean(iou=0.5) == pytest.approx(reference.stats[1], abs=1e-9)
    assert coco.mean(iou=0.75) == pytest.approx(reference.stats[2], abs=1e-9)
    for size, number in (("small", 3), ("medium", 4), ("large", 5)):
        expected = reference.stats[number]
        assert coco.mean(size) == pytest.approx(np.nan if expected < 0 else expected, nan_ok=True)


def test_a_weight_is_how_often_an_image_is_there():
    truths, found = random_images(12, 3)
    weights = np.array([0, 1, 2] * 4)
    often = [row for row, times in enumerate(weights) for _ in range(times)]
    repeated = mark([truths[it] for it in often], [found[it] for it in often], len(CLASSES))
    expected = repeated.average_precision(np.ones(len(often)))
    weighed = mark(truths, found, len(CLASSES)).average_precision(weights)
    assert weighed == pytest.approx(expected, abs=1e-9)


def test_an_object_is_taken_once_by_the_surest_and_a_crowd_takes_any_number():
    truth = truth_of([[0, 0, 10, 10], [50, 50, 90, 90]], crowd=[False, True])
    found = found_of(
        [[0, 0, 10, 9], [0, 0, 10, 10], [52, 52, 60, 60], [70, 70, 80, 80], [120, 0, 130, 9]],
        [0.9, 0.8, 0.7, 0.6, 0.5],
    )
    assert match(truth, found, [0.5])[0].tolist() == [0, FALSE, IGNORED, IGNORED, FALSE]
    assert match(truth, found, [0.95])[0].tolist()[:2] == [FALSE, 0]


def test_another_class_takes_nothing():
    truth = truth_of([[0, 0, 10, 10]], [1])
    assert match(truth, found_of([[0, 0, 10, 10]], [0.9], [0]), THRESHOLDS).max() == FALSE


def test_nothing_found_and_nothing_there_are_measured_too():
    nothing = found_of([], [])
    truths = [truth_of([[0, 0, 40, 40]]), truth_of([])]
    coco = measure_coco(truths, [nothing, nothing], [SIZE] * 2, CLASSES)
    assert coco.mean(iou=0.5) == 0
    assert np.isnan(coco.by_class()[1])
    assert mark(truths, [nothing] * 2, 3).average_precision(np.ones(2))[0, 0] == 0
    perfect = [found_of([[0, 0, 40, 40]], [0.3]), nothing]
    assert measure_coco(truths, perfect, [SIZE] * 2, CLASSES).mean() == 1
    scores = scores_of([truth_of([])], [nothing])
    assert np.isnan(scored_average_precision(scores, np.ones(1))), "no class has an object"


def scores_of(truths, found):
    names = [f"image {it}" for it in range(len(truths))]
    images = pd.DataFrame({"id": names, "sha256": names, "group": names})
    return mark_images(images, truths, found, len(CLASSES))


def test_the_gate_compares_by_the_same_number(tmp_path):
    truths, found = random_images(30, 1)
    scores = scores_of(truths, found)
    scores.to_parquet(tmp_path / "scores.parquet")
    stored = pd.read_parquet(tmp_path / "scores.parquet")
    coco = measure_coco(truths, found, [SIZE] * 30, CLASSES)
    statistic = partial(scored_average_precision, weights=np.ones(30))
    assert statistic(stored) == pytest.approx(coco.mean(iou=0.5), abs=1e-6)
    score = interface({}, {}).score
    assert compare(stored, stored, score).mean == 0
    worse = [it.above(0.5) for it in found]
    found_difference = compare(stored, scores_of(truths, worse), score)
    assert found_difference.mean > 0
    assert found_difference.units == 30
    assert np.isnan(compare(stored, stored.iloc[1:], score).mean), "one has no scores"


def test_what_is_answered_is_marked_as_what_is_measured():
    truths, found = random_images(8, 5)
    names = [f"image {it}" for it in range(8)]
    exam = pd.DataFrame(
        {
            **dict.fromkeys(("id", "sha256", "group"), names),
            "truth": [it.to_json() for it in truths],
            "classes": 3,
        }
    )
    answers = pd.DataFrame({"candidates": [as_candidates(it) for it in found]})
    pd.testing.assert_frame_equal(outcome(answers, exam), scores_of(truths, found))
    assert len(from_candidates(None)) == 0, "a file that could not be decoded has nothing"


def test_counts_are_of_what_is_sure_and_not_in_a_crowd():
    truths = [truth_of([[0, 0, 10, 10], [20, 0, 30, 10], [50, 50, 90, 90]], [0, 1, 0], [0, 0, 1])]
    truths[0] = Truth(truths[0].boxes, truths[0].labels, truths[0].crowd.astype(bool))
    found = [
        found_of(
            [[0, 0, 10, 10], [60, 60, 70, 70], [100, 0, 110, 10], [20, 0, 30, 10]],
            [0.9, 0.8, 0.7, 0.2],
            [0, 0, 0, 1],
        )
    ]
    counts = count(truths, found, ["a", "b"], 0.5)
    assert counts.objects.tolist() == [[1, 1]]
    assert counts.found.tolist() == [[2, 0]], "the unsure one and that of the crowd do not count"
    assert counts.error() == 1
    assert (counts.precision(), counts.recall()) == (0.5, 0.5)
    assert counts.table()["with sign"].tolist() == [1, -1]


def test_mistakes_are_missed_false_or_badly_placed():
    truth = truth_of([[0, 0, 20, 20], [50, 0, 70, 20], [100, 0, 120, 20]])
    found = found_of([[0, 0, 20, 20], [58, 8, 78, 28], [0, 80, 20, 99]], [0.9, 0.8, 0.7])
    mistakes = find_mistakes(truth, found)
    assert mistakes.missed.tolist() == [False, True, True]
    assert mistakes.near.tolist() == [False, True, False]
    assert mistakes.false.tolist() == [False, False, True]
    assert mistakes.count == 4


def test_the_proof_compares_lists_number_by_number(monkeypatch, tmp_path):
    truths, found = random_images(6, 2)
    names = [f"image {it}" for it in range(6)]
    exam = pd.DataFrame(
        {
            **dict.fromkeys(("id", "sha256", "group", "name", "image"), names),
            "truth": [it.to_json() for it in truths],
            "classes": 3,
        }
    )
    scores = outcome(pd.DataFrame({"candidates": [as_candidates(it) for it in found]}), exam)
    scores.to_parquet(tmp_path / "scores.parquet")
    scores = pd.read_parquet(tmp_path / "scores.parquet")

    def ties(changed):
        answers = pd.DataFrame({"candidates": [as_candidates(it) for it in changed]})
        monkeypatch.setattr(proof, "predict_fresh", lambda *_: answers)
        return proof.prove(tmp_path, exam, served, interface({}, {}), scores)

    assert ties(found) == 0
    rounded = [Found(it.boxes + 1e-9, it.labels, it.confidence * (1 - 1e-6)) for it in found]
    assert ties(rounded) == 0
    with pytest.raises(PenstockError, match="of 6 test examples: confidence of image 0"):
        ties([Found(it.boxes, it.labels, it.confidence * 0.9) for it in found])
    with pytest.raises(PenstockError, match="on 1 of 6 test examples: label of image 3"):
        ties([*found[:3], found[3].above(found[3].confidence[-1] + 1e-6), *found[4:]])
