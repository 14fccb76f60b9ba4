"""Dialogues as they come: files, normal form, near-duplicates, splits; what is rejected."""

import gzip
import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.datasets.dataset import Dataset, DatasetWriter
from penstock.kinds.tables.raw_files import list_files
from penstock.messages.errors import PenstockError
from penstock.pipelines.dialogue.dialogues import read_dialogues
from penstock.pipelines.dialogue.ingest import ingest
from penstock.pipelines.dialogue.near_duplicates import group_dialogues
from penstock.pipelines.dialogue.normal import normalise, same_words
from penstock.pipelines.dialogue.sample import sample
from penstock.settings.explanation import default_params
from penstock.settings.file import parse_section
from projects import REAL

LINE = "Hello , Ann ! __eou__ I don ’ t know you . __eou__ Oh , sorry ! __eou__"
TURNS = ["Hello , Ann !", "I don ’ t know you .", "Oh , sorry !"]


def parse_dialogue(data):
    section = default_params("dialogue").model_dump(mode="json")
    section["data"] |= data
    return parse_section("dialogue", section, Path("params.yaml"))


def ingested(source, folder, **data):
    with DatasetWriter(folder) as writer:
        ingest(source, writer, parse_dialogue(data))
    return Dataset(folder)


def read(file, **data):
    """The dialogues of a file, and what was rejected."""
    rejected = []
    settings = parse_dialogue(data).data
    (raw,) = list_files(file)
    found = list(read_dialogues(raw, settings, lambda *it: rejected.append(it)))
    return [[it.strip() for it in dialogue.utterances] for dialogue in found], rejected


def write_many(folder, count=60, changed=()):
    """So many different dialogues; of some also a copy with a word changed."""
    chance = np.random.default_rng(0)
    words = [f"{a}{b}" for a, b in itertools.product(("ba", "ko", "mi", "tu"), ("ra", "ne", "so"))]
    dialogues = [[" ".join(chance.choice(words, 8)) for _ in range(4)] for _ in range(count)]
    copies = [[*dialogues[it][:3], f"{dialogues[it][3]} indeed"] for it in changed]
    lines = ["__eou__".join(it) for it in (*dialogues, *copies)]
    file = folder / "dialogues.txt"
    file.write_text("\n".join(lines))
    return file


@settings(deadline=None)
@given(st.text())
def test_the_normal_form_of_a_normal_form_is_itself(text):
    once = normalise(text)
    assert normalise(once) == once
    assert once == once.strip()
    once.encode()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I don ’ t know , John .", "I don't know, John."),
        ("It ' s  ten o ' clock\t!", "It's ten o'clock!"),
        ("the boys ' toys", "the boys ' toys"),
        ("a\x00b\u202ec\x1b[31m", "abc[31m"),
        ("e\u0301 \ud800", "é"),
        ("“ Well ”", '" Well "'),
        ("👩\u200d🚀", "👩\u200d🚀"),
    ],
)
def test_what_tokenised_corpora_and_terminals_have_is_brought_to_one_form(text, expected):
    assert normalise(text) == expected


def test_lines_files_and_pairs_hold_the_same_dialogue(tmp_path):
    line, whole, pairs = tmp_path / "a.txt", tmp_path / "b.txt", tmp_path / "c.tsv"
    line.write_text(LINE)
    whole.write_text("\n".join(TURNS))
    pairs.write_text("".join(f"{one}\t{other}\n" for one, other in itertools.pairwise(TURNS)))
    packed = tmp_path / "d.txt.gz"
    packed.write_bytes(gzip.compress(LINE.encode()))
    for file, data in (line, {}), (whole, {"dialogue": "file"}), (pairs, {}), (packed, {}):
        (found,), rejected = read(file, **data)
        assert [it for it in found if it] == TURNS
        assert not rejected


def test_pairs_have_a_header_or_none_and_may_be_named(tmp_path):
    file = tmp_path / "pairs.csv"
    file.write_text('id,answer,question\n1,"Fine, thanks.",How are you?\n2,Yes.,\n3,No.,Really?\n')
    found, rejected = read(file)
    assert found == [["How are you?", "Fine, thanks."], ["Really?", "No."]]
    assert rejected == [("pairs.csv:3", "the question is empty; expected both")]
    file.write_text("q,x,a\nHow?,1,So.\n")
    with pytest.raises(PenstockError, match=r"3 columns, none of them called question and answer"):
        read(file)
    found, _ = read(file, question_column="q", answer_column="a")
    assert found == [["How?", "So."]]
    with pytest.raises(PenstockError, match=r"no column b; found q, x, a; mend"):
        read(file, question_column="q", answer_column="b")
    file.write_text("only\nthis\n")
    with pytest.raises(PenstockError, match="one column"):
        read(file)


def test_lists_of_chatterbot_are_read_and_run_no_code(tmp_path):
    file = tmp_path / "talk.yml"
    file.write_text(
        "categories: [x]\nconversations:\n- - Hi\n  - Hello\n- just a text\n- - What is 6 * 7?\n"
        "  - 42\n- - [nested]\n  - b\n"
    )
    found, rejected = read(file)
    assert found == [["Hi", "Hello"], ["What is 6 * 7?", "42"]]
    assert [name for name, _ in rejected] == ["talk.yml#2", "talk.yml#4"]
    for content, message in (
        ("conversations: !!python/object/apply:os.system ['true']", "not valid YAML|no list"),
        ("a: [", "not valid YAML"),
        ("[" * 50_000, "not valid YAML"),
        ("a: 1", "no list `conversations`"),
    ):
        file.write_text(content)
        with pytest.raises(PenstockError, match=message):
            read(file)


