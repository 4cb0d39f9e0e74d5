"""Gets the local cloud ready: the stack deployed, a table in the Feature Store."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.aws.featurestore import offline_store
from local.build import deploy
from local.data import csv_table, telco
from local.server import clients
from local.server.address import ACCOUNT_ID, REGION
from local.server.process import Server

STACK = "automl-pipeline"
FEATURE_GROUP = "mlops_poc_churn_classification_feature"
FEATURE_STORE_BUCKET = f"sagemaker-{REGION}-{ACCOUNT_ID}"
FEATURE_STORE_ROLE = "feature-store"
LOCAL_ROLE = f"arn:aws:iam::{ACCOUNT_ID}:role/{FEATURE_STORE_ROLE}"
EMAIL = "you@example.com"
# Wait states and waits before retries take this part of their time: a minute becomes a second.
WAIT_SCALE = 1 / 60


@dataclass
class LocalCloud:
    """A local cloud with the stack on it."""

    server: Server
    outputs: dict[str, str]

    def client(self, service: str) -> Any:
        """A boto3 client of this cloud."""
        return clients.client(self.server.endpoint_url, service)


def deploy_stack(server: Server, progress: Callable[[str], None], **given: str) -> LocalCloud:
    """Build what changed and deploy template.yaml with the `given` template parameters.

    Raises local.build.deploy.DeployError, local.build.packaging.BuildError.
    """
    # There is no console here, and a link into that of AWS would lead to another account.
    own = {"FeatureStoreBucket": FEATURE_STORE_BUCKET, "NotificationEmail": EMAIL, "ConsoleLinks": "false"}
    parameters = own | given
    stack = deploy.deploy(server.endpoint_url, STACK, parameters=parameters, progress=progress)
    return LocalCloud(server, stack.outputs)


def load_telco(cloud: LocalCloud) -> offline_store.LoadedFeatureGroup:
    """IBM's Telco customers, as the feature group that the pipeline reads by default."""
    return load_frame(cloud, telco.load(), FEATURE_GROUP, telco.RECORD_IDENTIFIER)


def load_csv(cloud: LocalCloud, table: csv_table.CsvTable, path: Path) -> offline_store.LoadedFeatureGroup:
    """A person's own table, as a feature group named after its file."""
    name = re.sub(r"[^a-z0-9]+", "-", path.stem.lower()).strip("-")[:50].rstrip("-") or "table"
    return load_frame(cloud, table.frame, name, table.id_column)


def load_frame(cloud: LocalCloud, frame: Any, name: str, identifier: str) -> offline_store.LoadedFeatureGroup:
    """A table in memory, as a feature group; `identifier` is the column with ids."""
    s3, iam = cloud.client("s3"), cloud.client("iam")
    s3.create_bucket(Bucket=FEATURE_STORE_BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    trust = {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = iam.create_role(RoleName=FEATURE_STORE_ROLE, AssumeRolePolicyDocument=document)["Role"]["Arn"]
    return offline_store.load_table(
        frame,
        feature_group_name=name,
        record_identifier=identifier,
        bucket=FEATURE_STORE_BUCKET,
        prefix="feature-store",
        role_arn=role,
        client=cloud.client,
    )
