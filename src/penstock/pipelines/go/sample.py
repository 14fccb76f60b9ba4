"""Go on five lines, and a few games that classical search played there."""

from pathlib import Path

from ...kinds.games.position import Position, Rules
from ...kinds.games.records import write_record
from .openings import draw_openings
from .players import SearchPlayer

RULES = """\
size: 5
komi: 3.5
superko: true
"""
GAMES, PLAYOUTS = 12, 60


def sample(folder: Path) -> None:
    """Write rules and games."""
    (folder / "rules.yaml").write_text(RULES)
    rules = Rules(5, 3.5)
    for number, opening in enumerate(draw_openings(rules, 2, GAMES, 0, set())):
        player = SearchPlayer(PLAYOUTS)
        player.begin([number])
        game = Position(rules, moves=list(opening))
        while not game.is_over and len(game.moves) < 75:
            game.play(*player.choose([0], [game]))
        record = write_record(game, (player.name, player.name), game.result())
        (folder / f"game-{number:02d}.sgf").write_bytes(record)
