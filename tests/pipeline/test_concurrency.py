"""Many at once: runs are not mixed up with one another, and deployments of the one endpoint take turns."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.processes import until

from .conftest import Cloud

ENDPOINT = "automl-pipeline"
# Twenty runs on five ranges of customers: each range is asked for by runs that differ in what they want done with it.
RANGES = [(1, 700), (1, 800), (301, 1000), (501, 1300), (1001, 1800)]
WISHES: list[dict[str, Any]] = [
    {},
    {"accuracy_threshold": 0.99},
    {"model_approval_status": "PendingManualApproval"},
    {"inference_instance_type": "ml.t2.medium"},
]
OUTCOMES = ["Deployed", "BelowThreshold", "PendingApproval", "Deployed"]


@pytest.fixture(scope="module")
def runs(cloud: Cloud, deployed: dict[str, Any]) -> Iterator[list[tuple[tuple[int, int], int, dict[str, Any]]]]:
    """What twenty runs answered that were started at once: range, place among WISHES, DescribeExecution.

    Afterwards the first version serves again, as other tests expect.
    """
    started = [
        (bounds, wish, cloud.start(customer_id_start=bounds[0], customer_id_end=bounds[1], **WISHES[wish]))
        for bounds in RANGES
        for wish in range(len(WISHES))
    ]
    yield [(bounds, wish, cloud.ended(execution, 600)) for bounds, wish, execution in started]
    _outcome(cloud, _deploy(cloud, deployed["model_package_arn"]))


def test_twenty_runs_at_once_all_end_as_they_should(runs: list[Any]) -> None:
    assert len(runs) == 20
    for bounds, wish, described in runs:
        assert described["status"] == "SUCCEEDED", (bounds, WISHES[wish], described.get("cause"))
        assert json.loads(described["output"])["outcome"] == OUTCOMES[wish]


def test_each_run_has_its_own_customers_and_answers(cloud: Cloud, runs: list[Any]) -> None:
    prefixes = set()
    for (start, end), _, described in runs:
        output = json.loads(described["output"])
        prefixes.add(output["run_prefix"])
        raw = cloud.client("s3").list_objects_v2(
            Bucket=cloud.deployed.outputs["BucketName"], Prefix=_key(output["run_prefix"]) + "/data/raw/"
        )["Contents"]
        [key] = [item["Key"] for item in raw if item["Key"].endswith(".csv")]
        rows = csv.DictReader(io.StringIO(cloud.object(f"s3://{cloud.deployed.outputs['BucketName']}/{key}").decode()))
        assert [row["customer_id"] for row in rows] == [f"CUST_{number:06d}" for number in range(start, end + 1)]
        answers = cloud.object(f"{output['run_prefix']}/evaluation/predictions/part-00000.jsonl.out").splitlines()
        assert len(answers) == pytest.approx((end - start + 1) / 5, abs=1)
        evaluation = json.loads(cloud.object(f"{output['run_prefix']}/evaluation/evaluation.json"))
        assert evaluation["accuracy"] == output["metrics"]["accuracy"]
    assert len(prefixes) == 20


def test_each_registered_version_is_made_of_its_own_run(cloud: Cloud, runs: list[Any]) -> None:
    registered = {
        output["model_package_arn"]: output
        for _, _, described in runs
        if (output := json.loads(described["output"]))["model_package_arn"]
    }
    assert len(registered) == 15
    for arn, output in registered.items():
        package = cloud.client("sagemaker").describe_model_package(ModelPackageName=arn)
        assert package["CustomerMetadataProperties"]["run_id"] == output["run_id"]
        for container in package["InferenceSpecification"]["Containers"]:
            assert container["ModelDataUrl"].startswith(output["run_prefix"] + "/")


def test_in_the_end_the_newest_approved_version_serves(cloud: Cloud, runs: list[Any]) -> None:
    newest = max(
        package["ModelPackageVersion"] for package in cloud.packages() if package["ModelApprovalStatus"] == "Approved"
    )
    endpoint = cloud.client("sagemaker").describe_endpoint(EndpointName=ENDPOINT)
    assert endpoint["EndpointStatus"] == "InService"
    assert f"-v{newest}-" in endpoint["EndpointConfigName"]


def test_a_run_by_the_name_of_an_earlier_one_starts_nothing(cloud: Cloud, runs: list[Any]) -> None:
    states = cloud.client("stepfunctions")
    arn = runs[0][2]["executionArn"]
    with pytest.raises(states.exceptions.ExecutionAlreadyExists):
        states.start_execution(
            stateMachineArn=cloud.deployed.outputs["TrainingStateMachineArn"],
            name=arn.rsplit(":", 1)[1],
            input='{"accuracy_threshold": 0.6}',
        )


# -- one endpoint


def _key(uri: str) -> str:
    return uri.removeprefix("s3://").partition("/")[2]


def _deploy(cloud: Cloud, package: str | None) -> str:
    given = {"model_package_arn": package} if package else {}
    return cloud.client("stepfunctions").start_execution(
        stateMachineArn=cloud.deployed.outputs["DeploymentStateMachineArn"], input=json.dumps(given)
    )["executionArn"]


def _outcome(cloud: Cloud, execution: str) -> str:
    described = cloud.ended(execution)
    assert described["status"] == "SUCCEEDED", described
    return json.loads(described["output"])["outcome"]


def _status(cloud: Cloud) -> str:
    sagemaker = cloud.client("sagemaker")
    try:
        return sagemaker.describe_endpoint(EndpointName=ENDPOINT)["EndpointStatus"]
    except sagemaker.exceptions.ClientError as error:
        assert "Could not find" in str(error)
        return "None"


def _two_versions(cloud: Cloud) -> tuple[str, str]:
    """Approved versions, the older one first. Both may serve side by side with what other tests left."""
    approved = [item["ModelPackageArn"] for item in cloud.packages() if item["ModelApprovalStatus"] == "Approved"]
    return approved[-1], approved[0]


def test_deployment_while_the_endpoint_is_being_deleted_makes_it_anew(cloud: Cloud, runs: list[Any]) -> None:
    cloud.client("sagemaker").delete_endpoint(EndpointName=ENDPOINT)
    assert _outcome(cloud, _deploy(cloud, None)) == "Deployed"
    assert _status(cloud) == "InService"


@pytest.mark.parametrize(
    "there", [True, False], ids=["on an endpoint that serves", "on an endpoint that is made first"]
)
def test_deployments_of_two_versions_at_once_agree(cloud: Cloud, runs: list[Any], there: bool) -> None:
    """They take turns in the order in which they were started, so the last one's version serves."""
    older, newer = _two_versions(cloud)
    if not there:
        cloud.client("sagemaker").delete_endpoint(EndpointName=ENDPOINT)
        assert until(lambda: _status(cloud) == "None", 60)
    executions = [_deploy(cloud, package) for package in (older, newer, older, newer)]
    assert {_outcome(cloud, execution) for execution in executions} <= {"Deployed", "AlreadyServing"}
    endpoint = cloud.client("sagemaker").describe_endpoint(EndpointName=ENDPOINT)
    assert endpoint["EndpointStatus"] == "InService"
    assert f"-v{newer.rsplit('/', 1)[1]}-" in endpoint["EndpointConfigName"]


def test_only_the_last_deployments_are_kept(cloud: Cloud, runs: list[Any]) -> None:
    sagemaker = cloud.client("sagemaker")
    serving = sagemaker.describe_endpoint(EndpointName=ENDPOINT)["EndpointConfigName"]
    listed = sagemaker.list_endpoint_configs(NameContains=f"{ENDPOINT}-v", MaxResults=100)["EndpointConfigs"]
    configs = {item["EndpointConfigName"] for item in listed}
    listed = sagemaker.list_models(NameContains=f"{ENDPOINT}-v", MaxResults=100)["Models"]
    models = {item["ModelName"] for item in listed}
    assert serving in configs
    # The last three, the one that serves, and the one that served before it.
    assert len(configs) <= 5
    assert models == {config.rpartition("-")[0] for config in configs}
