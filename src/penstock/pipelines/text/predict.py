"""What is served: a prompt -> how it goes on; a text -> how likely it is."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ...kinds.text.cost import BY_CHARACTER
from ...kinds.text.draws import Draw
from ...kinds.text.tokens import UNKNOWN, Tokens, read_tokens
from ...messages.errors import PenstockError
from ...pipeline import Interface
from .network import Network
from .scoring import score
from .windows import ask
from .writing import write_text

if TYPE_CHECKING:
    from ...datasets.dataset import Dataset

OPTIONS: dict[str, Any] = {
    "length": 200,
    "temperature": 0.8,
    "top_k": 0,
    "seed": 0,
    "stop": "",
    "score": False,
}
OUTPUTS = {
    "continuation": "string",
    "nats": "double",
    "nats_per_character": "double",
    "unknown": "string",
    "error": "string",
}
MOST_LENGTH = 100_000  # tokens
TABLES = (".csv", ".parquet")


def interface(info: dict[str, Any], model: dict[str, Any]) -> Interface:
    """A prompt is continued; a text is scored, after its prompt if it has one."""
    inputs = {"prompt": "optional string", "text": "optional string"}
    return Interface(inputs, OUTPUTS, BY_CHARACTER, OPTIONS)


def predict(
    network: Network, inputs: pd.DataFrame, info: dict[str, Any], options: dict[str, Any]
) -> pd.DataFrame:
    """Continue prompts, or score texts, a row each.

    Options: `length`, the most tokens to write; `temperature`, 0 for the likeliest token; `top_k`,
    how many of the likeliest may be drawn, 0 for all; `seed`; `stop`, a text before which to stop;
    and `score`, whether prompts are scored as texts.

    Returns:
        continuation; nats, of the whole text; nats_per_character; unknown, the characters of the
        row that the model does not know; error, what was wrong with a row.

    Raises:
        PenstockError: an option is out of range.
    """
    draw = _read_draw(options)
    tokens = read_tokens(info["tokens"])
    asked = inputs.reset_index(drop=True).reindex(columns=["prompt", "text"])
    if options["score"]:
        asked["text"] = asked["text"].fillna(asked["prompt"])
        asked["prompt"] = asked["prompt"].where(asked["prompt"] != asked["text"])
    asked = asked.astype(object).where(asked.notna(), None)
    answers = pd.DataFrame(index=asked.index, columns=list(OUTPUTS), dtype=object)
    answers["error"] = [
        _complain(prompt, text) for prompt, text in zip(asked["prompt"], asked["text"], strict=True)
    ]
    good = answers["error"] == ""
    scored = asked[good & asked["text"].notna()]
    for row, prompt in asked["prompt"][good & asked["text"].isna()].items():
        parts = write_text(network, tokens, prompt, options["length"], draw, options["stop"])
        answers.loc[row, ["continuation", "unknown"]] = "".join(parts), _unknown(tokens, prompt)
    if len(scored):
        nats = score_texts(network, tokens, scored)
        answers.loc[scored.index, "nats"] = nats
        answers.loc[scored.index, "nats_per_character"] = nats / scored["text"].str.len()
        answers.loc[scored.index, "unknown"] = [_unknown(tokens, it) for it in scored["text"]]
    return answers.astype({"nats": np.float64, "nats_per_character": np.float64})


def stream(
    network: Network, row: dict[str, Any], info: dict[str, Any], options: dict[str, Any]
) -> Iterator[str] | None:
    """Continue the prompt of one row, a few characters at a time; None if it is to be scored."""
    prompt, text = row.get("prompt"), row.get("text")
    if options["score"] or text is not None or _complain(prompt, text):
        return None
    tokens, draw = read_tokens(info["tokens"]), _read_draw(options)
    return write_text(network, tokens, prompt or "", options["length"], draw, options["stop"])


def _read_draw(options: dict[str, Any]) -> Draw:
    limits = {"length": MOST_LENGTH, "temperature": 100, "top_k": 2**31, "seed": 2**63 - 1}
    for name, most in limits.items():
        if not 0 <= options[name] <= most:
            raise PenstockError(f"{name}: {options[name]}: expected a number from 0 to {most:,}")
    return Draw(options["temperature"], options["top_k"], options["seed"])


def _complain(prompt: str | None, text: str | None) -> str:
    """What is wrong with a row, or nothing."""
    if prompt is None and text is None:
        return "nothing to answer: expected a prompt, or a text to score"
    if text == "":
        return "the text to score is empty"
    for value in prompt, text:
        try:
            (value or "").encode()
        except UnicodeEncodeError as error:
            return f"half a character (a lone surrogate) at {error.start:,}: mend the text"
    return ""


def _unknown(tokens: Tokens, text: str) -> str:
    """The characters of a text that are not known, each once."""
    if tokens.kind != "characters":
        return ""
    return "".join(dict.fromkeys(np.array(list(text))[tokens.encode(text) == UNKNOWN]))


def score_texts(network: Network, tokens: Tokens, asked: pd.DataFrame) -> np.ndarray:
    """Nats of each text, after its prompt: float64, shape (rows,)."""
    prompts = asked["prompt"].map(lambda it: it or "")
    questions = [
        ask(tokens.encode(prompt), tokens.encode(text))
        for prompt, text in zip(prompts, asked["text"], strict=True)
    ]
    nats = score(network, questions, len(tokens)).per_question(len(questions))
    unknown = np.array([(scored == UNKNOWN).sum() for _, scored in questions])
    return nats + tokens.unknown_cost * unknown


def exam(dataset: "Dataset", split: str) -> pd.DataFrame:
    """The blocks of a split as text, each after the block before it in its document."""
    examples = dataset.examples(split)
    texts = [it.decode() for it in dataset.raw(examples["id"])]
    follows = (examples["part"] > 0).to_numpy()
    prompts = [texts[row - 1] if it else "" for row, it in enumerate(follows)]
    about = examples[["id", "sha256", "characters", "bytes"]]
    if dataset.info["unit"] == "document":
        about = about.assign(group=np.cumsum(~follows))
    return about.assign(prompt=prompts, text=texts)


def outcome(predictions: pd.DataFrame, exam: pd.DataFrame) -> pd.DataFrame:
    """Mark answers: nats and characters of each block; its document, where those are the units."""
    about = exam[[it for it in ("id", "sha256", "group", "characters", "bytes") if it in exam]]
    return about.assign(nats=predictions["nats"].to_numpy(np.float64)).reset_index(drop=True)


def read_input(file: Path, info: dict[str, Any]) -> pd.DataFrame:
    """Read a prompt from a file of text, or prompts and texts from a table.

    The end of the last line is not part of a prompt: editors add it.

    Raises:
        PenstockError: no UTF-8, or a table without a column `prompt` or `text`.
    """
    if file.suffix.lower() not in TABLES:
        try:
            return pd.DataFrame(
                {"prompt": [file.read_bytes().decode("utf-8-sig").removesuffix("\n")]}
            )
        except UnicodeDecodeError as error:
            raise PenstockError(
                f"{file}: not UTF-8 (byte {error.start:,}: {error.reason}); convert it"
            ) from None
    try:
        if file.suffix.lower() == ".csv":
            table = pd.read_csv(file, dtype=str, keep_default_na=False)
        else:
            table = pd.read_parquet(file)
    except (ValueError, OSError) as error:
        raise PenstockError(f"{file}: not a table ({error}); expected prompt or text") from None
    if not {"prompt", "text"} & set(table):
        raise PenstockError(
            f"{file}: no column prompt or text; found {', '.join(map(str, table))}; expected one"
        )
    return table
