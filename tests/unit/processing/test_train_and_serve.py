"""Whatever the table and however a client sends a row: training and serving see the same numbers."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import encoding
import inference
import pandas
import preprocess
import unusable_data
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests.examples import examples

from .athena import numbers, output, write

# Enough for the job: each drawn row comes again and again.
ROWS = 640
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
VALUES = st.one_of(
    st.none(),
    TEXTS,
    st.sampled_from(
        ["1", "-2.5", "+3", "1e5", " 7 ", "nan", "inf", "1e999", "1_0", "0x1", "١", "", " ", "\xa0", "Yes"]
    ),
    st.sampled_from(['a"b', '"', "x,y", "two\nlines", "\r\n", "\r", "é", "=1+1", "Unknown", "null", "true", "NULL"]),
    st.integers(-(10**20), 10**20).map(str),
    st.floats().map(repr),
)
NUMBERS = st.one_of(st.none(), st.integers(-9, 9).map(str), st.floats(allow_nan=False).map(repr), st.just(" "))
# Names that differ even when white space and case do not count, as requests are read.
NAMES = st.lists(
    TEXTS.filter(str.strip), min_size=2, max_size=5, unique_by=lambda name: name.strip().lower()
).map(lambda names: [f"f {name}" for name in names])  # fmt: skip


@dataclass
class Prepared:
    """A table that the job has prepared: its encoder, the held-out rows raw and as the job encoded them."""

    encoder: encoding.Encoder
    rows: list[dict[str, Any]]
    encoded: list[list[float]]
    columns: list[str]


@st.composite
def tables(draw: st.DrawFn) -> pandas.DataFrame:
    """A few rows with values of any kind, over and over; the id first, the target somewhere."""
    names = draw(NAMES)
    kinds = draw(st.lists(st.sampled_from([VALUES, NUMBERS]), min_size=len(names), max_size=len(names)))
    few = draw(st.lists(st.tuples(*kinds), min_size=2, max_size=9))
    columns = {name: [few[row % len(few)][place] for row in range(ROWS)] for place, name in enumerate(names)}
    order = draw(st.permutations([*names, "churn"]))
    columns["churn"] = ["Yes" if row % 3 else "No" for row in range(ROWS)]
    frame = pandas.DataFrame({name: pandas.array(columns[name], dtype=object) for name in order})
    frame.insert(0, "customer_id", pandas.Series([f"CUST_{row:06d}" for row in range(ROWS)]))
    return frame


def prepare(frame: pandas.DataFrame) -> Prepared | None:
    """None if the job says that there is nothing to learn from."""
    with tempfile.TemporaryDirectory() as name, contextlib.redirect_stdout(io.StringIO()):
        folder = Path(name)
        write(folder, frame)
        try:
            preprocess.run(name, "churn", "BinaryClassification", ["customer_id"], 42)
        except unusable_data.UnusableDataError as refused:
            assert "nothing to learn from" in str(refused)
            return None
        results = folder / "processing/output"
        body = (results / "evaluation_input/part-00000.jsonl").read_bytes()
        return Prepared(
            inference.model_fn(os.fspath(results / "preprocessing")),
            [json.loads(line) for line in body.splitlines()],
            output(folder, "test").drop(columns="churn").to_numpy(dtype=float).tolist(),
            list(frame.columns),
        )


def as_csv(rows: list[dict[str, Any]], names: list[str], *, header: bool, quoting: Any) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, quoting=quoting)
    if header:
        writer.writerow(names)
    writer.writerows([[row.get(name) for name in names] for row in rows])
    return text.getvalue().encode()


def served(prepared: Prepared, body: bytes, kind: str) -> list[list[float]]:
    return numbers(inference.encode(prepared.encoder, body, kind))


@hypothesis_settings(max_examples=examples(40), deadline=None)
@given(st.data())
def test_every_form_of_a_request_is_encoded_as_the_training_rows_were(data: st.DataObject) -> None:
    prepared = prepare(data.draw(tables()))
    if prepared is None:
        return
    encoder, rows, encoded = prepared.encoder, prepared.rows[:12], prepared.encoded[:12]
    everything = [{"customer_id": "CUST_1", "churn": "No", **row} for row in rows]
    order = data.draw(st.permutations(encoder.names))
    more = data.draw(st.permutations(prepared.columns))
    quoting = data.draw(st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]))
    forms = {
        "JSON Lines": (lines(rows, ensure_ascii=False), "application/jsonlines"),
        "JSON Lines, escaped": (lines(rows, ensure_ascii=True), "application/jsonlines"),
        "JSON objects": (json.dumps(rows).encode(), "application/json"),
        "JSON instances": (json.dumps({"instances": rows}).encode(), "application/json; charset=utf-8"),
        "JSON, turned": (
            json.dumps([{name: row[name] for name in order} for row in rows]).encode(),
            "application/json",
        ),
        "JSON lists": (
            json.dumps([[row[name] for name in encoder.names] for row in rows]).encode(),
            "application/json",
        ),
        "CSV": (as_csv(rows, encoder.names, header=True, quoting=quoting), "text/csv"),
        "CSV, turned": (as_csv(rows, order, header=True, quoting=quoting), "text/csv; charset=utf-8"),
        "CSV, more columns": (as_csv(everything, more, header=True, quoting=quoting), "text/csv"),
    }
    for form, (body, kind) in forms.items():
        assert served(prepared, body, kind) == encoded, form


def lines(rows: list[dict[str, Any]], *, ensure_ascii: bool) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=ensure_ascii) + "\n" for row in rows).encode()


@hypothesis_settings(max_examples=examples(40), deadline=None)
@given(st.data())
def test_csv_without_header_is_encoded_alike_by_rows_and_by_columns(data: st.DataObject) -> None:
    prepared = prepare(data.draw(tables()))
    if prepared is None:
        return
    quoting = data.draw(st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]))
    bare = as_csv(prepared.rows, prepared.encoder.names, header=False, quoting=quoting)
    previous = inference.COLUMNAR_FROM_BYTES
    try:
        for inference.COLUMNAR_FROM_BYTES in (0, len(bare) + 1):
            assert served(prepared, bare, "text/csv") == prepared.encoded
    finally:
        inference.COLUMNAR_FROM_BYTES = previous
