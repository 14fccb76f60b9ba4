"""Tables of ratings as people have them: read, or refused and rejected by line with the reason."""

import gzip
import io
import zipfile

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.datasets.dataset import Dataset, DatasetWriter
from penstock.kinds.tables.values import Ids, read_numbers, read_times
from penstock.messages.errors import PenstockError
from penstock.pipelines.ratings.expectations import expectations, tables
from penstock.pipelines.ratings.ingest import ingest
from penstock.pipelines.ratings.predict import read_input
from penstock.settings.explanation import default_params
from penstock.stages.validate import check

PARAMS = default_params("ratings")
HEADER = "user_id,item_id,rating,timestamp\n"
GOOD = "".join(f"u{n % 7},i{n % 11},{1 + n % 5},{1_500_000_000 + n}\n" for n in range(60))


def take(folder, files, **data):
    """Ingest files, name -> content as text or bytes."""
    source = folder / "source"
    source.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (source / name).write_bytes(content.encode() if isinstance(content, str) else content)
    params = PARAMS.model_copy(update={"data": PARAMS.data.model_copy(update=data)})
    with DatasetWriter(folder / "dataset") as writer:
        ingest(source, writer, params)
    return Dataset(folder / "dataset")


def triples(dataset):
    """All ratings by id: (user, item) -> rating."""
    users, items = (dataset.table(name)["id"].to_numpy() for name in ("users", "items"))
    index = dataset.index
    keys = zip(users[index["user"]], items[index["item"]], strict=True)
    return dict(zip(keys, index["rating"].tolist(), strict=True))


def zipped(**members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "/").replace("_", "."), content)
    return buffer.getvalue()


ROWS = "a,x,4,100\nb,y,2.5,200\nb,x,1,300\n"
EXPECTED = {("a", "x"): 4.0, ("b", "y"): 2.5, ("b", "x"): 1.0}


