"""What a version may become: held to limits, and to the champions there were."""

import io
import json
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from .. import pipeline
from ..datasets.dataset import Dataset
from ..datasets.identity import identities
from ..evaluation import comparability
from ..evaluation.comparison import compare, exam_digest, score_digest
from ..learning.weights import DESCRIPTION, LEARNED, read_description
from ..messages.errors import PenstockError
from ..project.workspace import Workspace
from ..tracking import registry, trust
from ..tracking.packaging import predict_fresh
from ..tracking.registry import ModelVersion
from ..tracking.store import MlflowClient

BUNDLE = "artifacts/bundle"  # where a packaged model keeps its weights


def decide(
    workspace: Workspace,
    client: MlflowClient,
    version: ModelVersion,
    champion: ModelVersion | None,
    metrics: dict[str, float],
    scores: pd.DataFrame,
    exam: pd.DataFrame,
) -> dict[str, Any]:
    """Decide what a version may become: `refused`, `challenger` or `champion`, and why."""
    if reason := _outside(workspace, metrics):
        return {"decision": "refused", "reason": reason}
    if champion is None:
        return {"decision": "champion", "reason": "within limits, and there was no champion"}
    if int(champion.version) == int(version.version):
        return {"decision": "champion", "reason": "it is the champion already"}
    rivals = _rivals(workspace, client, version, champion, exam)
    compared, strange, barred = [], [], False
    for title, rival in rivals.items():
        if reason := _incomparable(workspace, client, rival, exam):
            strange.append(f"{title} cannot be compared with: {reason}")
            barred |= rival is champion and not workspace.params.register.replace_incomparable
        else:
            compared.append(_compare(workspace, client, title, rival, scores, exam))
    passed = all(it["loss_ruled_out"] for it in compared) and not barred
    if barred:
        strange.append(
            f"`penstock promote {workspace.name} {version.version}` makes it champion, and so does "
            "register.replace_incomparable: true"
        )
    return {
        "decision": "champion" if passed else "challenger",
        "reason": "; ".join([*(it.pop("text") for it in compared), *strange]),
        "comparisons": compared,
    }


def _rivals(
    workspace: Workspace,
    client: MlflowClient,
    version: ModelVersion,
    champion: ModelVersion,
    exam: pd.DataFrame,
) -> dict[str, ModelVersion]:
    """Whom a version is compared with, by title: the champion, and the best there was."""
    module: pipeline.PredictModule = pipeline.load(workspace.name, "predict")
    interface = interface_of(workspace, module)
    measured = measured_by(exam, module, interface)
    rivals = {f"champion v{champion.version}": champion}
    best = registry.best_champion(workspace.root, client, workspace.name, measured, interface.score)
    if best and int(best.version) not in (int(champion.version), int(version.version)):
        rivals[f"v{best.version}, the best champion so far"] = best
    return rivals


def _incomparable(
    workspace: Workspace, client: MlflowClient, rival: ModelVersion, exam: pd.DataFrame
) -> str:
    """Why a champion cannot be compared by number, or nothing."""
    dataset = Dataset(workspace.dataset)
    try:
        description, learned = _read_about(workspace, client, rival)
    except PenstockError:  # gone or changed: to compare by number asks for no more than scores
        return ""
    theirs, model = description["dataset"], description["params"]["model"]
    module: pipeline.PredictModule = pipeline.load(workspace.name, "predict")
    source = client.get_run(str(rival.run_id)).data.params.get("source")
    return comparability.another_question(
        interface_of(workspace, module), module.interface(theirs, model), exam.columns.tolist()
    ) or comparability.difference(
        {**dataset.info, "source": workspace.params.source},
        {**theirs, "source": source},
        learned,
        identities(dataset, "test"),
    )


