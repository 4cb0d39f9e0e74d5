"""Loads a table into a feature group: creates the group, puts every row, and waits until Athena counts them."""

# pyright: reportArgumentType=false, reportAttributeAccessIssue=false
# (pandas has no types of its own)

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from automl_pipeline.settings import GROUP_NAME
from botocore.config import Config
from botocore.exceptions import ClientError

from cli import athena_query, objectives
from cli.demo_request import BINARY, OBJECTIVES, REGRESSION, problem_type_of, targets_of
from cli.stack import RefusedError, Stack, client
from local.aws.featurestore import offline_store
from local.data import csv_table
from processing.names import NameCollisionError

EVENT_TIME = "event_time"
AT_ONCE = 16
ACTIONS = (
    "sagemaker:DescribeFeatureGroup",
    "sagemaker:CreateFeatureGroup",
    "sagemaker:PutRecord",
    "cloudformation:DescribeStacks",
    *athena_query.ACTIONS,
    "glue:GetTable",
    "s3:GetObject",
    "s3:PutObject",
)
_CHUNK = 1000
_NAMED = 10
_CREATED_SECONDS = 300
# AWS: records are in the offline store within 15 minutes (SageMaker Developer Guide, "Offline store").
_COUNTED_SECONDS = 20 * 60
_OF_THE_ROW = ("ValidationError", "ValidationException")

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""


@dataclass(frozen=True)
class Request:
    """What to load, and where to."""

    csv: Path
    target: str
    id_column: str
    group: str
    event_time_column: str | None = None
    s3_uri: str | None = None
    role_arn: str | None = None


@dataclass(frozen=True)
class Loaded:
    """What was loaded. `refused` are data rows, counted from 1, with what the Feature Store says of each."""

    group: str
    created: bool
    rows: int
    refused: list[tuple[int, str]]
    counted: int
    place: str
    settings: dict[str, Any]
    warnings: list[str]

    @property
    def complete(self) -> bool:
        """Whether every row was taken and is counted."""
        return not self.refused and self.counted >= self.rows


def read(request: Request) -> tuple[csv_table.CsvTable, offline_store.Records]:
    """The table, checked, and its records. Raises RefusedError with everything that is wrong."""
    problems = []
    if not re.fullmatch(GROUP_NAME, request.group):
        problems.append(f"--feature-group {request.group!r}: 1 to 64 letters, digits, hyphens and underscores.")
    try:
        found = _read(request)
    except (
        csv_table.InvalidTableError,
        NameCollisionError,
        offline_store.FeatureStoreError,
        RefusedError,
    ) as error:
        raise RefusedError("\n".join([*problems, str(error)])) from None
    if problems:
        raise RefusedError("\n".join(problems))
    return found


def _read(request: Request) -> tuple[csv_table.CsvTable, offline_store.Records]:
    table = csv_table.read_table(request.csv, request.target, request.id_column)
    if problem_type_of(table) == REGRESSION:
        table = csv_table.as_quantity(table)
    column = request.event_time_column
    if column and column not in table.frame.columns:
        known = ", ".join(map(repr, table.frame.columns[:20]))
        raise RefusedError(f"--event-time-column {column!r} is no column of {request.csv}. It has {known}.")
    if not column and EVENT_TIME in table.frame.columns:
        raise RefusedError(
            f"{request.csv} has a column {EVENT_TIME!r}: name it with --event-time-column, or rename it. Without one, "
            "every record gets the present time under that name."
        )
    return table, offline_store.as_records(table.frame, request.id_column, column or EVENT_TIME)


def load(
    request: Request, table: csv_table.CsvTable, records: offline_store.Records, stack: Stack | None, progress: Progress
) -> Loaded:
    """Create the group if it is not there, put the records, wait until Athena counts them.

    Calling it again with the same file does no harm: of one id the newest record counts. Raises RefusedError, QueryError,
    ClientError and BotoCoreError.
    """
    place = request.s3_uri or (f"s3://{readable(stack)}/feature-store" if stack else None)
    group, created = _group(request, records, stack, place, progress)
    refused = list(_put(request.group, records, progress))
    store = group["OfflineStoreConfig"]
    total = len(records.records) - len(refused)
    counted = _counted(group, stack, records, total, progress)
    names = records.columns
    return Loaded(
        request.group,
        created,
        total,
        refused,
        counted,
        store["S3StorageConfig"]["S3Uri"],
        {
            "feature_group_name": request.group,
            "target_attribute_name": names[request.target],
            "customer_id_start": None,
            "customer_id_end": None,
            **_problem(table, stack),
            **({"column_names": renamed} if (renamed := csv_table.column_names(table.frame)) else {}),
        },
        [*table.warnings, *_objective_notes(table, stack)],
    )


