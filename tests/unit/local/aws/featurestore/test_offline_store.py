"""How records lie in the offline store."""

from __future__ import annotations

import io
import re
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from local.aws.featurestore import offline_store, offline_table
from local.aws.featurestore.offline_store import FeatureStoreError, load_table

LOCATION = "s3://bucket/prefix/000000000000/sagemaker/us-west-2/offline-store/my-group-1734619820/data"


class Bucket:
    """Takes PutObject and keeps what it got."""

    def __init__(self) -> None:
        self.files: dict[str, pa.Table] = {}

    def put_object(self, *, Bucket: str, Key: str, Body: bytes) -> None:
        self.files[f"s3://{Bucket}/{Key}"] = pq.read_table(io.BytesIO(Body))


class SageMaker:
    """Answers as the Feature Store does, and keeps the request."""

    def __init__(self, status: str = "Active") -> None:
        self.request: dict[str, Any] = {}
        self.status = status

    def create_feature_group(self, **request: Any) -> dict[str, str]:
        self.request = request
        return {"FeatureGroupArn": "arn:aws:sagemaker:us-west-2:000000000000:feature-group/my-group"}

    def describe_feature_group(self, *, FeatureGroupName: str) -> dict[str, Any]:
        table, _ = offline_table.offline_names(FeatureGroupName, 1734619820)
        return {
            "FeatureGroupStatus": "Created" if self.status == "Active" else "CreateFailed",
            "FailureReason": "the bucket is not there",
            "OfflineStoreStatus": {"Status": self.status},
            "OfflineStoreConfig": {
                "S3StorageConfig": {"ResolvedOutputS3Uri": LOCATION},
                "DataCatalogConfig": {"Catalog": "AwsDataCatalog", "Database": "db", "TableName": table},
            },
        }


def load(frame: pd.DataFrame, sagemaker: SageMaker | None = None, **options: Any) -> tuple[Any, SageMaker, Bucket]:
    group, bucket = sagemaker or SageMaker(), Bucket()
    loaded = load_table(
        frame,
        feature_group_name="my-group",
        record_identifier="Customer ID",
        bucket="bucket",
        prefix="prefix",
        role_arn="arn:aws:iam::000000000000:role/store",
        client=lambda service: {"sagemaker": group, "s3": bucket}[service],
        **options,
    )
    return loaded, group, bucket


FRAME = pd.DataFrame(
    {
        "Customer ID": ["a", "b", "c"],
        "Monthly Charges": [1.5, None, 2.0],
        "Tenure": pd.array([1, None, 3], dtype="Int64"),
        "Note": ["x,y", None, "é\n"],
    }
)


def test_the_group_has_the_table_s_columns_as_features() -> None:
    loaded, group, _ = load(FRAME)
    assert group.request["FeatureDefinitions"] == [
        {"FeatureName": "customer_id", "FeatureType": "String"},
        {"FeatureName": "monthly_charges", "FeatureType": "Fractional"},
        {"FeatureName": "tenure", "FeatureType": "Integral"},
        {"FeatureName": "note", "FeatureType": "String"},
        {"FeatureName": "event_time", "FeatureType": "String"},
    ]
    assert group.request["RecordIdentifierFeatureName"] == "customer_id"
    assert group.request["OfflineStoreConfig"] == {"S3StorageConfig": {"S3Uri": "s3://bucket/prefix"}}
    assert loaded.columns["Monthly Charges"] == "monthly_charges"
    assert (loaded.table, loaded.rows) == ("my_group_1734619820", 3)


def test_records_lie_where_and_as_the_feature_store_puts_them() -> None:
    _, _, bucket = load(FRAME.assign(event_time="2026-03-04 05:06:07+02:00"))
    ((uri, table),) = bucket.files.items()
    assert re.fullmatch(
        rf"{LOCATION}/year=2026/month=03/day=04/hour=03/20260304T030607Z_[0-9A-Za-z]{{16}}\.parquet", uri
    )
    assert table.column_names == [
        *("customer_id", "monthly_charges", "tenure", "note", "event_time"),
        *("write_time", "api_invocation_time", "is_deleted"),
    ]
    assert [str(kind) for kind in table.schema.types[2:]] == [
        *("int64", "string", "string", "timestamp[ms]", "timestamp[ms]", "bool")
    ]
    rows = table.to_pylist()
    assert [row["tenure"] for row in rows] == [1, None, 3]
    assert [row["note"] for row in rows] == ["x,y", None, "é\n"]
    assert {row["event_time"] for row in rows} == {"2026-03-04T03:06:07Z"}
    assert [row["is_deleted"] for row in rows] == [False] * 3
    invoked = [row["api_invocation_time"] for row in rows]
    assert invoked == sorted(set(invoked)), "a later row is a later record"
    assert all(row["write_time"] >= row["api_invocation_time"] for row in rows)


def test_each_hour_of_event_time_has_its_own_file() -> None:
    frame = FRAME.assign(event_time=["2026-01-01T00:59:59Z", "2026-01-01T01:00:00Z", "2026-01-01T00:00:00Z"])
    _, _, bucket = load(frame)
    counts = {uri.split("/hour=")[1][:2]: table.num_rows for uri, table in bucket.files.items()}
    assert counts == {"00": 2, "01": 1}


def test_a_column_of_its_own_for_the_event_time() -> None:
    loaded, group, _ = load(FRAME.assign(Seen=pd.Timestamp("2026-01-01")), event_time="Seen")
    assert loaded.event_time == group.request["EventTimeFeatureName"] == "seen"


@pytest.mark.parametrize("value", ["yesterday", None])
def test_an_event_time_that_is_none(value: str | None) -> None:
    with pytest.raises(FeatureStoreError, match="event_time"):
        load(FRAME.assign(event_time=["2026-01-01", "2026-01-02", value]))


def test_no_such_identifier() -> None:
    with pytest.raises(FeatureStoreError, match="no column 'Customer ID'"):
        load(FRAME.drop(columns="Customer ID"))


def test_a_group_that_does_not_come_up() -> None:
    with pytest.raises(FeatureStoreError, match="the bucket is not there"):
        load(FRAME, SageMaker("Blocked"))


def test_deleted_records() -> None:
    bucket = Bucket()
    records = pd.DataFrame({"customer_id": ["a", "b", "c"], "Active": [True, False, True]})
    offline_store.put_records(
        bucket, LOCATION, records.assign(event_time="2026-01-01T00:00:00Z"), event_time="event_time", deleted=True
    )
    (table,) = bucket.files.values()
    assert table["active"].to_pylist() == ["True", "False", "True"]  # the Feature Store has no booleans
    assert table["is_deleted"].to_pylist() == [True] * 3
