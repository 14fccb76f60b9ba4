"""Texts as they come: files, encodings, documents, tokens; what is taken and what is rejected."""

import gzip

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from penstock.datasets.dataset import Dataset, DatasetWriter
from penstock.kinds.tables.raw_files import list_files
from penstock.kinds.text.ngrams import ngram_nats
from penstock.kinds.text.tokens import (
    Bytes,
    Characters,
    learn_byte_pairs,
    learn_characters,
    read_tokens,
)
from penstock.messages.errors import PenstockError
from penstock.pipelines.text.baselines import baselines, content
from penstock.pipelines.text.documents import open_file, read_documents
from penstock.pipelines.text.ingest import ingest
from penstock.pipelines.text.memorised import longest_copies
from penstock.settings.explanation import default_params
from penstock.settings.file import parse_section

PROSE = "It was a bright cold day in April, and the clocks were striking thirteen.\n" * 3


def ingested(source, folder, **data):
    params = parse_text(data)
    with DatasetWriter(folder) as writer:
        ingest(source, writer, params)
    return Dataset(folder)


def parse_text(data):
    section = default_params("text").model_dump(mode="json")
    section["data"] |= data
    return parse_section("text", section, "params.yaml")


def restored(dataset, split):
    """The text of a split, from its tokens."""
    tokens, stream = read_tokens(dataset.info["tokens"]), dataset.array("tokens")
    return [
        content(stream[row.start : row.stop], tokens).decode()
        for row in dataset.examples(split).itertuples()
    ]


@pytest.fixture
def lines(tmp_path):
    file = tmp_path / "lines.txt"
    chance = np.random.default_rng(0)
    words = ["ash", "birch", "cedar", "elm", "fir", "oak", "yew"]
    file.write_text("\n".join(" ".join(chance.choice(words, 6)) for _ in range(200)) + "\n\n")
    return file


def test_one_text_is_split_in_order_at_exact_places(tmp_path):
    text = "".join(f"{chr(97 + n % 26)} line {n}\n" for n in range(900))
    (tmp_path / "text.txt").write_text(text)
    shares = {"test_share": 0.05, "validation_share": 0.1}
    dataset = ingested(
        tmp_path / "text.txt",
        tmp_path / "dataset",
        order=["train", "test", "validation"],
        block=256,
        **shares,
    )
    ends = [int(len(text) * 0.85), int(len(text) * 0.9)]
    assert "".join(restored(dataset, "train")) == text[: ends[0]]
    assert "".join(restored(dataset, "test")) == text[ends[0] : ends[1]]
    assert "".join(restored(dataset, "validation")) == text[ends[1] :]
    assert dataset.index["characters"].max() <= 256
    assert dataset.info["unit"] == "block"
    assert dataset.index["id"].is_unique


def test_documents_stay_whole_and_equal_ones_together(lines, tmp_path):
    again = lines.read_text().splitlines()[0]
    lines.write_text(lines.read_text() + again + "\n")
    dataset = ingested(lines, tmp_path / "dataset", documents="line")
    assert dataset.info["documents"] == 201
    assert dataset.info["repeated"] == 1
    assert dataset.index.groupby("sha256")["split"].nunique().max() == 1
    texts = [text for split in ("train", "validation", "test") for text in restored(dataset, split)]
    assert sorted(texts) == sorted(it for it in lines.read_text().splitlines() if it)
    assert dataset.info["unit"] == "block" or len(dataset.examples("test")) >= 20


def test_documents_with_the_same_text_and_other_titles_stay_together(tmp_path):
    file = tmp_path / "poems.txt"
    file.write_text("".join(f"title {n}:the body {n % 30}\n" for n in range(90)))
    dataset = ingested(file, tmp_path / "dataset", documents="line", title_end=":")
    train, test = (
        {it.split(":")[1] for it in restored(dataset, split)} for split in ("train", "test")
    )
    assert train
    assert test
    assert not train & test
    assert dataset.info["repeated"] == 60


def test_paragraphs_end_at_blank_lines(tmp_path):
    (tmp_path / "a.txt").write_text("one\ntwo\n\n\n  \nthree\r\nfour\n\nfive")
    (file,) = list_files(tmp_path)
    pieces = list(read_documents(open_file(file, "auto", ""), "paragraph", print))
    assert [it.text for it in pieces] == ["one\ntwo", "three\nfour", "five"]
    assert [it.document.rsplit(":", 1)[1] for it in pieces] == ["1", "6", "9"]


