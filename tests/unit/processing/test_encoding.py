"""Training and serving encode alike, for any table; and as scikit-learn's LabelEncoder does."""

from __future__ import annotations

import csv
import io
import json
import tempfile
from pathlib import Path
from typing import Any

import csv_rows
import encoding
import fitting
import inference
import numpy
import pandas
import preprocess
import pyarrow
import pytest
import query_result
import splitting
import unusable_data
from columns import Spill
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import LabelEncoder

from local.data import telco
from tests.examples import examples

from .athena import numbers, output, write

ROWS = 1000


def prepared(
    folder: Path, frame: pandas.DataFrame, target: str = "churn", problem: str = "BinaryClassification"
) -> dict[str, Any]:
    write(folder, frame)
    return preprocess.run(str(folder), target, problem, ["customer_id"], 42)


def encoder_of(folder: Path) -> encoding.Encoder:
    return inference.model_fn(str(folder / "processing/output/preprocessing"))


@pytest.fixture(scope="module")
def customers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("telco")
    prepared(folder, telco.load().head(ROWS))
    return folder


def test_raw_test_rows_are_shared_evenly_among_files_in_their_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_rows, "PIECE", 1 << 16)  # so that a file's end lies within a piece
    table = telco.load()
    contents = {}
    for parts in (1, 3):
        write(tmp_path / str(parts), table)
        choices = preprocess.Choices(test_parts=parts)
        preprocess.run(str(tmp_path / str(parts)), "churn", "BinaryClassification", ["customer_id"], 42, choices)
        files = sorted((tmp_path / str(parts) / "processing/output/evaluation_input").iterdir())
        assert [file.name for file in files] == [f"part-{part:05}.jsonl" for part in range(parts)]
        contents[parts] = [file.read_bytes() for file in files]
    assert b"".join(contents[3]) == contents[1][0]
    assert [content.count(b"\n") for content in contents[3]] == [469, 470, 470]


def test_split_is_80_20_and_stratified(customers: Path) -> None:
    train, test = output(customers, "train"), output(customers, "test")
    assert (len(train), len(test)) == (800, 200)
    assert abs((train.churn == "Yes").mean() - (test.churn == "Yes").mean()) < 0.01
    assert "customer_id" not in train


@pytest.mark.parametrize("classes", [[1, 2], [5, 5, 990], [333, 333, 334], [7, 13, 19, 61, 911], [5001, 4999]])
@pytest.mark.parametrize("seed", [0, 42])
def test_split_is_the_one_of_train_test_split(classes: list[int], seed: int) -> None:
    targets = numpy.random.default_rng(1).permutation(
        numpy.repeat(numpy.arange(len(classes)), numpy.array(classes) * 5)
    )
    places = numpy.arange(len(targets))
    for is_regression in (False, True):
        expected = train_test_split(
            places, test_size=0.2, random_state=seed, stratify=None if is_regression else targets
        )  # fmt: skip
        parts = splitting.stratified(targets, is_regression, seed)
        assert (parts.train.tolist(), parts.test.tolist()) == (sorted(expected[0]), sorted(expected[1]))


def test_categories_are_coded_as_label_encoder_does(customers: Path) -> None:
    frame = telco.load().head(ROWS)
    train = splitting.stratified((frame.churn == "Yes").to_numpy().astype(int), False, 42).train
    expected = LabelEncoder().fit_transform(frame.payment_method.iloc[train])
    assert (output(customers, "train").payment_method.to_numpy() == expected).all()


def test_blank_numbers_become_the_median_of_the_training_rows(customers: Path) -> None:
    specification = json.loads((customers / "processing/output/preprocessing/preprocessing.json").read_text())
    [feature] = [feature for feature in specification["features"] if feature["name"] == "total_charges"]
    assert feature["kind"] == "numeric"
    assert feature["median"] == pytest.approx(output(customers, "train").total_charges.median())