FORMS = {
    "plain": ("ratings.csv", HEADER + ROWS),
    "crlf": ("ratings.csv", (HEADER + ROWS).replace("\n", "\r\n")),
    "mixed_ends": ("ratings.csv", HEADER + "a,x,4,100\r\nb,y,2.5,200\nb,x,1,300"),
    "no_header": ("ratings.csv", ROWS),
    "no_times": ("ratings.csv", "a,x,4\nb,y,2.5\nb,x,1\n"),
    "movielens": ("ratings.csv", "userId,movieId,rating,timestamp\n" + ROWS),
    "videos": ("data.csv", "rating,video_id,user_id\n4,x,a\n2.5,y,b\n1,x,b\n"),
    "tabs": ("u.data", ROWS.replace(",", "\t")),
    "semicolons": ("ratings.csv", (HEADER + ROWS).replace(",", ";")),
    "colons": ("ratings.dat", ROWS.replace(",", "::")),
    "gzip": ("ratings.csv.gz", gzip.compress((HEADER + ROWS).encode())),
    "zip": ("ml.zip", zipped(ml__ratings_csv=HEADER + ROWS, ml__tags_csv="a,b\n")),
    "utf16": ("ratings.csv", (HEADER + ROWS).encode("utf-16")),
    "bom": ("ratings.csv", (HEADER + ROWS).encode("utf-8-sig")),
    "spaces": ("ratings.csv", HEADER + ROWS.replace(",", " , ")),
    "quoted": ("ratings.csv", HEADER + '"a","x","4","100"\nb,y,2.5,200\nb,x,1,300\n'),
    "blank_lines": ("ratings.csv", HEADER + "\n" + ROWS + "\n\n"),
    "decimal_commas": ("ratings.csv", (HEADER + ROWS).replace(",", ";").replace("2.5", "2,5")),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_table_reads_the_same(tmp_path, form):
    name, content = FORMS[form]
    dataset = take(tmp_path, {name: content})
    assert triples(dataset) == EXPECTED
    assert dataset.info["rejected"] == 0


def test_parquet_and_iso_times(tmp_path):
    frame = pd.DataFrame(
        {
            "user_id": [7, 8, 7],
            "item_id": ["x", "y", "y"],
            "rating": [4, 2.5, 1],
            "timestamp": pd.to_datetime(
                ["2020-01-01 00:00", "2020-01-02 00:00", "2020-01-03 12:00"]
            ),
        }
    )
    source = tmp_path / "source"
    source.mkdir()
    frame.to_parquet(source / "ratings.parquet")
    dataset = take(tmp_path, {})
    assert triples(dataset) == {("7", "x"): 4.0, ("8", "y"): 2.5, ("7", "y"): 1.0}
    assert sorted(dataset.index["time"]) == [1577836800, 1577923200, 1578052800]


def test_usual_forms_of_dates_are_read(tmp_path):
    times = ["31.12.2021", "1.2.2021 10:30", "2021/03/04", "2021-03-05T01:02:03.5Z"]
    rows = "".join(f"a,{item},4,{time}\n" for item, time in enumerate(times))
    dataset = take(tmp_path, {"ratings.csv": HEADER + rows})
    read = pd.to_datetime(sorted(dataset.index["time"]), unit="s").astype(str).tolist()
    assert read == [
        *("2021-02-01 10:30:00", "2021-03-04 00:00:00", "2021-03-05 01:02:03"),
        "2021-12-31 00:00:00",
    ]
    doubtful = take(tmp_path / "us", {"ratings.csv": f"{HEADER}{GOOD}a,x,4,3/4/2021\n"})
    assert doubtful.rejected["reason"].tolist() == [
        "time '3/4/2021' is neither seconds nor ISO 8601 (2021-12-31)"
    ]


def test_a_western_european_table_is_read_and_said(tmp_path, capsys):
    rows = "Jos\u00e9,caf\u00e9,4,100\nb,y,2.5,200\n"
    dataset = take(tmp_path, {"ratings.csv": (HEADER + rows).encode("cp1252")})
    assert triples(dataset) == {("Jos\u00e9", "caf\u00e9"): 4.0, ("b", "y"): 2.5}
    assert "ratings.csv is not UTF-8: read as cp1252" in capsys.readouterr().out


def test_one_damaged_letter_among_others_damages_its_row_only(tmp_path):
    rows = "Jos\u00e9,x,4,1\n".encode() + b"Ren\xe9,y,4,1\n"
    dataset = take(tmp_path, {"ratings.csv": HEADER.encode() + rows})
    assert triples(dataset) == {("Jos\u00e9", "x"): 4.0}
    assert "not UTF-8" in dataset.rejected["reason"][0]


def test_where_nothing_is_taken_the_reasons_are_counted(tmp_path):
    rows = "".join(f"a,{item},{item + 6},1\n" for item in range(4))
    with pytest.raises(PenstockError, match=r"4 times: rating 6 is not on the scale .*data.scale"):
        take(tmp_path, {"ratings.csv": HEADER + rows})


def test_a_table_to_predict_may_name_its_columns_as_the_training_data_did(tmp_path):
    file = tmp_path / "ask.csv"
    file.write_text("viewer,film\nann,x\n")
    named = {"named": {"user": "viewer", "item": "film"}}
    assert read_input(file, named)[["user", "item"]].values.tolist() == [["ann", "x"]]
    with pytest.raises(PenstockError, match="no column user; found viewer, film"):
        read_input(file, {})


BAD = {
    "a,x,five,1": "rating 'five' is no finite number",
    "a,x,NaN,1": "rating 'NaN' is no finite number",
    "a,x,inf,1": "rating 'inf' is no finite number",
    "a,x,,1": "no rating",
    "a,x,-3,1": "rating -3 is not on the scale of 0.5 to 5 (data.scale)",
    "a,x,11,1": "rating 11 is not on the scale of 0.5 to 5 (data.scale)",
    ",x,4,1": "no user",
    "a, ,4,1": "no item",
    "a,x,4,yesterday": "time 'yesterday' is neither seconds nor ISO 8601 (2021-12-31)",
    "a,x,4,2023-02-31": "time '2023-02-31' is neither seconds nor ISO 8601 (2021-12-31)",
    "a,x,4": "3 values; expected 4",
    "a,x,4,1,9": "5 values; expected 4",
}
TWICE = "user_id,item_id,rating,rating\n"


@pytest.mark.parametrize("row", BAD)
def test_a_bad_row_is_rejected_by_its_line_and_the_rest_is_taken(tmp_path, row):
    dataset = take(tmp_path, {"ratings.csv": f"{HEADER}{GOOD}{row}\nz,z,5,9\n"})
    (rejected,) = dataset.rejected[~dataset.rejected["id"].str.startswith("line")].to_dict(
        "records"
    )
    assert rejected == {"id": "source/ratings.csv:62", "reason": BAD[row]}
    assert triples(dataset)["z", "z"] == 5.0
    assert dataset.info["found"] == dataset.info["examples"] + dataset.info["rejected"] == 62
    assert dataset.index["id"].max() == 63, "lines after it keep their numbers"


def test_bytes_that_are_no_text_are_rejected_by_line(tmp_path):
    content = (HEADER + GOOD).encode() + b"\xff\xfe,x,4,1\n" + b"z,z,5,9\n"
    dataset = take(tmp_path, {"ratings.csv": content})
    assert "source/ratings.csv:62" in set(dataset.rejected["id"])
    assert triples(dataset)["z", "z"] == 5.0


def test_ids_may_be_anything(tmp_path):
    ids = ["with space", 'with "quotes"', "with, comma", "\U0001f3ac", "x" * 300, "0012", "a::b"]
    rows = "".join(
        '"{}",i{},3,{}\n'.format(one.replace('"', '""'), n, n) for n, one in enumerate(ids)
    )
    dataset = take(tmp_path, {"ratings.csv": HEADER + rows})
    assert {user for user, _ in triples(dataset)} == set(ids)


def test_of_ratings_given_again_the_latest_is_kept(tmp_path):
    rows = "a,x,1,300\na,x,2,500\na,x,3,400\nb,x,4,100\nb,x,5,100\n"
    dataset = take(tmp_path, {"ratings.csv": HEADER + rows})
    assert triples(dataset) == {("a", "x"): 2.0, ("b", "x"): 5.0}
    assert dataset.info["repeated"] == 3
    assert list(dataset.rejected["id"]) == ["line 2", "line 4", "line 5"]


REFUSED = {
    "empty": ({"ratings.csv": ""}, "ratings.csv: empty; expected a table"),
    "header_only": ({"ratings.csv": HEADER}, "no rating in it could be taken"),
    "no_column": (
        {"ratings.csv": "user_id,score_x\na,1\n"},
        "no column item_id; found user_id, score_x",
    ),
    "wrong_delimiter": ({"ratings.csv": "user_id/item_id/rating\n1/2/3\n"}, "check the delimiter"),
    "cut_gzip": (
        {"ratings.csv.gz": gzip.compress(HEADER.encode() * 999)[:-20]},
        "damaged or cut off",
    ),
    "web_page": ({"ratings.csv.gz": b"<html>"}, "damaged or cut off"),
    "no_zip": ({"ratings.zip": b"PK\x03\x04 no zip"}, "expected a whole zip archive"),
    "two_tables": (
        {"two.zip": zipped(a_csv=ROWS, b_csv=ROWS)},
        r"2 tables that could be the ratings \(.*a.csv",
    ),
    "no_parquet": ({"ratings.parquet": b"PAR1 no parquet"}, "expected a Parquet file"),
    "binary": ({"ratings.csv": b"\0\1\2\3" * 100}, "NUL bytes"),
    "column_twice": ({"ratings.csv": TWICE + "a,x,4,4\n"}, "two columns named rating"),
    "no_table": ({"readme.txt": "hello"}, "0 tables that could be the ratings"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_read_is_one_line(tmp_path, case):
    files, message = REFUSED[case]
    with pytest.raises(PenstockError, match=message) as caught:
        take(tmp_path, files)
    assert "\n" not in str(caught.value)


def test_splits_by_time_hold_out_the_latest(tmp_path):
    dataset = take(tmp_path, {"ratings.csv": HEADER + GOOD}, split="time")
    last = dataset.index.groupby("split", observed=True)["time"].agg(["min", "max"])
    assert last.loc["train", "max"] < last.loc["validation", "min"]
    assert last.loc["validation", "max"] < last.loc["test", "min"]
    with pytest.raises(PenstockError, match="the table has no times"):
        take(tmp_path / "source", {"ratings.csv": "a,x,4\nb,y,2.5\n"}, split="time")


def test_leave_last_holds_out_two_of_each_user(tmp_path):
    dataset = take(tmp_path, {"ratings.csv": HEADER + GOOD + "once,i1,3,1\n"}, split="leave_last")
    index = dataset.index
    for _, mine in index.groupby("user"):
        ordered = mine.sort_values("time")["split"].tolist()
        if len(mine) >= 3:
            assert ordered == ["train"] * (len(mine) - 2) + ["validation", "test"]
        else:
            assert ordered == ["train"] * len(mine)


def test_splits_by_files(tmp_path):
    files = {"train.csv": HEADER + GOOD, "test.csv": HEADER + "q,i1,3,1\nq,i2,4,2\n"}
    dataset = take(tmp_path, files, split="files")
    assert dataset.info["splits"]["test"]["examples"] == 2
    assert dataset.info["splits"]["validation"]["examples"] > 0
    assert dataset.index["id"].is_unique
    with pytest.raises(PenstockError, match="0 files named train"):
        take(tmp_path / "source", {"test.csv": HEADER + GOOD}, split="files")


def test_hash_splits_do_not_depend_on_the_order_of_rows(tmp_path):
    rows = GOOD.splitlines(keepends=True)
    one = take(tmp_path, {"ratings.csv": HEADER + "".join(rows)})
    (tmp_path / "b").mkdir()
    other = take(tmp_path / "b", {"ratings.csv": HEADER + "".join(rows[::-1])})
    places = []
    for dataset in (one, other):
        users, items = (dataset.table(name)["id"].to_numpy() for name in ("users", "items"))
        index = dataset.index
        keys = zip(users[index["user"]], items[index["item"]], strict=True)
        places.append(dict(zip(keys, index["split"], strict=True)))
    assert places[0] == places[1]


def test_titles_are_found_beside_the_ratings(tmp_path):
    titles = 'movieId,title,genres\nx,"Good, The (1999)",Drama\ny,Ünder,Comedy\n'
    dataset = take(tmp_path, {"ratings.csv": HEADER + ROWS, "movies.csv": titles})
    items = dataset.table("items").set_index("id")["title"].to_dict()
    assert items == {"x": "Good, The (1999)", "y": "Ünder"}


@pytest.mark.parametrize(
    "expectation", ["users", "largest_share", "rejected", "rating", "earliest", "latest"]
)
def test_the_gate_names_what_is_wrong(tmp_path, expectation):
    bad = {
        "earliest": HEADER + GOOD + "a,x,3,0\n",
        "latest": HEADER + GOOD + "a,x,3,99999999999\n",
        "users": HEADER + "".join(f"me,i{n},{1 + n % 5},1\n" for n in range(600)),
        "largest_share": HEADER + "".join(f"u{n % 30},i{n // 30},3,1\n" for n in range(900)),
        "rejected": HEADER + GOOD + "a,x,eleven,1\n" * 10,
        "rating": HEADER + "".join(f"u{n % 30},i{n // 30},{1 + n % 3}.3,1\n" for n in range(900)),
    }
    dataset = take(tmp_path, {"ratings.csv": bad[expectation]})
    results = check(list(expectations(PARAMS)), tables(dataset))
    failed = {
        r["arguments"]["column"] if r["table"] != "rejected" else "rejected"
        for r in results
        if not r["success"]
    }
    assert expectation in failed


def test_a_table_without_times_is_not_asked_for_them(tmp_path):
    rows = "".join(f"u{n % 30},i{n // 30},{1 + n % 5}\n" for n in range(900))
    results = check(list(expectations(PARAMS)), tables(take(tmp_path, {"ratings.csv": rows})))
    assert [
        r["success"] for r in results if r["arguments"]["column"] in ("earliest", "latest")
    ] == [
        True,
        True,
    ]


@given(st.lists(st.text(min_size=1, max_size=5), min_size=1, max_size=50))
def test_ids_come_back_from_their_indices(ids):
    encoder = Ids()
    encoded = encoder.encode(pa.array(ids, pa.string()))
    known = list(encoder.index)
    assert [known[index] for index in encoded] == ids
    assert len(known) == len(set(ids))


@settings(max_examples=300)
@given(st.lists(st.text(max_size=12) | st.floats().map(str) | st.integers().map(str), min_size=1))
def test_any_text_is_a_number_or_none(values):
    numbers, good = read_numbers(pa.array(values, pa.string()))
    assert np.isfinite(numbers[good]).all()
    times, timed = read_times(pa.array(values, pa.string()))
    assert times.dtype == np.int64
    assert len(times) == len(timed) == len(values)


# Arrow's answer to a row of the wrong length that is no text either; the file is refused.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(tmp_path_factory, content):
    folder = tmp_path_factory.mktemp("fuzz")
    try:
        dataset = take(folder, {"ratings.csv": HEADER.encode() + content})
    except PenstockError:
        return
    assert dataset.info["found"] == dataset.info["examples"] + dataset.info["rejected"]
