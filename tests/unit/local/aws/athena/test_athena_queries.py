"""What a query answers, and what it leaves in S3."""

from __future__ import annotations

import io
import time
import uuid
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from botocore.exceptions import ClientError

from tests.unit.local.aws.athena.offline_store import BUCKET, DATABASE, LOCATION, TABLE, Ask, Server, extraction

FEATURES = ["customer_id", "event_time", "tenure_months", "monthly_charges", "contract_type", "churn"]


def content(server: Server, uri: str) -> bytes:
    bucket, key = uri.removeprefix("s3://").split("/", 1)
    return server.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()


def test_newest_record_of_each_customer_in_the_range(ask: Ask, store: Server) -> None:
    execution = ask.run(**extraction(TABLE, FEATURES, "CUST_000001", "CUST_000004"))

    assert execution["Status"]["State"] == "SUCCEEDED", execution["Status"]
    location = execution["ResultConfiguration"]["OutputLocation"]
    assert location == f"s3://{BUCKET}/results/{execution['QueryExecutionId']}.csv"
    assert content(store, location).decode() == (
        '"customer_id","event_time","tenure_months","monthly_charges","contract_type","churn",'
        '"automl_records","automl_identifiers"\n'
        '"CUST_000001","2026-11-22T10:00:00Z","10","99.9","Two year","Yes","5","4"\n'
        '"CUST_000002","2026-11-21T10:00:00Z","2","1.0","a ""quoted"", text","Yes","5","4"\n'
        '"CUST_000004","2026-11-21T10:00:00Z",,"1.2E-4",,"No","5","4"\n'
    )
    metadata = content(store, f"{location}.metadata")
    assert all(name.encode() in metadata for name in FEATURES)


def test_result_is_there_when_the_query_has_succeeded(ask: Ask, store: Server) -> None:
    for _ in range(3):
        execution = ask.run(f'SELECT count(*) AS n FROM "{DATABASE}"."{TABLE}"')
        assert content(store, execution["ResultConfiguration"]["OutputLocation"]) == b'"n"\n"5"\n'


def test_a_parameter_stays_a_value_whatever_it_says(ask: Ask) -> None:
    sql = f'SELECT count(*) FROM "{DATABASE}"."{TABLE}" WHERE customer_id = ?'
    for value in (
        "customer_id",
        "CUST_000001' OR 'a'='a",
        "x' OR 1=1 --",
        "'a'; DROP TABLE t",
        "(SELECT min(churn) FROM t)",
    ):
        assert ask.rows(sql, ExecutionParameters=[value]) == [["_col0"], ["0"]], value
    assert ask.rows(sql, ExecutionParameters=["'CUST_000002'"]) == [["_col0"], ["1"]]
    assert ask.rows(sql, ExecutionParameters=["CUST_000002"]) == [["_col0"], ["1"]]  # a name is taken for text
    # Without names it is an expression, but one operand: the comparison does not fall apart.
    assert ask.run(sql, ExecutionParameters=["'CUST_000002' OR 1=1"])["Status"]["State"] == "FAILED"


def test_parameters_are_filled_in_the_order_of_the_text(ask: Ask) -> None:
    sql = (
        f'WITH some AS (SELECT * FROM "{DATABASE}"."{TABLE}" WHERE churn = ?) '
        "SELECT ? AS first, customer_id FROM some WHERE tenure_months > ? ORDER BY customer_id LIMIT 1"
    )
    assert ask.rows(sql, ExecutionParameters=["'Yes'", "'one'", "5"]) == [
        ["first", "customer_id"],
        ["one", "CUST_000001"],
    ]


def test_values_are_printed_as_athena_prints_them(ask: Ask) -> None:
    sql = (
        "SELECT 1.5, true, CAST(1e10 AS double), DATE '2026-01-02', TIMESTAMP '2026-01-02 03:04:05', NULL, '', "
        "ARRAY[1, 2], 10 / 4, sum(x) FROM (VALUES (1), (2)) AS t(x)"
    )
    assert ask.rows(sql)[1] == [
        *("1.5", "true", "1.0E10", "2026-01-02", "2026-01-02 03:04:05.000", None, "", "[1, 2]", "2", "3")
    ]


