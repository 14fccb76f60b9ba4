"""How good the tissue classifier is, how sure that is, and what it looks at."""

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from ...datasets.dataset import Dataset
from ...evaluation import exhibits, figures
from ...evaluation.classification import evaluate_classes
from ...evaluation.grouped import accuracy_by_group
from ...evaluation.inference import class_probabilities
from ...evaluation.predictions import (
    as_predictions,
    at_even_distances,
    outcome,
    worst_mistakes,
)
from ...kinds.images.first_layer import first_layer_filters
from ...messages.errors import PenstockError
from ...pipeline import Evaluation
from . import detection
from .gradcam import gradcam, overlay
from .params import Evaluate, Params

COLOURS = ["red", "green", "blue"]
WORST_GROUPS = 20


def evaluate(network: nn.Module, dataset: Dataset, params: Params) -> Evaluation:
    """Score every test image; find the positive class; show what the network looks at."""
    images, classes, index = dataset.array("images"), dataset.info["classes"], dataset.index
    positive = _positive(params.evaluate, classes)
    held_out, rows = dataset.rows("validation"), dataset.rows("test")
    validation = class_probabilities(network, images, held_out)[:, positive]
    threshold = detection.choose_threshold(
        validation,
        index["label"].to_numpy()[held_out] == positive,
        index["group"].to_numpy()[held_out],
        params.evaluate.sensitivity,
        params.evaluate.resamples,
    )
    probabilities = class_probabilities(network, images, rows)
    scores = outcome(as_predictions(probabilities, classes), index.iloc[rows])
    labels, groups = scores["label"].to_numpy(), scores["group"].to_numpy()
    evaluation = evaluate_classes(scores, classes, params.evaluate.resamples)
    evaluation.metrics = {
        **detection.evaluate_detection(
            probabilities, labels, groups, positive, threshold.value, params.evaluate.resamples
        ),
        **_named(threshold),
        "test/mean_colour_accuracy": _mean_colour_accuracy(dataset),
        **{k: v for k, v in evaluation.metrics.items() if not k.startswith("test/accuracy")},
        "test/groups": len(np.unique(groups)),
    }
    _say_what_is_found(evaluation, classes[positive], threshold)
    _add_curves(evaluation, probabilities[:, positive], labels == positive, classes[positive])
    _add_groups(evaluation)
    _add_maps(evaluation, network, dataset, params.evaluate.gallery)
    evaluation.exhibits += first_layer_filters(network, images[rows[0]])
    return evaluation


def _positive(settings: Evaluate, classes: list[str]) -> int:
    """The class to find.

    Raises:
        PenstockError: the dataset has no class of that name.
    """
    name = settings.positive or max(classes)
    if name not in classes:
        raise PenstockError(
            f"params.yaml: pipelines.pathology.evaluate.positive: {name}: no such class; "
            f"there is: {', '.join(classes)}"
        )
    return classes.index(name)


def _named(threshold: detection.Threshold) -> dict[str, float]:
    ends = {"test/threshold_low": threshold.low, "test/threshold_high": threshold.high}
    return {"test/threshold": threshold.value} | {k: v for k, v in ends.items() if np.isfinite(v)}


def _say_what_is_found(evaluation: Evaluation, name: str, threshold: detection.Threshold) -> None:
    """Name the positive class wherever its numbers are shown."""
    evaluation.meanings = {
        metric: f"of {name}"
        for metric in ("test/sensitivity", "test/specificity", "test/pr_auc")
        if metric in evaluation.metrics
    } | {"test/threshold": threshold.note}
    interval = f" (95 %: {threshold.low:.4f} to {threshold.high:.4f})"
    text = (
        f"{name} is what is to be found (evaluate.positive). An image counts as {name} from a "
        f"probability of {threshold.value:.4f} on{interval if np.isfinite(threshold.low) else ''}, "
        f"{threshold.note}."
    )
    evaluation.exhibits.append(exhibits.Text("What is found", text))
    print(f"  {text}")


