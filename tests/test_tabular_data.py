"""Tables as people have them: what their columns are, which rows are taken, what stops them."""

import gzip

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.datasets.dataset import Dataset, DatasetWriter
from penstock.evaluation.predictions import CLASS_OUTPUTS
from penstock.messages.errors import PenstockError
from penstock.pipelines.tabular.decode import decode_frame, encode_frame
from penstock.pipelines.tabular.expectations import expectations, tables
from penstock.pipelines.tabular.ingest import TAKEN, ingest
from penstock.pipelines.tabular.network import FrontEnd
from penstock.pipelines.tabular.predict import NUMBER_OUTPUTS, read_input
from penstock.pipelines.tabular.train import measure
from penstock.settings.explanation import default_params
from penstock.stages.validate import check

PARAMS = default_params("tabular")
ROWS = 240


def people(rows=ROWS):
    """A table with every type of column, some values missing, and what must be left out."""
    chance = np.random.default_rng(0)
    age = chance.integers(18, 90, rows).astype(float)
    frame = pd.DataFrame(
        {
            "row": np.arange(rows),
            "name": [f"person {it * 7919 % 10_007}" for it in range(rows)],
            "age": age,
            "income": np.round(age * 1000 + chance.normal(0, 5000, rows), 2),
            "city": chance.choice(["Rome", "Oslo", "Bern"], rows, p=[0.6, 0.3, 0.1]),
            "smoker": chance.choice(["yes", "no"], rows),
            "joined": (np.datetime64("2019-01-01") + chance.integers(0, 900, rows)).astype(str),
            "clinic": [f"clinic {it % 12}" for it in range(rows)],
            "ill": chance.choice(["ill", "well"], rows),
        }
    )
    frame.loc[::10, "income"] = np.nan
    frame.loc[::15, "city"] = "?"
    return frame


def take(folder, table=None, name="people.csv", **data):
    """Ingest a table: a frame, or the content of a file."""
    source = folder / "source"
    source.mkdir(parents=True, exist_ok=True)
    table = people() if table is None else table
    if isinstance(table, pd.DataFrame):
        write = table.to_parquet if name.endswith("parquet") else table.to_csv
        write(source / name, index=False)
    else:
        (source / name).write_bytes(table if isinstance(table, bytes) else table.encode())
    data = {"target": "ill", **data}
    section = PARAMS.data.model_validate(PARAMS.data.model_dump(mode="json") | data)
    params = PARAMS.model_copy(update={"data": section})
    with DatasetWriter(folder / "dataset") as writer:
        ingest(source, writer, params)
    return Dataset(folder / "dataset"), params


def unmet(dataset, params):
    results = check(list(expectations(params)), tables(dataset))
    return [it for it in results if not it["success"]]


def test_columns_are_found_out_from_all_rows(tmp_path):
    dataset, _ = take(tmp_path)
    columns = dataset.info["columns"]
    assert {name: it["type"] for name, it in columns.items()} == {
        "age": "number",
        "income": "number",
        "city": "category",
        "smoker": "boolean",
        "joined": "date",
        "clinic": "category",
    }
    assert columns["city"]["values"] == ["Rome", "Oslo", "Bern"], "the most frequent first"
    assert columns["income"]["missing"] == pytest.approx(0.2, abs=0.1), "twice what was seen"
    low, high = columns["age"]["range"]
    assert 0 < low < 18
    assert 89 < high < 110
    assert set(dataset.info["left_out"]) == {"row", "name"}
    assert dataset.info["task"] == "classification"
    assert dataset.info["classes"] == ["ill", "well"]
    features = dataset.array("features")
    assert features.shape == (ROWS, 6)
    assert np.isnan(features[:, 1]).mean() == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("people.parquet", None),
        ("people.csv.gz", lambda frame: gzip.compress(frame.to_csv(index=False).encode())),
        ("people.tsv", lambda frame: frame.to_csv(index=False, sep="\t")),
        ("people.csv", lambda frame: frame.to_csv(index=False, sep=";", decimal=",")),
    ],
)
def test_a_table_says_the_same_in_every_form(tmp_path, name, write):
    plain, _ = take(tmp_path / "plain")
    other, _ = take(tmp_path / "other", write(people()) if write else people(), name)
    assert other.info["columns"] == plain.info["columns"]
    assert np.array_equal(other.array("features"), plain.array("features"), equal_nan=True)
    assert (other.index["split"] == plain.index["split"]).all()


