"""What the local cloud's Step Functions promises of the States Language, seen on small machines."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from .conftest import Cloud

Run = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def role(cloud: Cloud) -> str:
    trust = {"Effect": "Allow", "Principal": {"Service": "states.amazonaws.com"}, "Action": "sts:AssumeRole"}
    allowed = {
        "Effect": "Allow",
        "Action": ["states:StartExecution", "states:DescribeExecution", "states:StopExecution"],
        "Resource": "*",
    }
    iam, name = cloud.client("iam"), "engine-tests"
    arn = iam.create_role(
        RoleName=name, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    )["Role"]["Arn"]
    iam.put_role_policy(
        RoleName=name, PolicyName="nest", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    )
    return arn


@pytest.fixture
def started(cloud: Cloud, role: str) -> Callable[..., str]:
    def start(states: dict[str, Any], **top: Any) -> str:
        definition = {"QueryLanguage": "JSONata", "StartAt": next(iter(states)), "States": states, **top}
        client = cloud.client("stepfunctions")
        machine = client.create_state_machine(
            name=f"test-{uuid4().hex[:12]}", definition=json.dumps(definition), roleArn=role
        )
        return client.start_execution(stateMachineArn=machine["stateMachineArn"])["executionArn"]

    return start


@pytest.fixture
def run(cloud: Cloud, started: Callable[..., str]) -> Run:
    return lambda states, **top: cloud.ended(started(states, **top), 30)


def test_assign_sees_the_values_from_before(run: Run) -> None:
    described = run({
        "One": {"Type": "Pass", "Assign": {"a": 1, "b": '{% "two " & $string({"quoted": 1}) %}'}, "Next": "Swap"},
        "Swap": {"Type": "Pass", "Assign": {"a": "{% $b %}", "b": "{% $a %}"}, "Next": "End"},
        "End": {"Type": "Succeed", "Output": "{% [$a, $b] %}"},
    })  # fmt: skip
    assert json.loads(described["output"]) == ['two {"quoted":1}', 1]


def test_functions_that_aws_adds(run: Run) -> None:
    expression = '{% {"hash": $substring($hash("a", "SHA-256"), 0, 6), "parts": $partition([1, 2, 3], 2), "range": $range(0, 4, 2), "parsed": $parse("[true]"), "id": $length($uuid())} %}'
    described = run({"End": {"Type": "Succeed", "Output": expression}})
    assert json.loads(described["output"]) == {
        "hash": "ca9781",
        "parts": [[1, 2], [3]],
        "range": [0, 2, 4],
        "parsed": [True],
        "id": 36,
    }


def test_expression_without_a_result_is_an_error(run: Run) -> None:
    described = run({"End": {"Type": "Pass", "Output": "{% $states.input.nothing %}", "End": True}})
    assert (described["status"], described["error"]) == ("FAILED", "States.QueryEvaluationError")


def test_execution_that_takes_too_long_times_out(run: Run) -> None:
    described = run({"Wait": {"Type": "Wait", "Seconds": 600, "End": True}}, TimeoutSeconds=1)
    assert described["status"] == "TIMED_OUT"


CALL = {
    "Type": "Task",
    "Resource": "arn:aws:states:::states:startExecution.sync:2",
    "End": True,
}


def test_nested_failure_comes_as_task_failed_with_the_childs_description(
    cloud: Cloud, started: Callable[..., str], run: Run
) -> None:
    child = started({"No": {"Type": "Fail", "Error": "OutOfPaper", "Cause": "none left"}})
    machine = cloud.ended(child)["stateMachineArn"]
    described = run({"Call": {**CALL, "Arguments": {"StateMachineArn": machine, "Input": {}}}})
    assert described["error"] == "States.TaskFailed"
    assert json.loads(described["cause"])["Error"] == "OutOfPaper"


def test_parallel_fails_with_the_error_of_its_branch(cloud: Cloud, started: Callable[..., str], run: Run) -> None:
    child = started({"No": {"Type": "Fail", "Error": "OutOfPaper", "Cause": "none left"}})
    machine = cloud.ended(child)["stateMachineArn"]
    call = {**CALL, "Arguments": {"StateMachineArn": machine, "Input": {}}}
    caught = {"ErrorEquals": ["States.TaskFailed"], "Output": "{% $states.errorOutput.Error %}", "Next": "Caught"}
    described = run({
        "Both": {"Type": "Parallel", "Branches": [{"StartAt": "Call", "States": {"Call": call}}], "Catch": [caught], "End": True},
        "Caught": {"Type": "Succeed"},
    })  # fmt: skip
    assert (described["status"], described.get("output")) == ("SUCCEEDED", '"States.TaskFailed"'), described


def test_executions_of_one_machine_at_the_same_time_count_their_own_retries(cloud: Cloud, role: str) -> None:
    again = {"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 2}
    count = {"Assign": {"tried": "{% $states.context.State.RetryCount %}"}}
    call = {
        "Type": "Task",
        "Resource": "arn:aws:states:::aws-sdk:sagemaker:listModels",  # which the role may not
        "Arguments": {},
        "Retry": [again],
        "Catch": [{"ErrorEquals": ["States.ALL"], **count, "Next": "Tried"}],
        "End": True,
    }
    states = {"Call": call, "Tried": {"Type": "Succeed", "Output": "{% $tried %}"}}
    client = cloud.client("stepfunctions")
    machine = client.create_state_machine(
        name=f"test-{uuid4().hex[:12]}",
        definition=json.dumps({"QueryLanguage": "JSONata", "StartAt": "Call", "States": states}),
        roleArn=role,
    )["stateMachineArn"]
    started = [client.start_execution(stateMachineArn=machine)["executionArn"] for _ in range(6)]
    assert [cloud.ended(one, 30).get("output") for one in started] == ["2"] * 6


def test_stopping_the_parent_stops_the_child(cloud: Cloud, started: Callable[..., str]) -> None:
    child = started({"Wait": {"Type": "Wait", "Seconds": 6000, "End": True}})
    client = cloud.client("stepfunctions")
    machine = client.describe_execution(executionArn=child)["stateMachineArn"]
    client.stop_execution(executionArn=child)
    parent = started({"Call": {**CALL, "Arguments": {"StateMachineArn": machine, "Input": {}}}})
    deadline = time.monotonic() + 20
    while len(client.list_executions(stateMachineArn=machine)["executions"]) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    time.sleep(0.5)
    client.stop_execution(executionArn=parent)
    assert cloud.ended(parent)["status"] == "ABORTED"
    while any(item["status"] == "RUNNING" for item in client.list_executions(stateMachineArn=machine)["executions"]):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_call_that_the_role_may_not_make_is_denied(run: Run) -> None:
    states = {
        "List": {
            "Type": "Task",
            "Resource": "arn:aws:states:::aws-sdk:sagemaker:listModels",
            "Arguments": {},
            "End": True,
        }
    }
    described = run(states)
    assert described["error"] == "SageMaker.SageMakerException"
    assert "not authorized to perform: sagemaker:ListModels" in described["cause"]


def test_field_that_the_operation_lacks_is_refused(run: Run) -> None:
    states = {
        "Describe": {
            "Type": "Task",
            "Resource": "arn:aws:states:::aws-sdk:sagemaker:describeModel",
            "Arguments": {"ModelNam": "x"},
            "End": True,
        }
    }
    described = run(states)
    assert "not supported by Step Functions" in described["cause"]


def test_broken_definition_is_refused(cloud: Cloud, role: str) -> None:
    client = cloud.client("stepfunctions")
    definition = {"QueryLanguage": "JSONata", "StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "Nowhere"}}}
    with pytest.raises(client.exceptions.InvalidDefinition, match="MISSING_TRANSITION_TARGET"):
        client.create_state_machine(name="broken", definition=json.dumps(definition), roleArn=role)
