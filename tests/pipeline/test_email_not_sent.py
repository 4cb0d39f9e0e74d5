"""An email that cannot be sent neither hides a failure nor changes what it is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from .conftest import Cloud


@pytest.fixture
def topic_gone(cloud: Cloud) -> Iterator[None]:
    sns, topic = cloud.client("sns"), cloud.deployed.outputs["FailureTopicArn"]
    attributes = sns.get_topic_attributes(TopicArn=topic)["Attributes"]
    [subscription] = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    sns.delete_topic(TopicArn=topic)
    yield
    kept = {name: attributes[name] for name in ("Policy", "DisplayName") if name in attributes}
    assert sns.create_topic(Name=topic.rpartition(":")[2], Attributes=kept)["TopicArn"] == topic
    sns.subscribe(TopicArn=topic, Protocol=subscription["Protocol"], Endpoint=subscription["Endpoint"])


@pytest.fixture
def may_not_publish(cloud: Cloud) -> Iterator[None]:
    """The roles of the machines, denied to send mails."""
    iam, states = cloud.client("iam"), cloud.client("stepfunctions")
    kept = []
    for machine in ("Training", "Failure"):
        arn = cloud.deployed.outputs[f"{machine}StateMachineArn"]
        role = states.describe_state_machine(stateMachineArn=arn)["roleArn"].rpartition("/")[2]
        [policy] = iam.list_role_policies(RoleName=role)["PolicyNames"]
        document = iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
        kept.append({"RoleName": role, "PolicyName": policy, "PolicyDocument": json.dumps(document)})
        # Taking the permission away would not do: the topic's own policy lets these roles publish, too.
        denied = [*document["Statement"], {"Effect": "Deny", "Action": "sns:Publish", "Resource": "*"}]
        iam.put_role_policy(**{**kept[-1], "PolicyDocument": json.dumps({**document, "Statement": denied})})
    yield
    for policy in kept:
        iam.put_role_policy(**policy)


def failed_run(cloud: Cloud) -> dict[str, Any]:
    return cloud.run(nonsense=1)


def failed_deployment(cloud: Cloud) -> dict[str, Any]:
    machine = cloud.deployed.outputs["DeploymentStateMachineArn"]
    group = cloud.deployed.outputs["ModelPackageGroupName"]
    package = f"arn:aws:sagemaker:us-west-2:000000000000:model-package/{group}/999"
    started = cloud.client("stepfunctions").start_execution(
        stateMachineArn=machine, input=json.dumps({"model_package_arn": package})
    )
    return cloud.ended(started["executionArn"])


@pytest.mark.parametrize("without", ["topic_gone", "may_not_publish"])
@pytest.mark.parametrize("fail", [failed_run, failed_deployment])
def test_failure_stays_what_it_is(cloud: Cloud, request: pytest.FixtureRequest, fail: Any, without: str) -> None:
    reported = fail(cloud)
    emails = len(cloud.emails())
    request.getfixturevalue(without)
    untold = fail(cloud)
    assert (untold["status"], untold["error"]) == ("FAILED", reported["error"])
    # Behind it a denied call names its request, which is another each time.
    assert untold["cause"].partition("Request ID")[0] == reported["cause"].partition("Request ID")[0]
    assert len(cloud.emails()) == emails
