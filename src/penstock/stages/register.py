"""Register: from an evaluated model to a version in the registry, through the gate."""

import io
import json
import tempfile
from functools import partial
from pathlib import Path
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
from ..tracking.packaging import package_model, predict_fresh
from ..tracking.registry import ModelVersion
from ..tracking.runs import complete_run
from ..tracking.store import MlflowClient, using_registry
from .report import write_report

BUNDLE = "artifacts/bundle"  # where a packaged model keeps its weights
TOLERANCE = 1e-4  # between numbers computed in batches of different sizes
TIES = 1e-3  # share of the test examples whose answer may flip, where two are as likely


def register(workspace: Workspace) -> dict[str, Any]:
    """Package the model, prove it in a fresh process, make a version, and decide its aliases.

    Equal weights and code are one version, however often they come by: the stage can be repeated.

    Returns:
        The receipt, also in receipt.json.

    Raises:
        PenstockError: the packaged model does not predict what `evaluate` measured, or the
            registry cannot be reached.
    """
    stays = f"the model stays in {workspace.model}"
    remedy = f"{stays}; try `penstock run {workspace.name}` when it is back"
    with using_registry(workspace.root, remedy):
        return _register(workspace)


def _register(workspace: Workspace) -> dict[str, Any]:
    dataset = Dataset(workspace.dataset)
    module: pipeline.PredictModule = pipeline.load(workspace.name, "predict")
    metrics = json.loads(workspace.metrics.read_text())
    scores = pd.read_parquet(workspace.evaluation / "scores.parquet")
    interface = module.interface(dataset.info)
    exam = module.exam(dataset, "test")
    example = exam[list(interface.inputs)].head(2)
    description = read_description(workspace.model)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "model"
        bundle = package_model(workspace.name, workspace.model, interface, example, folder)
        ties = _prove(folder, exam, module, interface, scores)
        client, run_id = complete_run(workspace)
        version = trust.find_version(workspace.root, client, workspace.name, bundle)
        if version is None:
            tags = {
                registry.BUNDLE_TAG: bundle,
                registry.WEIGHTS_TAG: description["weights_sha256"],
                **_measured(exam, module, interface),
            }
            version = registry.create_version(client, workspace.name, run_id, folder, tags)
            files = trust.digests(folder)
        elif not trust.difference(workspace.root, client, version):
            files = trust.recorded_files(workspace.root, version)
        else:
            registry.replace_files(client, version, folder)
            files = trust.digests(folder)
        scored = trust.digest(workspace.evaluation / "scores.parquet")
        trust.record(workspace.root, version, files, scored)
    champion = registry.get_alias(client, workspace.name, registry.CHAMPION)
    decision = decide(workspace, client, version, champion, metrics, scores, exam)
    move_aliases(client, version, champion, decision["decision"])
    receipt = {
        "model": workspace.name,
        "version": int(version.version),
        "champion_before": int(champion.version) if champion else None,
        **decision,
        "weights_sha256": description["weights_sha256"],
        "bundle_sha256": bundle,
        "proof": {"examples": len(exam), "ties_flipped": ties},
        "metrics": metrics,
    }
    _tell(workspace, client, version, run_id, receipt)
    return receipt


def _measured(
    exam: pd.DataFrame, module: pipeline.PredictModule, interface: pipeline.Interface
) -> dict[str, str]:
    """Tags that say what a version's stored scores are: of which questions, marked how."""
    return {
        registry.EXAM_TAG: exam_digest(exam),
        registry.SCORE_TAG: score_digest(interface.score, module.outcome),
    }


def _prove(
    folder: Path,
    exam: pd.DataFrame,
    module: pipeline.PredictModule,
    interface: pipeline.Interface,
    scores: pd.DataFrame,
) -> int:
    """Check that the packaged model predicts what `evaluate` measured, on every test example.

    It is given raw inputs, so that a fault in its decoding shows.

    Returns:
        How many ties flipped: examples whose numbers agree, but not the answer that is chosen by
        them. At most a share of TIES may.
    """
    predictions = predict_fresh(folder, exam[list(interface.inputs)])
    if "error" in predictions and (failed := predictions["error"].astype(bool)).any():
        raise PenstockError(
            f"the packaged model cannot read {failed.sum()} of {len(failed)} test inputs: "
            f"{exam['id'].iloc[int(failed.argmax())]}: {predictions['error'][failed].iloc[0]}; "
            "ingest again, or mend decode or predict"
        )
    again = module.outcome(predictions, exam)
    ties = np.zeros(len(again), bool)
    for column in again:
        ours, theirs = scores[column].to_numpy(), again[column].to_numpy()
        differ = _differ(str(column), scores, theirs)
        if not _is_number(ours, theirs):
            ties |= differ
            if ties.mean() <= TIES:
                continue
        if differ.any():
            first = int(np.flatnonzero(differ)[0])
            raise PenstockError(
                f"the packaged model differs from what evaluate measured on {differ.sum()} of "
                f"{len(differ)} test examples: {column} of {scores['id'].iloc[first]} is "
                f"{theirs[first]}, was {ours[first]}; evaluate again, or mend decode or predict"
            )
    return int(ties.sum())


