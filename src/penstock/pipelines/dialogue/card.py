"""The card of a model: what it is, what it learned from, and what it must not be used for."""

from ...datasets.dataset import Dataset
from ...evaluation import exhibits
from .params import Params

KINDS = {
    "retrieval": "It finds a reply among those of its training data; it writes none.",
    "seq2seq": "It writes replies, a part of a word at a time; what it writes may be untrue.",
    "transformer": "It writes replies, a part of a word at a time; what it writes may be untrue.",
}


def write_card(dataset: Dataset, params: Params) -> exhibits.Text:
    """Write the card, for the report."""
    info, model = dataset.info, params.model
    trained = info["splits"]["train"]["examples"]
    terms = info["licence"] or (
        "none was named (data.licence): find out what the data may be used for before you share it"
    )
    blocked = ", ".join(model.blocked) or "none"
    lines = [
        f"Licence of the training data, which holds for the model too: {terms}",
        f"Kind: {model.kind}. {KINDS[model.kind]}",
        f"Learned from {trained:,} replies of dialogues; looks at {model.turns} turns at most.",
        f"Blocked words: {blocked}. Least confidence: {model.least_confidence:g}.",
        "It has no knowledge beyond its dialogues, no memory beyond their last turns, and follows "
        "no instructions. It is no adviser on health, law or money, and no company in distress.",
    ]
    return exhibits.Text("Card", "\n".join(lines), "What to know before the model is used.")
