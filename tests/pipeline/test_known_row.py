"""A deployed model is asked a row whose answer is known; a wrong answer brings back what served before."""

from __future__ import annotations

import json
from typing import Any

import pytest

from .conftest import Cloud

ENDPOINT = "automl-pipeline"


def _deploy(cloud: Cloud, package: str) -> dict[str, Any]:
    return cloud.ended(
        cloud.client("stepfunctions").start_execution(
            stateMachineArn=cloud.deployed.outputs["DeploymentStateMachineArn"],
            input=json.dumps({"model_package_arn": package}),
        )["executionArn"]
    )


def _scaling(cloud: Cloud) -> tuple[list[tuple[int, int]], list[float]]:
    scaling = cloud.client("application-autoscaling")
    targets = scaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"]
    policies = scaling.describe_scaling_policies(ServiceNamespace="sagemaker")["ScalingPolicies"]
    return (
        [(target["MinCapacity"], target["MaxCapacity"]) for target in targets],
        [policy["TargetTrackingScalingPolicyConfiguration"]["TargetValue"] for policy in policies],
    )


@pytest.fixture(scope="module")
def other(cloud: Cloud, deployed: dict[str, Any]) -> dict[str, Any]:
    """A second version, on other instances; the first one serves again."""
    output = json.loads(cloud.run(customer_id_end=1000, inference_instance_type="ml.c5.xlarge")["output"])
    assert output["outcome"] == "Deployed"
    assert _deploy(cloud, deployed["model_package_arn"])["status"] == "SUCCEEDED"
    return output


@pytest.fixture
def wrong(cloud: Cloud, other: dict[str, Any]) -> Any:
    """The second version's known row says what no model here answers."""
    bucket, _, key = f"{other['run_prefix']}/registration/deployment.json".removeprefix("s3://").partition("/")
    s3 = cloud.client("s3")
    right = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    document = json.loads(right)
    document["known_row"]["answer"] = "Neither"
    s3.put_object(Bucket=bucket, Key=key, Body=json.dumps(document).encode())
    yield
    s3.put_object(Bucket=bucket, Key=key, Body=right)


def test_deployment_reports_the_known_answer(cloud: Cloud, deployed: dict[str, Any]) -> None:
    known = json.loads(cloud.object(f"{deployed['run_prefix']}/registration/deployment.json"))["known_row"]
    assert deployed["smoke_test"] == f"passed: {known['answer']}"


@pytest.fixture
def overwritten(cloud: Cloud, other: dict[str, Any]) -> Any:
    """Another archive lies where the second version's was when it was evaluated."""
    bucket, _, key = f"{other['run_prefix']}/preprocessing/model.tar.gz".removeprefix("s3://").partition("/")
    s3 = cloud.client("s3")
    evaluated = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    s3.put_object(Bucket=bucket, Key=key, Body=b"another archive")
    yield
    s3.put_object(Bucket=bucket, Key=key, Body=evaluated)


@pytest.mark.usefixtures("overwritten")
def test_a_version_whose_archive_was_overwritten_is_not_deployed(cloud: Cloud, other: dict[str, Any]) -> None:
    before = cloud.client("sagemaker").describe_endpoint(EndpointName=ENDPOINT)["EndpointConfigName"]
    emails = len(cloud.emails())
    described = _deploy(cloud, other["model_package_arn"])
    assert (described["status"], described["error"]) == ("FAILED", "ModelArchiveChanged")
    [email] = cloud.emails()[emails:]
    assert "preprocessing/model.tar.gz was overwritten" in " ".join(str(email.get_payload()).split())
    assert cloud.client("sagemaker").describe_endpoint(EndpointName=ENDPOINT)["EndpointConfigName"] == before


@pytest.mark.usefixtures("wrong")
def test_a_wrong_answer_brings_back_what_served_with_its_autoscaling_and_one_email(
    cloud: Cloud, other: dict[str, Any], deployed: dict[str, Any]
) -> None:
    sagemaker = cloud.client("sagemaker")
    serving, scaling = sagemaker.describe_endpoint(EndpointName=ENDPOINT)["EndpointConfigName"], _scaling(cloud)
    emails = len(cloud.emails())

    described = _deploy(cloud, other["model_package_arn"])

    assert (described["status"], described["error"]) == ("FAILED", "SmokeTestFailed")
    [email] = cloud.emails()[emails:]
    assert email["Subject"] == "[SageMaker Pipeline Failed] DeployEndpoint"
    assert "Neither" in str(email.get_payload())
    assert "automl reject" in str(email.get_payload())
    endpoint = sagemaker.describe_endpoint(EndpointName=ENDPOINT)
    assert (endpoint["EndpointConfigName"], endpoint["EndpointStatus"]) == (serving, "InService")
    assert _scaling(cloud) == scaling != ([], [])


@pytest.mark.parametrize("gone", ["document", "row"])
def test_a_version_without_its_document_is_refused_and_without_a_row_is_not_asked(
    cloud: Cloud, other: dict[str, Any], gone: str
) -> None:
    bucket, _, key = f"{other['run_prefix']}/registration/deployment.json".removeprefix("s3://").partition("/")
    s3 = cloud.client("s3")
    document = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    s3.delete_object(Bucket=bucket, Key=key)
    if gone == "row":
        rest = {name: value for name, value in json.loads(document).items() if name != "known_row"}
        s3.put_object(Bucket=bucket, Key=key, Body=json.dumps(rest).encode())
    try:
        described = _deploy(cloud, other["model_package_arn"])
    finally:
        s3.put_object(Bucket=bucket, Key=key, Body=document)
    if gone == "row":
        output = json.loads(described["output"])
        assert (output["outcome"], output["smoke_test"][:7]) == ("Deployed", "skipped")
    else:
        assert described["error"] == "NoDeploymentDocument"
        assert "automl deploy --version" in described["cause"]


@pytest.mark.usefixtures("wrong")
def test_a_first_endpoint_that_answers_wrongly_does_not_stay(
    cloud: Cloud, other: dict[str, Any], deployed: Any
) -> None:
    sagemaker = cloud.client("sagemaker")
    sagemaker.delete_endpoint(EndpointName=ENDPOINT)
    sagemaker.get_waiter("endpoint_deleted").wait(EndpointName=ENDPOINT, WaiterConfig={"Delay": 1, "MaxAttempts": 60})

    assert _deploy(cloud, other["model_package_arn"])["error"] == "SmokeTestFailed"

    sagemaker.get_waiter("endpoint_deleted").wait(EndpointName=ENDPOINT, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    assert _deploy(cloud, deployed["model_package_arn"])["status"] == "SUCCEEDED"
