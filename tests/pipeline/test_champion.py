"""The version that serves answers the test rows of each run; where it cannot, the run says why and goes on."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from typing import Any

import pandas
import pytest

from .conftest import Cloud

ENDPOINT = "automl-pipeline"
# No version is registered, and what serves stays.
REFUSED = {"customer_id_end": 1000, "accuracy_threshold": 0.99}


def _serving(cloud: Cloud) -> int:
    config = cloud.client("sagemaker").describe_endpoint(EndpointName=ENDPOINT)["EndpointConfigName"]
    found = re.match(rf"{ENDPOINT}-v(\d+)-", config)
    assert found, config
    return int(found[1])


def _labels(cloud: Cloud, run: dict[str, Any], answers: str) -> Iterator[str]:
    """What was answered, of both files."""
    for part in range(2):
        content = cloud.object(f"{run['run_prefix']}/evaluation/{answers}/part-0000{part}.jsonl.out").decode()
        yield from (line.split(",")[0] for line in content.splitlines())


@pytest.fixture(scope="module")
def compared(cloud: Cloud, deployed: dict[str, Any]) -> dict[str, Any]:
    """What a run answered while a version served."""
    assert deployed["outcome"] == "Deployed"
    return json.loads(cloud.run(**REFUSED, transform_instance_count=2)["output"])


@pytest.fixture
def without_model(cloud: Cloud, compared: dict[str, Any]) -> Iterator[None]:
    """The model of the run that trained the serving version is deleted."""
    assert compared
    sagemaker, group = cloud.client("sagemaker"), cloud.deployed.outputs["ModelPackageGroupName"]
    listed = sagemaker.list_model_packages(ModelPackageGroupName=group)["ModelPackageSummaryList"]
    package = next(one["ModelPackageArn"] for one in listed if one["ModelPackageVersion"] == _serving(cloud))
    name = sagemaker.describe_model_package(ModelPackageName=package)["CustomerMetadataProperties"]["model_name"]
    described = sagemaker.describe_model(ModelName=name)
    sagemaker.delete_model(ModelName=name)
    yield
    sagemaker.create_model(
        ModelName=name, ExecutionRoleArn=described["ExecutionRoleArn"], Containers=described["Containers"]
    )


def test_what_serves_answers_the_test_rows_of_a_new_model(cloud: Cloud, compared: dict[str, Any]) -> None:
    assert (compared["champion"]["version"], compared["champion"]["error"]) == (_serving(cloud), None)
    evaluation = json.loads(cloud.object(f"{compared['run_prefix']}/evaluation/evaluation.json"))
    assert len([*_labels(cloud, compared, "champion")]) == evaluation["rows"]


def test_answers_of_two_instances_are_those_of_the_test_rows(cloud: Cloud, compared: dict[str, Any]) -> None:
    test = pandas.read_csv(io.BytesIO(cloud.object(f"{compared['run_prefix']}/data/test/test.csv")))
    evaluation = json.loads(cloud.object(f"{compared['run_prefix']}/evaluation/evaluation.json"))
    for answers, accuracy in (
        ("predictions", evaluation["accuracy"]),
        ("champion", evaluation["champion"]["metrics"]["accuracy"]),
    ):
        right = [said == label for said, label in zip(_labels(cloud, compared, answers), test["churn"], strict=True)]
        assert sum(right) / len(right) == pytest.approx(accuracy)


@pytest.mark.usefixtures("without_model")
def test_what_serves_and_cannot_answer_is_said_and_fails_no_run(cloud: Cloud, compared: dict[str, Any]) -> None:
    described = cloud.run(**REFUSED, resume_from=compared["run_id"])
    assert described["status"] == "SUCCEEDED"
    error = json.loads(described["output"])["champion"]["error"]
    assert error.startswith(f"Version {_serving(cloud)}, which serves now, could not be evaluated: ")
    assert "Could not find model" in error
