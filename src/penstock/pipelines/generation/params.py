"""What a user may change about the generation pipeline."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from ...settings.sections import (
    Count,
    GradientParams,
    Limits,
    PipelineParams,
    Positive,
    RegisterParams,
    Section,
    Share,
)

Units = Annotated[list[Count], Field(min_length=1, max_length=6)]


class Data(Section):
    """Ingest: what is read and how it is split."""

    image_size: Annotated[int, Field(ge=16, le=64, multiple_of=4)] = 28
    """Side in pixels of the square images."""
    colour: Literal["grey", "rgb"] = "grey"
    """Whether images are read as grey ones or with their colours."""
    fit: Literal["none", "resize", "crop"] = "none"
    """What becomes of images of another size, here and when the model is asked: `none` refuses
    them, `resize` squeezes the whole image into the square, `crop` cuts out the middle."""
    classes: Annotated[list[str], Field(max_length=256)] = []
    """Name of each label of IDX files, in order; empty takes 0 to 9. Class folders name theirs."""
    test_share: Annotated[float, Field(gt=0, lt=0.5)] = 0.2
    """Share of class folders held out as test, by a hash of each image's content; IDX files and
    folders of splits say themselves what is test."""
    validation_share: Annotated[float, Field(gt=0, lt=0.5)] = 0.1
    """Share of the training files held out for validation, by a hash of each image's content."""


class Expectations(Section):
    """Validate: limits the images must keep to."""

    min_examples: Count = 50
    """Least images in each split: what is drawn is measured against them."""
    min_class_share: Share = 0.01
    """Least share of each class within a split."""
    max_blank_share: Share = 0.001
    """Largest share of images with one value throughout."""
    max_rejected_share: Share = 0.1
    """Largest share of files that could not be taken."""


class GAN(Section):
    """Two networks of dense layers, one that draws and one that judges."""

    kind: Literal["gan"] = "gan"
    """Kind of network."""
    latent: Count = 100
    """Random numbers a picture is drawn from."""
    generator: Units = [256, 512, 1024]
    """Units of the hidden layers that draw."""
    discriminator: Units = [1024, 512, 256]
    """Units of the hidden layers that judge."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.3
    """Share of units dropped after each hidden layer that judges."""
    output: Literal["tanh", "sigmoid"] = "tanh"
    """What brings pixels into their range."""


class DCGAN(Section):
    """Two convolutional networks, one that draws and one that judges (Radford et al. 2015)."""

    kind: Literal["dcgan"] = "dcgan"
    """Kind of network."""
    latent: Count = 64
    """Random numbers a picture is drawn from."""
    channels: Units = [64, 32, 16]
    """Channels that each layer of the generator is given; the last layer makes the picture."""
    strides: Annotated[list[Annotated[int, Field(ge=1, le=2)]], Field(max_length=6)] = [2, 2, 1]
    """By how much each of them enlarges the picture; the image size is a multiple of all."""
    discriminator: Units = [32, 64, 128]
    """Channels that each layer of the discriminator gives; each halves the picture."""
    kernel: Annotated[int, Field(ge=3, le=7)] = 4
    """Side of the kernels in pixels; where nothing is enlarged, an even one is one smaller."""
    slope: Annotated[float, Field(ge=0, lt=1)] = 0.2
    """Slope of the leaky ReLU below zero."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of channels' values dropped after each layer that judges."""
    spectral_norm: bool = True
    """Spectral normalisation of the discriminator (Miyato et al. 2018)."""

    @model_validator(mode="after")
    def _has_a_stride_a_layer(self) -> "DCGAN":
        if len(self.channels) != len(self.strides):
            raise ValueError(
                f"{len(self.channels)} channels and {len(self.strides)} strides: expected as many"
            )
        return self


class Conditional(DCGAN):
    """As dcgan, of a class that is asked for (Mirza and Osindero 2014; Miyato and Koyama 2018)."""

    kind: Literal["conditional"] = "conditional"  # type: ignore[assignment]
    """Kind of network."""


