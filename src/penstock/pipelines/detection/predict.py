"""What is served: an image file -> the objects in it, as rows, as a picture, as COCO's JSON."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from PIL import Image
from torch import nn

from ...kinds.images.decode import as_eight_bits, as_rgb, encode, read_image
from ...pipeline import Interface, Score
from .average_precision import RIGHT, Truth, match, scored_average_precision
from .decode import decode
from .detections import Found, detect
from .drawing import colour_of, draw_boxes

if TYPE_CHECKING:
    from ...datasets.dataset import Dataset

CONFIDENCE = 0.4  # chosen on validation: see docs/detection.md
OPTIONS: dict[str, Any] = {
    "confidence": CONFIDENCE,  # least confidence of an object that is answered, counted and drawn
    "draw": False,  # whether to draw the objects, and to write them as COCO has them
}
CORNERS = ("xmin", "ymin", "xmax", "ymax")
OUTPUTS = {
    "counts": "string",
    "labels": "strings",
    "confidences": "array",
    **dict.fromkeys(CORNERS, "array"),
    "candidates": "array",
    "picture": "binary",
    "coco": "binary",
    "error": "string",
}
NUMBERS = 6  # of a candidate: left, top, right, bottom, class, confidence


def interface(info: dict[str, Any], model: dict[str, Any]) -> Interface:
    """The bytes of an image file, and its name if it has one -> the objects in it."""
    score = Score("test/map50", scored_average_precision)
    return Interface({"image": "binary", "name": "optional string"}, OUTPUTS, score, OPTIONS)


def predict(
    network: nn.Module, inputs: pd.DataFrame, info: dict[str, Any], options: dict[str, Any]
) -> pd.DataFrame:
    """Find the objects in image files, a row each.

    Returns:
        counts, in words; labels, confidences and corners of the objects, the surest first;
        candidates: all that is looked at by average precision, from a confidence of 0.01 on, six
        numbers each (left, top, right, bottom, class, confidence). If asked: picture, a PNG with
        the objects drawn, and coco, a JSON document. error: what was wrong with a file that could
        not be decoded, whose other columns are empty.
    """
    names = inputs["name"] if "name" in inputs else pd.Series([""] * len(inputs))
    rows = [
        _answer(network, content, name or "", info, options)
        for content, name in zip(inputs["image"], names, strict=True)
    ]
    return pd.DataFrame(rows, columns=list(OUTPUTS), dtype=object)


def _answer(
    network: nn.Module, content: bytes, name: str, info: dict[str, Any], options: dict[str, Any]
) -> dict[str, Any]:
    try:
        height, width = info["image_size"]
        image = decode(content, height, width, info["max_pixels"])
    except ValueError as error:
        return {**dict.fromkeys(OUTPUTS), "error": str(error)}
    every = detect(network.eval(), image.pixels, image.width, image.height)
    found, classes = every.above(options["confidence"]), info["classes"]
    labels = [classes[it] for it in found.labels]
    answer: dict[str, Any] = {
        **dict.fromkeys(OUTPUTS),
        "counts": count_in_words(found, classes),
        "labels": labels,
        "confidences": found.confidence.tolist(),
        **dict(zip(CORNERS, found.boxes.T.tolist() or [[]] * 4, strict=True)),
        "candidates": as_candidates(every),
        "error": "",
    }
    if options["draw"]:
        seen = as_rgb(as_eight_bits(read_image(content, info["max_pixels"])[0]))
        answer["picture"] = encode(_drawn(seen, found, labels))
        size = image.width, image.height
        answer["coco"] = json.dumps(as_document(found, name, size, classes)).encode()
    return answer


def count_in_words(found: Found, classes: list[str]) -> str:
    """How many objects there are of each class that there is one of."""
    counts = np.bincount(found.labels, minlength=len(classes))
    told = [f"{name} {count}" for name, count in zip(classes, counts, strict=True) if count]
    return ", ".join(told) or "nothing"


def _drawn(image: Image.Image, found: Found, labels: list[str]) -> np.ndarray:
    captions = [
        f"{name} {confidence:.2f}"
        for name, confidence in zip(labels, found.confidence, strict=True)
    ]
    return draw_boxes(image, found.boxes, [colour_of(it) for it in found.labels], captions)


def as_document(
    found: Found, name: str, size: tuple[int, int], classes: list[str]
) -> dict[str, Any]:
    """The objects of one image as COCO has them, each with a score: annotations to begin with."""
    rows = zip(found.boxes.tolist(), found.labels.tolist(), found.confidence.tolist(), strict=True)
    return {
        "images": [{"id": 1, "file_name": name, "width": size[0], "height": size[1]}],
        "categories": [{"id": number, "name": it} for number, it in enumerate(classes, 1)],
        "annotations": [
            {
                "id": number,
                "image_id": 1,
                "category_id": label + 1,
                "bbox": [left, top, right - left, bottom - top],
                "area": (right - left) * (bottom - top),
                "iscrowd": 0,
                "score": confidence,
            }
            for number, ((left, top, right, bottom), label, confidence) in enumerate(rows, 1)
        ],
    }


def as_candidates(found: Found) -> list[float]:
    """Objects as a list of numbers, six each."""
    rows = np.column_stack([found.boxes, found.labels, found.confidence])
    numbers: list[float] = rows.astype(np.float64).flatten().tolist()
    return numbers


def from_candidates(numbers: Any) -> Found:
    """The objects of a list of numbers; none of a file that could not be decoded."""
    rows = np.asarray([] if numbers is None else numbers, np.float64).reshape(-1, NUMBERS)
    return Found(rows[:, :4], rows[:, 4].astype(np.int64), rows[:, 5])


def truths_of(dataset: "Dataset", split: str) -> list[Truth]:
    """The objects of each image of a split, in order."""
    examples = dataset.examples(split)
    boxes, labels, crowd = (dataset.array(name) for name in ("boxes", "labels", "crowd"))
    return [
        Truth(boxes[it].astype(np.float64), labels[it].astype(np.int64), crowd[it] > 0)
        for it in map(slice, examples["start"], examples["stop"])
    ]


def exam(dataset: "Dataset", split: str) -> pd.DataFrame:
    """The images of a split as files, with the truth in JSON."""
    examples = dataset.examples(split)
    return pd.DataFrame(
        {
            **{name: examples[name] for name in ("id", "sha256", "group")},
            "name": examples["id"],
            "image": dataset.raw(examples["id"]),
            "truth": [it.to_json() for it in truths_of(dataset, split)],
            "classes": len(dataset.info["classes"]),
        }
    )


def outcome(predictions: pd.DataFrame, exam: pd.DataFrame) -> pd.DataFrame:
    """Mark predictions, a row per image: see `mark_images`."""
    truths = [Truth.from_json(it) for it in exam["truth"]]
    found = [from_candidates(it) for it in predictions["candidates"]]
    return mark_images(exam, truths, found, int(exam["classes"].iloc[0]))


def mark_images(
    images: pd.DataFrame, truths: list[Truth], found: list[Found], classes: int
) -> pd.DataFrame:
    """Scores of images.

    Args:
        images: `id`, `sha256` and `group` of each.
        truths: the objects of each.
        found: what was found in each, the surest first.
        classes: how many there are.

    Returns:
        Of each image these three, and lists: of detections `label`, `confidence` and `taken`, the
        object each takes at an IoU of 0.5 (-1 none, -2 one of a crowd); `objects`, how many there
        are of each class.
    """
    taken = [match(*pair, [RIGHT])[0] for pair in zip(truths, found, strict=True)]
    return pd.DataFrame(
        {
            **{name: images[name].to_numpy() for name in ("id", "sha256", "group")},
            "label": [it.labels.astype(np.int64) for it in found],
            "confidence": [it.confidence for it in found],
            "taken": taken,
            "objects": [it.counts(classes).astype(np.int64) for it in truths],
        }
    )


def read_input(file: Path, info: dict[str, Any]) -> pd.DataFrame:
    """One image file, and its name."""
    return pd.DataFrame({"image": [file.read_bytes()], "name": [file.name]})
