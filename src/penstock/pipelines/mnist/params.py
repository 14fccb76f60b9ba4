"""What a user may change about the MNIST pipeline."""

from typing import Annotated, Literal

from pydantic import Field

from ...settings.sections import (
    ClassifierParams,
    Count,
    Limits,
    MarkedData,
    PipelineParams,
    RegisterParams,
    Section,
    Share,
)

DIGITS = [str(digit) for digit in range(10)]


class Data(MarkedData):
    """Ingest: what is read and how it is split."""

    image_size: Annotated[int, Field(ge=8, le=256)] = 28
    """Side in pixels of the square every image becomes; one that has it is taken as it is."""
    fit: Literal["digit", "resize"] = "digit"
    """How others become that: `digit` crops and centres them as MNIST's digits are, white on black;
    `resize` squeezes the whole image. Image files given to the model are fitted in the same way."""
    classes: Annotated[list[str], Field(min_length=2, max_length=256)] = DIGITS
    """Name of each label, in order: label 0 is the first. A label beyond the last is an error."""
    test_share: Annotated[float, Field(gt=0, lt=0.5)] = 0.2
    """Share of class folders held out as test, by a hash of each image's content; IDX files and
    folders of splits say themselves what is test."""
    validation_share: Annotated[float, Field(gt=0, lt=0.5)] = 0.1
    """Share of the training files held out for validation, by a hash of each image's content."""


class Expectations(Section):
    """Validate: limits the examples must keep to."""

    min_examples: Count = 20
    """Least examples in each split."""
    class_share: tuple[Share, Share] = Field(default=(0.05, 0.2), strict=False)
    """Least and largest share of a class within a split."""
    mean_ink: tuple[Share, Share] = Field(default=(0.05, 0.5), strict=False)
    """Least and largest mean brightness over all images, black 0 and white 1: digits are white
    strokes on black, inverted scans fall outside."""
    max_blank_share: Share = 0.001
    """Largest share of images with one value throughout."""


class CNN(Section):
    """Convolutions, each with batch norm if asked, 2x2 max pooling and ReLU; then dense layers."""

    kind: Literal["cnn"] = "cnn"
    """Kind of network."""
    channels: Annotated[list[Count], Field(min_length=1, max_length=4)] = [32, 64]
    """Output channels of each convolution."""
    kernel: Annotated[int, Field(ge=1, le=7)] = 3
    """Side of the convolution kernels in pixels."""
    padding: Literal["valid", "same"] = "valid"
    """Without a border, or with one that keeps the size."""
    dense: Annotated[int, Field(ge=0)] = 128
    """Units of the dense layer before the classifier; 0 leaves it out."""
    batch_norm: bool = True
    """Batch normalisation after each layer."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of units dropped before each dense layer."""


class MLP(Section):
    """Dense layers only: what position costs when a network does not know about it."""

    kind: Literal["mlp"] = "mlp"
    """Kind of network."""
    hidden: Annotated[list[Count], Field(min_length=1, max_length=8)] = [1024]
    """Units of each hidden layer."""
    batch_norm: bool = False
    """Batch normalisation after each hidden layer."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of units dropped before each dense layer."""


class Train(ClassifierParams):
    """Train: optimisation, hardware, length, augmentation."""

    max_epochs: Count = 20
    """Passes over the training split, when they come to at least min_steps steps."""
    max_shift: Annotated[int, Field(ge=0, le=14)] = 2
    """Each training image is moved by up to this many pixels both ways, anew in each epoch."""


class Evaluate(Section):
    """Evaluate: what is measured besides the usual."""

    max_shift: Annotated[int, Field(ge=0, le=14)] = 4
    """Largest sideways move, in pixels, in the test of shift robustness."""
    gallery: Annotated[int, Field(ge=1, le=400)] = 40
    """Images on each sheet of samples and of worst mistakes."""


class Register(RegisterParams):
    """Register: the gate between a trained model and the registry."""

    limits: dict[str, Limits] = {"test/accuracy": (0.9, None)}
    """Least and most of a test metric for a model to become `challenger`; null for none."""


class Params(PipelineParams):
    """The section `mnist`."""

    data: Data
    expectations: Expectations
    model: Annotated[CNN | MLP, Field(discriminator="kind")]
    train: Train
    evaluate: Evaluate
    register: Register = Field(...)
