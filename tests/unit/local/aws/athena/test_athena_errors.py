"""What Athena refuses, in its words, and what it may not do for its caller."""

from __future__ import annotations

import io
import json
import uuid
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from botocore.exceptions import ClientError

from tests.unit.local.aws.athena.offline_store import BUCKET, DATABASE, TABLE, Ask, Server

FROM = f'FROM "{DATABASE}"."{TABLE}"'
ACCOUNT = "000000000000"
PRIMARY = f"arn:aws:athena:us-west-2:{ACCOUNT}:workgroup/primary"

# What one query needs, each by itself so that a test can leave one out.
PERMISSIONS: dict[str, dict[str, Any]] = {
    "query": {
        "Action": ["athena:StartQueryExecution", "athena:GetQueryExecution", "athena:GetQueryResults"],
        "Resource": PRIMARY,
    },
    "find": {"Action": ["glue:GetDatabase", "glue:GetTable"], "Resource": "*"},
    "locate": {"Action": "s3:GetBucketLocation", "Resource": f"arn:aws:s3:::{BUCKET}"},
    "list": {"Action": "s3:ListBucket", "Resource": f"arn:aws:s3:::{BUCKET}"},
    "read": {"Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{BUCKET}/*"},
    "write": {"Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{BUCKET}/results/*"},
}


def statements(*, without: str = "") -> list[dict[str, Any]]:
    return [{"Effect": "Allow", **part} for name, part in PERMISSIONS.items() if name != without]


def failure(ask: Ask, sql: str, **request: Any) -> str:
    execution = ask.run(sql, **request)
    assert execution["Status"]["State"] == "FAILED", execution["Status"]
    error = execution["Status"]["AthenaError"]
    assert error["ErrorMessage"] == execution["Status"]["StateChangeReason"]
    assert error["Retryable"] is False
    return error["ErrorMessage"]


def new_table(store: Server, kind: str) -> str:
    """The name of a table with one column, `a` of this type, and no files yet."""
    name = f"t{uuid.uuid4().hex[:8]}"
    storage = {
        "Columns": [{"Name": "a", "Type": kind}],
        "Location": f"s3://{BUCKET}/{name}/",
        "InputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
    }
    store.client("glue").create_table(DatabaseName=DATABASE, TableInput={"Name": name, "StorageDescriptor": storage})
    return name


@pytest.mark.parametrize(
    ("sql", "message", "error_type"),
    [
        (
            f'SELECT * FROM "{DATABASE}"."no_such_table"',
            f"TABLE_NOT_FOUND: line 1:15: Table 'awsdatacatalog.{DATABASE}.no_such_table' does not exist",
            1301,
        ),
        ("SELECT *\nFROM nowhere.t", "SCHEMA_NOT_FOUND: line 2:6: Schema 'nowhere' does not exist", 1301),
        (
            f"SELECT churn, nope {FROM}",
            "COLUMN_NOT_FOUND: line 1:15: Column 'nope' cannot be resolved or requester is not authorized to access "
            "requested resources",
            1006,
        ),
        (
            f"SELECT x.churn {FROM} t",
            "COLUMN_NOT_FOUND: line 1:8: Column 'x.churn' cannot be resolved or requester is not authorized to access "
            "requested resources",
            1006,
        ),
        (
            f"SELECT nosuchfunc(churn) {FROM}",
            "FUNCTION_NOT_FOUND: line 1:8: Function 'nosuchfunc' not registered",
            1303,
        ),
        (
            f"SELECT churn {FROM} WHERE tenure_months = 'x'",
            "TYPE_MISMATCH: line 1:102: Cannot apply operator: bigint = varchar(1)",
            1002,
        ),
        (
            f"SELECT churn {FROM} WHERE tenure_months BETWEEN 'a' AND 'bb'",
            "TYPE_MISMATCH: line 1:102: Cannot check if bigint is BETWEEN varchar(1) and varchar(2)",
            1002,
        ),
        (f"SELECT churn FROM other.{DATABASE}.t", "CATALOG_NOT_FOUND: line 1:19: Catalog 'other' does not exist", 1006),
        (
            f"SELECT churn FROM {TABLE}",
            "MISSING_SCHEMA_NAME: line 1:19: Schema must be specified when session schema is not set",
            1000,
        ),
    ],
)
def test_a_query_that_cannot_run_says_why(ask: Ask, sql: str, message: str, error_type: int) -> None:
    execution = ask.run(sql)
    assert execution["Status"]["StateChangeReason"] == message
    assert execution["Status"]["State"] == "FAILED"
    assert execution["Status"]["AthenaError"]["ErrorType"] == error_type
    assert execution["Status"]["AthenaError"]["ErrorCategory"] == 2
    with pytest.raises(ClientError, match=r"Query did not finish successfully\. Final query state: FAILED"):
        ask.athena.get_query_results(QueryExecutionId=execution["QueryExecutionId"])


