"""What is served: seeds -> pictures, or images -> what a code makes of them."""

import io
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from PIL import Image
from torch import nn
from torch.nn import functional as F

from ...evaluation.inference import batch_size
from ...evaluation.predictions import decode_all
from ...kinds.images.decode import encode
from ...messages.errors import PenstockError
from ...pipeline import Interface, Mean, Score
from .decode import decode
from .drawing import draw, noise_of
from .frechet import DRAWN, REAL, feature_columns, scored_distance
from .network import Drawing, Variational
from .pixels import as_images, binary, channels_first, image_shape, scale
from .ruler import ARRAY, FEATURES, read_ruler, ruler_of

if TYPE_CHECKING:
    from ...datasets.dataset import Dataset

CODES = 4  # random codes by which the bound of a vae is measured: the same for every image
MOST_SEED = 2**63 - 1
REPEATS = 10  # parts into which seeds are dealt: intervals and the gate go by them
OUTPUTS = {"picture": "binary", "error": "string"}
CODED = {"picture": "binary", "loss": "double", "squared_error": "double", "error": "string"}


def interface(info: dict[str, Any], model: dict[str, Any]) -> Interface:
    """A seed, and a class if there is one to ask for -> a picture; or an image -> it, made again.

    An autoencoder says how well it could; so an image that does not belong is found.
    """
    if model["kind"] == "autoencoder":
        score = Score("test/cross_entropy", Mean("loss"), span=1.0, higher_is_better=False)
        return Interface({"image": "binary"}, CODED, score)
    if model["kind"] == "vae":
        score = Score("test/bound", Mean("loss"), span=100.0, higher_is_better=False)
        inputs = {"image": "optional binary", "seed": "optional long"}
        return Interface(inputs, CODED, score)
    drawn = Score(
        "test/frechet_distance", scored_distance, "repeat", span=100.0, higher_is_better=False
    )
    asked = {"class": "string"} if model["kind"] == "conditional" else {}
    return Interface({"seed": "long", **asked}, OUTPUTS, drawn)


def predict(
    network: nn.Module, inputs: pd.DataFrame, info: dict[str, Any], options: dict[str, Any]
) -> pd.DataFrame:
    """Draw, or compress and make again, a row each.

    Returns:
        picture (a PNG file); loss, in nats: of an autoencoder the mean cross-entropy of a value of
        a pixel, of a vae the bound of the whole image; squared_error, between image and picture on
        a scale of 0 to 1, which is high where an image does not belong; and error: what was wrong
        with a row, whose other columns are empty.
    """
    if isinstance(network, Drawing) and not isinstance(network, Variational):
        return _drawn(network, inputs, info)
    asked = inputs.reset_index(drop=True).reindex(columns=["image", "seed"])
    answers = pd.DataFrame(index=asked.index, columns=list(CODED), dtype=object)
    coded = asked["image"].notna()
    seeded = isinstance(network, Variational)
    drawn = ~coded & asked["seed"].notna() & seeded
    expected = "an image, or a seed" if seeded else "an image"
    answers.loc[~coded & ~drawn, "error"] = f"nothing to answer: expected {expected}"
    if drawn.any():
        pictures = _drawn(network, asked[drawn], info)  # type: ignore[arg-type]
        for name in OUTPUTS:
            answers.loc[drawn, name] = pictures[name].to_numpy()
    if coded.any():
        answers.loc[coded] = _coded(network, asked["image"][coded], info).to_numpy()
    return answers.astype({"loss": np.float64, "squared_error": np.float64})


def _drawn(network: Drawing, inputs: pd.DataFrame, info: dict[str, Any]) -> pd.DataFrame:
    classes = info["classes"] if network.classes else []
    errors = [
        _complain(seed, name, classes)
        for seed, name in zip(
            inputs["seed"], inputs["class"] if classes else [""] * len(inputs), strict=True
        )
    ]
    good = np.array([not error for error in errors], bool)
    labels = np.zeros(len(inputs), np.int64)
    if classes:
        labels[good] = [classes.index(name) for name in inputs["class"][good]]
    images = draw(network, inputs["seed"].to_numpy()[good], labels[good])
    pictures: list[bytes | None] = [None] * len(inputs)
    for row, image in zip(np.flatnonzero(good), images, strict=True):
        pictures[row] = encode(image)
    return pd.DataFrame({"picture": pd.Series(pictures, dtype=object), "error": errors})


def _complain(seed: Any, name: Any, classes: list[str]) -> str:
    """What is wrong with a row that is to be drawn, or nothing."""
    if not 0 <= int(seed) <= MOST_SEED:
        return f"seed {seed}: expected a whole number from 0 to {MOST_SEED}"
    if classes and name not in classes:
        return f"class {name}: no such class; there is: {', '.join(classes)}"
    return ""


def _coded(network: nn.Module, contents: pd.Series, info: dict[str, Any]) -> pd.DataFrame:
    side = info["image_size"][0]
    shape = image_shape(side, info["colour"])
    read = partial(decode, side=side, colour=info["colour"], fit=info["fit"])
    images, errors = decode_all(contents, read, shape, np.uint8)
    made, losses = reconstruct(network, images)
    bad = [bool(error) for error in errors]
    return pd.DataFrame(
        {
            "picture": pd.Series(
                [
                    None if error else encode(image)
                    for image, error in zip(made, errors, strict=True)
                ],
                dtype=object,
            ),
            "loss": np.where(bad, np.nan, losses),
            "squared_error": np.where(bad, np.nan, squared_error(images, made)),
            "error": errors,
        }
    )


