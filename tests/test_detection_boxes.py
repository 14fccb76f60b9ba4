"""Arithmetic of boxes: what must hold of any, and what reference implementations say."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from monai.data import box_utils

from penstock.pipelines.detection.boxes import (
    areas,
    from_edges,
    generalised_iou,
    iou,
    places,
    suppress,
    to_edges,
)

place = st.floats(-200, 200, width=32)
side = st.floats(0.5, 100, width=32)
box = st.builds(lambda x, y, w, h: [x, y, x + w, y + h], place, place, side, side)
boxes = st.lists(box, min_size=1, max_size=20).map(lambda it: torch.tensor(it).double())


def random_boxes(count, seed=0):
    corner = torch.rand(count, 2, generator=torch.Generator().manual_seed(seed)) * 80
    size = torch.rand(count, 2, generator=torch.Generator().manual_seed(seed + 1)) * 30 + 1
    return torch.cat([corner, corner + size], 1).double()


@given(boxes, boxes)
def test_iou_is_symmetric_and_is_one_of_equals_only(ours, theirs):
    found = iou(ours[:, None], theirs)
    assert ((found >= 0) & (found <= 1 + 1e-9)).all()
    assert torch.allclose(found, iou(theirs[:, None], ours).T)
    assert torch.allclose(iou(ours, ours), torch.ones(len(ours)).double())


@given(boxes, place, place, st.floats(0.1, 10))
def test_moving_and_scaling_both_changes_no_iou(ours, x, y, scale):
    theirs = ours.flip(0)
    moved = [it * scale + torch.tensor([x, y, x, y]) for it in (ours, theirs)]
    assert torch.allclose(iou(ours, theirs), iou(*moved), atol=1e-6)
    assert torch.allclose(generalised_iou(ours, theirs), generalised_iou(*moved), atol=1e-6)


@given(boxes, boxes)
def test_the_generalised_iou_is_no_larger_and_tells_how_far_boxes_are(ours, theirs):
    pairs = ours[:, None], theirs
    found = generalised_iou(*pairs)
    assert (found <= iou(*pairs) + 1e-9).all()
    assert (found > -1).all()
    away = theirs + 1000
    assert (generalised_iou(ours[:, None], away) < 0).all()


def test_both_are_those_of_a_reference():
    ours, theirs = random_boxes(40), random_boxes(30, 7)
    assert torch.allclose(iou(ours[:, None], theirs), box_utils.box_iou(ours, theirs))
    expected = box_utils.box_giou(ours, theirs)
    assert torch.allclose(generalised_iou(ours[:, None], theirs), expected, atol=1e-5)


def test_boxes_without_area_overlap_with_nothing():
    empty = torch.tensor([[5.0, 5, 5, 5], [9, 9, 2, 2]])
    assert areas(empty).tolist() == [0, 0]
    assert iou(empty[:, None], empty).max() == 0
    assert torch.isfinite(generalised_iou(empty[:, None], empty)).all()


@given(boxes, st.sampled_from([4, 8]))
def test_edges_from_a_place_give_the_box_again(given_boxes, stride):
    middle = (given_boxes[:, :2] + given_boxes[:, 2:]) / 2
    size = given_boxes[:, 2:] - given_boxes[:, :2]
    around = middle + 0.4 * size * torch.tensor([1.0, -1.0])
    again = from_edges(to_edges(given_boxes, around, stride), around, stride)
    assert torch.allclose(again, given_boxes, atol=1e-4)


@given(boxes, place, place)
def test_edges_do_not_change_when_box_and_place_move(given_boxes, x, y):
    middle = (given_boxes[:, :2] + given_boxes[:, 2:]) / 2
    by = torch.tensor([x, y]).double()
    edges = to_edges(given_boxes, middle, 8)
    assert torch.allclose(edges, to_edges(given_boxes + by.repeat(2), middle + by, 8), atol=1e-5)


def test_places_are_the_middles_of_cells_row_by_row():
    assert places(2, 3, 8, "cpu").tolist() == [
        [4, 4],
        [12, 4],
        [20, 4],
        [4, 12],
        [12, 12],
        [20, 12],
    ]


def slowly(given_boxes, confidence, labels, most):
    """Non-maximum suppression as it is told in words."""
    left = sorted(range(len(labels)), key=lambda it: (-confidence[it], it))
    kept = []
    while left:
        best, *left = left
        kept.append(best)
        left = [
            it
            for it in left
            if labels[it] != labels[best] or iou(given_boxes[it], given_boxes[best]) <= most
        ]
    return kept


@pytest.mark.parametrize("seed", range(5))
def test_suppression_is_that_of_its_definition_and_of_a_reference(seed):
    chance = np.random.default_rng(seed)
    found, labels = random_boxes(80, seed), torch.from_numpy(chance.integers(0, 3, 80))
    confidence = torch.from_numpy(chance.random(80).round(1))  # with ties
    kept = suppress(found, confidence, labels, 0.3).tolist()
    assert kept == slowly(found, confidence.tolist(), labels.tolist(), 0.3)
    one = torch.zeros(80, dtype=torch.int64)
    distinct = torch.from_numpy(chance.permutation(80) / 80)
    expected = box_utils.non_max_suppression(found, distinct, nms_thresh=0.3)
    assert suppress(found, distinct, one, 0.3).tolist() == expected.tolist()


@given(boxes, st.randoms(use_true_random=False))
def test_suppression_keeps_the_same_boxes_in_any_order_and_anywhere(found, chance):
    confidence = torch.linspace(1, 0.1, len(found)).double()
    labels = torch.tensor([chance.randrange(2) for _ in range(len(found))])
    kept = suppress(found, confidence, labels, 0.5)
    order = torch.tensor(chance.sample(range(len(found)), len(found)))
    again = suppress(found[order], confidence[order], labels[order], 0.5)
    assert order[again].tolist() == kept.tolist()
    assert suppress(found + 1000, confidence, labels, 0.5).tolist() == kept.tolist()
    nested = suppress(found[kept], confidence[kept], labels[kept], 0.5)
    assert nested.tolist() == list(range(len(kept))), "what is kept is kept again"


def test_nothing_is_suppressed_of_nothing():
    nothing = torch.zeros(0)
    assert suppress(torch.zeros(0, 4), nothing, nothing.long(), 0.5).tolist() == []
