"""Schedules start machines under their role, with their input filled in."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from local.build import deploy


@pytest.fixture
def once(client: Any, stack: deploy.Stack) -> Any:
    """Lets a schedule fire once, in a second, with a role that has the statements; returns the schedule's name."""

    def schedule(name: str, *statements: dict[str, Any], dead_letters: str | None = None) -> None:
        iam = client("iam")
        service = {"Effect": "Allow", "Principal": {"Service": "scheduler.amazonaws.com"}, "Action": "sts:AssumeRole"}
        group = "arn:aws:scheduler:us-west-2:000000000000:schedule-group/default"
        service["Condition"] = {"StringEquals": {"aws:SourceArn": group}}  # as the documentation recommends
        trust = json.dumps({"Version": "2012-10-17", "Statement": [service]})
        role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
        if statements:
            document = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
            iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=document)
        at = (datetime.now(UTC) + timedelta(seconds=1)).strftime("%Y-%m-%dT%H:%M:%S")
        target = {
            "Arn": stack.outputs["Machine"],
            "RoleArn": role,
            "Input": '{"name": "<aws.scheduler.schedule-arn>"}',
        }
        if dead_letters:
            target["DeadLetterConfig"] = {"Arn": dead_letters}
        client("scheduler").create_schedule(
            Name=name, ScheduleExpression=f"at({at})", FlexibleTimeWindow={"Mode": "OFF"}, Target=target
        )

    return schedule


def _inputs(client: Any, stack: deploy.Stack) -> list[str]:
    machines = client("stepfunctions")
    listed = machines.list_executions(stateMachineArn=stack.outputs["Machine"])["executions"]
    return [machines.describe_execution(executionArn=execution["executionArn"])["input"] for execution in listed]


def test_schedule_starts_the_machine(client: Any, stack: deploy.Stack, once: Any) -> None:
    start = {"Effect": "Allow", "Action": "states:StartExecution", "Resource": stack.outputs["Machine"]}
    once("nightly", start)
    expected = '{"name": "arn:aws:scheduler:us-west-2:000000000000:schedule/default/nightly"}'
    deadline = time.monotonic() + 30
    while expected not in _inputs(client, stack):
        assert time.monotonic() < deadline, "the schedule did not start the machine"


def test_schedule_whose_role_may_not(client: Any, stack: deploy.Stack, once: Any) -> None:
    queues = client("sqs")
    queue = queues.create_queue(QueueName="missed-schedules")["QueueUrl"]
    arn = queues.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    once("forbidden", dead_letters=arn)
    letters: list[Any] = []
    deadline = time.monotonic() + 30
    while not letters and time.monotonic() < deadline:
        letters = queues.receive_message(QueueUrl=queue, WaitTimeSeconds=5).get("Messages", [])
    assert ["schedule/default/forbidden" in letter["Body"] for letter in letters] == [True]
    assert not any("schedule/default/forbidden" in text for text in _inputs(client, stack))