def _problem(table: csv_table.CsvTable, stack: Stack | None) -> dict[str, str]:
    """Problem type and objective that the target suggests, where the stack's problem type is another."""
    suggested = problem_type_of(table)
    deployed = (stack.parameters.get("ProblemType") if stack else None) or BINARY
    if suggested == deployed:
        return {}
    return {"problem_type": suggested, "objective_metric_name": OBJECTIVES[suggested]}


def _objective_notes(table: csv_table.CsvTable, stack: Stack | None) -> list[str]:
    """Whether another objective than the stack's suits the classes better."""
    if problem_type_of(table) != BINARY:
        return []
    objective = stack.parameters.get("ObjectiveMetricName") if stack else None
    return objectives.notes(objective or "Accuracy", BINARY, targets_of(table).astype(str).value_counts().to_dict())


def readable(stack: Stack) -> str:
    """The bucket whose offline stores the stack's runs may read."""
    return stack.parameters.get("FeatureStoreBucket") or stack.outputs["BucketName"]


def _group(
    request: Request, records: offline_store.Records, stack: Stack | None, place: str | None, progress: Progress
) -> tuple[Mapping[str, Any], bool]:
    """The group's description, and whether it was created now."""
    sagemaker = client("sagemaker")
    try:
        found = sagemaker.describe_feature_group(FeatureGroupName=request.group)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFound":
            raise
    else:
        _same(found, records)
        return found, False
    missing = []
    if not place:
        missing.append(
            "--s3-uri s3://BUCKET/PREFIX: where to create the offline store, as there is no stack whose bucket could be used."
        )
    if not request.role_arn:
        missing.append(
            "--role-arn ARN: the role with which SageMaker writes the offline store. sagemaker.amazonaws.com must be "
            "allowed to assume it; attach AmazonSageMakerFeatureStoreAccess, and s3:PutObject and s3:GetBucketAcl on the bucket."
        )
    if missing:
        raise RefusedError(
            f"There is no feature group {request.group} yet. To create it, also give\n" + "\n".join(missing)
        )
    name = "FeatureStoreKmsKeyArn" if stack and stack.parameters.get("FeatureStoreBucket") else "KmsKeyArn"
    key = stack.parameters.get(name) if stack and not request.s3_uri else None
    progress("Creating the feature group", 0, 0)
    sagemaker.create_feature_group(
        FeatureGroupName=request.group,
        RecordIdentifierFeatureName=records.record_identifier,
        EventTimeFeatureName=records.event_time,
        FeatureDefinitions=records.definitions,
        OfflineStoreConfig={
            "S3StorageConfig": {"S3Uri": place, **({"KmsKeyId": key} if key else {})},
            "TableFormat": "Glue",
        },
        RoleArn=request.role_arn,
        Description=f"Loaded from {request.csv.name}",
    )
    deadline = time.monotonic() + _CREATED_SECONDS
    while True:
        found = sagemaker.describe_feature_group(FeatureGroupName=request.group)
        status, offline = found["FeatureGroupStatus"], found.get("OfflineStoreStatus", {}).get("Status")
        if status == "Created" and offline == "Active":
            return found, True
        if status == "CreateFailed" or time.monotonic() > deadline:
            reason = found.get("FailureReason", "no reason given")
            raise RefusedError(
                f"Feature group {request.group} is {status}, its offline store {offline}: {reason}\nTo try again: "
                f"aws sagemaker delete-feature-group --feature-group-name {request.group}, then the same command."
            )
        time.sleep(0.5)