def test_the_context_names_the_database(ask: Ask) -> None:
    context = {"Catalog": "AwsDataCatalog", "Database": DATABASE}
    assert ask.rows(f"SELECT count(*) AS n FROM {TABLE}", QueryExecutionContext=context) == [["n"], ["5"]]


@pytest.mark.parametrize("values", [[], ["1"], ["1", "2", "3"]])
def test_wrong_number_of_parameters(ask: Ask, values: list[str]) -> None:
    request = {"ExecutionParameters": values} if values else {}
    assert failure(ask, "SELECT ?, ?", **request) == (
        f"INVALID_PARAMETER_USAGE: line 1:1: Incorrect number of parameters: expected 2 but found {len(values)}"
    )


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELEC 1", "line 1:1: mismatched input 'SELEC'. Expecting: 'ALTER', 'ANALYZE'"),
        ("SELECT a FROM t WHERE", "line 1:22: mismatched input '<EOF>'"),
        ("SELECT a FROM t x y", "line 1:19: mismatched input 'y'"),
        ("SELECT * FROM read_csv('/etc/passwd')", "mismatched input '('"),
        ("INSERT INTO t VALUES (1)", "Queries of this type are not supported"),
        ("SELECT 1; SELECT 2", "Only one sql statement is allowed"),
    ],
)
def test_what_cannot_be_read_is_refused_at_once(ask: Ask, sql: str, message: str) -> None:
    with pytest.raises(ClientError) as refused:
        ask.start(sql)
    assert refused.value.response["Error"]["Code"] == "InvalidRequestException"
    assert refused.value.response.get("AthenaErrorCode") == "MALFORMED_QUERY"
    assert message in refused.value.response["Error"]["Message"]


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"ResultConfiguration": {}}, "No output location provided."),
        ({"ResultConfiguration": {"OutputLocation": "s3://"}}, "outputLocation is not a valid S3 path."),
        ({"ResultConfiguration": {"OutputLocation": "/tmp/x"}}, "outputLocation is not a valid S3 path."),
        (
            {"ResultConfiguration": {"OutputLocation": "s3://no-such-bucket/x/"}},
            "Unable to verify/create output bucket no-such-bucket",
        ),
        ({"WorkGroup": "no-such-group"}, "WorkGroup is not found."),
    ],
)
def test_a_request_that_cannot_work_is_refused(ask: Ask, request_: dict[str, Any], message: str) -> None:
    with pytest.raises(ClientError, match=message) as refused:
        ask.start("SELECT 1", **request_)
    assert refused.value.response["Error"]["Code"] == "InvalidRequestException"


def test_an_unknown_query(ask: Ask) -> None:
    for operation in (ask.athena.get_query_execution, ask.athena.get_query_results, ask.athena.stop_query_execution):
        with pytest.raises(ClientError, match="QueryExecution not-there was not found"):
            operation(QueryExecutionId="not-there")


def test_a_file_that_is_not_what_the_table_says(ask: Ask, store: Server) -> None:
    name = new_table(store, "bigint")
    assert ask.rows(f"SELECT a FROM {DATABASE}.{name}") == [["a"]]  # no files, no rows
    content = io.BytesIO()
    pq.write_table(pa.table({"a": ["text"]}), content)
    store.client("s3").put_object(Bucket=BUCKET, Key=f"{name}/part.parquet", Body=content.getvalue())
    message = failure(ask, f"SELECT a FROM {DATABASE}.{name}")
    assert message.startswith("HIVE_BAD_DATA: Field a's type STRING in parquet file s3://")
    store.client("s3").put_object(Bucket=BUCKET, Key=f"{name}/part.parquet", Body=b"a,b\n1,2\n")
    assert failure(ask, f"SELECT a FROM {DATABASE}.{name}").startswith("HIVE_BAD_DATA: Malformed Parquet file.")


def test_a_role_with_all_permissions_gets_its_rows(as_role: Callable[..., Ask]) -> None:
    assert as_role(statements()).rows(f"SELECT count(*) AS n {FROM}") == [["n"], ["5"]]


