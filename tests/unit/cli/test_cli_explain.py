"""`--explain`, answered from recorded executions: what is printed, and what is not called."""

from __future__ import annotations

import shlex
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from cli import explain

ARN = "arn:aws:states:eu-central-1:111122223333:execution:churn:night"


@pytest.fixture
def states() -> Any:
    return boto3.client(
        "stepfunctions", region_name="eu-central-1", aws_access_key_id="test", aws_secret_access_key="test"
    )


def test_call_that_changes_something_is_printed_and_not_made(states: Any) -> None:
    with explain.explaining() as lines:
        explain.attach(states)
        states.stop_execution(executionArn=ARN, cause="it's late")  # without network, a call would fail
        pytest.fail("The command went on.")
    assert [shlex.split(line) for line in lines] == [
        ["aws", "stepfunctions", "stop-execution", "--execution-arn", ARN, "--cause", "it's late", "--region", "eu-central-1"]
    ]  # fmt: skip


def test_command_that_looks_until_something_changes_is_ended(states: Any) -> None:
    looks = 0
    with Stubber(states) as answers, explain.explaining() as lines:
        explain.attach(states)
        for _ in range(9):
            answers.add_response("describe_execution", {"executionArn": ARN, "stateMachineArn": ARN, "status": "RUNNING", "startDate": 1})  # fmt: skip
        while True:
            states.describe_execution(executionArn=ARN)
            looks += 1
    assert (len(lines), looks) == (1, explain._MOST_LOOKS)


@pytest.mark.parametrize(
    ("service", "operation", "given", "printed"),
    [
        ("s3", "GetObject", {"Bucket": "b", "Key": "runs/x/evaluation.json"}, "aws s3api get-object --bucket b --key runs/x/evaluation.json --region us-east-1 evaluation.json"),
        ("sagemaker-runtime", "InvokeEndpoint", {"EndpointName": "e", "Body": b"1"}, "aws sagemaker-runtime invoke-endpoint --endpoint-name e --body fileb://FILE --region us-east-1 answer"),
        ("sagemaker", "DescribeAutoMLJobV2", {"AutoMLJobName": "a"}, "aws sagemaker describe-auto-ml-job-v2 --auto-ml-job-name a --region us-east-1"),
        ("stepfunctions", "GetExecutionHistory", {"executionArn": "a", "reverseOrder": True, "nextToken": "x"}, "aws stepfunctions get-execution-history --execution-arn a --reverse-order --region us-east-1"),
        ("scheduler", "UpdateSchedule", {"FlexibleTimeWindow": {"Mode": "OFF"}}, """aws scheduler update-schedule --flexible-time-window '{"Mode": "OFF"}' --region us-east-1"""),
    ],
)  # fmt: skip
def test_line_has_the_names_of_the_aws_cli(service: Any, operation: str, given: dict[str, Any], printed: str) -> None:
    model = boto3.client(service, region_name="us-east-1").meta.service_model.operation_model(operation)
    assert explain.command_line(given, model, "us-east-1") == printed
