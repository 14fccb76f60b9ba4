"""What a model is asked, and how its answers are marked: by playing its game once more."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ...kinds.games.points import read_point
from ...kinds.games.position import COLOURS, Position, Rules
from ...kinds.games.records import read_record, write_record
from .matches import LONGEST, Pairing
from .rules_file import rules_of

if TYPE_CHECKING:
    from ...datasets.dataset import Dataset

COLOUR_OF = {name: colour for colour, name in COLOURS.items()}


def read_opening(names: str, rules: Rules) -> Position:
    """The position after the moves of an opening, by their names."""
    position = Position(rules)
    for name in names.split():
        position.play(read_point(name, rules.size))
    return position


def pairings_of(rows: pd.DataFrame, rules: Rules) -> list[Pairing]:
    """The games of some questions."""
    asked: Any = rows.itertuples()
    return [
        Pairing(tuple(read_opening(it.opening, rules).moves), COLOUR_OF[it.colour], int(it.seed))
        for it in asked
    ]


def exam(dataset: "Dataset", split: str) -> pd.DataFrame:
    """The questions of a split: an opening as SGF, which colour to play, and against whom."""
    examples = dataset.examples(split)
    rules = rules_of(dataset.info)
    return pd.DataFrame(
        {
            **{name: examples[name] for name in ("id", "sha256", "group")},
            "sgf": [write_record(read_opening(it, rules)) for it in examples["opening"]],
            "colour": examples["colour"],
            "opponent": float(dataset.info["opponent_playouts"]),
            "seed": examples["seed"].astype(np.float64),
            "superko": bool(rules.superko),
        }
    )


def outcome(predictions: pd.DataFrame, exam: pd.DataFrame) -> pd.DataFrame:
    """Mark games by playing their moves once more.

    A game that goes on otherwise than from its opening, or has an illegal move, or is not played to
    its end, is lost.

    Returns:
        id, group, colour, won (1, 0, or 0.5 for a draw), moves.
    """
    marked = pd.DataFrame({name: exam[name].to_numpy() for name in ("id", "group", "colour")})
    played = [
        mark(row, given) for row, given in zip(exam.itertuples(), predictions["moves"], strict=True)
    ]
    marked["won"] = [won for won, _ in played]
    marked["moves"] = [float(moves) for _, moves in played]
    return marked


def mark(question: Any, given: Sequence[str] | None) -> tuple[float, int]:
    """Whether the model won a game, and how many moves it took."""
    record = read_record(question.sgf)
    rules = Rules(record.size, record.komi or 0.0, bool(question.superko))
    position = record.replay(rules)
    names = [] if given is None else list(given)
    try:
        for name in names:
            position.play(read_point(str(name), rules.size))
    except ValueError:
        return 0.0, len(position.moves)
    margin = position.margin()
    if not position.is_over and len(position.moves) < LONGEST * rules.size**2:
        return 0.0, len(position.moves)
    if margin == 0:
        return 0.5, len(position.moves)
    return float((margin > 0) == (question.colour == "black")), len(position.moves)
