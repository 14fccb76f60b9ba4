"""Typed parameters: the sections of params.yaml that every pipeline has.

Nothing here imports anything heavy, so `--help` and a check of params.yaml are fast.
"""

import json
import warnings
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    model_validator,
)

# Pydantic warns that a field named after the stage hides ABCMeta.register, which nobody calls.
warnings.filterwarnings("ignore", message='Field name "register" in', category=UserWarning)

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]


def _in_order(limits: tuple[float | None, float | None]) -> tuple[float | None, float | None]:
    least, most = limits
    if least is not None and most is not None and least > most:
        raise ValueError("expected [least, most], the least first")
    return limits


Limits = Annotated[
    tuple[FiniteFloat | None, FiniteFloat | None], Field(strict=False), AfterValidator(_in_order)
]


class Section(BaseModel):
    """A section of params.yaml: strict types, no unknown keys; docstrings are descriptions."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True
    )


class MarkedData(Section):
    """The data of a pipeline that can learn from answers that people marked as wrong."""

    feedback: bool = False
    """Whether ingest also takes what `data/feedback/NAME` holds: answers that were marked as wrong
    in a browser, with the right ones. For training alone, never for validation or test. Anybody
    who reaches the page can write there: look through it first."""


class TrainParams(Section):
    """How a network is trained: what `penstock train` hands to Lightning."""

    seed: Annotated[int, Field(ge=0, le=2**31)] = 0
    """Seed of the initial weights, the order of examples and the augmentation."""
    threads: Count = 2
    """CPU threads PyTorch computes with; part of the result, since sums depend on their order."""
    accelerator: Literal["auto", "cpu", "gpu", "mps"] = "auto"
    """Where to train; `auto` takes a GPU where there is one."""
    precision: Literal["auto", "32-true", "bf16-mixed"] = "auto"
    """Arithmetic; `auto` is bf16-mixed on a GPU that has it, 32-true elsewhere."""
    loading: Literal["auto", "memory", "stream"] = "auto"
    """Hold the examples in memory or stream them from disk; `auto` holds what fits. Batches, and
    so the results, are the same either way."""
    workers: Annotated[int, Field(ge=0, le=64)] = 2
    """Processes that read batches when streaming."""
    batch_size: Count = 128
    """Examples in a training step."""
    max_epochs: Count = 5
    """Passes over the training split, when they come to at least min_steps steps."""
    min_steps: Annotated[int, Field(ge=0)] = 600
    """Least training steps: on small data the epochs are raised until they come to this many."""
    patience: Count | None = None
    """Epochs without a better validation loss before training stops early; null never stops."""
    keep: Literal["best", "last"] = "last"
    """Weights to keep: those of the best validation loss, or the last. With one_cycle the last
    ones have seen the smallest steps."""

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that are learned from."""
        return ("train",)


class GradientParams(TrainParams):
    """A training by gradient descent: one optimiser, one schedule."""

    optimizer: Literal["adamw", "adam", "sgd"] = "adamw"
    """Optimiser, by its name in torch.optim."""
    learning_rate: Positive = 0.008
    """Learning rate; the peak of it with the one-cycle schedule."""
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    """Momentum of sgd; first-moment decay (beta 1) of adam and adamw."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    """Weight decay."""
    schedule: Literal["one_cycle", "constant"] = "one_cycle"
    """Learning rate over the steps: up to the peak and down to zero once, or constant."""
    warmup: Annotated[float, Field(gt=0, lt=1)] = 0.3
    """Share of the steps in which one_cycle rises."""
    gradient_clip: Positive | None = None
    """Largest norm of the gradient; null does not clip."""


class ClassifierParams(GradientParams):
    """A training of a classifier."""

    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of each target spread evenly over all classes."""


class RefitParams(TrainParams):
    """A training whose settings are chosen: nothing of the validation split need be held back."""

    on_validation_too: bool = True
    """Learn from the validation split too, once everything is chosen; what is then measured on it
    says nothing. Set it to false while you choose."""

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that are learned from."""
        return ("train", "validation") if self.on_validation_too else ("train",)

    @model_validator(mode="after")
    def _has_something_to_choose_by(self) -> Self:
        if self.on_validation_too and (self.keep == "best" or self.patience):
            raise ValueError(
                "on_validation_too leaves nothing to choose by: set keep: last and patience: null, "
                "or on_validation_too: false"
            )
        return self


class RegisterParams(Section):
    """When a model may enter the registry, and when it may serve."""

    limits: dict[str, Limits] = {}
    """Least and most of a test metric for a model to become `challenger`; null for none:
    `{"test/accuracy": [0.9, null]}`."""
    tolerance: Annotated[float, Field(ge=0)] = 0.005
    """Largest loss against the champion, in units of the score, that the test split must rule out
    (with 95 % confidence) before the challenger becomes champion."""
    replace_incomparable: bool = False
    """Whether a model takes the place of a champion that it cannot be compared with: one that
    knows other classes, or learned from what is now the test split. `penstock promote` does so by
    hand."""

    @model_validator(mode="before")
    @classmethod
    def _names_no_minimum(cls, section: Any) -> Any:
        """Until limits could be upper ones too, there was `minimum: {metric: least}`."""
        if isinstance(section, dict) and isinstance(section.get("minimum"), dict):
            limits = {metric: [least, None] for metric, least in section["minimum"].items()}
            raise ValueError(f"for minimum, write `limits: {json.dumps(limits)}`")
        return section


class PipelineParams(Section):
    """The section of one pipeline; each pipeline narrows the types of its parts.

    Attributes:
        many_files: whether ingest rejects single files of the source that cannot be read, instead
            of giving up.
    """

    many_files: ClassVar[bool] = False

    source: str
    """Raw data: a file or folder, relative to this file. `data/samples/NAME` is made here,
    offline; `data/downloads/NAME` is downloaded; any folder of your own works too."""
    data: Section
    """Ingest: what is read and how it is split."""
    expectations: Section
    """Validate: limits the examples must keep to."""
    model: Section
    """The network."""
    train: TrainParams
    """Train: optimisation, hardware, length."""
    evaluate: Section = Field(...)
    """Evaluate: what is measured besides the usual."""
    register: RegisterParams = Field(...)
    """Register: the gate between a trained model and the registry."""

    @property
    def learns_from_marks(self) -> bool:
        """Whether ingest takes answers that were marked as wrong."""
        return isinstance(self.data, MarkedData) and self.data.feedback
