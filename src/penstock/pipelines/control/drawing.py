"""Episodes as pictures, without a window: a frame for each step."""

from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from .episodes import Episodes

FRAME = 250  # milliseconds
MOST_FRAMES = 120  # of a longer episode, its first steps and where it ends
PAUSE = 6  # frames for which the last one stays
WIDEST = 336  # pixels of a map
BAR = 22  # pixels of the line below it
PLACES = {  # of a map: what it is filled with
    "S": "#d6e6c3",
    "F": "#e8f1f8",
    ".": "#eceae4",
    "H": "#274b6d",
    "C": "#8c3b2e",
    "G": "#7fbf6a",
}
INK, AGENT, TRACE, WALL = "#1c2430", "#d95f02", "#f0b98a", "#1c2430"
STOPS = {"R": "#d94a4a", "G": "#4aa564", "Y": "#d9b64a", "B": "#4a6fd9"}  # of the taxi
ROUND = 5  # places in a row and in a column of its town


def draw_episode(
    info: dict[str, Any], lines: list[str], played: Episodes, place: int
) -> np.ndarray:
    """One of the episodes that were played: uint8, shape (frames, height, width, 3)."""
    last = int(played.steps[place])
    town = info["kind"] == "taxi"
    ground = _town(lines) if town else _map(lines)
    frames = []
    for step in [*range(min(last, MOST_FRAMES)), last]:
        state = int(played.states[place, step])
        frame = ground.copy()
        pen = ImageDraw.Draw(frame)
        if town:
            _taxi(pen, state)
        else:
            before = int(played.states[place, step - 1]) if step else state
            _walker(pen, lines, before, state)
        told = "start"
        if step:
            told = f"step {step}: {info['actions'][played.actions[place, step - 1]]}"
        if step == last:
            told += f", return {played.returns[place]:g}"
        pen.text((4, frame.height - BAR + 3), told, fill=INK, font=ImageFont.load_default(13))
        frames.append(np.asarray(frame))
    return np.stack(frames + [frames[-1]] * PAUSE)


def place_size(lines: list[str]) -> int:
    """Side of a place of a map, in pixels."""
    return max(4, min(48, WIDEST // max(len(lines), len(lines[0]))))


def _map(lines: list[str]) -> Image.Image:
    """A map, a square for each letter, with an empty line below."""
    size = place_size(lines)
    width, height = len(lines[0]) * size, len(lines) * size
    picture = Image.new("RGB", (max(width, 170), height + BAR), "white")
    pen = ImageDraw.Draw(picture)
    for row, line in enumerate(lines):
        for column, letter in enumerate(line):
            x, y = column * size, row * size
            pen.rectangle((x, y, x + size - 1, y + size - 1), fill=PLACES[letter], outline="white")
            if letter in "SG" and size > 12:
                pen.text((x + 4, y + 2), letter, fill=INK, font=ImageFont.load_default(size // 3))
    return picture


def _walker(pen: ImageDraw.ImageDraw, lines: list[str], before: int, state: int) -> None:
    size = place_size(lines)
    for at, fill in ((before, TRACE), (state, AGENT)):
        row, column = divmod(at, len(lines[0]))
        edge = size * 0.25
        left, top = column * size + edge, row * size + edge
        pen.ellipse((left, top, left + size - 2 * edge, top + size - 2 * edge), fill=fill)


SIZE = 56  # of a place in the town


def _town(lines: list[str]) -> Image.Image:
    """The town of the taxi, as gymnasium writes it: a letter for each stop, `|` for walls."""
    side = ROUND * SIZE
    picture = Image.new("RGB", (side, side + BAR), "white")
    pen = ImageDraw.Draw(picture)
    for row in range(ROUND):
        for column in range(ROUND):
            x, y = column * SIZE, row * SIZE
            letter = lines[1 + row][1 + 2 * column]
            fill = PLACES["."]
            pen.rectangle((x, y, x + SIZE - 1, y + SIZE - 1), fill=fill, outline="white")
            if letter in STOPS:
                font = ImageFont.load_default(14)
                pen.text((x + 4, y + 2), letter, fill=STOPS[letter], font=font)
            if column and lines[1 + row][2 * column] == "|":
                pen.line((x, y, x, y + SIZE), fill=WALL, width=4)
    return picture


def _taxi(pen: ImageDraw.ImageDraw, state: int) -> None:
    """The taxi, who waits or rides, and where to: gymnasium's numbers of these make the state."""
    (row, column), passenger, wanted = read_taxi(state)
    stops = [(0, 0), (0, 4), (4, 0), (4, 3)]
    colours = list(STOPS.values())
    y, x = (it * SIZE for it in stops[wanted])
    pen.rectangle((x + 3, y + 3, x + SIZE - 4, y + SIZE - 4), outline=colours[wanted], width=4)
    left, top = column * SIZE, row * SIZE
    pen.rounded_rectangle(
        (left + 10, top + 20, left + SIZE - 10, top + SIZE - 12), radius=6, fill=AGENT
    )
    if passenger < len(stops):
        top, left = (it * SIZE for it in stops[passenger])
        pen.ellipse((left + 34, top + 6, left + 50, top + 22), fill=colours[passenger])
    else:
        pen.ellipse((left + 20, top + 24, left + 36, top + 40), fill="white")


def read_taxi(state: int) -> tuple[tuple[int, int], int, int]:
    """Place of the taxi, (row, column); where the passenger is, 4 in the taxi; where to."""
    rest, wanted = divmod(state, 4)
    rest, passenger = divmod(rest, 5)
    return divmod(rest, ROUND), passenger, wanted
