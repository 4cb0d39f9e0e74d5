"""Tables as people bring them, through the offline store and Athena: every value comes out as it went in."""

from __future__ import annotations

import csv
import io
import time
import uuid

import pandas as pd
import pytest

from local.aws.featurestore import offline_store, offline_table
from local.data import telco
from local.data.csv_table import with_types
from processing.names import feature_names
from tests.unit.local.aws.athena.offline_store import BUCKET, DATABASE, RECORD_COUNTS, Ask, Server, extraction

EVENT = "2026-11-23T21:00:00Z"


def load(server: Server, frame: pd.DataFrame) -> tuple[str, list[str]]:
    """Put a table into an offline store of its own. Returns the Glue table's name and the features."""
    records = frame.rename(columns=feature_names(frame.columns)).assign(event_time=EVENT)
    table, folder = offline_table.offline_names(f"group-{uuid.uuid4().hex[:8]}", time.time())
    location = offline_table.offline_location(f"s3://{BUCKET}/fs", "000000000000", "us-west-2", folder)
    definitions = offline_store.feature_definitions(records)
    offline_table.create_offline_table(
        server.client("glue"), table_name=table, location=location, definitions=definitions
    )
    offline_store.put_records(server.client("s3"), location, records, event_time="event_time")
    return table, [item["FeatureName"] for item in definitions]


def read_csv(server: Server, uri: str) -> list[list[str]]:
    bucket, key = uri.removeprefix("s3://").split("/", 1)
    content = server.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read().decode()
    return list(csv.reader(io.StringIO(content)))


def test_telco_customers_1_to_4000(ask: Ask, store: Server) -> None:
    frame = telco.load()
    table, features = load(store, frame)
    started = time.monotonic()
    execution = ask.run(**extraction(table, features, "CUST_000001", "CUST_004000"))
    took = time.monotonic() - started
    assert execution["Status"]["State"] == "SUCCEEDED", execution["Status"]
    header, *rows = read_csv(store, execution["ResultConfiguration"]["OutputLocation"])
    assert header == [*frame.columns, "event_time", *RECORD_COUNTS]
    assert len(rows) == 4000
    expected = frame.head(4000).assign(event_time=EVENT, records=4000, identifiers=4000)
    assert rows == [[str(value) for value in row] for row in expected.astype(object).to_numpy().tolist()]
    assert took < 5, f"{took:.1f} s"


def hurting() -> dict[str, pd.DataFrame]:
    ids = [f"id{number:05d}" for number in range(600)]
    wide = {f"Spalte {number}": [str(number)] * 600 for number in range(500)}
    many = pd.DataFrame({"id": [f"id{number:05d}" for number in range(10_000)],
                         "category": [f"Kategorie «{number}»" for number in range(10_000)]})  # fmt: skip
    texts = [
        "plain",
        "a,b",
        'say "hi"',
        "two\nlines",
        "tab\t",
        " ",
        "",
        "é 漢字 🎉",
        "=1+1",
        "'; DROP TABLE x --",
        "NULL",
    ]
    return {
        "texts that need care": pd.DataFrame({"id": ids[: len(texts)], "Größe (cm)": texts}),
        "500 columns": pd.DataFrame({"id": ids, **wide}),
        "10,000 categories": many,
        "numbers": pd.DataFrame(
            {
                "id": ids[:6],
                "whole": pd.array([0, -1, 2**63 - 1, -(2**63), None, 7], dtype="Int64"),
                "fraction": [0.1, 1e-7, 1e22, -0.0, None, 123456.789],
                "nothing": pd.Series([None] * 6, dtype=object),
            }
        ),
        "mixed case": pd.DataFrame({"ID": ids[:2], "MonthlyCharges": ["1", "2"], "year": ["2020", "2021"]}),
    }


@pytest.mark.parametrize("name", hurting())
def test_data_that_hurts_comes_through(ask: Ask, store: Server, name: str) -> None:
    frame = with_types(hurting()[name], text=["id"]) if name == "500 columns" else hurting()[name]
    table, features = load(store, frame)
    execution = ask.run(**extraction(table, features))
    assert execution["Status"]["State"] == "SUCCEEDED", execution["Status"]
    header, *rows = read_csv(store, execution["ResultConfiguration"]["OutputLocation"])
    assert header == [*features, *RECORD_COUNTS]
    assert len(rows) == len(frame)
    for position, column in enumerate(frame.columns):
        got = [row[position] for row in rows]
        if pd.api.types.is_float_dtype(frame[column]):
            expected = frame[column].tolist()
            assert [float(text) if text else None for text in got] == [None if pd.isna(v) else v for v in expected]
        else:
            assert got == ["" if pd.isna(value) else str(value) for value in frame[column]]


def test_repeated_ids_the_last_row_counts(ask: Ask, store: Server) -> None:
    frame = pd.DataFrame({"id": ["a", "b", "a", "a"], "value": ["first", "only", "second", "last"]})
    table, features = load(store, frame)
    rows = ask.rows(**extraction(table, features))[1:]
    assert rows == [["a", "last", EVENT, "4", "2"], ["b", "only", EVENT, "4", "2"]]


def test_nothing_in_the_range_is_a_header(ask: Ask, store: Server) -> None:
    table, features = load(store, pd.DataFrame({"id": ["a"], "value": ["1"]}))
    assert ask.rows(**extraction(table, features, "x", "y")) == [["id", "value", "event_time", *RECORD_COUNTS]]


def test_an_id_that_is_a_number_is_not_compared_with_text(ask: Ask, store: Server) -> None:
    table, features = load(store, pd.DataFrame({"id": [1, 2], "value": ["1", "2"]}))
    execution = ask.run(**extraction(table, features, "CUST_000001", "CUST_000009"))
    assert execution["Status"]["StateChangeReason"].endswith(
        "Cannot check if bigint is BETWEEN varchar(11) and varchar(11)"
    )


def test_twenty_queries_at_once(ask: Ask, store: Server) -> None:
    table, _ = load(store, pd.DataFrame({"id": [f"{n}" for n in range(50)], "value": list(range(50))}))
    queries = [ask.start(f'SELECT {n} AS n, max(value) AS m FROM "{DATABASE}"."{table}"') for n in range(20)]
    for number, query_id in enumerate(queries):
        execution = ask.wait(query_id)
        assert execution["Status"]["State"] == "SUCCEEDED", execution["Status"]
        assert read_csv(store, execution["ResultConfiguration"]["OutputLocation"])[1] == [str(number), "49"]