class Autoencoder(Section):
    """A network that compresses an image into a code, and one that makes it again."""

    kind: Literal["autoencoder"] = "autoencoder"
    """Kind of network."""
    channels: Units = [32, 64]
    """Channels that each layer of the encoder gives; each halves the picture."""
    code: Count | None = 128
    """Numbers of the code, made by a dense layer; null takes the last feature map as it is."""
    pooling: Literal["stride", "max"] = "stride"
    """What halves the picture: a stride of 4x4 kernels, with batch norm, or max pooling after 3x3
    kernels."""


class VAE(Section):
    """An autoencoder whose codes are random, so that it can also draw (Kingma and Welling 2013).

    It learns black and white pixels: those above the middle are 1.
    """

    kind: Literal["vae"] = "vae"
    """Kind of network."""
    channels: Units = [32, 64]
    """Channels that each layer of the encoder gives; each halves the picture."""
    latent: Count = 32
    """Numbers of the code, and random numbers a picture is drawn from."""


class Train(GradientParams):
    """Train: optimisation, hardware, length."""

    batch_size: Count = 64
    """Examples in a training step."""
    max_epochs: Count = 10
    """Passes over the training split, when they come to at least min_steps steps."""
    optimizer: Literal["adamw", "adam", "sgd"] = "adam"
    """Optimiser, by its name in torch.optim; of two networks each has one."""
    learning_rate: Positive = 0.002
    """Learning rate; the peak of it with the one-cycle schedule."""
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.5
    """Momentum of sgd; first-moment decay (beta 1) of adam and adamw."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    """Weight decay."""
    warmup: Annotated[float, Field(gt=0, lt=1)] = 0.1
    """Share of the steps in which one_cycle rises."""
    loss: Literal["hinge", "non_saturating"] = "hinge"
    """Two networks: what they learn by (Lim and Ye 2017; Goodfellow et al. 2014)."""
    r1: Annotated[float, Field(ge=0)] = 0.0
    """Two networks: weight of the penalty on the discriminator's gradient at real images
    (Mescheder et al. 2018), applied in each 16th step."""
    average: Annotated[float, Field(ge=0, lt=1)] = 0.999
    """Two networks: how slowly the weights that draw follow those that are trained; 0 takes the
    latter."""
    noise: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Autoencoders: standard deviation of noise that is added to what is compressed, black 0 and
    white 1, and that they learn to remove."""
    without: str = ""
    """A class that is left out of what is learned: is it noticed as what does not belong?"""


class Evaluate(Section):
    """Evaluate: what is measured besides the usual."""

    neighbours: Annotated[int, Field(ge=1, le=50)] = 5
    """Neighbours by which precision, recall, density and coverage tell what is near."""
    noise: Annotated[float, Field(gt=0, le=1)] = 0.2
    """Autoencoders: standard deviation of the noise by which denoising is measured."""
    gallery: Annotated[int, Field(ge=1, le=100)] = 40
    """Pictures on each sheet."""


class Register(RegisterParams):
    """Register: the gate between a trained model and the registry."""

    limits: dict[str, Limits] = {}
    """Least and most of a test metric for a model to become `challenger`; null for none:
    `{"test/coverage": [0.3, null]}`."""
    tolerance: Annotated[float, Field(ge=0)] = 1.0
    """Largest loss against the champion, in units of the score, that the test split must rule out
    (with 95 % confidence) before the challenger becomes champion. A Frechet distance where models
    draw; 0.002 say suits the cross-entropy of autoencoders, 0.5 the bound of a vae."""


class Params(PipelineParams):
    """The section `generation`."""

    data: Data
    expectations: Expectations
    model: Annotated[DCGAN | Conditional | GAN | Autoencoder | VAE, Field(discriminator="kind")]
    train: Train
    evaluate: Evaluate
    register: Register = Field(...)
