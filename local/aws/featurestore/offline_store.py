"""A table as a feature group: its definition, and its records as the offline store keeps them.

The layout is the Feature Store's own (Glue format), so that queries see no difference:
`s3://<bucket>/<prefix>/<account>/sagemaker/<region>/offline-store/<group>-<creation time>/data/year=…/month=…/day=…/
hour=…/<latest event>_<random>.parquet`, partitioned by event time in UTC.
"""

# pyright: reportArgumentType=false, reportCallIssue=false, reportReturnType=false, reportAttributeAccessIssue=false
# (pandas has no types of its own)

from __future__ import annotations

import io
import secrets
import string
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from local.data.event_times import event_times
from processing.names import PARTITION_COLUMNS, STORE_COLUMNS, feature_names

_ARROW_TYPES = {"Integral": pa.int64(), "Fractional": pa.float64(), "String": pa.string()}
_STORE_ARROW_TYPES = (pa.timestamp("ms"), pa.timestamp("ms"), pa.bool_())
_EVENT_TIME_FORMAT = "%Y-%m-%dT%H:%M:%SZ"  # what the Feature Store demands of a String event time
_CREATE_TIMEOUT_SECONDS = 60.0
_POLL_SECONDS = 0.1

FeatureDefinition = dict[str, str]  # {"FeatureName": …, "FeatureType": "Integral" | "Fractional" | "String"}


class FeatureStoreError(Exception):
    """The table cannot be loaded; the message says why."""


@dataclass(frozen=True)
class LoadedFeatureGroup:
    """A feature group with its records. `columns` maps the table's column names to features, in order."""

    name: str
    arn: str
    database: str
    table: str
    location: str  # s3://…/data
    record_identifier: str
    event_time: str
    columns: dict[str, str]
    rows: int


@dataclass(frozen=True)
class Records:
    """Rows with features as columns. `columns` maps the table's column names to features, in order."""

    records: pd.DataFrame
    columns: dict[str, str]
    record_identifier: str
    event_time: str
    definitions: list[FeatureDefinition]


def load_table(
    frame: pd.DataFrame,
    *,
    feature_group_name: str,
    record_identifier: str,
    bucket: str,
    prefix: str,
    role_arn: str,
    client: Callable[[str], Any],
    event_time: str = "event_time",
) -> LoadedFeatureGroup:
    """Create a feature group for a table and put every row into its offline store.

    `client` gives boto3 clients by service name. Column names become features by the rule of `feature_names`;
    `record_identifier` and `event_time` are names of columns of the table. Without a column for the event time, all
    records get the present time; of rows with the same id and event time the last one counts. Raises NameCollisionError,
    FeatureStoreError, or boto3's ClientError if SageMaker or S3 refuses.
    """
    table = as_records(frame, record_identifier, event_time)
    sagemaker = client("sagemaker")
    created = sagemaker.create_feature_group(
        FeatureGroupName=feature_group_name,
        RecordIdentifierFeatureName=table.record_identifier,
        EventTimeFeatureName=table.event_time,
        FeatureDefinitions=table.definitions,
        OfflineStoreConfig={"S3StorageConfig": {"S3Uri": f"s3://{bucket}/{prefix.strip('/')}".rstrip("/")}},
        RoleArn=role_arn,
    )
    store = _wait_until_created(sagemaker, feature_group_name)["OfflineStoreConfig"]
    location = store["S3StorageConfig"]["ResolvedOutputS3Uri"]
    put_records(client("s3"), location, table.records, event_time=table.event_time)
    return LoadedFeatureGroup(
        name=feature_group_name,
        arn=created["FeatureGroupArn"],
        database=store["DataCatalogConfig"]["Database"],
        table=store["DataCatalogConfig"]["TableName"],
        location=location,
        record_identifier=table.record_identifier,
        event_time=table.event_time,
        columns=table.columns,
        rows=len(table.records),
    )


