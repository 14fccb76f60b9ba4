"""How well the network models text that it never saw, and how it writes."""

import numpy as np
import pandas as pd

from ...datasets.dataset import Dataset
from ...evaluation import exhibits, figures
from ...evaluation.grouped import group_intervals
from ...evaluation.metrics import calibration_error, reliability
from ...kinds.text.cost import nats_per_character
from ...kinds.text.tokens import Tokens, read_tokens
from ...kinds.text.transformer import Transformer
from ...pipeline import Evaluation
from .baselines import baselines, content
from .figures import attention_figure, baseline_figure, place_figure
from .network import Network
from .params import Params
from .scoring import Scored, score
from .windows import join_tokens, read_questions
from .writing_exhibits import write_samples

RESAMPLES = 1000
BITS = float(np.log(2))
SHOWN = 48  # tokens of the attention map


def evaluate(network: Network, dataset: Dataset, params: Params) -> Evaluation:
    """Score every block of the test split; measure baselines; write."""
    tokens = read_tokens(dataset.info["tokens"])
    examples, questions = dataset.examples("test"), read_questions(dataset, ["test"])
    scored = score(network, questions, len(tokens))
    unknown = examples["unknown"].to_numpy()
    nats = scored.per_question(len(questions)) + tokens.unknown_cost * unknown
    scores = examples[["id", "sha256", "characters", "bytes"]].assign(nats=nats)
    if dataset.info["unit"] == "document":
        scores.insert(2, "group", np.cumsum(examples["part"] == 0))
    train, test = join_tokens(dataset, params.train.splits), join_tokens(dataset, ("test",))
    characters, size = int(scores["characters"].sum()), int(scores["bytes"].sum())
    compared = pd.DataFrame(
        [
            *baselines(train, test, tokens, params.evaluate.order),
            ("this model", float(nats.sum())),
        ],
        columns=["model", "nats"],
    )
    compared["nats per character"] = compared["nats"] / characters
    compared["bits per byte"] = compared["nats"] / BITS / size
    calibration = reliability(scored.confidence, scored.correct)
    metrics = {
        **_metrics(scores, scored),
        "test/unknown_share": float(unknown.sum() / characters),
        "test/ngram_nats_per_character": float(compared["nats per character"].iloc[-4]),
        "test/calibration_error": calibration_error(calibration),
    }
    pieces, memory = write_samples(network, dataset, tokens, train, params.evaluate)
    return Evaluation(
        metrics | memory,
        scores,
        [
            *pieces,
            exhibits.figure(
                "Beside baselines",
                baseline_figure(compared),
                "Bits that a byte of the test text takes. Shorter is better. Compressors are shown "
                "the training text before the test text.",
            ),
            exhibits.Table("What the test text takes", compared.drop(columns="nats").round(4)),
            exhibits.figure(
                "What context is worth",
                place_figure(scored.place, scored.nats),
                "Nats a token by how many tokens the network had read before it.",
            ),
            exhibits.figure(
                "Reliability of the next token",
                figures.reliability_figure(calibration),
                "How often the likeliest token was right, by the probability given to it.",
            ),
            *_hardest(dataset, scores),
            *_attention(network, dataset, tokens),
        ],
        plots={"baselines": compared},
        meanings={
            "test/perplexity": "of a character: e to the nats it takes",
            "test/accuracy": "how often the likeliest token was right",
            "test/unknown_share": "characters that the training split has not, or hardly",
            "test/longest_copy": "characters of a sample that stand in the training text",
            "test/longest_copy_held_out": "likewise, of as much of the test text",
        },
    )


def _metrics(scores: pd.DataFrame, scored: Scored) -> dict[str, float]:
    nats, characters = (scores[it].to_numpy(float) for it in ("nats", "characters"))
    units = scores.get("group", scores["id"]).to_numpy()

    def mean(weights: np.ndarray) -> dict[str, float]:
        return {"nats": nats_per_character(scores, weights)}

    low, high = group_intervals(mean, units, RESAMPLES)["nats"]
    value = float(nats.sum() / characters.sum())
    return {
        "test/nats_per_character": value,
        "test/nats_per_character_low": low,
        "test/nats_per_character_high": high,
        "test/bits_per_character": value / BITS,
        "test/bits_per_byte": float(nats.sum() / scores["bytes"].sum()) / BITS,
        "test/perplexity": float(np.exp(value)),
        "test/accuracy": float(scored.correct.mean()),
        "test/nats_per_token": float(scored.nats.mean()),
        "test/units": len(np.unique(units)),
        "test/characters": int(characters.sum()),
    }


def _hardest(dataset: Dataset, scores: pd.DataFrame) -> list[exhibits.Exhibit]:
    """The blocks that took the most nats a character."""
    each = scores["nats"] / scores["characters"]
    worst = each.sort_values(ascending=False, kind="stable").index[:5]
    texts = [it.decode() for it in dataset.raw(scores["id"].iloc[worst])]
    shown = "\n\n".join(
        f"{scores['id'].iloc[row]}: {each.iloc[row]:.2f} nats a character\n{text[:300]}"
        for row, text in zip(worst, texts, strict=True)
    )
    return [exhibits.Text("Hardest texts", shown, "The test texts that cost most a character.")]


def _attention(network: Network, dataset: Dataset, tokens: Tokens) -> list[exhibits.Exhibit]:
    """What each token of a test text looks at, if the network has attention."""
    if not isinstance(network, Transformer):
        return []
    read, scored = read_questions(dataset, ["test"])[0]
    shown = np.concatenate([read[:1], scored])[: min(SHOWN, network.window)]
    letters = [
        content(shown[it : it + 1], tokens).decode("utf-8", "replace") for it in range(len(shown))
    ]
    return [
        exhibits.figure(
            "Attention",
            attention_figure(network, shown, letters),
            "Rows: tokens of a test text; columns: what they look at. A picture a head, a row of "
            "pictures a layer.",
        )
    ]