def _same(group: dict[str, Any], records: offline_store.Records) -> None:
    """Raises RefusedError unless the group that is there has the table's features and an offline store."""
    name, problems = group["FeatureGroupName"], []
    there = {item["FeatureName"]: item["FeatureType"] for item in group["FeatureDefinitions"]}
    ours = {item["FeatureName"]: item["FeatureType"] for item in records.definitions}
    for feature in dict.fromkeys([*there, *ours]):
        if there.get(feature) != ours.get(feature):
            problems.append(
                f"{feature}: {ours.get(feature, 'not there')} in the file, {there.get(feature, 'not there')} in the group"
            )
    for member, own in (
        ("RecordIdentifierFeatureName", records.record_identifier),
        ("EventTimeFeatureName", records.event_time),
    ):
        if group[member] != own:
            problems.append(f"{member}: {own} from the file, {group[member]} in the group")
    if "OfflineStoreConfig" not in group:
        problems.append("it has no offline store, which runs read")
    more = len(problems) - _NAMED
    if problems:
        problems[_NAMED:] = [f"and {more} more"] if more > 0 else []
        raise RefusedError(
            f"Feature group {name} exists, and the file does not fit it. Name another --feature-group, or fix:\n"
            + "\n".join(problems)
        )


def _put(group: str, records: offline_store.Records, progress: Progress) -> Iterator[tuple[int, str]]:
    """Put every record; yields those that are refused, by their row. Raises ClientError for what concerns all rows."""
    store = client(
        "sagemaker-featurestore-runtime",
        config=Config(retries={"mode": "adaptive", "max_attempts": 10}, max_pool_connections=AT_ONCE),
    )
    kinds = {item["FeatureName"]: item["FeatureType"] for item in records.definitions}
    frame = records.records

    def put(position: int) -> tuple[int, str] | None:
        row = frame.iloc[position]
        record = [
            {"FeatureName": name, "ValueAsString": _text(row[name], kind)}
            for name, kind in kinds.items()
            if not pd.isna(row[name]) and row[name] != ""
        ]
        try:
            store.put_record(FeatureGroupName=group, Record=record)
        except ClientError as error:
            if error.response["Error"]["Code"] not in _OF_THE_ROW:
                raise
            return position + 1, error.response["Error"]["Message"]
        return None

    total = len(frame)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for begin in range(0, total, _CHUNK):
            end = min(begin + _CHUNK, total)
            yield from (refusal for refusal in pool.map(put, range(begin, end)) if refusal)
            progress("Putting records", end, total)


def _text(value: Any, kind: str) -> str:
    return str(int(value)) if kind == "Integral" else repr(float(value)) if kind == "Fractional" else str(value)


def _counted(
    group: dict[str, Any], stack: Stack | None, records: offline_store.Records, rows: int, progress: Progress
) -> int:
    """How many ids of the table Athena sees with their event times, once it sees all or does not get further.

    Counts distinct pairs of id and event time, as rows that are loaded twice are stored twice.
    """
    catalog = group["OfflineStoreConfig"]["DataCatalogConfig"]
    identifier, moment = records.record_identifier, records.event_time
    pairs = records.records[[identifier, moment]].drop_duplicates()
    bounds = (pairs[moment].min(), pairs[moment].max())
    query = (
        f'SELECT count(*) FROM (SELECT DISTINCT "{identifier}", "{moment}" FROM "{catalog["Database"].lower()}".'  # noqa: S608
        f'"{catalog["TableName"].lower()}" WHERE "{moment}" BETWEEN ? AND ?)'
    )
    twice = len(records.records) - len(pairs)
    place = group["OfflineStoreConfig"]["S3StorageConfig"]["S3Uri"].rstrip("/")
    deadline = time.monotonic() + _COUNTED_SECONDS
    pause = 1.0
    while True:
        [[count]] = athena_query.rows(
            query,
            catalog,
            work_group=stack.name if stack else None,
            output=None if stack else f"{place}/query-results/",
            parameters=[f"'{bound}'" for bound in bounds],
        )
        found = min(int(count or 0) + twice, rows)
        progress("Waiting for the offline store (AWS takes up to 15 minutes)", found, rows)
        if found >= rows or time.monotonic() > deadline:
            return found
        time.sleep(pause)
        pause = min(pause * 1.5, 30.0)