def _read_about(
    workspace: Workspace, client: MlflowClient, rival: ModelVersion
) -> tuple[dict[str, Any], np.ndarray]:
    """The description (model.json) of a registered model, and a sketch of its examples."""
    ask = partial(trust.read_trusted, workspace.root, client, rival)
    description: dict[str, Any] = json.loads(ask(f"{BUNDLE}/{DESCRIPTION}"))
    if f"{BUNDLE}/{LEARNED}" not in trust.recorded_files(workspace.root, rival):
        return description, np.zeros(0, np.uint64)  # registered before there were any
    return description, np.load(io.BytesIO(ask(f"{BUNDLE}/{LEARNED}")), allow_pickle=False)


def _outside(workspace: Workspace, metrics: dict[str, float]) -> str:
    """Which metric is outside its limits, if one is; a metric that is NaN is."""
    for metric, (least, most) in workspace.params.register.limits.items():
        if metric not in metrics:
            raise PenstockError(
                f"params.yaml: pipelines.{workspace.name}.register.limits.{metric}: no such "
                f"metric; there is: {', '.join(metrics)}"
            )
        value, of = metrics[metric], _meaning(workspace, metric)
        if np.isnan(value):
            return f"{metric} is NaN, which is within no limits"
        if least is not None and value < least:
            return f"{metric} {value:.4f}{of} is below the least allowed, {least:.4f}"
        if most is not None and value > most:
            return f"{metric} {value:.4f}{of} is above the most allowed, {most:.4f}"
    return ""


def _meaning(workspace: Workspace, metric: str) -> str:
    """What evaluate says a metric is of, in brackets, or nothing."""
    file = workspace.evaluation / "about.json"
    meanings = json.loads(file.read_text()).get("meanings", {}) if file.is_file() else {}
    return f" ({meanings[metric]})" if metric in meanings else ""


def _compare(
    workspace: Workspace,
    client: MlflowClient,
    title: str,
    rival: ModelVersion,
    scores: pd.DataFrame,
    exam: pd.DataFrame,
) -> dict[str, Any]:
    """Compare with a champion on the same test examples, by its stored scores or new ones."""
    module: pipeline.PredictModule = pipeline.load(workspace.name, "predict")
    dataset = Dataset(workspace.dataset)
    interface = interface_of(workspace, module)
    tolerance, score = workspace.params.register.tolerance, interface.score
    theirs, how = None, "stored"
    if measured_by(exam, module, interface).items() <= rival.tags.items():
        file = registry.stored_scores(client, rival)
        if file and trust.vouches_for_scores(workspace.root, rival, file):
            theirs = pd.read_parquet(file)
    if theirs is None:
        how = "scored again: those stored are gone, changed, of another test split or definition"
        with trust.trusted_copy(workspace.root, client, rival) as copy:
            description = read_description(copy / BUNDLE)
            info = description["dataset"]
            asked = module.interface(info, description["params"]["model"]).inputs
            answers = predict_fresh(copy, exam[[it for it in asked if it in exam]])
        classes = info.get("classes", []), dataset.info.get("classes", [])
        theirs = module.outcome(comparability.in_order(answers, *classes), exam)
    found = compare(scores, theirs, score)
    ruled_out = found.low >= -tolerance  # never, if it is NaN
    numbers = {"difference": found.mean, "low": found.low, "high": found.high}
    return {
        "version": int(rival.version),
        "loss_ruled_out": ruled_out,
        **{name: None if np.isnan(value) else value for name, value in numbers.items()},
        "examples": len(scores),
        "units": found.units,
        "scores": how,
        "text": f"{score.metric} against {title} on {len(scores):,} test examples: {found}; a loss "
        f"above {tolerance} is {'' if ruled_out else 'not '}ruled out",
    }


def interface_of(workspace: Workspace, module: pipeline.PredictModule) -> pipeline.Interface:
    """What the model that is trained here takes and gives."""
    model = workspace.params.model.model_dump(mode="json")
    return module.interface(Dataset(workspace.dataset).info, model)


def measured_by(
    exam: pd.DataFrame, module: pipeline.PredictModule, interface: pipeline.Interface
) -> dict[str, str]:
    """Tags that say what a version's stored scores are: of which questions, marked how."""
    return {
        registry.EXAM_TAG: exam_digest(exam),
        registry.SCORE_TAG: score_digest(interface.score, module.outcome),
    }
