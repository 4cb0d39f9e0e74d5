"""The stack with what its protection and insight parameters switch on: a key of one's own, tracing, execution data."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from cli import laptop
from local import process
from tests.pipeline.conftest import Cloud


@dataclass
class Protected:
    """A cloud of its own, whose stack was first deployed as it is and then with the key."""

    cloud: Cloud
    key: str


@pytest.fixture(scope="module")
def protected(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Protected]:
    with process.running(state=tmp_path_factory.mktemp("protected") / "state", wait_scale=laptop.WAIT_SCALE) as server:
        key = laptop.client(server, "kms").create_key(Description="the user's own")["KeyMetadata"]["Arn"]
        laptop.deploy_stack(server, lambda _: None)
        given = {"KmsKeyArn": key, "TracingEnabled": "true", "LogExecutionData": "true"}
        ready = laptop.deploy_stack(server, lambda _: None, **given)
        laptop.load_telco(ready)
        yield Protected(Cloud(ready), key)


def test_everything_that_keeps_data_is_encrypted_with_the_key(protected: Protected) -> None:
    cloud, key = protected.cloud, protected.key
    bucket = cloud.laptop.outputs["BucketName"]
    (rule,) = cloud.client("s3").get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
    topic = cloud.client("sns").get_topic_attributes(TopicArn=cloud.laptop.outputs["FailureTopicArn"])["Attributes"]
    assert topic["KmsMasterKeyId"] == key
    queue = cloud.laptop.outputs["MissedRunsQueueUrl"]
    attributes = cloud.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
    assert attributes["KmsMasterKeyId"] == key


def test_machines_are_traced_and_log_execution_data(protected: Protected) -> None:
    for output in ("TrainingStateMachineArn", "DeploymentStateMachineArn"):
        machine = protected.cloud.client("stepfunctions").describe_state_machine(
            stateMachineArn=protected.cloud.laptop.outputs[output]
        )
        assert machine["tracingConfiguration"] == {"enabled": True}
        assert machine["loggingConfiguration"]["includeExecutionData"] is True
        role = machine["roleArn"].rpartition("/")[2]
        policies = protected.cloud.client("iam").list_role_policies(RoleName=role)["PolicyNames"]
        assert {"key", "tracing"} <= set(policies)


def test_a_failure_still_sends_its_mail(protected: Protected) -> None:
    ended = protected.cloud.run(feature_group_name="no-such-group")
    assert ended["status"] == "FAILED"
    (mail,) = protected.cloud.mails()
    assert mail["Subject"] == "[SageMaker Pipeline Failed] DataSource"


def test_the_data_are_read_and_prepared(protected: Protected) -> None:
    """Up to the gate, which nothing reaches: endpoints are other tests' business."""
    ended = protected.cloud.run(accuracy_threshold=0.99, max_runtime_sec=60)
    assert ended["status"] == "SUCCEEDED", ended
    assert json.loads(ended["output"])["outcome"] == "BelowThreshold"
