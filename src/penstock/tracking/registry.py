"""The registry: versions found by content, and the aliases `challenger` and `champion`."""

from contextlib import suppress
from math import isnan
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion as ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.artifact_repo import ArtifactRepository
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

from ..messages.errors import PenstockError
from ..pipeline import Score
from .glance import CHALLENGER as CHALLENGER
from .glance import CHAMPION as CHAMPION
from .records import BUNDLE_TAG as BUNDLE_TAG
from .records import EXAM_TAG as EXAM_TAG
from .records import SCORE_TAG as SCORE_TAG
from .records import WEIGHTS_TAG as WEIGHTS_TAG
from .records import entry, entry_difference, read_record

WAS_CHAMPION_TAG = "penstock.was_champion"  # stays when another takes its place


def versions_of(client: MlflowClient, name: str, bundle: str) -> list[ModelVersion]:
    """The versions of a registered model that say they have this content, the newest first."""
    found = client.search_model_versions(f"name = '{name}' and tags.`{BUNDLE_TAG}` = '{bundle}'")
    return sorted(found, key=lambda version: int(version.version), reverse=True)


def create_version(
    client: MlflowClient, name: str, run_id: str, folder: Path, tags: dict[str, str]
) -> ModelVersion:
    """Upload a packaged model to its run and make a version of it.

    Equal weights with other code are another version of the same run, with a place of its own.
    """
    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    artifacts = client.get_run(run_id).info.artifact_uri
    taken = {it.source for it in client.search_model_versions(f"name = '{name}'")}
    place = f"model-{tags[BUNDLE_TAG][:16]}" if f"{artifacts}/model" in taken else "model"
    _put(client, run_id, place, folder)
    return client.create_model_version(name, f"{artifacts}/{place}", run_id, tags=tags)


def replace_files(client: MlflowClient, version: ModelVersion, folder: Path) -> None:
    """Put a packaged model in the place of whatever a version has; `own_place` must be known."""
    _put(client, str(version.run_id), str(own_place(client, version)), folder)


def _put(client: MlflowClient, run_id: str, place: str, folder: Path) -> None:
    files = _files(client, run_id)
    with suppress(MlflowException, OSError):  # there is nothing
        files.delete_artifacts(place)
    files.log_artifacts(str(folder), place)


def _files(client: MlflowClient, run_id: str) -> ArtifactRepository:
    """The artifacts of a run, where they are now: MLflow's client remembers where they were."""
    artifacts = str(client.get_run(run_id).info.artifact_uri)
    return get_artifact_repository(artifacts, tracking_uri=client.tracking_uri)


def own_place(client: MlflowClient, version: ModelVersion) -> str | None:
    """The folder of its run that `create_version` gave a version; None if it lies elsewhere.

    What another version shares, or a run of another experiment has, is not its own either.
    """
    place = _place(client, version)
    bundle = str(version.tags.get(BUNDLE_TAG))
    if place not in ("model", f"model-{bundle[:16]}"):
        return None
    experiment = client.get_run(str(version.run_id)).info.experiment_id
    sources = [it.source for it in client.search_model_versions(f"name = '{version.name}'")]
    own = client.get_experiment(experiment).name == version.name
    return place if own and sources.count(version.source) == 1 else None


def has_files(client: MlflowClient, version: ModelVersion) -> bool:
    """Whether the files of a version are still in its run."""
    place = _place(client, version)
    return bool(place and _files(client, str(version.run_id)).list_artifacts(place))


def _place(client: MlflowClient, version: ModelVersion) -> str:
    """The folder of its run that a version's source names; empty if it names none."""
    try:
        artifacts = f"{client.get_run(str(version.run_id)).info.artifact_uri}/"
    except MlflowException:
        return ""
    source = str(version.source)
    return source.removeprefix(artifacts) if source.startswith(artifacts) else ""


def get_alias(client: MlflowClient, name: str, alias: str) -> ModelVersion | None:
    """The version an alias points at, if any."""
    try:
        return client.get_model_version_by_alias(name, alias)
    except MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return None
        raise


def numbered_version(client: MlflowClient, name: str, number: int) -> ModelVersion:
    """A version by its number.

    Raises:
        PenstockError: there is none.
    """
    try:
        return client.get_model_version(name, str(number))
    except MlflowException:
        raise PenstockError(
            f"{name} v{number}: no such version; see `penstock runs {name}`"
        ) from None


def set_alias(client: MlflowClient, version: ModelVersion, alias: str) -> None:
    """Point an alias at a version."""
    client.set_registered_model_alias(version.name, alias, version.version)


def remember_champion(client: MlflowClient, version: ModelVersion) -> None:
    """Mark a version as one that is or was champion."""
    client.set_model_version_tag(version.name, version.version, WAS_CHAMPION_TAG, "true")


def best_champion(
    root: Path, client: MlflowClient, name: str, measured: dict[str, str], score: Score
) -> ModelVersion | None:
    """The best of all that were champions, by the metric their runs have.

    Of those that the project has a record of: anybody who can write to the store can set a tag.

    Args:
        root: the project.
        client: of the registry.
        name: of the registered model.
        measured: the tags of a version whose metric is comparable: exam, score.
        score: what models are compared by.
    """
    sign = 1 if score.higher_is_better else -1
    tags = {WAS_CHAMPION_TAG: "true", **measured}
    asked = " and ".join(f"tags.`{tag}` = '{value}'" for tag, value in tags.items())
    found = {}
    for version in client.search_model_versions(f"name = '{name}' and {asked}"):
        if version_difference(root, version) or not has_files(client, version):
            continue
        value = client.get_run(str(version.run_id)).data.metrics.get(score.metric)
        if value is not None and not isnan(value):
            found[sign * value] = version
    return found[max(found)] if found else None


def version_difference(root: Path, version: ModelVersion) -> str:
    """How what the registry says of a version differs from its record, or nothing."""
    record = read_record(root, version.name, version.version)
    return entry_difference(record, version_entry(root, version))


def version_entry(root: Path, version: ModelVersion) -> dict[str, Any]:
    """What the registry says of a version, as a record keeps it."""
    return entry(root, version.run_id, str(version.source), version.tags)


def stored_scores(client: MlflowClient, version: ModelVersion) -> Path | None:
    """The per-example scores that were stored with a version's run, if they are still there."""
    try:
        return Path(client.download_artifacts(str(version.run_id), "evaluation/scores.parquet"))
    except (MlflowException, OSError):
        return None


def model_location(client: MlflowClient, version: ModelVersion) -> str:
    """Where a version's files lie."""
    return str(client.get_model_version_download_uri(version.name, version.version))
