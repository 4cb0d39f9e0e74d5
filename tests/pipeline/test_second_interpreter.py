"""A second interpreter of the States Language runs the machines as the local cloud's does: well, and when things fail."""

from __future__ import annotations

import json
from typing import Any

import pytest

from .conftest import Cloud
from .second_interpreter import Recorded, replay


def agrees(cloud: Cloud, execution: str) -> dict[str, Any]:
    """Holds the second interpreter's execution against the first's. Returns what it came to."""
    recorded = Recorded.of(cloud.client("stepfunctions"), execution)
    replayed = replay(recorded)
    assert replayed.unexpected == []
    assert replayed.left == []
    ended = {name: replayed.execution.get(name) for name in ("status", "error", "cause")}
    assert ended == {name: recorded.described.get(name) for name in ("status", "error", "cause")}
    if ended["status"] == "SUCCEEDED":
        assert json.loads(replayed.execution["output"]) == json.loads(recorded.described["output"])
    return ended


def test_run_that_deploys(cloud: Cloud, deployed: dict[str, Any]) -> None:
    registration = json.loads(cloud.object(f"{deployed['run_prefix']}/registration/registration.json"))
    assert agrees(cloud, registration["execution_arn"])["status"] == "SUCCEEDED"


def test_deployment(cloud: Cloud, deployed: dict[str, Any]) -> None:
    assert agrees(cloud, cloud.deployments()[-1])["status"] == "SUCCEEDED"


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"feature_group_name": "no-such-group"}, "DataSourceFailed"),
        ({"customer_id_start": 900_000, "customer_id_end": 999_999}, "PreprocessDataFailed"),
        ({"objective_metric_name": "RMSE"}, "PrepareRunFailed"),
    ],
)
def test_run_that_fails_and_its_report(cloud: Cloud, given: dict[str, Any], error: str) -> None:
    execution = cloud.start(**given)
    assert cloud.ended(execution)["error"] == error
    assert agrees(cloud, execution)["error"] == error
    states = cloud.client("stepfunctions")
    machine = cloud.deployed.outputs["FailureStateMachineArn"]
    reports = [row["executionArn"] for row in states.list_executions(stateMachineArn=machine)["executions"]]
    [report] = [
        arn
        for arn in reports
        if json.loads(states.describe_execution(executionArn=arn)["input"]).get("execution") == execution
    ]
    agrees(cloud, report)