def test_the_store_s_own_columns(ask: Ask) -> None:
    rows = ask.rows(
        f"SELECT year, month, day, hour, is_deleted, api_invocation_time <= write_time AS ordered "
        f'FROM "{DATABASE}"."{TABLE}" WHERE customer_id = \'CUST_000003\''
    )
    assert rows[1] == ["2026", "11", "21", "10", "true", "true"]


def test_states_and_statistics(ask: Ask) -> None:
    query_id = ask.start(f'SELECT churn FROM "{DATABASE}"."{TABLE}"')
    seen = ask.athena.get_query_execution(QueryExecutionId=query_id)["QueryExecution"]
    assert seen["Status"]["State"] in ("QUEUED", "RUNNING")
    execution = ask.wait(query_id)
    narrow = execution["Statistics"]
    wide = ask.run(f'SELECT * FROM "{DATABASE}"."{TABLE}"')["Statistics"]
    assert 0 < narrow["DataScannedInBytes"] < wide["DataScannedInBytes"]
    assert narrow["TotalExecutionTimeInMillis"] >= narrow["EngineExecutionTimeInMillis"] > 0
    assert (execution["StatementType"], execution["SubstatementType"]) == ("DML", "SELECT")
    assert execution["Status"]["CompletionDateTime"] > execution["Status"]["SubmissionDateTime"]
    assert query_id in ask.athena.list_query_executions()["QueryExecutionIds"]


def test_pages_of_results(ask: Ask) -> None:
    query_id = ask.run("SELECT n FROM UNNEST(sequence(1, 5)) AS t(n) ORDER BY n")["QueryExecutionId"]
    pages: list[list[str]] = []
    token: dict[str, str] = {}
    while True:
        page = ask.athena.get_query_results(QueryExecutionId=query_id, MaxResults=4, **token)
        pages.append([row["Data"][0]["VarCharValue"] for row in page["ResultSet"]["Rows"]])
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}
    assert pages == [["n", "1", "2", "3"], ["4", "5"]]
    with pytest.raises(ClientError, match="Malformed nextPageToken nonsense"):
        ask.athena.get_query_results(QueryExecutionId=query_id, NextToken="nonsense")


def test_the_same_token_gives_the_same_query(ask: Ask) -> None:
    token = uuid.uuid4().hex
    first = ask.start("SELECT 1 AS a", ClientRequestToken=token)
    assert ask.start("SELECT 1 AS a", ClientRequestToken=token) == first
    with pytest.raises(ClientError, match="Idempotent parameters do not match") as refused:
        ask.start("SELECT 2 AS a", ClientRequestToken=token)
    assert refused.value.response.get("AthenaErrorCode") == "IDEMPOTENT_PARAMETER_MISMATCH"


def test_a_stopped_query_is_cancelled_and_writes_nothing(ask: Ask, store: Server) -> None:
    endless = (
        "SELECT count(*) FROM UNNEST(sequence(1, 3000000)) a(x), UNNEST(sequence(1, 3000000)) b(y) WHERE x * y = 7"
    )
    query_id = ask.start(endless)
    deadline = time.monotonic() + 10
    while ask.athena.get_query_execution(QueryExecutionId=query_id)["QueryExecution"]["Status"]["State"] == "QUEUED":
        assert time.monotonic() < deadline
    ask.athena.stop_query_execution(QueryExecutionId=query_id)
    execution = ask.wait(query_id, seconds=1)
    assert execution["Status"]["State"] == "CANCELLED"
    assert execution["Status"]["StateChangeReason"] == "Query cancelled by user"
    ask.athena.stop_query_execution(QueryExecutionId=query_id)  # a second time changes nothing
    assert ask.rows("SELECT 1 AS a") == [["a"], ["1"]]
    keys = store.client("s3").list_objects_v2(Bucket=BUCKET, Prefix=f"results/{query_id}")
    assert keys["KeyCount"] == 0