@pytest.mark.parametrize(
    ("target", "values", "task"),
    [
        ("words", ["a", "b"], "classification"),
        ("few whole numbers", [3, 4, 5, 6], "classification"),
        ("many whole numbers", list(range(40)), "regression"),
        ("fractions", [0.5, 1.25], "regression"),
        ("truth", ["true", "false"], "classification"),
    ],
)
def test_what_is_learned_follows_from_the_target(tmp_path, target, values, task):
    table = people().drop(columns="ill")
    table[target] = [values[it % len(values)] for it in range(ROWS)]
    dataset, _ = take(tmp_path / "auto", table, target=target)
    assert dataset.info["task"] == task
    if task == "classification":
        assert dataset.info["classes"] == sorted(map(str, values))


def test_a_task_can_be_said(tmp_path):
    table = people().drop(columns="ill").assign(stars=[1 + it % 5 for it in range(ROWS)])
    dataset, _ = take(tmp_path, table, target="stars", task="regression")
    assert dataset.info["task"] == "regression"
    assert set(dataset.columns("target")["target"]) == {1, 2, 3, 4, 5}


@pytest.mark.parametrize(("delimiter", "number"), [(",", 1234), (";", 1.234)])
def test_a_comma_parts_thousands_where_it_parts_columns(tmp_path, delimiter, number):
    rows = [["price", "ill"], *(['"1,234"', "x"], ["12", "y"]) * 4]
    dataset, _ = take(tmp_path, "\n".join(delimiter.join(it) for it in rows) + "\n")
    assert sorted(set(dataset.array("features")[:, 0].tolist())) == pytest.approx(
        sorted([number, 12])
    )


def test_a_year_may_be_the_name_of_a_column_and_all_may_be_categories(tmp_path):
    table = "country,kind,2020,ill\n" + "a,u,x,yes\nb,v,y,no\n" * 10
    dataset, _ = take(tmp_path, table)
    assert {it["type"] for it in dataset.info["columns"].values()} == {"category"}
    assert set(dataset.info["columns"]) == {"country", "kind", "2020"}
    front = FrontEnd(dataset.info["columns"])
    features = np.array(dataset.array("features"))
    measure(front, features, np.arange(len(features)))
    assert (front(torch.from_numpy(features)).sum(1) == 3).all(), "one of each is 1"


def test_what_is_predicted_cannot_be_pinned_to_learn_from(pinned):
    section = PARAMS.data.model_dump(mode="json") | {"target": "age", "columns": pinned}
    with pytest.raises(ValueError, match="columns has age, which is the target"):
        PARAMS.data.model_validate(section)


def test_rows_that_cannot_be_taken_are_rejected_by_line_with_the_reason(tmp_path):
    table = people().astype(object)
    table.loc[3, "age"] = "forty"
    table.loc[5, "ill"] = ""
    table.loc[8, "joined"] = "3/4/2021"
    table.loc[9, "age"] = "1e300"
    table.loc[11, "ill"] = "none"
    dataset, _ = take(tmp_path, table)
    assert dict(dataset.rejected.to_numpy()) == {
        "source/people.csv:5": "age: 'forty' is no number",
        "source/people.csv:7": "no ill",
        "source/people.csv:10": "joined: '3/4/2021' is no date (2021-12-31)",
        "source/people.csv:11": "age: '1e300' is no number",
        "source/people.csv:13": "no ill: 'none' stands for a missing value",
    }
    assert dataset.info["found"] == ROWS


