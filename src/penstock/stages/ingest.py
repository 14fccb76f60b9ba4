"""Ingest: from raw files to a dataset on disk."""

from .. import pipeline
from ..datasets.dataset import Dataset, DatasetWriter
from ..datasets.source import check_files, check_source
from ..project.workspace import Workspace


def ingest(workspace: Workspace) -> Dataset:
    """Read the pipeline's source into its dataset; report what was taken and what was not.

    Raises:
        PenstockError: the source is missing, cannot be read, or is not what the pipeline reads.
    """
    check_source(workspace.source, workspace.name)
    if not workspace.params.many_files:
        check_files(workspace.source)
    module = pipeline.load(workspace.name, "ingest")
    marked = workspace.params.learns_from_marks
    with (
        workspace.writing(workspace.dataset) as folder,
        DatasetWriter(folder, remember=marked) as writer,
    ):
        module.ingest(workspace.source, writer, workspace.params)
        if marked:
            module.ingest_feedback(workspace.feedback, writer, workspace.params)
    dataset = Dataset(workspace.dataset)
    splits = ", ".join(
        f"{name} {entry['examples']:,}" for name, entry in dataset.info["splits"].items()
    )
    print(
        f"ingest {workspace.name}: {dataset.info['found']:,} found, "
        f"{dataset.info['examples']:,} taken ({splits}), {dataset.info['rejected']:,} rejected"
    )
    for row in dataset.rejected.head(5).itertuples():
        print(f"  rejected {row.id}: {row.reason}")
    return dataset
