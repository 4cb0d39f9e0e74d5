"""The stack with what its protection and insight parameters switch on: key, VPC, isolation, tags, tracing, execution data."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from cli import local_cloud
from local.build import deploy
from local.server import clients, paths, process
from tests.pipeline.conftest import Cloud

SUBNETS, GROUPS = ["subnet-0123abcd", "subnet-4567cdef"], ["sg-0123abcd"]
NETWORK = {"SubnetIds": ",".join(SUBNETS), "SecurityGroupIds": ",".join(GROUPS), "NetworkIsolation": "true"}
TAGS = "project=churn,stage=prod"


@dataclass
class Protected:
    """A cloud of its own, whose stack was first deployed as it is and then with the key."""

    cloud: Cloud
    key: str


@pytest.fixture(scope="module")
def protected(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Protected]:
    with process.running(
        state=tmp_path_factory.mktemp("protected") / "state", wait_scale=local_cloud.WAIT_SCALE, reuse=paths.REUSE
    ) as server:
        key = clients.client(server.endpoint_url, "kms").create_key(Description="the user's own")["KeyMetadata"]["Arn"]
        local_cloud.deploy_stack(server, lambda _: None)
        given = {
            "KmsKeyArn": key,
            "TracingEnabled": "true",
            "LogExecutionData": "true",
            **NETWORK,
            "ResourceTags": TAGS,
        }
        ready = local_cloud.deploy_stack(server, lambda _: None, **given)
        local_cloud.load_telco(ready)
        yield Protected(Cloud(ready), key)


def test_everything_that_keeps_data_is_encrypted_with_the_key(protected: Protected) -> None:
    cloud, key = protected.cloud, protected.key
    bucket = cloud.deployed.outputs["BucketName"]
    (rule,) = cloud.client("s3").get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
    topic = cloud.client("sns").get_topic_attributes(TopicArn=cloud.deployed.outputs["FailureTopicArn"])["Attributes"]
    assert topic["KmsMasterKeyId"] == key
    queue = cloud.deployed.outputs["MissedRunsQueueUrl"]
    attributes = cloud.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
    assert attributes["KmsMasterKeyId"] == key


def test_machines_are_traced_and_log_execution_data(protected: Protected) -> None:
    for output in ("TrainingStateMachineArn", "DeploymentStateMachineArn"):
        machine = protected.cloud.client("stepfunctions").describe_state_machine(
            stateMachineArn=protected.cloud.deployed.outputs[output]
        )
        assert machine["tracingConfiguration"] == {"enabled": True}
        assert machine["loggingConfiguration"]["includeExecutionData"] is True
        role = machine["roleArn"].rpartition("/")[2]
        policies = protected.cloud.client("iam").list_role_policies(RoleName=role)["PolicyNames"]
        assert {"key", "tracing"} <= set(policies)


def test_a_failure_still_sends_its_email(protected: Protected) -> None:
    ended = protected.cloud.run(feature_group_name="no-such-group")
    assert ended["status"] == "FAILED"
    (email,) = protected.cloud.emails()
    assert email["Subject"] == "[SageMaker Pipeline Failed] DataSource"


@pytest.fixture(scope="module")
def run(protected: Protected) -> dict[str, Any]:
    """What a run answered, whose model serves."""
    ended = protected.cloud.run()
    assert ended["status"] == "SUCCEEDED", ended
    return json.loads(ended["output"])


def test_the_model_comes_into_service(run: dict[str, Any]) -> None:
    assert run["outcome"] == "Deployed"


def test_endpoint_is_in_the_vpc_isolated_and_its_disks_encrypted(protected: Protected, run: dict[str, Any]) -> None:
    sagemaker = protected.cloud.client("sagemaker")
    endpoint = sagemaker.describe_endpoint(EndpointName=run["endpoint"]["name"])
    config = sagemaker.describe_endpoint_config(EndpointConfigName=endpoint["EndpointConfigName"])
    assert config["KmsKeyId"] == protected.key
    model = sagemaker.describe_model(ModelName=config["ProductionVariants"][0]["ModelName"])
    assert model["EnableNetworkIsolation"] is True
    assert model["VpcConfig"] == {"SecurityGroupIds": GROUPS, "Subnets": SUBNETS}


def test_jobs_and_model_are_in_the_vpc_and_their_disks_and_outputs_encrypted(
    protected: Protected, run: dict[str, Any]
) -> None:
    sagemaker, key = protected.cloud.client("sagemaker"), protected.key
    vpc = {"SecurityGroupIds": GROUPS, "Subnets": SUBNETS}
    name = f"automl-pipeline-{run['run_id']}-0"  # the first attempt
    processing = sagemaker.describe_processing_job(ProcessingJobName=name)
    assert processing["NetworkConfig"] == {"EnableNetworkIsolation": True, "VpcConfig": vpc}
    assert processing["ProcessingOutputConfig"]["KmsKeyId"] == key
    assert processing["ProcessingResources"]["ClusterConfig"]["VolumeKmsKeyId"] == key
    automl = sagemaker.describe_auto_ml_job_v2(AutoMLJobName=f"automl-{run['run_id']}")
    assert automl["OutputDataConfig"]["KmsKeyId"] == key
    assert automl["SecurityConfig"] == {
        "VolumeKmsKeyId": key,
        "EnableInterContainerTrafficEncryption": True,
        "VpcConfig": vpc,
    }
    transform = sagemaker.describe_transform_job(TransformJobName=name)
    assert transform["TransformOutput"]["KmsKeyId"] == key
    assert transform["TransformResources"]["VolumeKmsKeyId"] == key
    model = sagemaker.describe_model(ModelName=transform["ModelName"])
    assert model["EnableNetworkIsolation"] is True
    assert model["VpcConfig"] == vpc


def test_what_a_run_creates_has_the_tags(protected: Protected, run: dict[str, Any]) -> None:
    sagemaker = protected.cloud.client("sagemaker")
    name = f"automl-pipeline-{run['run_id']}-0"  # the first attempt
    wanted = {"project": "churn", "stage": "prod", "automl:stack": local_cloud.STACK, "automl:run": run["run_id"]}
    transform = sagemaker.describe_transform_job(TransformJobName=name)
    for arn in (
        sagemaker.describe_processing_job(ProcessingJobName=name)["ProcessingJobArn"],
        sagemaker.describe_auto_ml_job_v2(AutoMLJobName=f"automl-{run['run_id']}")["AutoMLJobArn"],
        transform["TransformJobArn"],
        sagemaker.describe_model(ModelName=transform["ModelName"])["ModelArn"],
    ):
        tags = {tag["Key"]: tag["Value"] for tag in sagemaker.list_tags(ResourceArn=arn)["Tags"]}
        assert tags == wanted


def test_query_results_are_encrypted_with_the_key(protected: Protected, run: dict[str, Any]) -> None:
    bucket, _, prefix = run["run_prefix"].removeprefix("s3://").partition("/")
    s3 = protected.cloud.client("s3")
    (result,) = [
        item["Key"]
        for item in s3.list_objects_v2(Bucket=bucket, Prefix=f"{prefix}/data/raw/")["Contents"]
        if item["Key"].endswith(".csv")
    ]
    assert s3.head_object(Bucket=bucket, Key=result)["SSEKMSKeyId"] == protected.key


@pytest.mark.parametrize("lacking", ["vpc", "key-for-volumes", "key-for-outputs"])
def test_without_its_policy_the_job_is_refused(protected: Protected, run: dict[str, Any], lacking: str) -> None:
    """What AWS would refuse, so that the policies of the template are known to be needed."""
    iam = protected.cloud.client("iam")
    roles = [name for name in (role["RoleName"] for role in iam.list_roles()["Roles"]) if "-JobRole-" in name]
    (role,) = roles
    document = iam.get_role_policy(RoleName=role, PolicyName=lacking)["PolicyDocument"]
    iam.delete_role_policy(RoleName=role, PolicyName=lacking)
    try:
        ended = protected.cloud.run(accuracy_threshold=0.99)
    finally:
        iam.put_role_policy(RoleName=role, PolicyName=lacking, PolicyDocument=json.dumps(document))
    assert ended["error"] == "PreprocessDataFailed"
    assert "is not authorized to perform" in ended["cause"]


@pytest.mark.parametrize("given", [{"SubnetIds": SUBNETS[0]}, {"SecurityGroupIds": GROUPS[0]}])
def test_half_a_vpc_is_refused(protected: Protected, given: dict[str, str]) -> None:
    with pytest.raises(deploy.DeployError, match="SubnetIds and SecurityGroupIds go together"):
        local_cloud.deploy_stack(protected.cloud.deployed.server, lambda _: None, **given)