def reconstruct(
    network: nn.Module, images: np.ndarray, seen: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Compress images and make them again.

    Args:
        network: an autoencoder.
        images: uint8, shape (images, height, width[, 3]).
        seen: what the network is shown in their place, float32 from 0 to 1, of the same shape:
            noisy ones, say.

    Returns:
        What was made, uint8, of the shape of the images; and the loss of each, float64: the mean
        cross-entropy of a value, or the bound of a vae, averaged over CODES random codes.
    """
    network.eval()
    device = next(network.parameters()).device
    size = batch_size(images)
    made, losses = [np.zeros((0, *images.shape[1:]), np.uint8)], [np.zeros(0)]
    with torch.inference_mode():
        for start in range(0, len(images), size):
            pictures = scale(torch.from_numpy(np.array(images[start : start + size])).to(device))
            shown = pictures
            if seen is not None:
                shown = channels_first(torch.from_numpy(seen[start : start + size]).to(device))
            logits = network(shown).float()
            made.append(as_images(logits.sigmoid()).cpu().numpy())
            if isinstance(network, Variational):
                losses.append(_bounds(network, pictures))
            else:
                costs = F.binary_cross_entropy_with_logits(logits, pictures, reduction="none")
                losses.append(costs.flatten(1).mean(1).double().cpu().numpy())
    return np.concatenate(made), np.concatenate(losses)


def squared_error(images: np.ndarray, made: np.ndarray) -> np.ndarray:
    """Mean squared error of each image, uint8, on a scale of 0 to 1: float64, shape (images,)."""
    apart = np.square((images.astype(np.float32) - made) / 255)
    error: np.ndarray = apart.reshape(len(images), -1).mean(1).astype(np.float64)
    return error


def _bounds(network: Variational, pictures: torch.Tensor) -> np.ndarray:
    noise = torch.from_numpy(noise_of(np.arange(CODES), network.latent)).float()
    total = torch.zeros(len(pictures), dtype=torch.float64, device=pictures.device)
    for code in noise.to(pictures.device):
        total += network.bound(binary(pictures), code.expand(len(pictures), -1)).double()
    bounds: np.ndarray = (total / CODES).cpu().numpy()
    return bounds


def exam(dataset: "Dataset", split: str) -> pd.DataFrame:
    """A seed beside each image of a split, and that image for those that compress.

    So a drawn picture stands beside a real one, of the same class where one is asked for; and the
    examples are dealt into repeats, which are the units of the Frechet distance. `features` are
    those of the real image by the ruler, which goes along, for it measures the drawn one.
    """
    examples = dataset.examples(split)
    images, rows = dataset.array("images"), dataset.rows(split)
    features, _ = ruler_of(dataset).measure(images[rows])
    raw = dataset.raw(examples["id"]) if dataset.has_raw else [encode(images[it]) for it in rows]
    return pd.DataFrame(
        {
            **{name: examples[name] for name in ("id", "sha256", "label")},
            "seed": np.arange(len(rows)),
            "class": [dataset.info["classes"][label] for label in examples["label"]],
            "repeat": np.arange(len(rows)) % REPEATS,
            "image": raw,
            "features": [it.tobytes() for it in features],
            "ruler": [dataset.array(ARRAY).tobytes()] * len(rows),
        }
    )


def outcome(predictions: pd.DataFrame, exam: pd.DataFrame) -> pd.DataFrame:
    """Mark answers: the features of what was drawn, beside those of the real image; or the loss.

    A picture that was not drawn has no features.
    """
    if "loss" in predictions:
        return pd.DataFrame(
            {
                **{name: exam[name].to_numpy() for name in ("id", "sha256", "label")},
                "loss": predictions["loss"].to_numpy(np.float64),
            }
        )
    contents = predictions["picture"].tolist()
    drawn = np.full((len(contents), FEATURES), np.nan, np.float32)
    there = np.flatnonzero([content is not None for content in contents])
    looks = np.full(len(contents), -1)
    if len(there):
        images = np.stack([_open(contents[row]) for row in there])
        ruler = read_ruler(exam["ruler"].iloc[0], images.shape[1:])
        drawn[there], looks[there] = ruler.measure(images)
    real = np.stack([np.frombuffer(it, np.float32) for it in exam["features"]])
    return pd.concat(
        [
            pd.DataFrame(
                {name: exam[name].to_numpy() for name in ("id", "label", "repeat")}
            ).assign(looks_like=looks),
            feature_columns(drawn, DRAWN),
            feature_columns(real, REAL),
        ],
        axis=1,
    )


def _open(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content), formats=["PNG"]))


def read_input(file: Path, info: dict[str, Any]) -> pd.DataFrame:
    """Read seeds (and classes) from a CSV file, or the content of an image file.

    A row whose seed is no whole number has an `error` that says so.

    Raises:
        PenstockError: a CSV without a column `seed`, or that cannot be read.
    """
    if file.suffix.lower() != ".csv":
        return pd.DataFrame({"image": [file.read_bytes()]})
    try:
        table = pd.read_csv(file, dtype=str, keep_default_na=False)
    except (ValueError, UnicodeDecodeError) as error:
        raise PenstockError(
            f"{file}: not a table ({error}); expected CSV with a column seed"
        ) from None
    if "seed" not in table:
        raise PenstockError(
            f"{file}: no column seed; found {', '.join(map(str, table))}; expected seed and, for a "
            "model that draws classes, class"
        )
    good = table["seed"].str.fullmatch(r"\s*\d{1,18}\s*")
    errors = "seed " + table["seed"] + ": expected a whole number from 0 to 10^18 - 1"
    seeds = table["seed"].where(good, "0").astype(np.int64)
    return table.assign(seed=seeds, error=errors.where(~good, ""))