def as_records(frame: pd.DataFrame, record_identifier: str, event_time: str = "event_time") -> Records:
    """A table as records of a feature group, with the features that it has.

    `record_identifier` and `event_time` are columns of the table; without a column for the event time, all records get
    the present time. Raises NameCollisionError and FeatureStoreError.
    """
    if record_identifier not in frame.columns:
        raise FeatureStoreError(f"The table has no column {record_identifier!r} to identify records by.")
    now = datetime.now(UTC)
    records = frame if event_time in frame.columns else frame.assign(**{event_time: now.strftime(_EVENT_TIME_FORMAT)})
    columns = feature_names(records.columns)
    records = records.rename(columns=columns)
    identifier, moment = columns[record_identifier], columns[event_time]
    try:
        records[moment] = event_times(records[moment])
    except ValueError as error:
        raise FeatureStoreError(str(error)) from None
    return Records(records, columns, identifier, moment, feature_definitions(records))


def put_records(
    s3: Any,
    location: str,
    records: pd.DataFrame,
    *,
    event_time: str,
    deleted: bool = False,
    invoked_at: datetime | None = None,
) -> list[str]:
    """Write records (columns are features) to an offline store, one file for each hour of event time.

    `invoked_at` is when the last record came in (now); each earlier row came a millisecond before the next. `deleted`
    writes what DeleteRecord leaves. Returns the files' keys.
    """
    arrived = pd.Timestamp(invoked_at or datetime.now(UTC)).tz_convert("UTC").tz_localize(None).floor("ms")
    before = pd.to_timedelta(range(len(records) - 1, -1, -1), unit="ms")
    moments = pd.to_datetime(records[event_time], utc=True, format="ISO8601")
    definitions = feature_definitions(records)
    texts = [item["FeatureName"] for item in definitions if item["FeatureType"] == "String"]
    complete = records.astype(dict.fromkeys(texts, "string")).assign(
        write_time=arrived, api_invocation_time=arrived - before, is_deleted=deleted
    )
    complete.columns = complete.columns.str.lower()
    schema = _schema(definitions)
    bucket, _, prefix = location.removeprefix("s3://").partition("/")
    keys = []
    for hour, rows in complete.groupby(moments.dt.floor("h").to_numpy(), sort=True):
        folder = "/".join(
            f"{name}={value}"
            for name, value in zip(PARTITION_COLUMNS, pd.Timestamp(hour).strftime("%Y %m %d %H").split(), strict=True)
        )
        latest = moments[rows.index].max().strftime("%Y%m%dT%H%M%SZ")
        keys.append(f"{prefix}/{folder}/{latest}_{_random_name()}.parquet")
        content = io.BytesIO()
        pq.write_table(pa.Table.from_pandas(rows, schema=schema, preserve_index=False), content, compression="snappy")
        s3.put_object(Bucket=bucket, Key=keys[-1], Body=content.getvalue())
    return keys


def feature_definitions(records: pd.DataFrame) -> list[FeatureDefinition]:
    """The features of a table: whole numbers are Integral, other numbers Fractional, everything else String."""
    return [{"FeatureName": name, "FeatureType": _feature_type(records[name])} for name in records.columns]


def _schema(definitions: list[FeatureDefinition]) -> pa.Schema:
    features = [(item["FeatureName"].lower(), _ARROW_TYPES[item["FeatureType"]]) for item in definitions]
    return pa.schema([*features, *zip(STORE_COLUMNS, _STORE_ARROW_TYPES, strict=True)])


def _feature_type(values: pd.Series) -> str:
    if pd.api.types.is_bool_dtype(values):
        return "String"  # the Feature Store has no booleans
    if pd.api.types.is_integer_dtype(values):
        return "Integral"
    return "Fractional" if pd.api.types.is_float_dtype(values) else "String"


def _wait_until_created(sagemaker: Any, name: str) -> dict[str, Any]:
    deadline = time.monotonic() + _CREATE_TIMEOUT_SECONDS
    while True:
        group = sagemaker.describe_feature_group(FeatureGroupName=name)
        offline = group.get("OfflineStoreStatus", {}).get("Status")
        if group["FeatureGroupStatus"] == "Created" and offline == "Active":
            return group
        if group["FeatureGroupStatus"] == "CreateFailed" or time.monotonic() > deadline:
            raise FeatureStoreError(
                f"Feature group {name} is {group['FeatureGroupStatus']} with an offline store {offline}: "
                f"{group.get('FailureReason', 'no reason given')}"
            )
        time.sleep(_POLL_SECONDS)


def _random_name() -> str:
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(16))