@pytest.mark.parametrize(
    ("missing", "reason"),
    [
        ("find", "is not authorized to perform: glue:GetDatabase"),
        ("list", "PERMISSION_DENIED: Permission denied on S3 path: s3://data-of-tests/store/data"),
        ("read", "PERMISSION_DENIED: Permission denied on S3 path: s3://data-of-tests/store/data/year="),
        ("write", "Access denied when writing output to url: s3://data-of-tests/results/"),
    ],
)
def test_a_query_may_do_only_what_its_caller_may(as_role: Callable[..., Ask], missing: str, reason: str) -> None:
    assert reason in failure(as_role(statements(without=missing)), f"SELECT churn {FROM}")


def test_a_caller_who_cannot_reach_the_bucket_of_results(as_role: Callable[..., Ask]) -> None:
    with pytest.raises(ClientError, match="Unable to verify/create output bucket"):
        as_role(statements(without="locate")).start("SELECT 1")


def test_a_caller_of_another_work_group_sees_nothing_of_this_one(ask: Ask, as_role: Callable[..., Ask]) -> None:
    query_id = ask.run("SELECT 1 AS a")["QueryExecutionId"]
    other = json.loads(json.dumps(statements()).replace("workgroup/primary", "workgroup/other"))
    with pytest.raises(ClientError, match="AccessDenied"):
        as_role(other).athena.get_query_execution(QueryExecutionId=query_id)


def test_a_work_group_decides_for_its_queries(ask: Ask, store: Server) -> None:
    name = f"group-{uuid.uuid4().hex[:8]}"
    location = {"OutputLocation": f"s3://{BUCKET}/of-the-group"}
    ask.athena.create_work_group(
        Name=name, Configuration={"ResultConfiguration": location, "EnforceWorkGroupConfiguration": True}
    )
    forced = ask.run("SELECT 1 AS a", WorkGroup=name)
    assert forced["ResultConfiguration"]["OutputLocation"].startswith(f"s3://{BUCKET}/of-the-group/")
    assert forced["WorkGroup"] == name
    update: dict[str, Any] = {"EnforceWorkGroupConfiguration": False, "BytesScannedCutoffPerQuery": 10_000_000}
    ask.athena.update_work_group(WorkGroup=name, ConfigurationUpdates=update)
    own = ask.run("SELECT 1 AS a", WorkGroup=name)
    assert own["ResultConfiguration"]["OutputLocation"].startswith(f"s3://{BUCKET}/results/")
    default = ask.run("SELECT 1 AS a", WorkGroup=name, ResultConfiguration={})
    assert default["ResultConfiguration"]["OutputLocation"].startswith(f"s3://{BUCKET}/of-the-group/")


def test_a_work_group_limits_what_a_query_scans(ask: Ask, store: Server) -> None:
    name = new_table(store, "double")
    content = io.BytesIO()
    pq.write_table(pa.table({"a": np.random.default_rng(1).random(1_400_000)}), content, use_dictionary=False)
    store.client("s3").put_object(Bucket=BUCKET, Key=f"{name}/part.parquet", Body=content.getvalue())
    ask.athena.create_work_group(
        Name=name,
        Configuration={"EnforceWorkGroupConfiguration": False, "BytesScannedCutoffPerQuery": 10_000_000},
    )
    execution = ask.run(f"SELECT sum(a) FROM {DATABASE}.{name}", WorkGroup=name)
    assert execution["Status"]["State"] == "CANCELLED"
    assert execution["Status"]["StateChangeReason"] == "Bytes scanned limit was exceeded"
    assert ask.run(f"SELECT count(*) FROM {DATABASE}.{TABLE}", WorkGroup=name)["Status"]["State"] == "SUCCEEDED"


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        ({"ClientRequestToken": "short"}, "clientRequestToken"),
        ({"ExecutionParameters": []}, "executionParameters"),
        ({"WorkGroup": "not a name!"}, "workGroup"),
        ({"ResultConfiguration": {"EncryptionConfiguration": {"EncryptionOption": "ROT13"}}}, "encryptionOption"),
    ],
)
def test_a_request_outside_the_api_s_model_names_the_field(store: Server, request_: dict[str, Any], field: str) -> None:
    athena = store.client("athena", validate=False)
    with pytest.raises(ClientError, match=field) as refused:
        Ask(athena).start("SELECT 1", **request_)
    assert refused.value.response.get("AthenaErrorCode") == "INVALID_INPUT"
