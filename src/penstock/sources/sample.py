"""Samples: small stand-ins for the raw data, made offline, the same bytes each time."""

from pathlib import Path

from .. import pipeline


def make_sample(name: str, root: Path) -> None:
    """Write a pipeline's sample to data/samples/NAME."""
    module: pipeline.SampleModule = pipeline.load(name, "sample")
    folder = root / "data" / "samples" / name
    folder.mkdir(parents=True, exist_ok=True)
    module.sample(folder)
    print(f"sample {name}: {sum(1 for _ in folder.rglob('*'))} files in {folder}")
