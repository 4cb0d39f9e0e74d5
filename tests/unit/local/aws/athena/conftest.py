"""One server, one bucket with a small offline store, and a role whose permissions a test chooses."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from local.aws.featurestore import offline_store, offline_table
from tests.unit.local.aws.athena.offline_store import BUCKET, LOCATION, PROJECT, RECORDS, TABLE, Ask, Server


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("athena_server.py")), str(tmp_path_factory.mktemp("state"))],
        cwd=PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin and process.stdout
    try:
        yield Server(process.stdout.readline().strip())
    finally:
        process.stdin.close()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()


@pytest.fixture(scope="session")
def store(server: Server) -> Server:
    """The server with the small offline store in it."""
    s3, glue = server.client("s3"), server.client("glue")
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    offline_table.create_offline_table(
        glue, table_name=TABLE, location=LOCATION, definitions=offline_store.feature_definitions(RECORDS)
    )
    kept, gone = RECORDS.query("customer_id != 'CUST_000003'"), RECORDS.query("customer_id == 'CUST_000003'")
    offline_store.put_records(s3, LOCATION, kept, event_time="event_time")
    offline_store.put_records(s3, LOCATION, gone, event_time="event_time", deleted=True)
    return server


@pytest.fixture(scope="session")
def ask(store: Server) -> Ask:
    return Ask(store.client("athena"))


@pytest.fixture
def as_role(store: Server) -> Callable[[list[dict[str, Any]]], Ask]:
    """Makes a caller that may do what the statements say, and ask Athena."""

    def make(statements: list[dict[str, Any]]) -> Ask:
        iam, name = store.client("iam"), f"role-{uuid.uuid4().hex[:8]}"
        trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
        role = iam.create_role(
            RoleName=name, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        )
        document = {"Version": "2012-10-17", "Statement": statements}
        iam.put_role_policy(RoleName=name, PolicyName="all", PolicyDocument=json.dumps(document))
        session = store.client("sts").assume_role(RoleArn=role["Role"]["Arn"], RoleSessionName="test")["Credentials"]
        return Ask(store.client("athena", session["AccessKeyId"], session["SecretAccessKey"], session["SessionToken"]))

    return make
