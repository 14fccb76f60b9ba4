"""A synthetic citation graph: papers of four fields, the words they use, and whom they cite."""

from pathlib import Path

import numpy as np
import pandas as pd

FIELDS = ("botany", "geology", "optics", "statistics")
PAPERS, WORDS = 150, 160  # of each field; in all
LENGTH = 9  # words of a paper, on average
OWN = 0.25  # share of words that are drawn from those of the field
CITED, ABROAD = 1.8, 0.25  # papers that one cites, on average; share that is of other fields


def sample(folder: Path) -> None:
    """Write nodes.csv and edges.csv of a stochastic block model (Holland et al. 1983).

    Words alone tell fields apart badly, and citations alone too: half of the papers have three or
    fewer, and a quarter of all lead to another field. Who takes both gets further.
    """
    chance = np.random.default_rng(2026)
    fields = chance.permutation(np.repeat(np.arange(len(FIELDS)), PAPERS))
    names = np.array([f"p{place:03}" for place in range(len(fields))])
    words = pd.DataFrame(_draw_words(chance, fields), columns=[f"w{it:03}" for it in range(WORDS)])
    labels = pd.DataFrame({"id": names, "label": np.array(FIELDS)[fields]})
    pd.concat([labels, words], axis=1).to_csv(folder / "nodes.csv", index=False)
    citing, cited = _draw_citations(chance, fields).T
    edges = pd.DataFrame({"citing": names[citing], "cited": names[cited]})
    edges.to_csv(folder / "edges.csv", index=False)


def _draw_words(chance: np.random.Generator, fields: np.ndarray) -> np.ndarray:
    """Which words each paper uses: 0 or 1, shape (papers, words)."""
    usual = chance.dirichlet(np.full(WORDS, 0.5))
    special = chance.dirichlet(np.full(WORDS, 0.1), len(FIELDS))
    likely = (1 - OWN) * usual + OWN * special[fields]
    return (chance.random(likely.shape) < 1 - np.exp(-LENGTH * likely)).astype(np.int8)


def _draw_citations(chance: np.random.Generator, fields: np.ndarray) -> np.ndarray:
    """Pairs of papers, the later one first, shape (citations, 2)."""
    papers = len(fields)
    same = fields[:, None] == fields[None]
    within, between = PAPERS - 1, papers - PAPERS
    likely = np.where(same, (1 - ABROAD) / within, ABROAD / between) * CITED * 2
    return np.argwhere(np.tril(chance.random((papers, papers)) < likely, -1))
