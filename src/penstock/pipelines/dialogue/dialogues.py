"""Dialogues in files: a line each, a file each, pairs in a table, or lists in YAML.

Every reader answers with utterances as they stand in the file; `normal.py` says what becomes of
them.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ...kinds.folders.yaml_text import parse_yaml
from ...kinds.tables.delimited import Layout, read_delimited, sniff
from ...kinds.tables.raw_files import RawFile
from ...messages.errors import PenstockError
from .params import Data

TABLES, LISTS = (".tsv", ".csv"), (".yml", ".yaml")
OTHERS = ("readme", "license", "licence", "source")
QUESTIONS = ("question", "context", "input", "text")
ANSWERS = ("answer", "reply", "response", "output")
LARGEST = 2**26  # bytes of a YAML file, which is read as a whole

Reject = Callable[[str, str], None]  # the name of what is not taken, and why


@dataclass(frozen=True)
class Dialogue:
    """Utterances that follow each other.

    Attributes:
        name: of the file, and of the line where it starts.
        utterances: as they stand there.
    """

    name: str
    utterances: tuple[str, ...]


def is_read(file: RawFile) -> bool:
    """Whether a file of a source has dialogues, rather than something about them."""
    return file.stem not in OTHERS


def read_dialogues(file: RawFile, data: Data, reject: Reject) -> Iterator[Dialogue]:
    """Read the dialogues of one file.

    Args:
        file: text, a table (.tsv, .csv), or YAML (.yml, .yaml), also gzipped.
        data: what a dialogue is in it.
        reject: is told what is no dialogue, and why.

    Raises:
        PenstockError: a table without two columns, or YAML without `conversations`.
    """
    if file.kind in TABLES:
        return _read_pairs(file, data, reject)
    if file.kind in LISTS:
        return _read_lists(file, reject)
    return _read_text(file, data, reject)


def _read_text(file: RawFile, data: Data, reject: Reject) -> Iterator[Dialogue]:
    """Dialogues of a file of text: a line each, or the file."""
    whole: list[str] = []
    with file.open() as stream:
        for number, content in enumerate(stream, 1):
            try:
                line = content.decode("utf-8-sig" if number == 1 else "utf-8").strip()
            except UnicodeDecodeError as error:
                reject(f"{file.name}:{number}", f"not UTF-8 (byte {error.start}: {error.reason})")
                continue
            if not line:
                continue
            if data.dialogue == "file":
                whole.append(line)
            elif data.separator not in line:
                reject(f"{file.name}:{number}", f"no {data.separator} between utterances")
            else:
                yield Dialogue(f"{file.name}:{number}", tuple(line.split(data.separator)))
    if whole:
        yield Dialogue(file.name, tuple(whole))


def _read_pairs(file: RawFile, data: Data, reject: Reject) -> Iterator[Dialogue]:
    """Dialogues of pairs: a row whose question is the answer before it goes on with that dialogue.

    A pair alone is a dialogue of two.
    """
    layout = sniff(file)
    names, header = _name_columns(file, layout, data)

    def named(line: int, reason: str) -> None:
        reject(f"{file.name}:{line}", reason)

    start, said = 0, [""]
    for block in read_delimited(file, layout, names, header, ["question", "answer"], named):
        columns = (block.columns[it].to_pylist() for it in ("question", "answer"))
        for line, question, answer in zip(block.lines, *columns, strict=True):
            if not question.strip() or not answer.strip():
                side = "question" if not question.strip() else "answer"
                named(int(line), f"the {side} is empty; expected both")
                continue
            if said[-1] != question:
                if start:
                    yield Dialogue(f"{file.name}:{start}", tuple(said))
                start, said = int(line), [question]
            said.append(answer)
    if start:
        yield Dialogue(f"{file.name}:{start}", tuple(said))


def _name_columns(file: RawFile, layout: Layout, data: Data) -> tuple[list[str], bool]:
    """The columns, those that are wanted as `question` and `answer`; and whether line 1 has names.

    Without names that are known, a table of two columns has no header.
    """
    first = layout.first
    if len(first) < 2:
        raise PenstockError(
            f"{file.name}: one column; expected a question and an answer, with a tab or a comma "
            "between them; set data.dialogue and use .txt if these are dialogues"
        )
    small = [it.lower() for it in first]
    places = []
    for wanted, usual in ((data.question_column, QUESTIONS), (data.answer_column, ANSWERS)):
        known = [wanted.lower()] if wanted else [it for it in usual if it in small]
        if wanted and wanted.lower() not in small:
            raise PenstockError(
                f"{file.name}: no column {wanted}; found {', '.join(first[:20])}; mend "
                "data.question_column or data.answer_column"
            )
        places.append(small.index(known[0]) if known else -1)
    header = -1 not in places
    if not header:
        if len(first) > 2:
            raise PenstockError(
                f"{file.name}: {len(first)} columns, none of them called question and answer; "
                "name them in data.question_column and data.answer_column"
            )
        places = [0, 1]
    names = [f"column {place}" for place in range(len(first))]
    names[places[0]], names[places[1]] = "question", "answer"
    return names, header


def _read_lists(file: RawFile, reject: Reject) -> Iterator[Dialogue]:
    """Dialogues of ChatterBot's YAML: `conversations`, a list of lists of utterances."""
    with file.open() as stream:
        content = stream.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise PenstockError(f"{file.name}: more than {LARGEST:,} bytes; divide the file")
    try:
        read = parse_yaml(content)
    except ValueError as error:
        raise PenstockError(f"{file.name}: {error}; mend the file") from None
    if not isinstance(read, dict) or not isinstance(read.get("conversations"), list):
        raise PenstockError(f"{file.name}: no list `conversations`; expected one of lists of texts")
    for number, said in enumerate(read["conversations"], 1):
        name = f"{file.name}#{number}"
        if not isinstance(said, list):
            reject(name, f"a {type(said).__name__}, not a list of utterances")
        elif strange := [it for it in said if not isinstance(it, str | int | float)]:
            reject(name, f"a {type(strange[0]).__name__} among the utterances; quote the text")
        else:
            yield Dialogue(name, tuple(map(str, said)))