def test_a_long_file_comes_in_pieces_that_end_with_lines(tmp_path, monkeypatch):
    monkeypatch.setattr("penstock.pipelines.text.documents.PIECE", 100)
    text = "".join(f"line {n}\n" for n in range(300))
    (tmp_path / "a.txt").write_text(text)
    (file,) = list_files(tmp_path)
    pieces = list(read_documents(open_file(file, "auto", ""), "file", print))
    assert "".join(it.text for it in pieces) == text
    assert len(pieces) > 10
    assert all(it.text.endswith("\n") for it in pieces)
    assert [it.last for it in pieces] == [False] * (len(pieces) - 1) + [True]


def test_folders_tables_and_compressed_files_are_read(tmp_path):
    source = tmp_path / "source"
    (source / "deep").mkdir(parents=True)
    (source / "deep" / "a.txt").write_text(PROSE)
    (source / "b.txt.gz").write_bytes(gzip.compress(PROSE.upper().encode()))
    pd.DataFrame({"n": [1, 2], "Text": ["first row", "second, row"]}).to_csv(
        source / "c.csv", index=False
    )
    pd.DataFrame({"body": ["third row"]}).to_parquet(source / "d.parquet")
    (source / ".hidden").write_text("no")
    (source / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0")
    dataset = ingested(source, tmp_path / "dataset", split="in_order", block=4096)
    assert dataset.info["documents"] == 5
    assert dataset.rejected["id"].tolist() == ["source/picture.png"]
    assert "no text: its first NUL byte is at 8" in dataset.rejected["reason"][0]
    ids = set(dataset.index["id"])
    assert {"source/deep/a.txt", "source/b.txt.gz", "source/c.csv:2", "source/d.parquet:1"} <= ids


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("utf-8-sig", "mark\n" + PROSE),
        ("utf-16", PROSE),
        ("gb18030", "白日依山尽，黄河入海流。欲穷千里目，更上一层楼。\n" * 40),
        ("cp1252", "Voilà une très bonne journée, où l'été s'achève déjà — n'est-ce pas ?\n" * 40),
    ],
)
def test_other_encodings_are_read_and_said(tmp_path, capsys, encoding, text):
    (tmp_path / "a.txt").write_bytes(text.encode(encoding))
    (file,) = list_files(tmp_path)
    opened = open_file(file, "auto", "")
    (piece,) = read_documents(opened, "file", print)
    assert piece.text == text
    if not encoding.startswith("utf"):
        assert "is not UTF-8: read as" in capsys.readouterr().out
    named = open_file(file, encoding, "")
    assert next(iter(read_documents(named, "file", print))).text == text


@pytest.mark.parametrize(
    ("content", "data", "message"),
    [
        (b"", {}, "empty; expected text"),
        (b"\x7fELF\0\0\0", {}, "its first NUL byte is at 4"),
        (b"plain\xff\xfe\xfd" + bytes(range(128, 256)), {"encoding": "utf-8"}, "not utf-8"),
        (b"plain", {"encoding": "klingon"}, "klingon: no such encoding"),
        (b"a,b\n1,2\n", {}, "no column text; found a, b"),
        (b"text\n1\n", {"column": "body"}, "no column body; found text"),
        (b" \n\n  \n", {"documents": "line"}, "no text; expected files of text"),
    ],
)
def test_what_is_no_text_is_refused_by_name(tmp_path, content, data, message):
    name = "a.csv" if content[:4] in (b"a,b\n", b"text") else "a.txt"
    (tmp_path / name).write_bytes(content)
    with pytest.raises(PenstockError, match=message):
        ingested(tmp_path / name, tmp_path / "dataset", **data)


def test_an_encoding_that_is_not_sure_is_asked_for(tmp_path):
    (tmp_path / "a.txt").write_bytes("吾輩は猫である。名前はまだ無い。\n".encode("shift_jis") * 30)
    (file,) = list_files(tmp_path)
    with pytest.raises(PenstockError, match=r"not UTF-8 \(byte 0.*cp932.*name it in data.encoding"):
        open_file(file, "auto", "")
    (piece,) = read_documents(open_file(file, "cp932", ""), "file", print)
    assert piece.text.startswith("吾輩は猫である")


def test_one_character_is_too_little_to_learn_from(tmp_path):
    (tmp_path / "a.txt").write_text("a")
    dataset = ingested(tmp_path / "a.txt", tmp_path / "dataset")
    assert dataset.info["vocabulary"] == 2
    assert dataset.info["examples"] == 1