def test_held_out_rows_are_encoded_as_serving_does(customers: Path) -> None:
    body = (customers / "processing/output/evaluation_input/part-00000.jsonl").read_bytes()
    served = numbers(inference.encode(encoder_of(customers), body, "application/jsonlines"))
    assert served == output(customers, "test").drop(columns="churn").to_numpy(dtype=float).tolist()


def test_archive_is_the_same_byte_for_byte(customers: Path, tmp_path: Path) -> None:
    prepared(tmp_path, telco.load().head(ROWS))
    name = "processing/output/preprocessing/model.tar.gz"
    assert (tmp_path / name).read_bytes() == (customers / name).read_bytes()


def test_many_rows_and_few_rows_are_encoded_alike(customers: Path) -> None:
    table = telco.load().iloc[ROWS:].drop(columns="churn")
    body = table.to_csv(index=False).encode()
    assert len(body) > inference.COLUMNAR_FROM_BYTES
    encoder = encoder_of(customers)
    at_once = inference.encode(encoder, body, "text/csv")
    header, *lines = body.splitlines(keepends=True)
    singly = [inference.encode(encoder, header + line, "text/csv") for line in lines[:300]]
    assert numbers(at_once)[:300] == numbers(b"".join(singly))


VALUES = st.one_of(
    st.none(),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=6),
    st.sampled_from(
        ["1", "-2.5", "+3", "1e5", " 7 ", "nan", "inf", "1_0", "", " ", "Yes", 'a"b', "x,y", "two\nlines", "é"]
    ),
    st.integers(-(10**20), 10**20).map(str),
    st.floats().map(repr),
)


@hypothesis_settings(
    max_examples=examples(60),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(st.lists(VALUES, min_size=3, max_size=3), min_size=1, max_size=12))
def test_training_and_serving_agree_for_any_table(rows: list[list[str | None]]) -> None:
    columns = [pyarrow.array([row[place] for row in rows], pyarrow.string()) for place in range(3)]
    body = io.StringIO()
    csv.writer(body, quoting=csv.QUOTE_ALL).writerows([["f0", "f1", "f2", "row"], *([*row, 1] for row in rows)])
    nobody = numpy.empty(0, dtype=numpy.int64)
    parts = splitting.Parts(numpy.arange(len(rows)), nobody, nobody)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "rows.csv").write_text(body.getvalue(), encoding="utf-8", newline="")
        source = query_result.read_source(folder, ["row"], Spill(folder))
        roles = splitting.Roles(source.pieces, numpy.ones(len(rows), dtype=bool), parts)
        fitted = [fitting.fit(column, roles) for column in source.columns.values() if column is not None]
        encoded: list[Any] = [None if one is None else one.encode(one.raw(0)) for one in fitted]
    kept = [(place, feature) for place, feature in enumerate(fitted) if feature is not None]
    encoder = encoding.Encoder({"format": 1, "features": [feature.specification for _, feature in kept], "columns": []})
    expected = [[float(encoded[place][number]) for place, _ in kept] for number in range(len(rows))]
    singly = (
        [[float(cell) for cell in encoder.row([row[place] for place, _ in kept]).split(",")] for row in rows]
        if kept
        else expected
    )
    at_once = encoder.columns([columns[place] for place, _ in kept])
    assert singly == expected
    assert [[float(column[number]) for column in at_once] for number in range(len(rows))] == expected


@pytest.mark.parametrize(
    ("body", "content_type", "said"),
    [
        ("age,tenure_months,contract_type\n35,12", "text/csv", "17 of the model's 19 features are missing"),
        ("1,2,3", "text/csv", "The first row has 3 values and the model takes 19"),
        ("", "text/csv", "holds no row"),
        ("x", "image/png", "is not supported"),
        ("{", "application/json", "is not JSON"),
        ('{"tenure_months": [1]}', "application/json", "features are missing"),
        (b"\xff\xfe", "text/csv", "not UTF-8"),
    ],
)
def test_bad_request_is_refused_in_one_sentence(customers: Path, body: Any, content_type: str, said: str) -> None:
    with pytest.raises(inference.BadRequestError) as refused:
        inference.encode(encoder_of(customers), body if isinstance(body, bytes) else body.encode(), content_type)
    assert said in str(refused.value)