def _mean_colour_accuracy(dataset: Dataset) -> float:
    """Accuracy on test of a classifier that knows nothing but each image's mean colour."""
    train, test = (dataset.index.iloc[dataset.rows(split)] for split in ("train", "test"))
    model = make_pipeline(StandardScaler(), LogisticRegression())
    model.fit(train[COLOURS].to_numpy(np.float64), train["label"].to_numpy())
    return float(model.score(test[COLOURS].to_numpy(np.float64), test["label"].to_numpy()))


def _add_curves(
    evaluation: Evaluation, scores: np.ndarray, positive: np.ndarray, name: str
) -> None:
    """ROC and precision-recall curve of the positive class, unless the test split lacks a side."""
    if positive.all() or not positive.any():
        return
    metrics = evaluation.metrics
    roc = detection.roc_table(scores, positive)
    false, true, precision = roc.columns[0], roc.columns[1], "precision"
    prevalence = float(positive.mean())
    at_roc = at_precision = None
    if "test/threshold" in metrics:
        found = scores >= metrics["test/threshold"]
        at_roc = (1 - metrics["test/specificity"], metrics["test/sensitivity"])
        if found.any():
            at_precision = (metrics["test/sensitivity"], float(positive[found].mean()))
    evaluation.plots["roc"] = roc
    evaluation.exhibits += [
        exhibits.figure(
            "ROC curve",
            figures.operating_curve(
                roc, false, true, pd.DataFrame({false: [0, 1], true: [0, 1]}), at_roc
            ),
            f"Finding {name}: share found against share of false alarms. The operating point has "
            "the threshold that was chosen on the validation split; the dotted line is chance.",
        ),
        exhibits.figure(
            "Precision and recall",
            figures.operating_curve(
                detection.precision_recall_table(scores, positive),
                *(true, precision),
                pd.DataFrame({true: [0, 1], precision: [prevalence, prevalence]}),
                at_precision,
            ),
            f"How many of those called {name} are, against how many of them are found; the dotted "
            "line is chance.",
        ),
    ]


def _add_groups(evaluation: Evaluation) -> None:
    """The groups with most errors, if groups are more than single images."""
    table = accuracy_by_group(evaluation.scores)
    wrong = table[table["errors"] > 0].sort_values(
        ["errors", "accuracy", "group"], ascending=[False, True, True]
    )
    if len(wrong) and table["examples"].max() > 1:
        worst = exhibits.Table("Groups with most errors", wrong.head(WORST_GROUPS))
        evaluation.exhibits.append(worst)


def _add_maps(evaluation: Evaluation, network: nn.Module, dataset: Dataset, count: int) -> None:
    """Sheets of images beside their Grad-CAM maps: right ones at even distances, worst mistakes."""
    scores = evaluation.scores
    right = np.flatnonzero(scores["correct"].to_numpy() == 1)
    worst, spread = worst_mistakes(scores, count), at_even_distances(right, count)
    how = (
        "In pairs: an image under its true class, then where the network saw the class it "
        "predicted (Grad-CAM, yellow is strongest) under that class and its confidence."
    )
    for title, shown, which in (
        ("Grad-CAM of correct images", spread, "Correct ones at even distances."),
        ("Grad-CAM of mistakes", worst, "Wrong ones with the highest loss first."),
    ):
        if len(shown):
            sheet = _pairs(network, dataset, scores.iloc[shown], shown)
            evaluation.exhibits.append(exhibits.gallery(title, *sheet, note=f"{which} {how}"))


def _pairs(
    network: nn.Module, dataset: Dataset, scores: pd.DataFrame, shown: np.ndarray
) -> tuple[np.ndarray, list[str], list[bool]]:
    """Images beside their maps, the captions, and which are wrong."""
    images = dataset.array("images")[dataset.rows("test")[shown]]
    heats = gradcam(network, images, scores["predicted"].to_numpy(), str(network.cam_layer))
    names = np.array(dataset.info["classes"])
    sheet, captions, marked = [], [], []
    for image, heat, label, predicted, confidence, correct in zip(
        images,
        heats,
        *(scores[column] for column in ("label", "predicted", "confidence", "correct")),
        strict=True,
    ):
        sheet += [image, overlay(image, heat)]
        captions += [names[label], f"{names[predicted]} {confidence:.2f}"]
        marked += [False, correct == 0]
    return np.stack(sheet), captions, marked
