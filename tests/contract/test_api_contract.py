"""Requests and answers of AWS's APIs against botocore's models: in the machines, the functions and the command line."""

from __future__ import annotations

import copy
from functools import cache
from typing import Any

import pytest

from tests.contract import expression_reads, machine_requests, machines, recordings

# Step Functions spells keys as the AWS SDK for Java does; how that spells AutoML is not documented, so both are read.
BOTH_SPELLINGS = {"training.DescribeAutoMLJob": ("AutoMlJobStatus", "FinalAutoMlJobObjectiveMetric")}


@cache
def as_it_is(machine: str) -> list[str]:
    return expression_reads.Machine(machine).problems()


@pytest.mark.parametrize("machine", machines.NAMES)
def test_what_expressions_read_can_be_there(machine: str) -> None:
    found = as_it_is(machine)
    unknown = [
        problem
        for problem in found
        if not any(f"{name}: " in problem for name in BOTH_SPELLINGS.get(problem.split(" ")[0], ()))
    ]
    assert unknown == []


@pytest.mark.parametrize("machine", machines.NAMES)
def test_requests_are_what_the_api_takes(machine: str) -> None:
    assert machine_requests.problems(machine) == []


def changed(machine: str, state: str, old: str, new: str) -> dict[str, Any]:
    """The machine with a text replaced everywhere in one state."""
    definition = copy.deepcopy(recordings.deployed(machine))
    assert old in repr(definition["States"][state])
    definition["States"][state] = _replaced(definition["States"][state], old, new)
    return definition


def _replaced(value: Any, old: str, new: str) -> Any:
    if isinstance(value, dict):
        return {_replaced(key, old, new): _replaced(inner, old, new) for key, inner in value.items()}
    if isinstance(value, list):
        return [_replaced(inner, old, new) for inner in value]
    return value.replace(old, new) if isinstance(value, str) else value


@pytest.mark.parametrize(
    ("machine", "state", "old", "new"),
    [
        ("training", "RegisterModel", "$states.result.ModelPackageArn", "$states.result.ModelPackageARN"),
        ("training", "DescribeFeatureGroup", "$lowercase(FeatureName)", "$lowercase(Name)"),
        ("training", "DescribeAutoMLJob", "$job.FailureReason", "$job.FailedReason"),
        ("training", "DescribeAutoMLJob", "$metric.Value", "$metric.Worth"),
        ("training", "PrepareRun", "$states.errorOutput.Cause", "$states.errorOutput.Reason"),
        ("training", "CheckModelQuality", "$evaluation.gate_value", "$evaluation.value"),
        ("training", "SaveModelInfo", "$run.names.automl_job", "$run.names.automl"),
        ("training", "AutoMLJobStatus", "$container.Image", "$container.ImageUri"),
        ("training", "ExplainFailure", "$told.ExitMessage", "$told.ExitMesage"),
        ("training", "Deployed", "$deployment.version", "$deployment.number"),
        ("deployment", "FindApprovedPackage", "ModelPackageSummaryList[0]", "ModelPackageSummaries[0]"),
        ("deployment", "DescribeServingConfig", "[0].InstanceType", "[0].Instance"),
        ("deployment", "DescribeModelPackage", "$wish.enable_autoscaling", "$wish.autoscaling"),
        ("deployment", "CheckInstanceType", "same_instance_type", "same_type"),
        ("deployment", "ReadRequest", "$states.input.trigger", "$states.input.cause"),
        ("deployment", "Superseded", "$package.arn", "$packages.arn"),
    ],
)
def test_misspelled_read_is_named_with_its_state(machine: str, state: str, old: str, new: str) -> None:
    before = as_it_is(machine)
    after = expression_reads.Machine(machine, changed(machine, state, old, new)).problems()
    found = [problem for problem in after if problem not in before]
    assert found
    assert any(problem.startswith(f"{machine}.{state} ") for problem in found)


@pytest.mark.parametrize(
    ("machine", "state", "old", "new", "said"),
    [
        ("training", "PreprocessData", "ProcessingResources", "ProcessingResource", "is not supported"),
        ("training", "StartAutoMLJob", "ENSEMBLING", "ENSEMBLE", "enum value set"),
        ("training", "StartAutoMLJob", "TargetAttributeName", "ProblemTyp", "is not supported"),
        ("training", "SaveModelInfo", "ContentType", "Contenttype", "is not supported"),
        ("training", "NotifyFailure", "TopicArn", "TargetArm", "is not supported"),
        ("deployment", "CreateEndpointConfig", "AllTraffic", "All Traffic", "regular expression pattern"),
        ("deployment", "PutScalingPolicy", "TargetTrackingScalingPolicyConfiguration", "TargetTracking", "is not supported"),
    ],
)  # fmt: skip
def test_wrong_request_is_named_with_its_state(machine: str, state: str, old: str, new: str, said: str) -> None:
    found = machine_requests.problems(machine, changed(machine, state, old, new))
    assert any(problem.startswith(f"{machine}.{state}: ") and said in problem for problem in found)


def test_missing_member_of_a_request_is_named_with_its_state() -> None:
    definition = copy.deepcopy(recordings.deployed("training"))
    del definition["States"]["CreateModelPackageGroup"]["Arguments"]["ModelPackageGroupName"]
    [found] = machine_requests.problems("training", definition)
    assert found.startswith("training.CreateModelPackageGroup: CreateModelPackageGroup: Value null")
