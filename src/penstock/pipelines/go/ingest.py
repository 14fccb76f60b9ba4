"""From rules and recorded games to questions: openings to play from, with either colour."""

import hashlib
from pathlib import Path

import pandas as pd

from ...datasets.dataset import DatasetWriter
from ...kinds.games.compiled.layout import BLACK, WHITE
from ...kinds.games.points import name_point
from ...kinds.games.position import COLOURS, Rules
from ...messages.errors import PenstockError
from .openings import Opening, draw_openings
from .params import Data, Params
from .records_table import add_records
from .rules_file import FILE, read_rules

SEEDS = {"test": 0, "validation": 1_000_000, "train": 2_000_000}


def ingest(source: Path, writer: DatasetWriter, params: Params) -> None:
    """Read the rules; take recorded games; draw openings that no two splits share."""
    rules = read_rules(source / FILE)
    records = add_records(source, writer, rules, params.data.held_out_share)
    writer.info = {
        "size": rules.size,
        "komi": rules.komi,
        "superko": rules.superko,
        "opponent_playouts": params.data.opponent_playouts,
        "records": records,
    }
    known: set[Opening] = set()
    wanted = {
        "test": params.data.test_openings,
        "validation": params.data.validation_openings,
        "train": params.data.train_openings,
    }
    for split, count in wanted.items():
        moves = params.data.opening_moves
        openings = draw_openings(rules, moves, count, SEEDS[split], known)
        if len(openings) < count:
            raise PenstockError(
                f"data.{split}_openings: {count}: of {moves} moves on {rules.size}x{rules.size} "
                f"only {len(openings)} more are found; ask for fewer, or raise data.opening_moves"
            )
        writer.add(_questions(rules, split, openings, params.data), {})
    about = f"{rules.size}x{rules.size}, komi {rules.komi:g}"
    print(f"  {about}: {sum(wanted.values()):,} openings, {records:,} recorded games")


def _questions(rules: Rules, split: str, openings: list[Opening], data: Data) -> pd.DataFrame:
    """A row for each opening and colour."""
    rows = []
    for number, opening in enumerate(openings):
        names = " ".join(name_point(point, rules.size) for _, point in opening)
        for colour in (BLACK, WHITE):
            asked = f"{rules} {names} {COLOURS[colour]} {data.opponent_playouts}"
            rows.append(
                {
                    "id": f"{split}-{number:04d}-{COLOURS[colour]}",
                    "split": split,
                    "group": f"{split}-{number:04d}",
                    "opening": names,
                    "colour": COLOURS[colour],
                    "seed": SEEDS[split] + 2 * number + (colour == WHITE),
                    "sha256": hashlib.sha256(asked.encode()).hexdigest(),
                }
            )
    return pd.DataFrame(rows)