def test_equal_rows_are_in_one_split_and_new_rows_move_nobody(tmp_path):
    table = pd.concat([people(), people().head(40)]).drop(columns=["row", "name"])
    dataset, _ = take(tmp_path / "one", table, split="hash")
    spread = tables(dataset)["contents"]
    assert spread["examples"].max() == 2
    assert spread["splits"].max() == 1
    more = pd.concat([people(400).tail(100), people()]).drop(columns=["row", "name"])
    again, _ = take(tmp_path / "two", more, split="hash")
    first, second = (
        dict(zip(it.index["sha256"], it.index["split"], strict=True)) for it in (dataset, again)
    )
    shared = first.keys() & second.keys()
    assert len(shared) > 100
    assert all(first[it] == second[it] for it in shared)


def test_classes_get_their_shares_exactly(tmp_path):
    dataset, params = take(tmp_path)
    counts = pd.crosstab(dataset.index["label"], dataset.index["split"])
    shares = counts.div(counts.sum(axis=1), axis=0)
    assert shares["test"].to_numpy() == pytest.approx(params.data.test_share, abs=0.01)
    assert shares["validation"].to_numpy() == pytest.approx(params.data.validation_share, abs=0.01)


def test_groups_stay_together_and_are_not_learned_from(tmp_path):
    dataset, _ = take(tmp_path, split="hash", group="clinic")
    assert "clinic" not in dataset.info["columns"]
    assert dataset.index.groupby("group")["split"].nunique().max() == 1
    assert tables(dataset)["groups"]["splits"].max() == 1


def test_the_latest_rows_are_held_out(tmp_path):
    dataset, _ = take(tmp_path, split="time", time="joined")
    table = people()
    joined = table["joined"].to_numpy()[dataset.index["id"].to_numpy() - 2]
    of = {it: joined[dataset.index["split"] == it] for it in ("train", "validation", "test")}
    assert of["train"].max() <= of["validation"].min()
    assert of["validation"].max() <= of["test"].min()


