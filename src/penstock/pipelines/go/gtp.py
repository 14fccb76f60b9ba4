"""The Go Text Protocol, version 2 (Farneback 2002): how programs that show a board play a model."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from ...kinds.games.compiled.layout import BLACK, PASS, PASSES, WHITE
from ...kinds.games.points import all_points, read_point
from ...kinds.games.position import (
    COLOURS,
    Position,
    Rules,
    draw_text,
    handicap_points,
    other,
)
from ...kinds.games.records import MOST_BYTES, read_record, write_record
from ...kinds.games.thinking import Thinker, passing_wins
from .analysis import analyze
from .network import DensePolicy, GoModel, PatternPolicy

HOPELESS = 0.03  # chance of winning below which it resigns
LONGEST_LINE = 10_000  # characters
LEAST_SECONDS, MARGIN = 0.05, 0.9  # for a move; share of the time that is used
NAMES = {"b": BLACK, "black": BLACK, "w": WHITE, "white": WHITE}


class GtpError(Exception):
    """What goes back after a question mark."""


class Engine:
    """A game, and who answers for a model."""

    def __init__(self, network: GoModel) -> None:
        """Begin on the empty board, by the rules of the model."""
        self.network = network
        self.position = Position(network.rules)
        self.clock: tuple[float, float, int] | None = None  # main, byo-yomi seconds, its stones
        self.left: dict[int, tuple[float, int]] = {}  # seconds and stones, by colour
        self.speed = 1000.0  # positions a second, as far as is known
        self.thinker = self._make_thinker()
        self.commands: dict[str, Callable[[list[str]], str]] = {
            name.removeprefix("do_"): getattr(self, name)
            for name in dir(self)
            if name.startswith("do_")
        }

    def _make_thinker(self) -> Thinker | None:
        """Who keeps what was found from move to move, for models that play by it."""
        if not isinstance(self.network, PatternPolicy):
            return None
        return Thinker(self.network.model.playouts, learned=self.network.learned())

    def answer(self, lines: Iterator[str]) -> Iterator[str]:
        """Responses to commands, line by line; ends after `quit`."""
        for line in lines:
            said = "".join(it for it in line.partition("#")[0] if it == "\t" or it.isprintable())
            words = said.split()
            if not words:
                continue
            number = words.pop(0) if words[0].isdigit() and words[0].isascii() else ""
            if len(line) > LONGEST_LINE:
                yield f"?{number} line too long\n\n"
                continue
            name, arguments = (words[0], words[1:]) if words else ("", [])
            try:
                if name not in self.commands:
                    raise GtpError("unknown command")
                answer = self.commands[name](arguments)
                # A response ends with an empty line, so none may be inside.
                told = "\n".join(it for it in answer.split("\n") if it.strip())
                yield f"={number} {told}\n\n"
            except GtpError as error:
                yield f"?{number} {error}\n\n"
            if name == "quit":
                return

    # What is asked before a game.

    def do_protocol_version(self, _: list[str]) -> str:
        """2."""
        return "2"

    def do_name(self, _: list[str]) -> str:
        """Of the program."""
        return "Penstock"

    def do_version(self, _: list[str]) -> str:
        """Which kind of model plays."""
        return str(self.network.model.kind)

    def do_known_command(self, arguments: list[str]) -> str:
        """Whether a command is known."""
        return "true" if arguments and arguments[0] in self.commands else "false"

    def do_list_commands(self, _: list[str]) -> str:
        """All there are."""
        return "\n".join(sorted(self.commands))

    def do_quit(self, _: list[str]) -> str:
        """Nothing more."""
        return ""

    def do_boardsize(self, arguments: list[str]) -> str:
        """Begin on a board of another size, where the model can."""
        size = _integer(arguments, "boardsize")
        own = self.network.rules
        if size != own.size and not isinstance(self.network, PatternPolicy):
            raise GtpError("unacceptable size")
        try:
            rules = Rules(size, self.position.rules.komi, own.superko)
        except ValueError:
            raise GtpError("unacceptable size") from None
        self._begin(rules)
        return ""

    def do_clear_board(self, _: list[str]) -> str:
        """Begin anew."""
        self._begin(self.position.rules)
        return ""

    def do_komi(self, arguments: list[str]) -> str:
        """Set the komi; the position stays."""
        komi = _number(arguments, "komi")
        if abs(komi) > 1000:
            raise GtpError("komi out of range")
        old = self.position
        rules = Rules(old.size, komi, old.rules.superko)
        self.position = Position(rules, old.setup, old.moves)
        return ""

    def _begin(self, rules: Rules) -> None:
        self.position = Position(rules)
        self.left = {}
        if self.thinker:
            self.thinker.forget()

    # Handicap.

    def do_fixed_handicap(self, arguments: list[str]) -> str:
        """Put handicap stones where custom has them."""
        stones = _integer(arguments, "number of stones")
        self._check_empty()
        try:
            points = handicap_points(self.position.size, stones)
        except ValueError:
            raise GtpError("invalid number of stones") from None
        return self._put_handicap(points)

    def do_place_free_handicap(self, arguments: list[str]) -> str:
        """Put handicap stones; as many as custom knows places for."""
        stones = _integer(arguments, "number of stones")
        self._check_empty()
        for count in range(min(stones, 9), 1, -1):
            try:
                return self._put_handicap(handicap_points(self.position.size, count))
            except ValueError:
                continue
        raise GtpError("invalid number of stones")

    def do_set_free_handicap(self, arguments: list[str]) -> str:
        """Put handicap stones where the other side says."""
        self._check_empty()
        points = [self._point(it) for it in arguments]
        if len(points) < 2 or len(set(points)) < len(points) or PASS in points:
            raise GtpError("bad vertex list")
        self._put_handicap(points)
        return ""

    def _check_empty(self) -> None:
        if self.position.moves or self.position.setup:
            raise GtpError("board not empty")

    def _put_handicap(self, points: list[int]) -> str:
        try:
            self.position = Position(self.position.rules, [(BLACK, it) for it in points])
        except ValueError:
            raise GtpError("bad vertex list") from None
        return " ".join(self.position.name(it) for it in points)

    # The game.

    def do_play(self, arguments: list[str]) -> str:
        """Take a move."""
        if len(arguments) != 2:
            raise GtpError("syntax error: expected a colour and a vertex")
        colour, point = _colour(arguments[0]), self._point(arguments[1])
        try:
            self.position.play(point, colour)
        except ValueError:
            raise GtpError("illegal move") from None
        return ""

    def do_genmove(self, arguments: list[str]) -> str:
        """Think, and play."""
        colour = self._turn_to(arguments)
        point, hope = self._think(colour)
        if hope < HOPELESS and len(self.position.moves) > self.position.size**2 // 4:
            return "resign"
        self.position.play(point, colour)
        return self.position.name(point)

    def do_reg_genmove(self, arguments: list[str]) -> str:
        """Think, and do not play."""
        return self.position.name(self._think(self._turn_to(arguments))[0])

    def do_undo(self, _: list[str]) -> str:
        """Take a move back."""
        try:
            self.position.undo()
        except ValueError:
            raise GtpError("cannot undo") from None
        return ""

    def do_time_settings(self, arguments: list[str]) -> str:
        """Set main time, byo-yomi time and its stones."""
        if len(arguments) != 3:
            raise GtpError("syntax error: expected main time, byo yomi time and stones")
        main, extra = (_number([it], "time") for it in arguments[:2])
        stones = _integer(arguments[2:], "stones")
        if min(main, extra, stones) < 0:
            raise GtpError("negative time")
        self.clock = None if extra > 0 and stones == 0 else (main, extra, stones)
        self.left = {}
        return ""

    def do_time_left(self, arguments: list[str]) -> str:
        """Be told what is left."""
        if len(arguments) != 3:
            raise GtpError("syntax error: expected a colour, time and stones")
        seconds = _number(arguments[1:2], "time")
        self.left[_colour(arguments[0])] = seconds, _integer(arguments[2:], "stones")
        return ""

    def do_final_score(self, _: list[str]) -> str:
        """Count: all stones on the board are alive, dead ones are played out."""
        return self.position.result()

    def do_final_status_list(self, arguments: list[str]) -> str:
        """Which stones are alive: all."""
        if arguments == ["alive"]:
            points = all_points(self.position.size)
            there = zip(points, self.position.stones().ravel(), strict=True)
            return "\n".join(self.position.name(point) for point, stone in there if stone)
        if arguments in (["dead"], ["seki"]):
            return ""
        raise GtpError("syntax error: expected alive, dead or seki")

    def do_showboard(self, _: list[str]) -> str:
        """The board in letters."""
        return "\n" + draw_text(self.position)

    def do_loadsgf(self, arguments: list[str]) -> str:
        """Take a game from a file, up to a move if one is named: before it is played."""
        if not 1 <= len(arguments) <= 2:
            raise GtpError("syntax error: expected a file, and the number of a move")
        number = _integer(arguments[1:], "move number") if len(arguments) == 2 else None
        if number is not None and number < 1:
            raise GtpError("syntax error: expected a move number from 1 on")
        try:
            file = Path(arguments[0])
            if file.stat().st_size > MOST_BYTES:
                raise GtpError("cannot load file: too large")
            record = read_record(file.read_bytes())
            size, own = record.size, self.network.rules
            if size != own.size and not isinstance(self.network, PatternPolicy):
                raise GtpError("cannot load file: unacceptable size")
            komi = self.position.rules.komi if record.komi is None else record.komi
            rules = Rules(size, komi, own.superko)
            position = record.replay(rules, None if number is None else number - 1)
        except (OSError, ValueError) as error:
            told = error.strerror if isinstance(error, OSError) else error
            raise GtpError(f"cannot load file: {told}") from None
        self._begin(rules)
        self.position = position
        return COLOURS[position.turn]

    def do_printsgf(self, _: list[str]) -> str:
        """The game so far as SGF."""
        return write_record(self.position).decode()

    def _point(self, text: str) -> int:
        try:
            return read_point(text, self.position.size)
        except ValueError:
            raise GtpError("invalid vertex") from None

    def _turn_to(self, arguments: list[str]) -> int:
        if len(arguments) != 1:
            raise GtpError("syntax error: expected a colour")
        return _colour(arguments[0])

    def _think(self, colour: int) -> tuple[int, float]:
        """The move to play for a colour, and how likely it wins."""
        position = self.position
        if colour != position.turn:  # it is as if the other had passed, but that ends no game
            position = position.copy()
            position.play(PASS, other(colour))
            position.state[PASSES] = 0
        elif passing_wins(position):
            return PASS, 1.0
        seconds = self._seconds(colour)
        started = time.perf_counter()
        if self.thinker is not None:
            thought = self.thinker.think(position, seconds=seconds)
            return thought.best, thought.value
        playouts = None if seconds is None else max(2, int(self.speed * seconds))
        thinks = not isinstance(self.network, DensePolicy)
        found = analyze(self.network, position, playouts if thinks else None)
        spent = time.perf_counter() - started
        if thinks and playouts:
            self.speed = max(10.0, min(1e5, playouts / max(spent, 1e-3)))
        hope = found.black_wins if colour == BLACK else 1 - found.black_wins
        return int(found.moves[0]), hope

    def _seconds(self, colour: int) -> float | None:
        """How long to think about this move; None for as far as the model's settings say."""
        if self.clock is None:
            return None
        main, extra, stones = self.clock
        seconds, due = self.left.get(colour, (main, 0) if main > 0 else (extra, stones))
        if due > 0:
            share = seconds / due
        else:
            ahead = max(8, self.position.size**2 // 3 - len(self.position.moves) // 2)
            share = seconds / ahead + (extra / stones if stones else 0.0)
        return max(LEAST_SECONDS, MARGIN * share)


def _colour(text: str) -> int:
    if text.lower() not in NAMES:
        raise GtpError("invalid color")
    return NAMES[text.lower()]


def _number(arguments: list[str], what: str) -> float:
    try:
        value = float(arguments[0])
    except (IndexError, ValueError):
        raise GtpError(f"{what} not a number") from None
    if value != value or abs(value) == float("inf"):
        raise GtpError(f"{what} not a number")
    return value


def _integer(arguments: list[str], what: str) -> int:
    try:
        return int(arguments[0])
    except (IndexError, ValueError):
        raise GtpError(f"{what} not an integer") from None
