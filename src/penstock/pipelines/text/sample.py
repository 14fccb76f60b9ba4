"""A log of a voyage, made up by rules: dates follow each other, and miles add up."""

import random
from datetime import date, timedelta
from pathlib import Path

DAYS = 640
WINDS = ("north", "north-east", "east", "south-east", "south", "south-west", "west", "north-west")
FORCES = ("light airs", "a light breeze", "a fresh breeze", "a strong breeze", "a gale")
MILES = (20, 60, 120, 170, 90)  # made in a day, by the force of the wind
SKIES = ("clear", "hazy", "overcast", "dark with rain", "bright after rain")
SEAS = ("smooth", "slight", "moderate", "rough", "very high")
MEN = ("the cook", "the carpenter", "the mate", "the boatswain", "young Harris", "old Petersen")
ILLS = ("a fever", "a bad tooth", "a cut hand", "a sprained ankle", "nothing worse than idleness")
WORK = (
    *("mended the fore topsail", "tarred the rigging", "scraped the decks", "stowed the anchors"),
    *("painted the longboat", "shifted the water casks", "aired the sails", "set up the shrouds"),
)
BEASTS = (
    *("a whale", "two whales", "a school of flying fish", "an albatross", "many porpoises"),
    *("a turtle asleep on the water", "a shark that followed us"),
)
SHIPS = ("Aurora", "Prudence", "Elisabeth", "North Star", "Good Intent", "Clara", "Hesperus")
PORTS = ("Bergen", "Cadiz", "Valparaiso", "Batavia", "Lisbon", "Hobart", "Bristol", "Callao")
CARGOES = ("salt", "coals", "timber", "wool", "sugar", "hides", "tea", "copper ore")


def sample(folder: Path) -> None:
    """Write the log: a paragraph a day, some 150 kB."""
    chance = random.Random(0)
    (folder / "log.txt").write_text("\n\n".join(_days(chance)) + "\n")


def _days(chance: random.Random) -> list[str]:
    day, wind, force, total = date(1871, 3, 6), 5, 2, 0
    entries = []
    for _ in range(DAYS):
        wind = (wind + chance.choice((-1, 0, 0, 0, 1))) % len(WINDS)
        force = min(max(force + chance.choice((-1, 0, 0, 1)), 0), len(FORCES) - 1)
        made = MILES[force] + chance.randrange(-15, 16)
        total += made
        head = f"{day:%A}, {day.day} {day:%B} {day.year}."
        weather = _weather(chance, wind, force)
        run = f"Made {made} miles since noon yesterday, {total:,} in all."
        entries.append(" ".join([head, *weather, run, *_events(chance, force)]))
        day += timedelta(days=1)
    return entries


def _weather(chance: random.Random, wind: int, force: int) -> list[str]:
    sky = chance.choice(SKIES[:3] if force < 3 else SKIES[2:])
    blown = FORCES[force][0].upper() + FORCES[force][1:]
    return [f"{blown} from the {WINDS[wind]}, the sky {sky}, the sea {SEAS[force]}."]


def _events(chance: random.Random, force: int) -> list[str]:
    """What else there was: two things at most, and of those that the weather allows."""
    told = []
    if force >= 3 and chance.random() < 0.6:
        lost = chance.choice(("a spar", "the jib", "a hen coop", "forty fathoms of line"))
        told.append(f"Took in sail at {chance.randrange(2, 12)} bells and lost {lost}.")
    if force <= 2 and chance.random() < 0.5:
        told.append(f"All hands {chance.choice(WORK)}.")
    if chance.random() < 0.3:
        man, ill = chance.choice(MEN), chance.choice(ILLS)
        told.append(f"{man[0].upper()}{man[1:]} is laid up with {ill}.")
    if chance.random() < 0.25:
        told.append(f"Saw {chance.choice(BEASTS)} at {chance.choice(('dawn', 'noon', 'dusk'))}.")
    if force <= 3 and chance.random() < 0.2:
        ship, cargo = chance.choice(SHIPS), chance.choice(CARGOES)
        start, end = chance.sample(PORTS, 2)
        days = chance.randrange(9, 140)
        told.append(f"Spoke the {ship} of {start}, {days} days out, bound for {end} with {cargo}.")
    return told[:2]