def test_files_that_hive_does_not_read_are_left_out(ask: Ask, store: Server) -> None:
    key = LOCATION.removeprefix(f"s3://{BUCKET}/")
    folder = f"{key}/year=2026/month=11/day=21/hour=10"
    store.client("s3").put_object(Bucket=BUCKET, Key=f"{folder}/_SUCCESS", Body=b"not Parquet")
    assert ask.rows(f'SELECT count(*) AS n FROM "{DATABASE}"."{TABLE}"') == [["n"], ["5"]]


@pytest.mark.parametrize("names", [("Customer_ID", "CHURN"), ("customer_id", "churn")])
def test_names_do_not_care_about_case(ask: Ask, names: tuple[str, str]) -> None:
    rows: Any = ask.rows(f'SELECT {names[0]}, "{names[1]}" FROM {DATABASE.upper()}.{TABLE} WHERE tenure_months = 2')
    assert rows == [["customer_id", "churn"], ["CUST_000002", "Yes"]]


def test_partitions_that_are_registered_and_no_others(ask: Ask, store: Server) -> None:
    name = f"t{uuid.uuid4().hex[:8]}"
    glue, s3 = store.client("glue"), store.client("s3")
    storage = {
        "Columns": [{"Name": "a", "Type": "bigint"}],
        "Location": f"s3://{BUCKET}/{name}/",
        "InputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
    }
    keys = [{"Name": "year", "Type": "int"}]
    table = {"Name": name, "StorageDescriptor": storage, "PartitionKeys": keys}
    glue.create_table(DatabaseName=DATABASE, TableInput=table)
    for year in (2024, 2025):
        file = io.BytesIO()
        pq.write_table(pa.table({"a": [year * 10]}), file)
        s3.put_object(Bucket=BUCKET, Key=f"{name}/y{year}/part.parquet", Body=file.getvalue())
    glue.create_partition(
        DatabaseName=DATABASE,
        TableName=name,
        PartitionInput={
            "Values": ["2024"],
            "StorageDescriptor": {**storage, "Location": f"s3://{BUCKET}/{name}/y2024"},
        },
    )
    assert ask.rows(f"SELECT * FROM {DATABASE}.{name}") == [["a", "year"], ["20240", "2024"]]


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("SELECT churn, churn FROM {t} WHERE tenure_months = 2", [["churn", "churn"], ["Yes", "Yes"]]),
        (
            "SELECT a.customer_id, b.n FROM {t} a JOIN (SELECT churn, count(*) AS n FROM {t} GROUP BY churn) b "
            "ON a.churn = b.churn WHERE a.tenure_months = 3",
            [["customer_id", "n"], ["CUST_000003", "3"]],
        ),
        (
            "SELECT count(*) AS n FROM {t} x WHERE EXISTS (SELECT 1 FROM {t} y WHERE y.customer_id = x.customer_id AND "
            "y.tenure_months > x.tenure_months)",
            [["n"], ["1"]],
        ),
        (
            "SELECT customer_id FROM {t} WHERE churn = 'No' AND NOT is_deleted UNION SELECT 'z' ORDER BY 1 DESC",
            [["customer_id"], ["z"], ["CUST_000004"], ["CUST_000001"]],
        ),
        ("SELECT sum(tenure_months) / 5, max(churn) AS c FROM {t}", [["_col0", "c"], ["3", "Yes"]]),
        (
            "SELECT customer_id, tenure_months FROM {t} WHERE churn = 'No' ORDER BY tenure_months DESC, customer_id",
            [
                ["customer_id", "tenure_months"],
                ["CUST_000003", "3"],
                ["CUST_000001", "1"],
                ["CUST_000004", None],  # nulls come last in either direction
            ],
        ),
    ],
)
def test_queries_of_other_shapes(ask: Ask, sql: str, rows: list[list[str | None]]) -> None:
    assert ask.rows(sql.replace("{t}", f'"{DATABASE}"."{TABLE}"')) == rows