@given(st.text(min_size=1))
@example("\x00\ud7ff\U0010ffff")
def test_bytes_and_known_characters_come_back(text):
    counts = np.zeros(0x110000, np.int64)
    np.add.at(counts, [ord(it) for it in text], 1)
    for tokens in (Bytes(), learn_characters(counts, 1)):
        encoded = read_tokens(tokens.describe()).encode(text)
        assert content(encoded, tokens).decode() == text
        assert (encoded >= 2).all()
        assert (encoded < len(tokens)).all()


@pytest.fixture(scope="module")
def pairs():
    return learn_byte_pairs([PROSE, "naïve café 白日"], 320)


@given(text=st.text())
@example(text="<document>")
def test_byte_pairs_come_back(pairs, text):
    encoded = read_tokens(pairs.describe()).encode(text)
    assert content(encoded, pairs).decode() == text
    assert not np.isin(encoded, (0, 1)).any()
    assert (encoded < len(pairs)).all()


def test_byte_pairs_are_fewer_than_bytes_and_learned_alike_each_time(pairs):
    assert len(pairs) == 322
    assert len(pairs.encode(PROSE)) < len(PROSE) / 2
    assert learn_byte_pairs([PROSE, "naïve café 白日"], 320).describe() == pairs.describe()


def test_characters_that_are_rare_are_unknown_and_cost_what_they_are():
    counts = np.zeros(0x110000, np.int64)
    counts[[ord("a"), ord("b"), ord("c")]] = 5, 2, 1
    tokens = learn_characters(counts, 2)
    assert tokens.encode("abcz").tolist() == [2, 3, 1, 1]
    assert tokens.unknown_cost == pytest.approx(np.log(0x110000 - 2))
    assert Characters("").encode("ab").tolist() == [1, 1]


@given(
    st.lists(st.integers(0, 4), min_size=2, max_size=60),
    st.lists(st.integers(0, 4), min_size=1, max_size=8),
    st.integers(1, 5),
)
def test_ngrams_are_probabilities(train, context, length):
    given_each = [
        ngram_nats(np.array(train), np.array([*context, token]), 5, length)[-1]
        for token in range(5)
    ]
    assert np.exp(-np.array(given_each)).sum() == pytest.approx(1, abs=1e-9)


def test_ngrams_equal_a_count_by_hand():
    """Interpolated Kneser-Ney of 'abab' + 'b', by pairs, after Chen and Goodman 1999."""
    train = np.array([0, 1, 0, 1])
    discount = 1 / (1 + 2 * 1)  # pairs: ab twice, ba once, and the first token after nothing
    pair = ngram_nats(train, np.array([0]), 2, 2)
    singles = ngram_nats(train, np.array([0]), 2, 1)
    assert np.exp(-singles[0]) == pytest.approx(0.5, abs=0.2)
    assert 0 < np.exp(-pair[0]) < 1
    assert np.exp(-pair[0]) > 1 - discount


def test_longer_ngrams_help_where_text_repeats():
    train = np.tile(np.arange(6), 200)
    nats = [ngram_nats(train, train[:60], 6, length).mean() for length in (1, 2, 5)]
    assert nats[0] == pytest.approx(np.log(6), abs=0.01)
    assert nats[1] < 0.05


def test_baselines_count_unknown_characters_and_compress():
    tokens = Characters("abc")
    train = np.array([0, 2, 3, 4] * 100)
    told = dict(baselines(train, np.array([0, 2, 3, 1]), tokens, 3))
    assert told["uniform"] == pytest.approx(3 * np.log(4) + tokens.unknown_cost)
    assert told["3-grams, Kneser-Ney"] > tokens.unknown_cost
    assert all(np.isfinite(it) and it >= 0 for it in told.values())


@given(st.text("ab", max_size=25), st.text("ab", max_size=40))
def test_longest_copies_are_found(text, source):
    found = longest_copies(text, source)
    for place, length in enumerate(found):
        assert text[place : place + length] in source
        assert place + length == len(text) or text[place : place + length + 1] not in source


def test_what_is_learned_from_is_not_held_out_too(tmp_path):
    file = tmp_path / "lines.txt"
    file.write_text("".join(f"line {n % 24}\n" for n in range(30)))
    dataset = ingested(file, tmp_path / "dataset", documents="line", split="in_order")
    train = set(restored(dataset, "train"))
    assert train == {f"line {n}" for n in range(24)}
    assert dataset.info["found"] == 30
    assert len(dataset.rejected) == 6
    assert set(dataset.rejected["reason"]) == {"the same text stands in another split"}
