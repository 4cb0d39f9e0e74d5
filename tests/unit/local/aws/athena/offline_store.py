"""What the tests of this folder share: a small offline store, and someone who asks Athena about it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pandas as pd
from botocore.config import Config

from local.aws.featurestore import offline_table
from local.aws.stepfunctions.expressions import evaluate
from tests.contract import machines

PROJECT = Path(__file__).resolve().parents[5]
BUCKET = "data-of-tests"
DATABASE = offline_table.DATABASE
TABLE = "mlops_poc_churn_classification_feature_1734619820"
LOCATION = f"s3://{BUCKET}/store/data"
RECORD_COUNTS = ["automl_records", "automl_identifiers"]

# Two records of one customer, one deleted, one without a value: what a query on an offline store must cope with.
RECORDS = pd.DataFrame(
    {
        "customer_id": ["CUST_000001", "CUST_000002", "CUST_000003", "CUST_000001", "CUST_000004"],
        "event_time": [f"2026-11-2{day}T10:00:00Z" for day in (1, 1, 1, 2, 1)],
        "tenure_months": pd.array([1, 2, 3, 10, None], dtype="Int64"),
        "monthly_charges": [29.85, 1.0, 12345678.5, 99.9, 0.00012],
        "contract_type": ["Month-to-month", 'a "quoted", text', "", "Two year", None],
        "churn": ["No", "Yes", "No", "Yes", "No"],
    }
)


@dataclass(frozen=True)
class Server:
    """Where the server is, and clients of it."""

    url: str

    def client(
        self,
        service: Any,
        access_key: str = "test",
        secret: str = "test",
        token: str | None = None,
        *,
        validate: bool = True,
    ) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name="us-west-2",
            aws_access_key_id=access_key,
            aws_secret_access_key=secret,
            aws_session_token=token,
            config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}, parameter_validation=validate),
        )


@dataclass(frozen=True)
class Ask:
    """Runs queries as one caller."""

    athena: Any

    def start(self, sql: str, **request: Any) -> str:
        request = {"ResultConfiguration": {"OutputLocation": f"s3://{BUCKET}/results/"}, **request}
        return self.athena.start_query_execution(QueryString=sql, **request)["QueryExecutionId"]

    def wait(self, query_id: str, seconds: float = 30) -> dict[str, Any]:
        deadline = time.monotonic() + seconds
        while True:
            execution = self.athena.get_query_execution(QueryExecutionId=query_id)["QueryExecution"]
            if execution["Status"]["State"] not in ("QUEUED", "RUNNING"):
                return execution
            assert time.monotonic() < deadline, execution
            time.sleep(0.05)

    def run(self, sql: str, **request: Any) -> dict[str, Any]:
        return self.wait(self.start(sql, **request))

    def rows(self, sql: str, **request: Any) -> list[list[str | None]]:
        execution = self.run(sql, **request)
        assert execution["Status"]["State"] == "SUCCEEDED", execution["Status"]
        answer = self.athena.get_query_results(QueryExecutionId=execution["QueryExecutionId"])
        return [[cell.get("VarCharValue") for cell in row["Data"]] for row in answer["ResultSet"]["Rows"]]


def extraction(table: str, features: list[str], *bounds: str, event_time: str = "event_time") -> dict[str, Any]:
    """The training machine's own request for the newest records: `sql`, and for a range of ids `ExecutionParameters`."""
    expression = machines.source("training")["States"]["ExtractFeatures"]["Arguments"].strip()
    # As automl_pipeline.jobs.query has them: the range is asked for twice, for the rows and for the counts.
    parameters = {"ExecutionParameters": [f"'{bound}'" for bound in bounds] * 2} if bounds else {}
    run = {
        "unload_to": None,
        "jobs": {"query": {"ResultConfiguration": {"OutputLocation": f"s3://{BUCKET}/results/"}, **parameters}},
    }
    source = {
        "columns": features,
        "id": features[0],
        "event_time": event_time,
        "catalog": "AwsDataCatalog",
        "database": DATABASE,
        "table": table,
    }
    request = evaluate(expression.removeprefix("{%").removesuffix("%}"), {"run": run, "source": source})
    return {"sql": request["QueryString"], **parameters}
