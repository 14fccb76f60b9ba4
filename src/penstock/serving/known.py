"""Names that a model keeps, for pages to offer: users and items, nodes and what is beside them."""

from typing import Any

from ..tracking.champion import Champion
from .refusals import Refusal

MOST = 200  # names in one answer


def find_known(champion: Champion, column: str, text: str, beside: str) -> dict[str, Any]:
    """Names that an input may have, those that contain a text, or stand beside one.

    Returns:
        `found`: id and title of each; `count`: how many there are in all.

    Raises:
        Refusal: the model keeps no such names.
    """
    names = champion.known_names(column, beside)
    if names is None:
        told = f"{beside[:40]!r} of {column}" if beside else column
        raise Refusal(404, f"{told}: {champion.title} keeps no names of that")
    asked = text.casefold()
    found = [
        {"id": name, "title": title}
        for name, title in names
        if asked in name.casefold() or asked in title.casefold()
    ]
    return {"found": found[:MOST], "count": len(found)}
