"""Augmentation of batches of colour images."""

import numpy as np
import pytest
import torch

from penstock.pipelines.pathology.augmentation import STAINS, RandomAffine, StainJitter


@pytest.fixture
def images():
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, (16, 20, 20, 3), np.uint8))


def test_without_amounts_nothing_changes(images):
    torch.testing.assert_close(
        RandomAffine(0, 0, "none")(images), images.float(), atol=1e-2, rtol=0
    )
    torch.testing.assert_close(StainJitter(0, 0)(images).float(), images.float())


def test_flips_mirror_and_change_no_pixel(images):
    moved = RandomAffine(0, 0, "both")(images)
    mirrored = {
        (x, y): images.flip([axis for axis, on in ((2, x), (1, y)) if on]).float()
        for x in (False, True)
        for y in (False, True)
    }
    seen = set()
    for number, image in enumerate(moved):
        found = [how for how, it in mirrored.items() if torch.allclose(it[number], image, atol=0.1)]
        assert found, "an image is one of its four mirrorings"
        seen |= set(found)
    assert len(seen) == 4
    horizontal = RandomAffine(0, 0, "horizontal")(images)
    for number, image in enumerate(horizontal):
        assert any(
            torch.allclose(mirrored[how][number], image, atol=0.1)
            for how in ((False, False), (True, False))
        )


def test_a_shift_moves_by_no_more_than_its_share():
    images = torch.zeros(64, 21, 21, 3)
    images[:, 10, 10] = 255
    moved = RandomAffine(0, 0.2, "none")(images)
    places = moved[..., 0].flatten(1).argmax(1)
    rows, columns = places // 21, places % 21
    assert ((rows - 10).abs() <= 5).all()
    assert ((columns - 10).abs() <= 5).all()
    assert rows.unique().numel() > 4


def test_rotation_keeps_the_middle_and_each_image_turns_by_its_own_angle():
    images = torch.zeros(8, 41, 41, 3)
    images[:, 20, 20:] = 255
    turned = RandomAffine(90, 0, "none")(images)
    assert (turned[:, 20, 20, 0] > 100).all()
    assert torch.unique(turned.flatten(1), dim=0).shape[0] == 8


def test_stain_jitter_scales_the_density_of_each_stain(images):
    """By colour deconvolution in double precision, image by image."""
    jitter = StainJitter(0.3, 0.0)
    torch.manual_seed(0)
    images = images.clamp(60, 200)
    changed = jitter(images).double().numpy()
    stains = np.array(STAINS) / np.linalg.norm(STAINS, axis=1, keepdims=True)
    unmix = np.linalg.inv(stains)
    for before, after in zip(images.double().numpy(), changed, strict=True):
        kept = (after > 0) & (after < 255)
        kept = kept.all(-1)
        amounts = [-np.log((it + 1) / 256) @ unmix for it in (before, after)]
        ratios = amounts[1][kept] / amounts[0][kept]
        median = np.median(ratios, axis=0)
        assert (np.abs(median - 1) <= 0.3).all()
        big = np.abs(amounts[0][kept]) > 0.2
        np.testing.assert_allclose(ratios[big], np.broadcast_to(median, ratios.shape)[big], 1e-2)


def test_brightness_scales_light():
    images = torch.full((32, 4, 4, 3), 100.0)
    factors = (StainJitter(0, 0.1)(images)[:, 0, 0, 0] + 1) / 101
    assert ((factors - 1).abs() <= 0.1001).all()
    assert factors.std() > 0.02