def _differ(column: str, scores: pd.DataFrame, theirs: np.ndarray) -> np.ndarray:
    """On which examples two models differ in a column of their scores."""
    ours = scores[column].to_numpy()
    if not np.issubdtype(ours.dtype, np.floating):
        return ours != theirs
    _refuse_nan(column, scores)
    return ~np.isclose(ours, theirs, rtol=TOLERANCE, atol=TOLERANCE)


def _is_number(ours: np.ndarray, theirs: np.ndarray) -> bool:
    """Whether values are measured, rather than chosen: a class, right or wrong."""
    if not np.issubdtype(ours.dtype, np.floating):
        return False
    return not all(np.array_equal(it, np.rint(it)) for it in (ours, theirs))


def _refuse_nan(column: str, scores: pd.DataFrame) -> None:
    """Stop at a score that is no number: it is neither better nor worse than another."""
    if (lacking := scores[column].isna()).any():
        raise PenstockError(
            f"scores.parquet: {column} is NaN for {lacking.sum()} of {len(scores)} test examples, "
            f"{scores['id'][lacking].iloc[0]} the first; expected a number for each; mend the "
            "network or its training"
        )


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
    module: pipeline.PredictModule = pipeline.load(workspace.name, "predict")
    interface = module.interface(Dataset(workspace.dataset).info)
    measured = _measured(exam, module, interface)
    rivals = {f"champion v{champion.version}": champion}
    best = registry.best_champion(workspace.root, client, workspace.name, measured, interface.score)
    if best and int(best.version) not in (int(champion.version), int(version.version)):
        rivals[f"v{best.version}, the best champion so far"] = best
    compared, strange, barred = [], [], False
    for title, rival in rivals.items():
        if reason := _incomparable(workspace, client, rival):
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


def _incomparable(workspace: Workspace, client: MlflowClient, rival: ModelVersion) -> str:
    """Why a champion cannot be compared by number, or nothing."""
    dataset = Dataset(workspace.dataset)
    try:
        theirs, learned = _read_about(workspace, client, rival)
    except PenstockError:  # gone or changed: to compare by number asks for no more than scores
        return ""
    source = client.get_run(str(rival.run_id)).data.params.get("source")
    return comparability.difference(
        {**dataset.info, "source": workspace.params.source},
        {**theirs, "source": source},
        learned,
        identities(dataset, "test"),
    )


def _read_about(
    workspace: Workspace, client: MlflowClient, rival: ModelVersion
) -> tuple[dict[str, Any], np.ndarray]:
    """What the dataset of a registered model said of itself, and a sketch of its examples."""
    ask = partial(trust.read_trusted, workspace.root, client, rival)
    info: dict[str, Any] = json.loads(ask(f"{BUNDLE}/{DESCRIPTION}"))["dataset"]
    if f"{BUNDLE}/{LEARNED}" not in trust.recorded_files(workspace.root, rival):
        return info, np.zeros(0, np.uint64)  # registered before there were any
    return info, np.load(io.BytesIO(ask(f"{BUNDLE}/{LEARNED}")), allow_pickle=False)


def move_aliases(
    client: MlflowClient, version: ModelVersion, champion: ModelVersion | None, decision: str
) -> None:
    """Point the aliases at a version as was decided; remember who was champion."""
    if decision != "refused":
        registry.set_alias(client, version, registry.CHALLENGER)
    if champion:
        registry.remember_champion(client, champion)
    if decision == "champion":
        registry.set_alias(client, version, registry.CHAMPION)
        registry.remember_champion(client, version)


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
    interface = module.interface(dataset.info)
    tolerance, score = workspace.params.register.tolerance, interface.score
    theirs, how = None, "stored"
    if _measured(exam, module, interface).items() <= rival.tags.items():
        file = registry.stored_scores(client, rival)
        if file and trust.vouches_for_scores(workspace.root, rival, file):
            theirs = pd.read_parquet(file)
    if theirs is None:
        how = "scored again: those stored are gone, changed, of another test split or definition"
        with trust.trusted_copy(workspace.root, client, rival) as copy:
            answers = predict_fresh(copy, exam[list(interface.inputs)])
            info = read_description(copy / BUNDLE)["dataset"]
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


def _tell(
    workspace: Workspace,
    client: MlflowClient,
    version: ModelVersion,
    run_id: str,
    receipt: dict[str, Any],
) -> None:
    """Write the decision everywhere: receipt, report, run, version, terminal."""
    with workspace.writing(workspace.receipt) as file:
        file.write_text(json.dumps(receipt, indent=2) + "\n")
    write_report(workspace)
    for key in ("decision", "reason", "version"):
        client.set_model_version_tag(version.name, version.version, key, str(receipt[key]))
        client.set_tag(run_id, f"penstock.{key}", str(receipt[key]))
    for file in (workspace.receipt, workspace.report):
        client.log_artifact(run_id, str(file))
    print(
        f"register {workspace.name}: version {version.version}: {receipt['decision']}: "
        f"{receipt['reason']}"
    )
