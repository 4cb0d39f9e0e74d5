"""Rules invoke functions that let them, and what fails three times comes to the function's destination."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from local.build import deploy


@pytest.fixture
def queue(client: Any) -> Iterator[Callable[[str], Any]]:
    """Makes a queue; returns its ARN and a function that waits for a message's body."""
    queues, made = client("sqs"), []

    def make(name: str) -> tuple[str, Callable[[], Any]]:
        url = queues.create_queue(QueueName=name)["QueueUrl"]
        made.append(url)

        def receive() -> Any:
            deadline = time.monotonic() + 30
            while time.monotonic() < deadline:
                for message in queues.receive_message(QueueUrl=url, WaitTimeSeconds=2).get("Messages", []):
                    return json.loads(message["Body"])
            raise AssertionError(f"nothing came to {name}")

        return queues.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"], receive

    yield make
    for url in made:
        queues.delete_queue(QueueUrl=url)


def fire(client: Any, stack: deploy.Stack, name: str, dead_letters: str, *, permitted: bool) -> None:
    """A rule that has the function fail, and an event for it."""
    events, functions = client("events"), client("lambda")
    function = functions.get_function(FunctionName=stack.outputs["Function"])["Configuration"]["FunctionArn"]
    rule = events.put_rule(Name=name, EventPattern=json.dumps({"source": [f"sample.{name}"]}))["RuleArn"]
    if permitted:
        functions.add_permission(
            FunctionName=function,
            StatementId=name,
            Action="lambda:InvokeFunction",
            Principal="events.amazonaws.com",
            SourceArn=rule,
        )
    target = {"Id": "function", "Arn": function, "Input": '{"do": "fail"}', "DeadLetterConfig": {"Arn": dead_letters}}
    events.put_targets(Rule=name, Targets=[target])
    events.put_events(Entries=[{"Source": f"sample.{name}", "DetailType": "test", "Detail": "{}"}])


def test_function_that_keeps_failing(client: Any, stack: deploy.Stack, queue: Any) -> None:
    (failed, receive), (dead_letters, _) = queue("failed"), queue("not-delivered")
    client("lambda").put_function_event_invoke_config(
        FunctionName=stack.outputs["Function"], DestinationConfig={"OnFailure": {"Destination": failed}}
    )
    fire(client, stack, "permitted", dead_letters, permitted=True)
    record = receive()
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert (record["requestPayload"], record["responsePayload"]["errorType"]) == ({"do": "fail"}, "NoSuchNameError")


def test_function_whose_policy_does_not_name_the_rule(client: Any, stack: deploy.Stack, queue: Any) -> None:
    dead_letters, receive = queue("refused")
    fire(client, stack, "refused", dead_letters, permitted=False)
    assert receive() == {"do": "fail"}
