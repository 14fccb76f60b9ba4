"""Classical kernels against scipy.ndimage."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import ndimage

from penstock.kinds.images import kernels

SCIPY = {
    "mean": lambda image: ndimage.uniform_filter(image, 3),
    "Gaussian": lambda image: ndimage.gaussian_filter(image, 1),
    "Sobel x": lambda image: ndimage.sobel(image, 1),
    "Sobel y": lambda image: ndimage.sobel(image, 0),
    "Prewitt x": lambda image: ndimage.prewitt(image, 1),
    "Prewitt y": lambda image: ndimage.prewitt(image, 0),
    "Laplace": ndimage.laplace,
    "Laplacian of Gaussian": lambda image: ndimage.gaussian_laplace(image, 1),
}


def images(dimensions=2):
    """Of any size, smaller than a kernel too, on a scale of 0 to 1."""
    shapes = array_shapes(min_dims=dimensions, max_dims=dimensions, min_side=1, max_side=24)
    return shapes.flatmap(lambda shape: arrays(np.float64, shape, elements=st.floats(0, 1)))


def same(ours, theirs):
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-6)


def test_every_kernel_is_compared():
    assert list(SCIPY) == list(kernels.KERNELS)


@pytest.mark.parametrize("name", SCIPY)
@given(image=images())
def test_a_named_kernel_does_what_scipy_does(name, image):
    same(kernels.filter_images(image, kernels.KERNELS[name]), SCIPY[name](image))


@given(images(), st.floats(0.1, 4), st.integers(0, 4))
def test_kernels_of_any_width_do_what_scipy_does(image, sigma, radius):
    size = 2 * radius + 1
    for kernel, theirs in (
        (kernels.mean(size), ndimage.uniform_filter(image, size)),
        (kernels.gaussian(sigma), ndimage.gaussian_filter(image, sigma)),
    ):
        same(kernels.filter_images(image, kernel), theirs)
    log = kernels.filter_images(image, kernels.laplacian_of_gaussian(sigma))
    same(log, ndimage.gaussian_laplace(image, sigma))


@given(
    images(),
    arrays(np.float64, st.tuples(*[st.sampled_from([1, 3, 5])] * 2), elements=st.floats(-1, 1)),
)
def test_a_kernel_that_is_not_symmetric_is_correlated(image, kernel):
    theirs = ndimage.correlate(image, kernel, mode="reflect")
    same(kernels.filter_images(image, kernel), theirs)


@given(images(3))
def test_images_of_a_stack_do_not_mix(stack):
    filtered = kernels.filter_images(stack, kernels.SOBEL)
    for image, result in zip(stack, filtered, strict=True):
        same(result, ndimage.sobel(image))


def test_a_kernel_without_a_middle_is_refused():
    with pytest.raises(ValueError, match="kernel of 3x2: both must be odd"):
        kernels.filter_images(np.zeros((5, 5)), np.ones((3, 2)))
