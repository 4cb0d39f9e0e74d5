"""Every request is answered with one line for each of its rows, or refused in one sentence: nothing in between."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import encoding
import inference
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests.examples import examples

CSV, JSON, LINES = "text/csv", "application/json", "application/jsonlines"
COLUMNS = ["customer_id", "tenure", "contract", "note", "churn", "event_time"]
MODEL = encoding.Encoder(
    {
        "format": 1,
        "columns": COLUMNS,
        "features": [
            {"name": "tenure", "kind": "numeric", "median": 28.0},
            {"name": "contract", "kind": "categorical", "categories": ["One year", "Two year", "Unknown", "x,y"]},
            {"name": "note", "kind": "categorical", "categories": ["False", "True", "two\nlines"]},
        ],
    }
)
ALL_TEXT = encoding.Encoder(
    {
        "format": 1,
        "columns": ["id", "plan", "other"],
        "features": [
            {"name": "plan", "kind": "categorical", "categories": ["a", "b"]},
            {"name": "other", "kind": "categorical", "categories": ["Other", "None"]},
        ],
    }
)


def served(body: str | bytes, kind: str = CSV, model: encoding.Encoder = MODEL) -> list[str]:
    return inference.encode(model, body.encode() if isinstance(body, str) else body, kind).decode().splitlines()


def refusal(body: str | bytes, kind: str = CSV, model: encoding.Encoder = MODEL) -> str:
    with pytest.raises(inference.BadRequestError) as refused:
        served(body, kind, model)
    return str(refused.value)


ROW = "5.0,0,2"


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (CSV, 'tenure,contract,note\n5,One year,"two\nlines"'),
        (CSV, '5,One year,"two\nlines"\r\n'),
        (CSV, '\ufeffnote,tenure,contract\n"two\nlines",5,One year\n\n'),
        (CSV, ' NOTE , Tenure ,CONTRACT,,\n"two\nlines", 5 , One year ,,\n'),
        (CSV, 'CUST_1,5,One year,"two\nlines",Yes,2026-01-01T00:00:00Z'),
        (CSV, 'extra,customer_id,contract,"no, one",note,tenure,churn\n1,2,One year,3,"two\nlines",5,No'),
        (JSON, '{"tenure": 5, "contract": "One year", "note": "two\\nlines", "churn": null}'),
        (JSON, '[5, "One year", "two\\nlines"]'),
        (JSON, '[{"Note": "two\\nlines", "contract": "One year", "tenure": "5"}]'),
        (JSON, '{"instances": [["CUST_1", 5.0, "One year", "two\\nlines", "Yes", null]]}'),
        (LINES, '\ufeff\n{"tenure": 5, "contract": "One year", "note": "two\\nlines"}\r\n\n'),
        ("application/jsonl", '[5, "One year", "two\\nlines"]'),
    ],
)
def test_same_row_in_every_form(kind: str, body: str) -> None:
    assert served(body, kind) == [ROW]


@pytest.mark.parametrize(
    ("body", "encoded"),
    [
        ("tenure,contract,note\n,,\n", "28.0,2,3"),
        ("tenure,contract,note\nnan, ,?\n", "28.0,2,3"),
        ("tenure,contract\n1e3,Ten years\n", "1000.0,4,3"),
        ("tenure,contract\n-inf,\"x,y\"\n", "28.0,3,3"),
    ],
)  # fmt: skip
def test_missing_values_and_unseen_categories(body: str, encoded: str) -> None:
    assert served(body) == [encoded]


def test_what_python_writes_for_missing_and_true() -> None:
    rows = [{"tenure": float("nan"), "contract": float("nan"), "note": True}, {"tenure": None, "note": False}]
    rows[1]["contract"] = None
    assert served(json.dumps(rows), JSON) == ["28.0,2,1", "28.0,2,0"]
    assert served('{"plan": true, "other": false}', JSON, ALL_TEXT) == ["2,2"]


@pytest.mark.parametrize(
    ("kind", "body", "said"),
    [
        (CSV, "", "The request holds no row."),
        (JSON, " \n", "The request holds no row."),
        (LINES, "\ufeff", "The request holds no row."),
        (CSV, "tenure,contract,note\n", "The request holds a header and no row."),
        (JSON, "[]", "The request holds no row; send an object, or a list of objects."),
        (JSON, "{}", "The request holds no row; send an object, or a list of objects."),
        (JSON, '{"instances": []}', "The request holds no row; send an object, or a list of objects."),
        (JSON, "7", "The request holds no row; send an object, or a list of objects."),
        ("application/octet-stream", "1,2,3",
         "Content type 'application/octet-stream' is not supported; send text/csv, application/json or application/jsonlines."),
        (CSV, "1,a,b\n2,a,b\ntwelve,a,b\nno,a,b", "'tenure' must be a number, and is 'twelve' in row 3."),
        (CSV, "tenure,contract,note\n1,a,b\n\n2,a\n", "Row 2 has 2 values and the header names 3."),
        (CSV, "1,a,b\n2,a,b,c\n", "Row 2 has 4 values and the first row has 3."),
        (CSV, 'tenure,contract,note\n1,a,b\n2,"a,b\n', "The CSV cannot be read at line 3: a double quote is not closed."),
        (CSV, '1,a,b\n2,"a"b,c\n', "The CSV cannot be read at line 2: a value goes on behind its closing double quote: write a quote inside a quoted "
                                   "value twice."),
        (CSV, "tenure,age,churn\n1,2,3\n", "2 of the model's 3 features are missing: contract, note."),
        (CSV, "tenure,Note,note,Contract,CONTRACT\n1,2,3,4,5\n", "Column 'contract' appears twice: 'Contract' and 'CONTRACT'."),
        (CSV, "1,2\n", "The first row has 2 values and the model takes 3: tenure, contract, note. "
                       "Send them in this order, or with their names."),
        (CSV, "a;b;c\n1;2;3\n", "Line 1 looks separated by semicolons: save the file with commas between the values."),
        (JSON, '[[1, "a", "b"], [1, "a"]]', "Row 2 has 2 values and the model takes 3: tenure, contract, note. "
                                            "Send them in this order, or with their names."),
        (JSON, '[{"tenure": 1, "contract": 2, "note": 3}, {"age": 1, "Tenure": 2}]',
         "2 of the model's 3 features are missing in row 2: contract, note."),
        (JSON, '[{"tenure": 1, "contract": 2, "note": 3}, 5]', "Row 2 is neither an object nor a list."),
        (JSON, '[{"tenure": 1, "contract": [2], "note": 3}]',
         "'contract' must be a text or a number, and is a list in row 1."),
        (JSON, '{"tenure": true, "contract": 2, "note": 3}', "'tenure' must be a number, and is 'true' in row 1."),
        (JSON, '{"tenure": 1,\n "contract": }', "The request is not JSON at line 2, column 14: Expecting value."),
        (LINES, '[1, "a", "b"]\n\n[2, "a" "b"]', "The request is not JSON at line 3, column 9: Expecting ',' delimiter."),
        (LINES, '[1, "a", "b"]\n[2, "a", "b"]\n["x", "a", "b"]', "'tenure' must be a number, and is 'x' in row 3."),
    ],
)  # fmt: skip
def test_refusal_says_what_and_where(kind: str, body: str, said: str) -> None:
    assert refusal(body, kind) == said


@pytest.mark.parametrize("columnar_from", [0, 1 << 30])
def test_row_is_named_in_many_as_in_few(columnar_from: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inference, "COLUMNAR_FROM_BYTES", columnar_from)
    rows = ["1,a,b"] * 2000
    rows[1500] = "x,a,b"
    assert refusal("tenure,contract,note\n" + "\n".join(rows)).endswith("is 'x' in row 1501.")
    rows[700] = "1,a"
    assert refusal("tenure,contract,note\n" + "\n".join(rows)).startswith("Row 701 has 2 values")


@pytest.mark.parametrize("body", ["[" * 100_000, '{"tenure": ' + "9" * 5000 + "}"])
def test_json_that_python_gives_up_on(body: str) -> None:
    assert served("[5, 1, 2]", JSON)
    assert refusal(body, JSON).startswith(("The JSON at line 1 cannot be read", "2 of the model's"))


@pytest.mark.parametrize(
    ("body", "rows"),
    [
        ("plan,other\na,b\n", 1),
        ("a,Other\nb,None\n", 2),  # a category that is also a column's name
        ("a,b\nb,other\n", 2),
        ("id,plan,other\n1,a,b\n", 1),
        ("1,a,b\n", 1),
    ],
)
def test_header_is_distinguished_from_a_row(body: str, rows: int) -> None:
    assert len(served(body, model=ALL_TEXT)) == rows


def test_header_among_many_other_columns() -> None:
    header = ",".join([*(f"more_{place}" for place in range(40)), "note", "tenure", "contract"])
    assert served(f"{header}\n{'?,' * 40}True,5,One year") == ["5.0,0,1"]


def test_header_that_names_little_is_not_answered_as_a_row() -> None:
    assert served("Plan,andere,dritte\na,b,c\n", model=ALL_TEXT) == ["0,1"]
    assert refusal("age,tenure,weight\n1,2,3\n") == "2 of the model's 3 features are missing: contract, note."


def test_header_is_what_the_content_type_says() -> None:
    assert served("plan,other\na,b\n", "text/csv; header=absent", ALL_TEXT) == ["2,2", "0,2"]
    assert served("plan,other\na,b\n", "text/csv;charset=utf-8;header=present", ALL_TEXT) == ["0,2"]
    assert "2 of the model's 2 features are missing" in refusal("a,b\na,b\n", "text/csv; header=present", ALL_TEXT)


def answered(body: bytes, kind: str, *, decoded: bool) -> tuple[int, str]:
    """Status and content as the toolkit gets them; it has decoded the body of some types."""
    content = body.decode("utf-8", "replace") if decoded else body
    result = inference.output_fn(inference.predict_fn(inference.input_fn(content, kind), MODEL), CSV)
    return result.status_code, result.get_data(as_text=True)


@pytest.mark.parametrize("decoded", [True, False])
def test_table_that_is_not_utf_8_is_refused(decoded: bool) -> None:
    body = "tenure,contract,note\n5,One year,Größe\n"
    assert answered(body.encode("latin-1"), CSV, decoded=decoded) == (
        400,
        "The request is not UTF-8: byte 34 cannot be read.",
    )
    assert answered(body.encode(), CSV, decoded=decoded) == (200, "5.0,0,3\n")
    assert answered(body.replace("ö", "\ufffd").encode(), "text/csv; charset=utf-8", decoded=False)[0] == 200


ANY_CELL = st.text('",\n\r a1é\ufeff', max_size=5)


@hypothesis_settings(max_examples=examples(400), deadline=None)
@given(st.one_of(st.text('",\n\r a1é', max_size=40), st.lists(ANY_CELL, max_size=12).map(",".join)), st.data())
def test_few_rows_and_many_are_read_alike_however_they_are_quoted(body: str, data: st.DataObject) -> None:
    model, header = data.draw(
        st.sampled_from([(MODEL, "tenure,contract,note\n"), (ALL_TEXT, ""), (ALL_TEXT, "plan,other\n"), (ONE, "")])
    )
    outcomes = []
    previous = inference.COLUMNAR_FROM_BYTES
    try:
        for inference.COLUMNAR_FROM_BYTES in (0, 1 << 30):
            try:
                outcomes.append(
                    [[float(cell) for cell in line.split(",")] for line in served(header + body, CSV, model)]
                )
            except inference.BadRequestError as refused:
                outcomes.append(str(refused))
    finally:
        inference.COLUMNAR_FROM_BYTES = previous
    assert outcomes[0] == outcomes[1]


ONE = encoding.Encoder(
    {
        "format": 1,
        "columns": ["id", "plan"],
        "features": [{"name": "plan", "kind": "categorical", "categories": ["a", "b"]}],
    }
)

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from([*COLUMNS, "instances", "x"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@hypothesis_settings(max_examples=examples(400), deadline=None)
@given(
    st.binary(max_size=60) | JSON_VALUES.map(lambda value: json.dumps(value).encode()),
    st.sampled_from([CSV, JSON, LINES, "text/csv; header=absent", "text/plain", ""]),
)
def test_whatever_is_sent_is_answered_or_refused_with_400(body: bytes, kind: str) -> None:
    status, content = answered(body, kind, decoded=kind in (CSV, JSON))
    assert status in (200, 400)
    if status == 400:
        assert content.endswith(".")
    else:
        assert all(len(line.split(",")) == 3 for line in content.splitlines())
        assert len(content.splitlines()) >= 1


@hypothesis_settings(max_examples=examples(150), deadline=None)
@given(st.lists(st.tuples(*[st.text('",\n x1', max_size=4)] * 2), min_size=1, max_size=20), st.booleans(), st.data())
def test_as_many_answers_as_rows(rows: list[tuple[str, ...]], header: bool, data: st.DataObject) -> None:
    numbered: list[list[Any]] = [[index, contract, note] for index, (contract, note) in enumerate(rows)]
    text = io.StringIO()
    # csv.writer quotes a line break only if it is its own.
    writer = csv.writer(
        text, quoting=csv.QUOTE_NONNUMERIC, lineterminator=data.draw(st.sampled_from(["\n", "\r\n", "\r"]))
    )
    writer.writerows([["tenure", "contract", "note"]] * header + numbered)
    assert [float(line.split(",")[0]) for line in served(text.getvalue())] == list(range(len(rows)))


@pytest.mark.parametrize("kind", [CSV, "text/csv; header=absent", JSON, LINES])
def test_as_many_answers_as_rows_up_to_the_limit(kind: str) -> None:
    one = ["7", "One year", 'said "no",\nthen left' * 4]
    count = 6 * 1024 * 1024 // 120
    if kind.startswith(CSV):
        text = io.StringIO()
        csv.writer(text).writerows([["tenure", "contract", "note"]] * (kind == CSV) + [one] * count)
        body = text.getvalue()
    elif kind == JSON:
        body = json.dumps([one] * count)
    else:
        body = (json.dumps(one) + "\n") * count
    assert 5_000_000 < len(body) <= 6 * 1024 * 1024
    assert [[float(cell) for cell in line.split(",")] for line in served(body, kind)] == [[7.0, 0.0, 3.0]] * count


def test_one_value_may_fill_the_request() -> None:
    value = '"' + 'x""y,\n' * 1_000_000 + '"'
    [line] = served(f"tenure,contract,note\n5,{value},a\n")
    assert [float(cell) for cell in line.split(",")] == [5.0, 4.0, 3.0]