def test_text_in_a_numeric_column_names_column_and_row(customers: Path) -> None:
    table = telco.load().iloc[:3].drop(columns="churn").astype(str)
    table.iloc[1, table.columns.get_loc("tenure_months")] = "twelve"
    with pytest.raises(inference.BadRequestError, match=r"'tenure_months' must be a number, and is 'twelve' in row 2"):
        inference.encode(encoder_of(customers), table.to_csv(index=False).encode(), "text/csv")


def test_row_shorter_than_its_header_is_named() -> None:
    specification = {
        "format": 1,
        "columns": ["a", "b"],
        "features": [{"name": n, "kind": "numeric", "median": 0} for n in "ab"],
    }
    with pytest.raises(inference.BadRequestError, match="Row 2 has 1 values and the header names 2"):
        inference.encode(encoding.Encoder(specification), b"a,b\n1,2\n3\n", "text/csv")


UNUSABLE = {
    "no target": (lambda frame: frame.drop(columns="churn"), "Target column 'churn' is not in the data"),
    "one class": (lambda frame: frame.assign(churn="No"), "has one class only ('No')"),
    "few rows": (
        lambda frame: frame.head(499),
        "There are 499 rows with a value in target column 'churn' and at least 625 are needed",
    ),
    "three classes": (lambda frame: frame.assign(churn=["a", "b", "c", "d"] * 250), "has 4 classes"),
    "rare class": (
        lambda frame: frame.assign(churn=["a"] + ["b"] * (ROWS - 1)),
        "Class 'a' of target column 'churn' has 1 row,",
    ),
    "target empty": (lambda frame: frame.assign(churn=""), "is empty in all"),
    "nothing to learn from": (lambda frame: frame[["customer_id", "churn"]], "nothing to learn from"),
}


@pytest.mark.parametrize("case", UNUSABLE)
def test_unusable_data_ends_with_one_sentence_and_no_output(case: str, tmp_path: Path) -> None:
    change, said = UNUSABLE[case]
    write(tmp_path, change(telco.load().head(ROWS)))
    code = preprocess.main(
        [
            "--root",
            str(tmp_path),
            "--target",
            "churn",
            "--problem-type",
            "BinaryClassification",
            "--drop-columns",
            "customer_id",
        ]
    )
    assert code == 1
    assert said in (tmp_path / "output/message").read_text()
    assert not (tmp_path / "processing/output").exists()


def test_values_with_line_breaks_quotes_and_commas_survive(tmp_path: Path) -> None:
    frame = telco.load().head(ROWS)
    frame["note"] = [f'line\nbreak, "quoted" é {number % 3}' for number in range(ROWS)]
    prepared(tmp_path, frame)
    rows = [
        json.loads(line)
        for line in (tmp_path / "processing/output/evaluation_input/part-00000.jsonl").read_text().splitlines()
    ]
    assert len(rows) == 200
    assert all(row["note"].startswith('line\nbreak, "quoted" é') for row in rows)
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0])
    writer.writeheader()
    writer.writerows(rows)
    served = numbers(inference.encode(encoder_of(tmp_path), text.getvalue().encode(), "text/csv"))
    assert served == output(tmp_path, "test").drop(columns="churn").to_numpy(dtype=float).tolist()


def test_regression_target_must_be_numeric(tmp_path: Path) -> None:
    write(tmp_path, telco.load().head(ROWS))
    with pytest.raises(unusable_data.UnusableDataError, match="must be numeric for Regression"):
        preprocess.run(str(tmp_path), "churn", "Regression", ["customer_id"], 42)