REFUSED = {
    "no_target": (
        {"target": "illness"},
        people(),
        "no column illness; found row, name",
    ),
    "no_header": ({}, "1,2,3\n4,5,6\n", "no header"),
    "two_of_a_name": ({}, "a,a,ill\n1,2,x\n", "two columns named a"),
    "empty": ({}, "", "empty"),
    "nothing_but_a_target": ({}, "ill\nx\ny\n", "no column to learn from"),
    "an_answer's_name": ({}, "error,a,ill\n1,2,x\n2,3,y\n", "may be named error"),
    "all_bad": ({"task": "regression"}, "a,ill\n1,x\n2,y\n", "no row could be taken: 2 times"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_table_to_learn_from_is_refused_in_one_line(tmp_path, case):
    data, table, message = REFUSED[case]
    with pytest.raises(PenstockError, match=r"^[^\n]*$") as error:
        take(tmp_path, table, **data)
    assert message in str(error.value)


def test_no_column_has_the_name_of_what_a_model_answers():
    assert {*CLASS_OUTPUTS, *NUMBER_OUTPUTS} <= TAKEN


def test_two_tables_are_refused(tmp_path):
    (tmp_path / "source").mkdir(parents=True)
    (tmp_path / "source" / "more.csv").write_text("a,ill\n1,x\n")
    with pytest.raises(PenstockError, match=r"2 tables .* point source at the file itself"):
        take(tmp_path)


@pytest.fixture(scope="module")
def pinned(tmp_path_factory):
    dataset, _ = take(tmp_path_factory.mktemp("pinned"))
    return {
        name: {key: value for key, value in it.items() if value not in ([], 0.0, [None, None])}
        for name, it in dataset.info["columns"].items()
    }


def test_pinned_columns_pass_and_say_so(tmp_path, pinned):
    dataset, params = take(tmp_path, columns=pinned)
    assert {it["severity"] for it in unmet(dataset, params)} == {"warning"}
    free, free_params = take(tmp_path / "free")
    told = [it for it in unmet(free, free_params) if it["table"] == "totals"]
    assert "--pin" in told[0]["meaning"]
    assert not [it for it in unmet(dataset, params) if it["table"] == "totals"]


DAMAGES = {
    "another unit": (lambda it: it.assign(income=it["income"] / 1000), "moved", "income"),
    "another category": (lambda it: it.replace({"Oslo": "Christiania"}), "outside", "city"),
    "values gone": (lambda it: it.assign(age=it["age"].where(it.index % 2 == 0)), "unusual", "age"),
    "other times": (lambda it: it.assign(joined="1999-12-31"), "outside", "joined"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_column_that_changes_stops_the_pipeline_by_name(tmp_path, pinned, damage):
    change, found, column = DAMAGES[damage]
    dataset, params = take(tmp_path, change(people()), columns=pinned)
    critical = [it for it in unmet(dataset, params) if it["severity"] == "critical"]
    assert found in [it["arguments"]["column"] for it in critical]
    assert {row["column"] for it in critical for row in it["few"]} == {column}


def test_a_column_that_vanishes_stops_the_pipeline_by_name(tmp_path, pinned):
    with pytest.raises(PenstockError, match=r"no column age; .* it is pinned in params\.yaml"):
        take(tmp_path, people().drop(columns="age"), columns=pinned)


def test_a_column_that_changes_its_type_stops_the_pipeline_by_name(tmp_path, pinned):
    with pytest.raises(PenstockError, match="240 times: age: 'x' is no number"):
        take(tmp_path, people().assign(age="x"), columns=pinned)


@pytest.mark.parametrize("value", [0.1234567, 1_700_000_000.0])
def test_what_is_pinned_holds_what_it_was_pinned_from(tmp_path, value):
    """Whatever the size of numbers and however small their span: limits are rounded outward."""
    chance = np.random.default_rng(0)
    table = people()[["age", "ill"]].assign(
        constant=value, narrow=value + chance.integers(0, 100, ROWS) * value / 1e5
    )
    free, _ = take(tmp_path / "free", table)
    found = {name: dict(it) for name, it in free.info["columns"].items()}
    dataset, params = take(tmp_path / "pinned", table, columns=found)
    assert [it for it in unmet(dataset, params) if it["severity"] == "critical"] == []


def test_equal_numbers_written_in_two_ways_are_one_row(tmp_path):
    dataset, _ = take(tmp_path, "a,b,ill\n-0,1,x\n0,1.0,y\n2,3,x\n4,5,y\n")
    assert dataset.index["sha256"].nunique() == 3


def test_a_table_to_predict_without_rows_is_read(tmp_path, pinned):
    file = tmp_path / "rows.csv"
    people().head(0).to_csv(file, index=False)
    assert read_input(file, {"columns": pinned}).empty


def test_a_new_column_is_left_out_and_said(tmp_path, pinned, capsys):
    dataset, _ = take(tmp_path, people().assign(height=1.8), columns=pinned)
    assert "left out: height: not pinned" in capsys.readouterr().out
    assert dataset.info["left_out"]["height"] == "not pinned"


COLUMNS = {
    "n": {"type": "number"},
    "c": {"type": "category", "values": ["red", "green"]},
    "b": {"type": "boolean"},
    "d": {"type": "date"},
}
ROW = st.tuples(
    st.one_of(st.just(np.nan), st.floats(-1e6, 1e6, width=32)),
    st.integers(0, 3),
    st.sampled_from([0.0, 1.0, np.nan]),
    st.one_of(st.just(np.nan), st.integers(-20_000, 40_000)),
)


@given(st.lists(ROW, min_size=1, max_size=20))
@settings(max_examples=50, deadline=None)
def test_features_come_back_from_the_inputs_they_would_arrive_as(rows):
    features = np.array(rows, np.float32)
    again = decode_frame(pd.DataFrame(encode_frame(features, COLUMNS)), COLUMNS)
    assert np.array_equal(features, again, equal_nan=True)


def test_a_column_that_is_not_given_is_missing():
    found = decode_frame(pd.DataFrame({"n": [1.0], "c": ["blue"]}), COLUMNS)
    assert found[0, :2].tolist() == [1, 2], "a category not known is another one"
    assert np.isnan(found[0, 2:]).all()
