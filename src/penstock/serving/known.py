"""What a network knows by name, for pages to offer: users and items, nodes and who is beside them.

A recommender and a graph keep these beside their weights; of other networks nothing is known.
"""

from typing import Any

from ..tracking.champion import Champion
from .refusals import Refusal

MOST = 200  # names in one answer


def find_known(champion: Champion, column: str, text: str) -> dict[str, Any]:
    """Names that an input may have, those that contain a text.

    Returns:
        `found`: id and title of each; `count`: how many there are in all.
    """
    titled = _names(champion, column)
    asked = text.casefold()
    found = [
        {"id": name, "title": title}
        for name, title in titled
        if asked in name.casefold() or asked in title.casefold()
    ]
    return {"found": found[:MOST], "count": len(found)}


def _names(champion: Champion, column: str) -> list[tuple[str, str]]:
    network = champion.served.network
    vocabulary = getattr(network, "vocabulary", None)
    if vocabulary is not None and column in ("user", "item"):
        ids = vocabulary.texts(f"{column}s")
        titles = vocabulary.texts("titles") if column == "item" else ids
        return list(zip(ids, titles, strict=True))
    graph = getattr(network, "graph", None)
    if graph is not None and column == "node":
        return [(name, name) for name in graph.ids]
    raise Refusal(404, f"{column}: {champion.title} keeps no names of that")


def find_neighbours(champion: Champion, node: str) -> list[str]:
    """The nodes beside a node of a graph.

    Raises:
        Refusal: there is no graph, or no such node.
    """
    graph = getattr(champion.served.network, "graph", None)
    if graph is None or node not in graph.places:
        raise Refusal(404, f"{champion.title} knows no such node")
    ids = graph.ids
    return [ids[it] for it in graph.neighbours(graph.places[node])][:MOST]
