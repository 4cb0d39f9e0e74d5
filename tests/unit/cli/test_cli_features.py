"""`automl features load`: what it creates, puts, refuses and counts, in an account that answers as a test wants it to."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError

from cli import features
from cli import stack as stacks
from cli.stack import RefusedError, Stack

ROWS = 640


class Account:
    """A Feature Store that keeps records, and an Athena that counts them."""

    def __init__(self) -> None:
        self.group: dict[str, Any] | None = None
        self.records: list[dict[str, str]] = []
        self.refuse: Callable[[dict[str, str]], bool] = lambda _: False
        self.queries: list[dict[str, Any]] = []

    def answer(self, operation: str, request: dict[str, Any]) -> Any:
        match operation:
            case "DescribeFeatureGroup" if self.group is None:
                raise ClientError({"Error": {"Code": "ResourceNotFound", "Message": "no group"}}, operation)
            case "DescribeFeatureGroup":
                return self.group
            case "CreateFeatureGroup":
                catalog = {"Catalog": "AwsDataCatalog", "Database": "sagemaker_featurestore", "TableName": "Sales_1"}
                store = {**request["OfflineStoreConfig"], "DataCatalogConfig": catalog}
                state = {"FeatureGroupStatus": "Created", "OfflineStoreStatus": {"Status": "Active"}}
                self.group = {**request, **state, "OfflineStoreConfig": store}
                return {"FeatureGroupArn": "arn"}
            case "PutRecord":
                record = {item["FeatureName"]: item["ValueAsString"] for item in request["Record"]}
                if self.refuse(record):
                    raise ClientError({"Error": {"Code": "ValidationError", "Message": "not taken"}}, operation)
                self.records.append(record)
                return {}
            case "StartQueryExecution":
                self.queries.append(request)
                return {"QueryExecutionId": "1"}
            case "GetQueryExecution":
                return {"QueryExecution": {"Status": {"State": "SUCCEEDED"}}}
            case "GetQueryResults":
                pairs = {(record["id"], record.get("sold_at", record.get("event_time"))) for record in self.records}
                return {"ResultSet": {"Rows": [{"Data": []}, {"Data": [{"VarCharValue": str(len(pairs))}]}]}}
        raise AssertionError(operation)


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch, stack: Stack) -> Iterator[Account]:
    made = Account()
    monkeypatch.setattr(BaseClient, "_make_api_call", lambda _, operation, request: made.answer(operation, request))
    for name, value in {"AWS_REGION": "us-west-2", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setattr(stacks, "find", lambda _: stack)
    yield made


@pytest.fixture
def table(tmp_path: Path) -> Path:
    file = tmp_path / "sales.csv"
    lines = [
        f"{n},2026-01-{1 + n % 28:02}T00:00:00+02:00,{n / 4 if n % 7 else ''},{n % 3},{'yes' if n % 2 else 'no'}"
        for n in range(ROWS)
    ]
    file.write_text("\n".join(["id,sold at,Price,rooms,sold", *lines]), encoding="utf-8")
    return file


def load(automl: Callable[..., Any], file: Path, *more: str) -> Any:
    return automl(
        "features", "load", "--csv", file, "--target", "sold", "--id-column", "id", "--feature-group", "sales", *more
    )  # fmt: skip


ROLE = ("--role-arn", "arn:aws:iam::123456789012:role/features")


def test_group_is_created_with_the_tables_types_and_every_row_is_put(
    account: Account, automl: Callable[..., Any], table: Path
) -> None:
    result = load(automl, table, *ROLE, "--event-time-column", "sold at", "--json")
    assert result.exit_code == 0, result.stderr
    assert account.group
    kinds = {item["FeatureName"]: item["FeatureType"] for item in account.group["FeatureDefinitions"]}
    assert kinds == {"id": "String", "sold_at": "String", "price": "Fractional", "rooms": "Integral", "sold": "String"}
    assert account.group["OfflineStoreConfig"]["TableFormat"] == "Glue"
    assert len(account.records) == ROWS
    by_id = {record["id"]: record for record in account.records}
    # The time is UTC, and what has no value is left out.
    assert by_id["7"] == {"id": "7", "sold_at": "2026-01-07T22:00:00Z", "rooms": "1", "sold": "yes"}
    assert by_id["9"]["price"] == "2.25"
    reported = json.loads(result.stdout)
    assert (reported["rows"], reported["counted"], reported["created"], reported["refused"]) == (ROWS, ROWS, True, [])
    assert reported["settings"]["target_attribute_name"] == "sold"


def test_store_lies_where_the_stacks_runs_may_read(
    account: Account, automl: Callable[..., Any], table: Path, stack: Stack
) -> None:
    assert load(automl, table, *ROLE, "--event-time-column", "sold at").exit_code == 0
    assert account.group
    bucket = account.group["OfflineStoreConfig"]["S3StorageConfig"]["S3Uri"].split("/")[2]
    assert bucket == (stack.parameters["FeatureStoreBucket"] or stack.outputs["BucketName"])
    assert account.queries[0]["WorkGroup"] == stack.name


def test_refused_rows_are_named_and_fail_the_command(account: Account, automl: Callable[..., Any], table: Path) -> None:
    account.refuse = lambda record: record["id"] in ("4", "41")
    result = load(automl, table, *ROLE, "--event-time-column", "sold at")
    assert result.exit_code == 1
    assert "refused: data row 5: not taken" in result.stdout
    assert "refused: data row 42: not taken" in result.stdout
    assert f"{ROWS - 2} rows loaded" in result.stdout


def test_same_file_again_goes_into_the_group_that_is_there(
    account: Account, automl: Callable[..., Any], table: Path
) -> None:
    assert load(automl, table, *ROLE, "--event-time-column", "sold at").exit_code == 0
    again = load(automl, table, "--event-time-column", "sold at")  # no role is needed for it
    assert (again.exit_code, "was there already" in again.stdout) == (0, True)


def test_file_that_does_not_fit_the_group_is_refused_with_the_features(
    account: Account, automl: Callable[..., Any], table: Path
) -> None:
    assert load(automl, table, *ROLE, "--event-time-column", "sold at").exit_code == 0
    table.write_text(table.read_text().replace("rooms", "floors"))
    refused = load(automl, table, "--event-time-column", "sold at")
    assert refused.exit_code == 1
    assert "rooms: not there in the file, Integral in the group" in refused.stderr
    assert "floors: Integral in the file, not there in the group" in refused.stderr


def test_new_group_without_stack_asks_for_place_and_role_at_once(
    account: Account, automl: Callable[..., Any], table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(_: str) -> Stack:
        raise RefusedError("no stack")

    monkeypatch.setattr(stacks, "find", none)
    refused = load(automl, table, "--event-time-column", "sold at")
    assert refused.exit_code == 1
    assert "--s3-uri" in refused.stderr
    assert "--role-arn" in refused.stderr
    assert account.records == []
    assert load(automl, table, *ROLE, "--event-time-column", "sold at", "--s3-uri", "s3://mine/store").exit_code == 0
    assert account.queries[0]["ResultConfiguration"] == {"OutputLocation": "s3://mine/store/query-results/"}


@pytest.mark.parametrize(
    ("change", "options", "said"),
    [
        (
            ("2026-01-02T00:00:00+02:00", "someday"),
            ("--event-time-column", "sold at"),
            "which is not a time",
        ),
        (("sold at", "event_time"), (), "--event-time-column, or rename it"),
        (("", ""), ("--event-time-column", "sold"), "which is not a time"),
        (("", ""), ("--event-time-column", "when"), "is no column"),
        (("Price", "rooms"), (), "more than once"),
    ],
)
def test_table_that_cannot_be_loaded_is_refused_before_anything_is_created(
    account: Account,
    automl: Callable[..., Any],
    table: Path,
    change: tuple[str, str],
    options: tuple[str, ...],
    said: str,
) -> None:
    table.write_text(table.read_text().replace(*change, 1))
    refused = load(automl, table, *ROLE, *options)
    assert (refused.exit_code, account.group) == (1, None)
    assert said in refused.stderr


def test_denied_put_ends_the_command(account: Account, automl: Callable[..., Any], table: Path) -> None:
    def denied(_: dict[str, str]) -> bool:
        raise ClientError({"Error": {"Code": "AccessForbidden", "Message": "not authorized"}}, "PutRecord")

    account.refuse = denied
    refused = load(automl, table, *ROLE, "--event-time-column", "sold at")
    assert (refused.exit_code, "not authorized" in refused.stderr) == (1, True)


def test_settings_of_a_run_take_every_id(account: Account, table: Path, stack: Stack) -> None:
    request = features.Request(table, "sold", "id", "sales", "sold at", None, ROLE[1])
    found = features.load(request, *features.read(request), stack, lambda *_: None)
    assert found.settings == {
        "feature_group_name": "sales",
        "target_attribute_name": "sold",
        "customer_id_start": None,
        "customer_id_end": None,
        "column_names": {"sold_at": "sold at"},
    }


def test_group_name_is_refused_together_with_the_table(
    account: Account, automl: Callable[..., Any], table: Path
) -> None:
    result = load(automl, table, *ROLE, "--feature-group", "bad name", "--event-time-column", "nowhere")
    assert "--feature-group 'bad name'" in result.stderr
    assert "'nowhere' is no column" in result.stderr


def test_command_for_a_quantity_names_problem_type_and_objective(
    account: Account, automl: Callable[..., Any], table: Path
) -> None:
    header, *rows = table.read_text(encoding="utf-8").splitlines()
    priced = [f"{header},cost", *(f"{row},{n * 1.25}" for n, row in enumerate(rows))]
    table.write_text("\n".join(priced), encoding="utf-8")
    result = load(automl, table, *ROLE, "--event-time-column", "sold at", "--target", "cost")
    assert '"problem_type": "Regression", "objective_metric_name": "RMSE"' in result.stdout
    assert "ProblemType=Regression ObjectiveMetricName=RMSE" in result.stdout


def test_rare_class_is_noted_with_the_objective_that_suits_it(
    account: Account, automl: Callable[..., Any], table: Path
) -> None:
    lines = table.read_text(encoding="utf-8").splitlines()
    rare = [line.replace(",yes", ",no") if place % 20 else line for place, line in enumerate(lines)]
    rare = [line.replace(",no", ",yes") if place and place % 20 == 0 else line for place, line in enumerate(rare)]
    table.write_text("\n".join(rare), encoding="utf-8")
    result = load(automl, table, *ROLE, "--event-time-column", "sold at")
    assert "Note: Class 'yes' is 5.0% of the rows: a model that always answers 'no' has accuracy 0.950." in " ".join(
        result.stdout.split()
    )
    assert "AUC" in result.stdout
