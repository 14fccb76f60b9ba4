"""What is served: user and item -> rating; a user alone -> what to recommend."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch

from ...kinds.tables.delimited import Block, Reject
from ...kinds.tables.raw_files import RawFile, list_files
from ...messages.errors import PenstockError
from ...pipeline import Interface, Score, root_mean_square
from .columns import look, match_columns, read_columns
from .network import Recommender
from .ranking import best_items, pairs

if TYPE_CHECKING:
    from ...datasets.dataset import Dataset

INPUTS = {"user": "string", "item": "optional string"}
OUTPUTS = {
    "rating": "double",
    "unknown": "string",
    "error": "string",
    "items": "strings",
    "titles": "strings",
    "ratings": "array",
}
OPTIONS: dict[str, Any] = {"count": 10}
BATCH = 2**16


def interface(info: dict[str, Any], model: dict[str, Any]) -> Interface:
    """Ids of a user and an item -> a rating; of a user alone -> what to recommend."""
    low, high = info["scale"]
    score = Score("test/rmse", root_mean_square, "user", high - low, higher_is_better=False)
    return Interface(INPUTS, OUTPUTS, score, OPTIONS)


def predict(
    network: Recommender, inputs: pd.DataFrame, info: dict[str, Any], options: dict[str, Any]
) -> pd.DataFrame:
    """Rate each pair of user and item; recommend to a user without an item.

    Returns:
        rating (of a pair); unknown: `user`, `item` or both, if the training split has no rating of
        theirs, so that the answer rests on the other, or on all; and for a user without an item:
        items, titles and ratings of what is recommended, best first, without what the user has
        rated. A row without a user has nothing but an error that says so.
    """
    users = _indices(network, "users", inputs["user"])
    given = inputs["item"] if "item" in inputs else pd.Series([None] * len(inputs))
    paired = (given.notna() & (given != "")).to_numpy()
    items = _indices(network, "items", given.where(paired, ""))
    answers = pd.DataFrame({name: [None] * len(inputs) for name in OUTPUTS}, dtype=object)
    rated = rate_pairs(network, users[paired], items[paired])
    answers["rating"] = pd.Series(np.nan, range(len(inputs)), dtype=np.float64)
    answers.loc[paired, "rating"] = rated
    new_user = network.user_counts.cpu().numpy()[users] == 0
    new_item = (network.item_counts.cpu().numpy()[items] == 0) & paired
    answers["unknown"] = np.array(["", "user", "item", "user and item"])[new_user + 2 * new_item]
    nobody = inputs["user"].isna() | (inputs["user"].astype(str).str.strip() == "")
    _recommend(network, answers, users, np.flatnonzero(~paired & ~nobody), options["count"])
    answers["error"] = np.where(nobody, "no user", "")
    answers.loc[nobody, ["rating", "unknown"]] = None
    return answers


def rate_pairs(network: Recommender, users: np.ndarray, items: np.ndarray) -> np.ndarray:
    """Ratings of pairs of indices, float64, shape (pairs,)."""
    device = network.mean.device
    parts = [np.zeros(0)]
    with torch.inference_mode():
        for start in range(0, len(users), BATCH):
            part = slice(start, start + BATCH)
            index = [torch.from_numpy(it[part].astype(np.int64)) for it in (users, items)]
            parts.append(network(*(it.to(device) for it in index)).cpu().double().numpy())
    return np.concatenate(parts)


def rank_items(network: Recommender, users: np.ndarray) -> np.ndarray:
    """Scores of all items for users, by which they are recommended: (users, items)."""
    with torch.inference_mode():
        index = torch.from_numpy(users.astype(np.int64)).to(network.mean.device)
        return network.rank_all(index).float().cpu().numpy()


def _indices(network: Recommender, name: str, ids: pd.Series) -> np.ndarray:
    """Indices of ids; the one after the last for what nobody knows."""
    known = network.vocabulary.index(name)
    return np.array([known.get(str(one).strip(), len(known)) for one in ids], np.int64)


def _recommend(
    network: Recommender, answers: pd.DataFrame, users: np.ndarray, rows: np.ndarray, count: int
) -> None:
    if not len(rows):
        return
    chosen = users[rows]
    seen = [network.vocabulary.rated(user) for user in chosen]
    places = np.repeat(np.arange(len(rows)), [len(it) for it in seen])
    had = pairs(places, np.concatenate(seen), (len(rows), network.items))
    lists = best_items(
        lambda block: rank_items(network, chosen[block]),
        np.arange(len(rows)),
        had,
        network.item_counts.cpu().numpy()[:-1] > 0,
        count,
    )
    ids, titles = network.vocabulary.texts("items"), network.vocabulary.texts("titles")
    found: dict[str, list[list[Any]]] = {"items": [], "titles": [], "ratings": []}
    for user, best in zip(chosen, lists, strict=True):
        best = best[best >= 0]
        found["items"].append([ids[item] for item in best])
        found["titles"].append([titles[item] for item in best])
        found["ratings"].append(rate_pairs(network, np.full(len(best), user), best).tolist())
    for name, values in found.items():
        answers[name] = pd.Series(values, index=rows, dtype=object).reindex(answers.index)
        answers[name] = answers[name].where(answers[name].notna(), None)


def exam(dataset: "Dataset", split: str) -> pd.DataFrame:
    """The pairs of a split by their ids, and the ratings given."""
    rows, columns = dataset.rows(split), dataset.columns("id", "user", "item", "rating")
    asked = {name: values[rows] for name, values in columns.items()}
    for name in ("user", "item"):
        asked[name] = dataset.table(f"{name}s")["id"].to_numpy()[asked[name]]
    return pd.DataFrame(asked)


def outcome(predictions: pd.DataFrame, exam: pd.DataFrame) -> pd.DataFrame:
    """Mark predictions against the ratings given: id, user, item, rating, predicted, errors."""
    predicted = predictions["rating"].to_numpy(np.float64)
    rating = exam["rating"].to_numpy(np.float64)
    return pd.DataFrame(
        {
            **{name: exam[name].to_numpy() for name in ("id", "user", "item")},
            "rating": rating,
            "predicted": predicted,
            "error": np.abs(rating - predicted),
            "squared_error": np.square(rating - predicted),
        }
    )


def known_names(network: Recommender, column: str, beside: str) -> list[tuple[str, str]] | None:
    """All users, or all items with their titles; nothing is beside one."""
    if beside or column not in ("user", "item"):
        return None
    ids = network.vocabulary.texts(f"{column}s")
    titles = network.vocabulary.texts("titles") if column == "item" else ids
    return list(zip(ids, titles, strict=True))


def read_input(file: Path, info: dict[str, Any]) -> pd.DataFrame:
    """Read a table of users, and items if ratings are wanted, named on the command line.

    Columns may be called as in the training data, or what ingest knows. A line that is no row is in
    the answer too, with what is wrong with it as its `error`.

    Raises:
        PenstockError: no table with a column for users.
    """
    (table,) = list_files(file)
    bad: list[tuple[int, str]] = []
    named = info.get("named", {})
    blocks = _open(table, named, lambda line, reason: bad.append((line, f"line {line}: {reason}")))
    parts = [
        pd.DataFrame({name: it.to_pylist() for name, it in block.columns.items()}, block.lines)
        for block in blocks
    ]
    rows = pd.DataFrame(columns=["user", "item", "error"], dtype=object)
    rows = pd.concat([rows, *parts, pd.DataFrame({"error": dict(bad)})])
    return rows.sort_index().astype(object).where(rows.notna(), None).reset_index(drop=True)


def _open(table: RawFile, named: dict[str, str], reject: Reject) -> Iterator[Block]:
    """Open the rows of a table: users and, if it has them, items."""
    layout, names = look(table)
    found = match_columns(names, named, table.name)
    columns = {role: name for role, name in found.items() if role in INPUTS}
    if "user" not in columns:
        raise PenstockError(
            f"{table.name}: no column user; found {', '.join(names)}; expected a header with "
            "user, and item where a rating is wanted"
        )
    return read_columns(table, layout, names, True, columns, reject)
