"""150 irises, as a CSV file."""

from pathlib import Path

from sklearn.datasets import load_iris


def sample(folder: Path) -> None:
    """Write scikit-learn's iris data (Anderson 1935; Fisher 1936): four lengths and the species."""
    iris = load_iris(as_frame=True)
    frame = iris.data.assign(species=[iris.target_names[it] for it in iris.target])
    frame.to_csv(folder / "iris.csv", index=False)
