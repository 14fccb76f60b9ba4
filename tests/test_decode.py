"""From image files as people have them to the 28x28 the network sees."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra import numpy as hnp
from PIL import Image, ImageDraw

from penstock.kinds.images.decode import encode
from penstock.pipelines.mnist import decode as module


def decode(content: bytes, side: int = 28, fit: module.Fit = "digit") -> np.ndarray:
    return module.decode(content, side, fit)


def saved(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def one(mode: str = "RGB", paper="white", ink="black", size=(120, 200)) -> Image.Image:
    image = Image.new("RGB", size, paper)
    ImageDraw.Draw(image).line([(60, 30), (66, 170)], fill=ink, width=12)
    return image.convert(mode)


@given(image=hnp.arrays(np.uint8, (28, 28)))
@settings(max_examples=25)
def test_a_dataset_image_survives_its_png_file(image):
    assert (decode(encode(image)) == image).all()


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "RGBA", "CMYK", "1", "LA"])
def test_any_mode_gives_a_centred_white_digit_on_black(mode):
    kind = "TIFF" if mode == "CMYK" else "PNG"
    image = decode(saved(one(mode), kind))
    assert image.shape == (28, 28)
    assert image[[0, -1]].max() == image[:, [0, -1]].max() == 0
    rows, _ = np.nonzero(image > 60)
    assert rows.max() - rows.min() + 1 == 20
    weights = image / image.sum()
    assert weights.sum(0) @ np.arange(28) == pytest.approx(13.5, abs=0.6)
    assert weights.sum(1) @ np.arange(28) == pytest.approx(13.5, abs=0.6)


def test_black_on_white_and_white_on_black_are_one():
    dark = decode(saved(one(paper="black", ink="white")))
    assert np.abs(decode(saved(one())).astype(int) - dark).max() <= 2


def test_orientation_in_exif_is_followed():
    turned = one().transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6
    straight = decode(saved(one()))
    followed = decode(saved(turned, "JPEG", exif=exif, quality=95))
    assert np.abs(straight.astype(int) - followed).mean() < 6


def test_transparent_paper_counts_as_white():
    image = Image.new("RGBA", (120, 200), (0, 0, 0, 0))
    ImageDraw.Draw(image).line([(60, 30), (66, 170)], fill="black", width=12)
    assert np.abs(decode(saved(image)).astype(int) - decode(saved(one()))).max() <= 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not an image"),
        (b"hello", "not an image"),
        (saved(one())[:200], "truncated PNG file"),
        (saved(Image.new("L", (50, 50), 200)), "blank"),
        (saved(Image.new("1", (30_000, 30_000))), "too large"),
    ],
)
def test_what_is_no_digit_is_refused_with_a_reason(content, message):
    with pytest.raises(ValueError, match=message):
        decode(content)


MODES = {
    "L": lambda grey: grey,
    "RGB": lambda grey: grey.convert("RGB"),
    "P": lambda grey: grey.convert("P"),
    "RGBA": lambda grey: grey.convert("RGBA"),
    "LA": lambda grey: grey.convert("LA"),
}


@pytest.mark.parametrize("fit", ["digit", "resize"])
@pytest.mark.parametrize("size", [(28, 28), (50, 50), (40, 30)])
def test_an_image_is_the_same_in_every_mode(fit, size):
    """What is served is what was learned, however the file stores its grey."""
    values = np.random.default_rng(0).integers(0, 256, size[::-1]).astype(np.uint8)
    grey = Image.fromarray(values)
    learned = module.fit_image(values, 28, fit)
    for mode, convert in MODES.items():
        assert (decode(saved(convert(grey)), fit=fit) == learned).all(), mode


def test_a_square_of_another_size_is_filled():
    assert decode(saved(one()), side=50).shape == (50, 50)
    values = np.tile(np.linspace(0, 255, 40).astype(np.uint8), (60, 1))
    squeezed = decode(saved(Image.fromarray(values)), side=20, fit="resize")
    assert squeezed.shape == (20, 20)
    assert (np.diff(squeezed[10].astype(int)) > 0).all(), "nothing was cropped"
