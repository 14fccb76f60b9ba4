"""What a user may change about the speech pipeline."""

import re
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from ...settings.sections import (
    ClassifierParams,
    Count,
    Limits,
    MarkedData,
    PipelineParams,
    Positive,
    RefitParams,
    RegisterParams,
    Section,
    Share,
)

RATE = 16_000  # samples a second of every waveform


def _expression(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from None
    return text


def _names_a_speaker(text: str) -> str:
    if text not in ("auto", "none") and "speaker" not in re.compile(text).groupindex:
        raise ValueError("expected auto, none, or a pattern with a group (?P<speaker>...)")
    return text


Expression = Annotated[str, AfterValidator(_expression)]


class Data(MarkedData):
    """Ingest: how recordings are read and split."""

    duration: Annotated[float, Field(ge=0.1, le=10)] = 1.0
    """Seconds every recording becomes: cut out around its energy, or padded with silence."""
    min_duration: Annotated[float, Field(ge=0)] = 0.1
    """Shorter recordings are rejected, in seconds."""
    max_duration: Annotated[float, Field(gt=0, le=600)] = 10.0
    """Longer recordings are rejected before they are decoded, in seconds."""
    speaker: Annotated[Expression, AfterValidator(_names_a_speaker)] = "auto"
    """Where a file's name has the speaker: a regular expression with a group `speaker`, searched
    in the name without its ending; `auto` knows SPEAKER_nohash_N (Speech Commands) and
    WORD_SPEAKER_N (Free Spoken Digits); `none` takes every recording for another speaker's."""
    split: Literal["auto", "hash", "ranked", "official", "pattern"] = "auto"
    """`official` follows testing_list.txt and validation_list.txt; `hash` assigns each speaker by
    a hash of the name, so adding data moves nobody; `ranked` deals out whole speakers to meet the
    shares, for few of them; `pattern` goes by file names, whoever speaks; `auto` is `official`
    where both lists are there, else `hash`."""
    test_share: Annotated[float, Field(gt=0, lt=0.5)] = 0.2
    """Share of the speakers held out as test."""
    validation_share: Annotated[float, Field(gt=0, lt=0.5)] = 0.1
    """Share of the speakers held out as validation; with `pattern`, of the recordings."""
    test_pattern: Expression = ""
    """For `pattern`: regular expression found in the paths of test files, `_[0-4]\\.wav$` say."""
    validation_pattern: Expression = ""
    """For `pattern`: likewise for validation; empty takes validation_share of the others."""

    @property
    def samples(self) -> int:
        """Length of every waveform."""
        return round(self.duration * RATE)

    @model_validator(mode="after")
    def _pattern_is_there(self) -> Self:
        if self.split == "pattern" and not self.test_pattern:
            raise ValueError("split: pattern needs test_pattern, `_[0-4]\\.wav$` say")
        return self


class Expectations(Section):
    """Validate: limits the recordings must keep to."""

    min_examples: Count = 20
    """Least recordings in each split."""
    min_speakers: Count = 1
    """Least speakers in each split."""
    min_class_share: Share = 0.02
    """Least share of each word within a split."""
    min_peak: Share = 0.02
    """Least peak of a recording, of full scale."""
    max_clipped: Share = 0.01
    """Largest share of a recording's samples at full scale."""
    max_unfit_share: Share = 0.05
    """Largest share of recordings that are too quiet, clipped, cut short or of another rate."""
    max_rejected_share: Share = 0.1
    """Largest share of files that could not be taken."""


class Model(Section):
    """Front end, the same for every kind: librosa's definitions, at 16,000 samples a second."""

    features: Literal["mel", "mfcc"] = "mel"
    """What the network sees: decibels in mel bands, or their cepstral coefficients."""
    coefficients: Count = 13
    """Cepstral coefficients, for mfcc."""
    mels: Annotated[int, Field(ge=8, le=128)] = 40
    """Bands of frequency, on the mel scale."""
    window: Annotated[int, Field(ge=128, le=4096)] = 512
    """Samples of a frame."""
    hop: Annotated[int, Field(ge=40, le=2048)] = 256
    """Samples from one frame to the next."""
    f_min: Annotated[float, Field(ge=0, lt=4000)] = 50.0
    """Lower edge of the lowest band, in hertz."""
    f_max: Annotated[float, Field(ge=1000, le=8000)] = 8000.0
    """Upper edge of the highest band, in hertz."""
    top_db: Annotated[float, Field(ge=20, le=120)] = 80.0
    """Decibels below a recording's loudest value at which silence begins."""
    normalise: Literal["none", "utterance", "band"] = "band"
    """Take off the mean, of a recording or of each band of it, and divide by the spread."""

    @model_validator(mode="after")
    def _bands_are_enough(self) -> Self:
        if self.features == "mfcc" and self.coefficients > self.mels:
            raise ValueError(
                f"coefficients: {self.coefficients} of {self.mels} mels; ask for fewer"
            )
        if self.f_min >= self.f_max:
            raise ValueError(f"f_min: {self.f_min:g} is not below f_max, {self.f_max:g}")
        return self


class CNN(Model):
    """The published recipe: 3x3 convolutions, each with ReLU and 2x2 max pooling; dense layers."""

    kind: Literal["cnn"] = "cnn"
    """Kind of network."""
    channels: Annotated[list[Count], Field(min_length=1, max_length=4)] = [32, 64]
    """Output channels of each convolution."""
    dense: Count = 128
    """Units of the dense layer before the classifier."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.5
    """Share of units dropped before the classifier."""


class BCResNet(Model):
    """Broadcast residual network (Kim et al. 2021)."""

    kind: Literal["bcresnet"] = "bcresnet"
    """Kind of network."""
    width: Annotated[float, Field(ge=0.5, le=8)] = 2.0
    """Factor of the channels: 1 has about 10,000 weights, 8 about 300,000."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Share of channels dropped in each block."""


class CRNN(Model):
    """Convolutions over bands and frames, a recurrent layer (GRU) in both directions."""

    kind: Literal["crnn"] = "crnn"
    """Kind of network."""
    channels: tuple[Count, Count] = Field(default=(24, 48), strict=False)
    """Output channels of the first convolution, and of the two after it."""
    units: Count = 64
    """Units of the recurrent layer, in each direction."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.3
    """Share of units dropped before the recurrent layer and before the classifier."""


class Train(RefitParams, ClassifierParams):
    """Train: optimisation, hardware, length, augmentation."""

    batch_size: Count = 64
    """Examples in a training step."""
    max_epochs: Count = 26
    """Passes over the training split, when they come to at least min_steps steps."""
    min_steps: Annotated[int, Field(ge=0)] = 200
    """Least training steps: on small data the epochs are raised until they come to this many."""
    learning_rate: Positive = 0.004
    """Learning rate; the peak of it with the one-cycle schedule."""
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Share of each target spread evenly over all classes."""
    speed: Annotated[float, Field(ge=0, lt=1)] = 0.25
    """Largest change of speed, as a share: pitch and formants move with it."""
    time_shift: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Largest shift in time, in seconds, both ways."""
    gain: Annotated[float, Field(ge=0, le=40)] = 0.0
    """Largest change of loudness, in decibels, both ways; for a front end that does not
    normalise, which would take it off again."""
    noise: Share = 0.5
    """Share of the recordings that get background noise."""
    noise_ratio: tuple[float, float] = Field(default=(0.0, 30.0), strict=False)
    """Least and largest ratio of speech to noise, in decibels."""
    tract: Annotated[float, Field(ge=0, lt=0.5)] = 0.2
    """Largest change of the vocal tract's length: how far mel bands move, as a share of them."""
    pace: Annotated[float, Field(ge=0, lt=1)] = 0.3
    """Largest change of pace that leaves the pitch alone, as a share."""
    masks: Annotated[int, Field(ge=0, le=10)] = 1
    """Masks over bands and over frames (SpecAugment)."""
    mask_bands: Annotated[int, Field(ge=0)] = 8
    """Most bands that a mask hides."""
    mask_frames: Annotated[int, Field(ge=0)] = 12
    """Most frames that a mask hides."""


class Evaluate(Section):
    """Evaluate: what is measured besides the usual."""

    noise_ratios: list[float] = Field(default=[20.0, 10.0, 5.0, 0.0], strict=False)
    """Ratios of speech to white noise at which accuracy is measured too, in decibels."""
    max_shift: Annotated[float, Field(ge=0, le=1)] = 0.2
    """Accuracy is measured for recordings moved up to this far in time, in seconds."""
    gallery: Annotated[int, Field(ge=0, le=50)] = 12
    """Hardest recordings shown with spectrogram and player."""
    resamples: Annotated[int, Field(ge=100, le=100_000)] = 1000
    """Bootstrap resamples, of whole speakers, for intervals."""


class Register(RegisterParams):
    """Register: the gate between a trained model and the registry."""

    limits: dict[str, Limits] = {"test/accuracy": (0.6, None)}
    """Least and most of a test metric for a model to become `challenger`; null for none."""


class Params(PipelineParams):
    """The section `speech`."""

    many_files: ClassVar[bool] = True

    data: Data
    expectations: Expectations
    model: Annotated[CRNN | BCResNet | CNN, Field(discriminator="kind")]
    train: Train
    evaluate: Evaluate
    register: Register = Field(...)

    @model_validator(mode="after")
    def _shifts_leave_something(self) -> Self:
        shift, duration = self.evaluate.max_shift, self.data.duration
        if shift >= duration:
            raise ValueError(
                f"evaluate.max_shift: {shift:g} s moves recordings of data.duration {duration:g} s "
                "out of sight; make it less"
            )
        return self
