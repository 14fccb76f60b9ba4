"""The registry: versions found by content, and the aliases `challenger` and `champion`."""

from contextlib import suppress
from math import isnan
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion as ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

from ..pipeline import Score
from .glance import BUNDLE_TAG as BUNDLE_TAG
from .glance import CHALLENGER as CHALLENGER
from .glance import CHAMPION as CHAMPION

TEST_TAG = "penstock.test_digest"
WAS_CHAMPION_TAG = "penstock.was_champion"  # stays when another takes its place


def find_version(client: MlflowClient, name: str, bundle: str) -> ModelVersion | None:
    """The version of a registered model that has this content."""
    found = client.search_model_versions(f"name = '{name}' and tags.`{BUNDLE_TAG}` = '{bundle}'")
    return max(found, key=lambda version: int(version.version), default=None)


def create_version(
    client: MlflowClient, name: str, run_id: str, folder: Path, tags: dict[str, str]
) -> ModelVersion:
    """Upload a packaged model to its run and make a version of it."""
    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    client.log_artifacts(run_id, str(folder), "model")
    source = f"{client.get_run(run_id).info.artifact_uri}/model"
    return client.create_model_version(name, source, run_id, tags=tags)


def replace_files(client: MlflowClient, version: ModelVersion, folder: Path) -> None:
    """Put a packaged model in the place of whatever a version's run has."""
    place = client.get_run(str(version.run_id)).info.artifact_uri
    with suppress(MlflowException, OSError):  # there is nothing
        get_artifact_repository(str(place), tracking_uri=client.tracking_uri).delete_artifacts(
            "model"
        )
    client.log_artifacts(str(version.run_id), str(folder), "model")


def has_files(client: MlflowClient, version: ModelVersion) -> bool:
    """Whether the files of a version are still where the registry says."""
    return bool(client.list_artifacts(str(version.run_id), "model"))


def get_alias(client: MlflowClient, name: str, alias: str) -> ModelVersion | None:
    """The version an alias points at, if any."""
    try:
        return client.get_model_version_by_alias(name, alias)
    except MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return None
        raise


def set_alias(client: MlflowClient, version: ModelVersion, alias: str) -> None:
    """Point an alias at a version."""
    client.set_registered_model_alias(version.name, alias, version.version)


def remember_champion(client: MlflowClient, version: ModelVersion) -> None:
    """Mark a version as one that is or was champion."""
    client.set_model_version_tag(version.name, version.version, WAS_CHAMPION_TAG, "true")


def best_champion(
    client: MlflowClient, name: str, test_digest: str, score: Score
) -> ModelVersion | None:
    """The best of all that were champions on a test split, by the metric their runs have."""
    sign = 1 if score.higher_is_better else -1
    tags = {WAS_CHAMPION_TAG: "true", TEST_TAG: test_digest}
    asked = " and ".join(f"tags.`{tag}` = '{value}'" for tag, value in tags.items())
    found = {}
    for version in client.search_model_versions(f"name = '{name}' and {asked}"):
        value = client.get_run(str(version.run_id)).data.metrics.get(score.metric)
        if value is not None and not isnan(value) and has_files(client, version):
            found[sign * value] = version
    return found[max(found)] if found else None


def stored_scores(client: MlflowClient, version: ModelVersion) -> Path | None:
    """The per-example scores that were stored with a version's run, if they are still there."""
    try:
        return Path(client.download_artifacts(str(version.run_id), "evaluation/scores.parquet"))
    except (MlflowException, OSError):
        return None


def model_location(client: MlflowClient, version: ModelVersion) -> str:
    """Where a version's files lie."""
    return str(client.get_model_version_download_uri(version.name, version.version))
