"""Dialogues made up of scenes, with small talk before and after: everyday matters, and no facts."""

import random
import re
from pathlib import Path

from .scenes import CLOSINGS, OPENINGS, SCENES, WORDS

DIALOGUES = 450
LEFT_OUT = 0.25  # share of the steps of a scene
TALK = 0.6  # share of dialogues that open with small talk; as many close with it
ASIDES = (
    *("Well, {name}, ", "{name}! ", "Oh, {name}. ", "Listen, {name}: ", "Hm. ", "Let me see. "),
    *("As I said to {name}, ", "{name} told me on {day}: ", "It's already {hour}. ", "Right. "),
)
ASIDE = 0.4  # share of utterances that begin with one
END = "__eou__"


def sample(folder: Path) -> None:
    """Write dialogues.txt: a dialogue a line, some 170 kB.

    Which of the ways to reply is taken is chance, and so is what fills it in unless it was said
    before: so nobody can find the right reply always.
    """
    chance = random.Random(0)
    lines = [f" {END} ".join(_talk(chance)) + f" {END}" for _ in range(DIALOGUES)]
    (folder / "dialogues.txt").write_text("\n".join(lines) + "\n")


def _talk(chance: random.Random) -> list[str]:
    """The utterances of one dialogue."""
    steps = [it for it in chance.choice(list(SCENES.values())) if chance.random() > LEFT_OUT]
    if chance.random() < TALK:
        steps.insert(0, chance.choice(OPENINGS))
    if chance.random() < TALK or len(steps) < 2:
        steps.append(chance.choice(CLOSINGS))
    filled = {slot: chance.choice(words.split()) for slot, words in WORDS.items()}
    said = []
    for step in steps:
        for ways in step:
            aside = chance.choice(ASIDES) if chance.random() < ASIDE else ""
            text = aside + chance.choice(ways.split("|"))
            said.append(re.sub(r"{(\w+)}", lambda slot: filled[slot[1]], text))
    return said
