"""What a user may change about the ratings pipeline."""

from typing import Annotated, Literal

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


class Data(Section):
    """Ingest: how the table is read and split."""

    user_column: str = "user_id"
    """Column of the user; without it userId, user and the like are looked for."""
    item_column: str = "item_id"
    """Column of the item; without it video_id, movieId, item and the like are looked for."""
    rating_column: str = "rating"
    """Column of the rating."""
    time_column: str = "timestamp"
    """Column of the time: seconds since 1970 or ISO 8601. A table may do without."""
    reference_column: str = "reference"
    """Column of what to compare with, if there is one: what another model predicts or, in the
    sample, the best prediction there can be."""
    scale: tuple[float, float] = Field(default=(0.5, 5.0), strict=False)
    """Lowest and highest rating there can be; a row with another is rejected."""
    split: Literal["hash", "time", "leave_last", "files"] = "hash"
    """`hash` assigns each rating by a hash of its user and item; `time` holds out the latest;
    `leave_last` each user's last one for test and the one before for validation; `files` takes
    train, test and (if there is one) validation from files of these names."""
    test_share: Annotated[float, Field(gt=0, lt=1)] = 0.2
    """Share of the ratings held out as test, by hash or time."""
    validation_share: Annotated[float, Field(gt=0, lt=1)] = 0.08
    """Share of the ratings held out as validation, by hash or time."""


class Expectations(Section):
    """Validate: limits the ratings must keep to."""

    min_examples: Count = 20
    """Least ratings in each split."""
    step: Positive | None = 0.5
    """Ratings are whole multiples of this; null allows any."""
    min_users: Count = 20
    """Least users."""
    min_items: Count = 20
    """Least items."""
    min_ratings_per_user: Positive = 5.0
    """Least ratings per user, on average, in the training split."""
    min_ratings_per_item: Positive = 2.0
    """Least ratings per item, on average, in the training split."""
    max_cold_share: Share = 0.1
    """Largest share of test ratings whose user or item the training split has never seen."""
    max_value_share: Share = 0.8
    """Largest share of a single rating value: if all say the same there is nothing to learn."""
    max_duplicate_share: Share = 0.05
    """Largest share of rows that rate an item again that their user has rated."""
    max_rejected_share: Share = 0.1
    """Largest share of rows that could not be taken, those rated again not counted."""
    years: tuple[int, int] = Field(default=(1990, 2100), strict=False)
    """First and last year a rating may be of, where there are times."""


class Model(Section):
    """What all kinds of model have."""

    popularity: Annotated[float, Field(ge=0)] = 1.0
    """Weight, beside the rating, of the logarithm of how often an item is rated, when items are
    recommended; 0 recommends by rating alone."""


class Factors(Model):
    """Biases and latent factors (Koren, Bell and Volinsky 2009), all shrunk by one penalty."""

    kind: Literal["mf"] = "mf"
    """Kind of model."""
    factors: Count = 32
    """Latent factors of each user and item."""
    penalty: Annotated[float, Field(ge=0)] = 0.15
    """Weight of the squares of a rating's biases and factors beside its squared error."""


class Neural(Model):
    """The published recipe: embeddings of user and item, concatenated, a dense layer, a rating."""

    kind: Literal["neural"] = "neural"
    """Kind of model."""
    factors: Count = 50
    """Dimensions of each embedding."""
    dense: Count = 64
    """Units of the dense layer."""


class Bayesian(Model):
    """Bayesian factors: the mean of many likely models, drawn by Gibbs sampling.

    Bayesian probabilistic matrix factorisation (Salakhutdinov and Mnih 2008). How much factors are
    shrunk is learned with them. Of `train`, the settings of gradient descent do not apply.
    """

    kind: Literal["bpmf"] = "bpmf"
    """Kind of model."""
    factors: Count = 12
    """Latent factors of each user and item."""
    samples: Count = 40
    """Draws whose mean is the model; its size grows with them."""
    burn_in: Annotated[float, Field(ge=0, lt=1)] = 0.25
    """Share of the epochs before the first draw is kept."""


class Train(RefitParams, GradientParams):
    """Train: optimisation, hardware, length."""

    batch_size: Count = 4096
    """Ratings in a training step."""
    max_epochs: Count = 160
    """Passes over the training split, when they come to at least min_steps steps; with `bpmf`, an
    epoch is a draw of all users and all items."""
    min_steps: Annotated[int, Field(ge=0)] = 0
    """Least training steps: on small data the epochs are raised until they come to this many."""
    optimizer: Literal["adamw", "adam", "sgd"] = "adam"
    """Optimiser, by its name in torch.optim."""
    learning_rate: Positive = 0.01
    """Learning rate; the peak of it with the one-cycle schedule."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    """Weight decay; the models have better ways to shrink."""
    warmup: Annotated[float, Field(gt=0, lt=1)] = 0.1
    """Share of the steps in which one_cycle rises."""


class Evaluate(Section):
    """Evaluate: what is measured besides the usual."""

    top: Annotated[int, Field(ge=1, le=1000)] = 10
    """Length of the lists of recommended items that are judged."""
    relevant: float = 4.0
    """Least rating of a test item that a good list should have."""
    users: Count = 2000
    """Users whose lists are judged; of more, so many are drawn."""
    neighbours: Count = 40
    """Neighbours of the item-based baseline."""
    resamples: Annotated[int, Field(ge=100, le=100_000)] = 1000
    """Bootstrap resamples, of whole users, for intervals."""
    gallery: Annotated[int, Field(ge=1, le=20)] = 4
    """Users whose favourites and recommendations are shown."""


class Register(RegisterParams):
    """Register: the gate between a trained model and the registry."""

    limits: dict[str, Limits] = {"test/gain_over_biases": (0.0, None)}
    """Least and most of a test metric for a model to become `challenger`; null for none."""


class Params(PipelineParams):
    """The section `ratings`."""

    data: Data
    expectations: Expectations
    model: Annotated[Bayesian | Factors | Neural, Field(discriminator="kind")]
    train: Train
    evaluate: Evaluate
    register: Register = Field(...)
