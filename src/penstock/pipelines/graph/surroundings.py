"""What surrounds each node: how many neighbours, and how many of its own class."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from .raw import NO_LABEL

if TYPE_CHECKING:
    from ...datasets.dataset import Dataset


def describe_surroundings(dataset: "Dataset") -> pd.DataFrame:
    """A row per node of the graph, in order.

    Returns:
        degree: how many neighbours; homophily: the share of those with a known class that have the
        node's own, NaN where there is none.
    """
    edges, nodes = np.array(dataset.array("edges")), dataset.info["nodes"]
    labels = dataset.table("nodes")["label"].to_numpy()
    ends = np.concatenate([edges, edges[:, ::-1]])
    own, other = labels[ends].T
    known = (own != NO_LABEL) & (other != NO_LABEL)
    alike = np.bincount(ends[known & (own == other), 0], minlength=nodes)
    counted = np.bincount(ends[known, 0], minlength=nodes)
    homophily = np.where(counted > 0, alike / np.maximum(counted, 1), np.nan)
    degree = np.bincount(ends[:, 0], minlength=nodes)
    return pd.DataFrame({"degree": degree, "homophily": homophily})
