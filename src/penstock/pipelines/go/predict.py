"""What is served: a game -> the best moves, who will win and own what; or a game played on."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ...kinds.games.compiled.layout import BLACK, WHITE
from ...kinds.games.position import COLOURS, Position
from ...kinds.games.records import read_record
from ...pipeline import Interface, Mean, Score
from .acting import make_player
from .analysis import analyze
from .gtp import Engine
from .matches import Pairing, play_games
from .network import GoModel
from .players import SearchPlayer
from .questions import COLOUR_OF
from .questions import exam as exam
from .questions import outcome as outcome

INPUTS = {
    "sgf": "binary",
    "colour": "optional string",
    "opponent": "optional double",
    "seed": "optional double",
}
OUTPUTS = {
    "turn": "string",
    "move": "string",
    "moves": "strings",
    "shares": "array",
    "win_probability": "double",
    "black_wins": "double",
    "stones": "array",
    "ownership": "array",
    "result": "string",
    "picture": "binary",
    "error": "string",
}
OPTIONS = {"draw": False, "playouts": 0, "at": -1}
BEST = 5  # moves that are told
MOST_PLAYOUTS = 1_000_000


def interface(info: dict[str, Any], model: dict[str, Any]) -> Interface:
    """A record of a game -> what to play next; with `colour` and `opponent`, the game played on.

    The opponent is classical search, which looks as far as `opponent` says.
    """
    score = Score("test/win_rate", Mean("won"))
    return Interface(INPUTS, OUTPUTS, score, OPTIONS)


def predict(
    network: GoModel, inputs: pd.DataFrame, info: dict[str, Any], options: dict[str, Any]
) -> pd.DataFrame:
    """Answer, a row each.

    Returns:
        Of a position: turn, move (the best), moves (the best few) and the share of the search that
        each had, win_probability (of who is to play), black_wins, stones and ownership (row by row
        from the top: 1 black's, -1 white's), result (of the record, if it is played to its end),
        picture if asked. Of a game that was played on: moves and result. error: what was wrong with
        a row.
    """
    asked = inputs.reset_index(drop=True).reindex(columns=list(INPUTS))
    answers: Any = pd.DataFrame(index=asked.index, columns=list(OUTPUTS), dtype=object)
    answers["error"] = ""
    games: dict[int, tuple[Position, Any]] = {}
    row: Any
    for row in asked.itertuples():
        try:
            position = _read(row, network, options["at"])
        except ValueError as error:
            answers.at[row.Index, "error"] = str(error)
            continue
        if pd.isna(row.opponent):
            _analyze(answers, row, network, position, options)
        else:
            games[int(row.Index)] = position, row
    if games:
        _play_on(answers, network, games)
    numbers = {name: np.float64 for name, kind in OUTPUTS.items() if kind == "double"}
    told: pd.DataFrame = answers.where(answers.notna(), None).astype(numbers)
    return told


def _read(row: Any, network: GoModel, at: int) -> Position:
    """The position that a row asks about.

    Raises:
        ValueError: it is none, and why.
    """
    record = read_record(row.sgf)
    position = record.replay(network.rules, at if at >= 0 else None)
    if pd.isna(row.opponent):
        return position
    if row.colour not in COLOUR_OF:
        raise ValueError(f"colour {str(row.colour)[:20]}: expected {' or '.join(COLOUR_OF)}")
    if not 1 <= row.opponent <= MOST_PLAYOUTS:
        raise ValueError(f"opponent {row.opponent:g}: expected 1 to {MOST_PLAYOUTS:,} playouts")
    if record.setup:
        raise ValueError("a game to play on has no stones that were set up")
    return position


def _analyze(
    answers: Any, question: Any, network: GoModel, position: Position, options: dict[str, Any]
) -> None:
    playouts = min(options["playouts"], MOST_PLAYOUTS) or None
    row = question.Index  # of the answers only: a game is thought of alike, whatever is beside it
    thought = analyze(network, position, playouts, _seed_of(question))
    answers.at[row, "turn"] = COLOURS[position.turn]
    names = [position.name(int(it)) for it in thought.moves[:BEST]]
    answers.at[row, "move"], answers.at[row, "moves"] = names[0], names
    answers.at[row, "shares"] = thought.shares[:BEST].astype(float).tolist()
    answers.at[row, "black_wins"] = thought.black_wins
    ours = position.turn == BLACK
    answers.at[row, "win_probability"] = thought.black_wins if ours else 1 - thought.black_wins
    stones = position.stones().ravel()
    answers.at[row, "stones"] = np.where(stones == WHITE, -1.0, stones).tolist()
    answers.at[row, "ownership"] = thought.owners.ravel().astype(float).round(4).tolist()
    answers.at[row, "result"] = position.result() if position.is_over else ""
    if options["draw"]:
        from .drawing import draw_game, to_png  # matplotlib only where it is needed

        drawn = draw_game(position, [(len(position.moves), position, thought)])
        answers.at[row, "picture"] = to_png(drawn)


def _play_on(answers: Any, network: GoModel, games: dict[int, tuple[Position, Any]]) -> None:
    """Play games on against classical search, all that have the same opponent side by side."""
    by_opponent: dict[int, list[int]] = {}
    for number, (_, row) in games.items():
        by_opponent.setdefault(int(row.opponent), []).append(number)
    for playouts, numbers in by_opponent.items():
        pairings = [
            Pairing(
                tuple(games[it][0].moves),
                COLOUR_OF[games[it][1].colour],
                _seed_of(games[it][1]),
            )
            for it in numbers
        ]
        ended = play_games(network.rules, pairings, make_player(network), SearchPlayer(playouts))
        for number, pairing, game in zip(numbers, pairings, ended, strict=True):
            own = game.moves[len(pairing.opening) :]
            answers.at[number, "moves"] = [game.name(point) for _, point in own]
            answers.at[number, "result"] = game.result()


def _seed_of(question: Any) -> int:
    return 0 if pd.isna(question.seed) else int(question.seed)


def read_input(file: Path, info: dict[str, Any]) -> pd.DataFrame:
    """One game from one file."""
    return pd.DataFrame({"sgf": [file.read_bytes()]})


def converse(network: GoModel, info: dict[str, Any], lines: Iterator[str]) -> Iterator[str]:
    """Play by the Go Text Protocol, version 2: lines of commands -> responses."""
    yield from Engine(network).answer(lines)