def test_what_is_no_dialogue_is_rejected_by_name(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    good = write_many(source).read_bytes()
    bad = [
        b"one utterance only __eou__",
        b"no separator at all",
        b"caf\xe9 __eou__ yes __eou__",
        b"a __eou__ " + b"b" * 2000 + b" __eou__",
        good.split(b"\n")[0].replace(b"a", b"A"),
    ]
    (source / "dialogues.txt").write_bytes(good + b"\n" + b"\n".join(bad))
    (source / "broken.yml").write_text("a: [")
    (source / "README.md").write_text("This is about the dialogues.")
    dataset = ingested(source, tmp_path / "dataset")
    reasons = dict(dataset.rejected.itertuples(index=False))
    assert "not valid YAML" in reasons["source/broken.yml"]
    told = [reasons[f"source/dialogues.txt:{line}"] for line in range(61, 66)]
    for reason, part in zip(
        told,
        (
            "1 utterance; expected two or more",
            "no __eou__ between utterances",
            "not UTF-8 (byte 3",
            "an utterance of 2,000 characters; expected at most 1,000",
            "the same dialogue stands at source/dialogues.txt:1",
        ),
        strict=True,
    ):
        assert part in reason
    assert dataset.info["examples"] == 60 * 3
    assert dataset.info["repeated"] == 1


def test_an_empty_source_says_what_was_expected(tmp_path):
    (tmp_path / "source").mkdir()
    with pytest.raises(PenstockError, match=r"no file; expected dialogues: .txt"):
        ingested(tmp_path / "source", tmp_path / "dataset")


def test_near_duplicates_stay_in_one_split_whatever_their_order(tmp_path):
    file = write_many(tmp_path, changed=range(0, 60, 2))
    dataset = ingested(file, tmp_path / "one")
    assert dataset.info["near_duplicates"] == 30
    splits = dataset.index.groupby("group")["split"].nunique()
    assert (splits == 1).all()
    assert set(dataset.index["split"]) == {"train", "validation", "test"}
    lines = file.read_text().split("\n")
    file.write_text("\n".join(lines[::-1]))
    again = ingested(file, tmp_path / "two")

    def where(found):
        return dict(zip(found.index["sha256"], found.index["split"], strict=True))

    assert where(again) == where(dataset)


def test_groups_are_those_of_all_pairs_compared():
    chance = np.random.default_rng(1)
    words = [f"w{it}" for it in range(30)]
    base = [" ".join(chance.choice(words, 40)) for _ in range(25)]
    near = [" ".join([*it.split()[: chance.integers(10, 40)], "end"]) for it in base]
    dialogues = [[it] for it in (*base, *near)]

    def sequences(text):
        listed = text.split()
        return {tuple(listed[at : at + 3]) for at in range(len(listed) - 2)}

    found = group_dialogues(dialogues, 0.6)
    for one, other in itertools.combinations(range(50), 2):
        ours, theirs = sequences(dialogues[one][0]), sequences(dialogues[other][0])
        alike = len(ours & theirs) / len(ours | theirs) >= 0.6
        assert (found[one] == found[other]) == alike, (one, other)


def test_a_reply_with_its_turns_is_one_stretch_of_the_stream(tmp_path):
    from penstock.kinds.text.tokens import read_tokens

    file = tmp_path / "dialogues.txt"
    file.write_text(LINE)
    dataset = ingested(file, tmp_path / "dataset")
    tokens, stream = read_tokens(dataset.info["tokens"]), dataset.array("tokens")
    parts = [b"|" if it == 0 else tokens.content[it] for it in stream]
    assert b"".join(parts).decode() == "Hello, Ann!|I don't know you.|Oh, sorry!|"
    assert dataset.index["words"].tolist() == [5, 4]
    assert dataset.index["characters"].tolist() == [17, 10]


def test_known_replies_are_counted_whatever_their_marks(tmp_path):
    file = write_many(tmp_path)
    text = file.read_text().split("\n")
    file.write_text(
        "\n".join(f"{it}__eou__Bye , {'then' if n % 2 else 'Then'} !" for n, it in enumerate(text))
    )
    dataset = ingested(file, tmp_path / "dataset")
    assert dataset.info["known_replies"]["test"] == pytest.approx(1 / 4)
    assert same_words("Bye , Then !") == same_words("bye then")


def test_the_sample_is_the_same_each_time_and_talks_of_all(tmp_path):
    for name in "one", "two":
        (tmp_path / name).mkdir()
        sample(tmp_path / name)
    content = (tmp_path / "one" / "dialogues.txt").read_bytes()
    assert content == (tmp_path / "two" / "dialogues.txt").read_bytes()
    assert b"{" not in content


@pytest.mark.real
def test_dailydialog_is_read_alike_as_lines_and_as_pairs(tmp_path):
    folder = REAL / "dialog"
    if not folder.exists():
        pytest.skip(f"{folder} is not there")
    lines = ingested(folder / "dialogues.txt", tmp_path / "lines")
    pairs = ingested(folder / "pairs.tsv", tmp_path / "pairs")
    assert lines.info["dialogues"] == pairs.info["dialogues"] == 2578
    assert lines.info["examples"] == pairs.info["examples"] == 17_708
    assert lines.index["sha256"].tolist() == pairs.index["sha256"].tolist()
    assert 0.05 < lines.info["known_replies"]["test"] < 0.12
    assert lines.index.groupby("group")["split"].nunique().max() == 1


@pytest.mark.real
def test_chatterbots_lists_are_read(tmp_path):
    folder = REAL / "dialog" / "chatterbot-english"
    if not folder.exists():
        pytest.skip(f"{folder} is not there")
    dataset = ingested(folder, tmp_path / "dataset")
    assert dataset.info["dialogues"] + dataset.info["rejected"] > 2_000
    assert "license" not in " ".join(dataset.index["id"])
