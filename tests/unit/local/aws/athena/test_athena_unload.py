"""UNLOAD: what it leaves in S3, and what it refuses."""

from __future__ import annotations

import io
import uuid
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.unit.local.aws.athena.offline_store import BUCKET, DATABASE, TABLE, Ask, Server
from tests.unit.local.aws.athena.test_athena_errors import failure, statements

FROM = f'FROM "{DATABASE}"."{TABLE}"'
PARQUET = "WITH (format = 'PARQUET', compression = 'SNAPPY')"


def place() -> str:
    return f"s3://{BUCKET}/unloaded/{uuid.uuid4()}/"


def below(store: Server, target: str) -> dict[str, bytes]:
    s3, prefix = store.client("s3"), target.removeprefix(f"s3://{BUCKET}/")
    keys = [item["Key"] for item in s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", ())]
    return {f"s3://{BUCKET}/{key}": s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in keys}


def test_rows_lie_in_several_parquet_files_with_the_types_of_the_query(ask: Ask, store: Server) -> None:
    target = place()
    sql = f"SELECT customer_id, tenure_months, monthly_charges, contract_type {FROM} WHERE customer_id >= ?"
    execution = ask.run(f"UNLOAD ({sql}) TO '{target}' {PARQUET}", ExecutionParameters=["'CUST_000001'"])
    assert execution["Status"]["State"] == "SUCCEEDED", execution["Status"]

    files = below(store, target)
    assert len(files) > 1
    assert not any("." in uri.rsplit("/", 1)[1] for uri in files)
    parts = [pq.ParquetFile(io.BytesIO(content)) for content in files.values()]
    assert {part.metadata.row_group(0).column(0).compression for part in parts} == {"SNAPPY"}
    rows = pa.concat_tables([part.read() for part in parts])
    assert rows.schema.types == [pa.string(), pa.int64(), pa.float64(), pa.string()]
    assert sorted(rows.to_pylist(), key=lambda row: (row["customer_id"], row["tenure_months"] or 0)) == [
        {"customer_id": "CUST_000001", "tenure_months": 1, "monthly_charges": 29.85, "contract_type": "Month-to-month"},
        {"customer_id": "CUST_000001", "tenure_months": 10, "monthly_charges": 99.9, "contract_type": "Two year"},
        {"customer_id": "CUST_000002", "tenure_months": 2, "monthly_charges": 1.0, "contract_type": 'a "quoted", text'},
        {"customer_id": "CUST_000003", "tenure_months": 3, "monthly_charges": 12345678.5, "contract_type": ""},
        {"customer_id": "CUST_000004", "tenure_months": None, "monthly_charges": 0.00012, "contract_type": None},
    ]


def test_manifest_beside_the_results_names_the_files(ask: Ask, store: Server) -> None:
    target = place()
    execution = ask.run(f"UNLOAD (SELECT customer_id {FROM}) TO '{target}' {PARQUET}")

    location = execution["ResultConfiguration"]["OutputLocation"]
    assert location == f"s3://{BUCKET}/results/{execution['QueryExecutionId']}"
    assert execution["Statistics"]["DataManifestLocation"] == f"{location}-manifest.csv"
    beside = below(store, location)
    assert set(beside) == {f"{location}-manifest.csv", f"{location}.metadata"}
    assert sorted(beside[f"{location}-manifest.csv"].decode().split()) == sorted(below(store, target))
    assert execution["SubstatementType"] == "UNLOAD"


def test_no_rows_make_no_file(ask: Ask, store: Server) -> None:
    target = place()
    execution = ask.run(f"UNLOAD (SELECT customer_id {FROM} WHERE customer_id = 'nobody') TO '{target}' {PARQUET}")

    assert execution["Status"]["State"] == "SUCCEEDED", execution["Status"]
    assert below(store, target) == {}


def test_place_that_holds_data_is_refused_and_left_as_it_is(ask: Ask, store: Server) -> None:
    target = place()
    sql = f"UNLOAD (SELECT customer_id {FROM}) TO '{target}' {PARQUET}"
    assert ask.run(sql)["Status"]["State"] == "SUCCEEDED"
    before = below(store, target)

    message = failure(ask, sql)

    assert message.startswith("HIVE_PATH_ALREADY_EXISTS: Target directory for table ")
    assert below(store, target) == before


@pytest.mark.parametrize(
    ("query", "properties", "message"),
    [
        ("SELECT churn", "format = 'CSV'", "NOT_SUPPORTED: UNLOAD with format CSV"),
        ("SELECT churn", "compression = 'SNAPPY'", "NOT_SUPPORTED: UNLOAD with format None"),
        ("SELECT churn", "format = 'PARQUET', compression = 'BZIP2'", "INVALID_TABLE_PROPERTY: "),
        ("SELECT churn", "format = 'PARQUET', partitioned_by = 'churn'", "NOT_SUPPORTED: UNLOAD with partitioned_by"),
        ("SELECT churn, count(*)", "format = 'PARQUET'", "MISSING_COLUMN_NAME: line 1:8: "),
        ("SELECT churn, customer_id AS churn", "format = 'PARQUET'", "DUPLICATE_COLUMN_NAME: line 1:8: "),
    ],
)
def test_what_cannot_be_written_fails(ask: Ask, store: Server, query: str, properties: str, message: str) -> None:
    target = place()
    group = " GROUP BY churn" if "count" in query else ""

    assert failure(ask, f"UNLOAD ({query} {FROM}{group}) TO '{target}' WITH ({properties})").startswith(message)
    assert below(store, target) == {}


@pytest.mark.parametrize(
    "sql",
    [
        "UNLOAD",
        "UNLOAD SELECT 1 AS a TO 's3://b/c/' WITH (format = 'PARQUET')",
        "UNLOAD (SELECT 1 AS a",
        "UNLOAD (DROP TABLE t) TO 's3://b/c/' WITH (format = 'PARQUET')",
        "UNLOAD (SELECT 1 AS a) TO 's3://b/c/'",
        "UNLOAD (SELECT 1 AS a) TO 's3://b/c/' WITH (format = 'PARQUET'); SELECT 1",
    ],
)
def test_malformed_statements_are_refused_at_once(ask: Ask, sql: str) -> None:
    with pytest.raises(ask.athena.exceptions.InvalidRequestException) as refused:
        ask.start(sql)
    assert refused.value.response["AthenaErrorCode"] == "MALFORMED_QUERY"


def test_caller_needs_to_see_the_place_and_to_write_there(
    as_role: Callable[[list[dict[str, Any]]], Ask], store: Server
) -> None:
    target = place()
    sql = f"UNLOAD (SELECT customer_id {FROM}) TO '{target}' {PARQUET}"

    assert failure(as_role(statements(without="list")), sql).startswith("PERMISSION_DENIED: ")
    # The role may write below results/ alone.
    assert failure(as_role(statements()), sql).startswith("Access denied when writing output to url: ")
    assert below(store, target) == {}
