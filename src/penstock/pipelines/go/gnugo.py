"""GNU Go as an opponent, over GTP, where it is installed."""

import shutil
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from ...kinds.games.points import read_point
from ...kinds.games.position import COLOURS, Position

PLACES = ("/usr/games/gnugo", "/usr/local/bin/gnugo")  # Debian has it outside the usual path


def find_gnugo() -> str | None:
    """Where GNU Go is, if it is installed."""
    return shutil.which("gnugo") or next((it for it in PLACES if Path(it).is_file()), None)


class GtpProgram:
    """A program that speaks GTP 2, as a player; it plays one game at a time.

    It is a process of its own: use it as a context manager, so that it ends.
    """

    def __init__(self, command: Sequence[str], name: str) -> None:
        """Set how it is started; with `{seed}` in an argument, anew for each game."""
        self.command, self.name = list(command), name
        self._process: subprocess.Popen[str] | None = None
        self._played: list[tuple[int, int]] | None = None
        self._seeds: list[int] = []
        self._game: int | None = None

    def __enter__(self) -> "GtpProgram":
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def begin(self, seeds: Sequence[int]) -> None:
        """New games begin."""
        self._seeds, self._game = list(seeds), None

    def choose(self, games: Sequence[int], positions: Sequence[Position]) -> list[int]:
        """Ask for a move in each game; who resigns passes, and so loses what it has not."""
        return [self._ask(game, it) for game, it in zip(games, positions, strict=True)]

    def score(self, position: Position) -> str:
        """Its own count of a finished game, `B+3.5` say."""
        self._catch_up(self._game or 0, position)
        return self.tell("final_score")

    def _ask(self, game: int, position: Position) -> int:
        self._catch_up(game, position)
        answer = self.tell(f"genmove {COLOURS[position.turn]}")
        move = 0 if answer.lower() == "resign" else read_point(answer, position.size)
        if self._played is not None:
            self._played.append((position.turn, move))
        return move

    def _catch_up(self, game: int, position: Position) -> None:
        """Have it know what was played since."""
        known = self._played
        if game != self._game or known is None or position.moves[: len(known)] != known:
            self._restart(game)
            self.tell(f"boardsize {position.size}")
            self.tell("clear_board")
            self.tell(f"komi {position.rules.komi:g}")
            for colour, point in position.setup:
                self.tell(f"play {COLOURS[colour]} {position.name(point)}")
            known = []
        for colour, point in position.moves[len(known) :]:
            self.tell(f"play {COLOURS[colour]} {position.name(point)}")
        self._game, self._played = game, list(position.moves)

    def _restart(self, game: int) -> None:
        seed = self._seeds[game] if game < len(self._seeds) else 0
        if self._process is not None and not any("{seed}" in it for it in self.command):
            return
        self._end()
        self._process = subprocess.Popen(
            [it.replace("{seed}", str(seed % 2**31)) for it in self.command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def tell(self, line: str) -> str:
        """Give a command; answer what it says.

        Raises:
            RuntimeError: it refuses, or has ended.
        """
        if self._process is None:
            self._restart(0)
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            raise RuntimeError(f"{self.name}: not running")
        try:
            process.stdin.write(line + "\n")
            process.stdin.flush()
        except OSError as error:
            raise RuntimeError(f"{self.name}: has ended: {error.strerror}") from None
        said: list[str] = []
        for text in process.stdout:
            if text.strip():
                said.append(text.rstrip("\n"))
            elif said:
                break
        if not said or not said[0].startswith("="):
            raise RuntimeError(f"{self.name}: {line}: {' '.join(said) or 'no answer'}")
        return "\n".join([said[0][1:].strip(), *said[1:]])

    def _end(self) -> None:
        if self._process is None:
            return
        with suppress(OSError, RuntimeError):
            self.tell("quit")
        with suppress(OSError):
            self._process.communicate(timeout=5)
        self._process = None


def gnu_go(level: int) -> GtpProgram | None:
    """GNU Go at a level, 1 to 10 and more; None where it is not installed.

    It plays dead stones out, so that its count and area scoring agree.
    """
    program = find_gnugo()
    if program is None:
        return None
    flags = ["--chinese-rules", "--positional-superko", "--capture-all-dead", "--never-resign"]
    command = [program, "--mode", "gtp", "--level", str(level), *flags, "--seed", "{seed}"]
    return GtpProgram(command, f"GNU Go, level {level}")
