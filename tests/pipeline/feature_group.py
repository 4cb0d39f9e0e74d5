"""Feature groups of Telco customers for the pipeline tests, with columns and records as a test wants them."""

from __future__ import annotations

import time
from typing import Any

import pandas

from cli import local_cloud
from local.aws.featurestore import offline_store
from local.data import telco

from .conftest import Cloud

FIRST = "2026-01-02T00:00:00Z"
ROWS = 1500
# Of a run that registers no model, so that other tests keep their endpoint.
WITHOUT_MODEL = {
    "target_attribute_name": "Churn",
    "customer_id_start": 1,
    "customer_id_end": ROWS,
    "accuracy_threshold": 1,
    "max_candidates": 1,
}


def customers(rows: int) -> pandas.DataFrame:
    """The first Telco customers, in columns named as people name them."""
    frame = telco.load().head(rows).rename(columns=lambda name: name.title().replace("_", ""))
    return frame.rename(columns={"CustomerId": "CustomerID"}).assign(EventTime=FIRST)


class Group:
    """A feature group with these columns, and none of the rows yet."""

    def __init__(self, cloud: Cloud, name: str, frame: pandas.DataFrame) -> None:
        self.cloud, self.name = cloud, name
        sagemaker = cloud.client("sagemaker")
        sagemaker.create_feature_group(
            FeatureGroupName=name,
            RecordIdentifierFeatureName="CustomerID",
            EventTimeFeatureName="EventTime",
            FeatureDefinitions=offline_store.feature_definitions(frame),
            OfflineStoreConfig={"S3StorageConfig": {"S3Uri": f"s3://{local_cloud.FEATURE_STORE_BUCKET}/hard"}},
            RoleArn=cloud.client("iam").get_role(RoleName=local_cloud.FEATURE_STORE_ROLE)["Role"]["Arn"],
        )
        deadline = time.monotonic() + 60
        while (made := sagemaker.describe_feature_group(FeatureGroupName=name))["FeatureGroupStatus"] != "Created":
            assert time.monotonic() < deadline, made
            time.sleep(0.1)
        self.location = made["OfflineStoreConfig"]["S3StorageConfig"]["ResolvedOutputS3Uri"]

    def put(self, frame: pandas.DataFrame, at: str | None = None, *, deleted: bool = False) -> None:
        """Records with this event time, or with their own, which arrive now."""
        records = frame if at is None else frame.assign(EventTime=at)
        offline_store.put_records(
            self.cloud.client("s3"), self.location, records, event_time="EventTime", deleted=deleted
        )

    def run(self, **given: Any) -> dict[str, Any]:
        return self.cloud.run(feature_group_name=self.name, **given)
