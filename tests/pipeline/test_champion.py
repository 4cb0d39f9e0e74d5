"""The version that serves answers the test rows of each run; where it cannot, the run says why and goes on."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

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


@pytest.fixture(scope="module")
def compared(cloud: Cloud, deployed: dict[str, Any]) -> dict[str, Any]:
    """What a run answered while a version served."""
    assert deployed["outcome"] == "Deployed"
    return json.loads(cloud.run(**REFUSED)["output"])


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
    rows = cloud.object(f"{compared['run_prefix']}/evaluation/champion/test.jsonl.out").splitlines()
    assert len(rows) == json.loads(cloud.object(f"{compared['run_prefix']}/evaluation/evaluation.json"))["rows"]


@pytest.mark.usefixtures("without_model")
def test_what_serves_and_cannot_answer_is_said_and_fails_no_run(cloud: Cloud, compared: dict[str, Any]) -> None:
    described = cloud.run(**REFUSED, resume_from=compared["run_id"])
    assert described["status"] == "SUCCEEDED"
    error = json.loads(described["output"])["champion"]["error"]
    assert error.startswith(f"Version {_serving(cloud)}, which serves now, could not be evaluated: ")
    assert "Could not find model" in error
