"""What a user may change about the pathology pipeline."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from ...settings.sections import (
    ClassifierParams,
    Count,
    Limits,
    MarkedData,
    PipelineParams,
    Positive,
    RegisterParams,
    Section,
    Share,
)

FEW, TOO_FEW = 50, 10  # examples of a kind: with fewer a threshold is uncertain, and arbitrary
NOT_CHOSEN = 0.5  # the threshold then


class Data(MarkedData):
    """Ingest: how images are read and split."""

    image_size: Annotated[int, Field(ge=16, le=1024)] = 64
    """Side in pixels of the square every image becomes."""
    fit: Literal["resize", "crop"] = "resize"
    """Squeeze the whole image into the square, or scale its shorter side and cut out the middle."""
    min_side: Count = 32
    """Images with a shorter side than this many pixels are rejected."""
    max_pixels: Count = 50_000_000
    """Images with more pixels are rejected before they are decoded."""
    depth: Annotated[int, Field(ge=8, le=16)] = 16
    """Bits that are used in files of 16 bits: cameras and scanners often give 12. What these bits
    hold at most becomes white."""
    split: Literal["hash", "ranked"] = "hash"
    """`hash` assigns each group by a hash of its name, so adding data moves nobody; `ranked` deals
    out whole groups to meet the shares, for few groups."""
    ungrouped: Literal["refuse", "alone"] = "refuse"
    """What becomes of files that a groups.csv leaves out: `refuse` stops, with `alone` each is a
    group of its own."""
    test_share: Annotated[float, Field(gt=0, lt=0.5)] = 0.2
    """Share of the groups held out as test."""
    validation_share: Annotated[float, Field(gt=0, lt=0.5)] = 0.1
    """Share of the groups held out as validation."""


class Expectations(Section):
    """Validate: limits the images must keep to."""

    min_examples: Count = 20
    """Least images in each split."""
    min_groups: Count = 2
    """Least groups (patients, slides, tiles of origin) in each split."""
    min_class_share: Share = 0.05
    """Least share of each class within a split."""
    brightness: tuple[Share, Share] = Field(default=(0.15, 0.95), strict=False)
    """Least and largest mean brightness of an image, black 0 and white 1."""
    colour: tuple[Share, Share] = Field(default=(0.3, 0.95), strict=False)
    """Least and largest mean of each channel (red, green, blue) over all images, from 0 to 1."""
    min_sharpness: Annotated[float, Field(ge=0)] = 0.0005
    """Least variance of an image's Laplacian on a scale of 0 to 1; blurred images fall below."""
    max_unfit_share: Share = 0.02
    """Largest share of images outside the limits of brightness and sharpness."""
    max_rejected_share: Share = 0.1
    """Largest share of files that could not be taken."""


class CNN(Section):
    """The published recipe: 3x3 convolutions, each with ReLU and 2x2 max pooling; dense layers."""

    kind: Literal["cnn"] = "cnn"
    """Kind of network."""
    channels: Annotated[list[Count], Field(min_length=1, max_length=6)] = [32, 64, 128]
    """Output channels of each convolution."""
    dense: Count = 128
    """Units of the dense layer before the classifier."""
    batch_norm: bool = True
    """Batch normalisation after each layer."""
    pool: Literal["flatten", "average"] = "average"
    """What the dense layer sees: every position, or the average over all of them."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.5
    """Share of units dropped before the classifier."""


class Residual(Section):
    """MONAI's ResNet-18."""

    kind: Literal["resnet18"] = "resnet18"
    """Kind of network."""


class Dense(Section):
    """MONAI's DenseNet-121."""

    kind: Literal["densenet121"] = "densenet121"
    """Kind of network."""


class Train(ClassifierParams):
    """Train: optimisation, hardware, length, augmentation."""

    batch_size: Count = 32
    """Examples in a training step."""
    max_epochs: Count = 12
    """Passes over the training split, when they come to at least min_steps steps."""
    min_steps: Annotated[int, Field(ge=0)] = 200
    """Least training steps: on small data the epochs are raised until they come to this many."""
    learning_rate: Positive = 0.003
    """Learning rate; the peak of it with the one-cycle schedule."""
    rotation: Annotated[float, Field(ge=0, le=180)] = 20.0
    """Largest rotation of a training image, in degrees both ways."""
    shift: Annotated[float, Field(ge=0, lt=1)] = 0.2
    """Largest shift, as a share of the side, both ways."""
    flips: Literal["none", "horizontal", "both"] = "both"
    """Random mirroring: tissue has no up or down."""
    stain: Annotated[float, Field(ge=0, lt=1)] = 0.05
    """Largest change of each stain's strength (haematoxylin, eosin)."""
    brightness: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Largest change of brightness, as a share."""
    class_weights: bool = True
    """Weigh each class by the inverse of its share, so that rare ones count as much."""


class Evaluate(Section):
    """Evaluate: what is measured besides the usual."""

    positive: str = ""
    """The class to find, for sensitivity and specificity; empty takes the last by name."""
    sensitivity: Annotated[float, Field(gt=0, le=1)] = 0.95
    """Sensitivity the threshold is chosen for, on the validation split."""
    gallery: Annotated[int, Field(ge=1, le=100)] = 12
    """Images in each sheet of Grad-CAM maps."""
    resamples: Annotated[int, Field(ge=100, le=100_000)] = 1000
    """Bootstrap resamples, of whole groups, for intervals."""


class Register(RegisterParams):
    """Register: the gate between a trained model and the registry."""

    limits: dict[str, Limits] = {"test/accuracy": (0.85, None), "test/sensitivity": (0.8, None)}
    """Least and most of a test metric for a model to become `challenger`; null for none."""


class Params(PipelineParams):
    """The section `pathology`."""

    many_files: ClassVar[bool] = True

    data: Data
    expectations: Expectations
    model: Annotated[CNN | Residual | Dense, Field(discriminator="kind")]
    train: Train
    evaluate: Evaluate
    register: Register = Field(...)
