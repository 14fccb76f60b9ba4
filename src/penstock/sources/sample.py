"""Samples: small stand-ins for the raw data, made offline, the same bytes each time."""

import shutil
from pathlib import Path

from .. import pipeline


def make_sample(name: str, root: Path) -> None:
    """Write a pipeline's sample to data/samples/NAME; it gets its name when it is whole."""
    module: pipeline.SampleModule = pipeline.load(name, "sample")
    folder = root / "data" / "samples" / name
    partial = folder.with_name(f".{name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        module.sample(partial)
        shutil.rmtree(folder, ignore_errors=True)
        partial.replace(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    print(f"sample {name}: {sum(1 for _ in folder.rglob('*'))} files in {folder}")
