"""A role can be given to a service only by who may pass it, and only if the role trusts that service."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from local.server import address, process


def _trusting(service: str) -> str:
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.fixture(scope="module")
def roles(client: Any) -> dict[str, str]:
    """ARNs of one role that Lambda may assume and one that Step Functions may assume."""
    arns = {}
    for service in ("lambda", "states"):
        trust = _trusting(f"{service}.amazonaws.com")
        role = client("iam").create_role(RoleName=f"for-{service}", AssumeRolePolicyDocument=trust)["Role"]
        arns[service] = role["Arn"]
    return arns


@pytest.fixture
def create_function(server: process.Server, client: Any) -> Any:
    """Creates a function as a user whose policy has the given statements beside `lambda:CreateFunction`."""
    iam = client("iam")
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as content:
        content.writestr("app.py", "def handler(event, context): return 1")

    def attempt(user: str, role: str, *statements: dict[str, Any]) -> Any:
        iam.create_user(UserName=user)
        key = iam.create_access_key(UserName=user)["AccessKey"]
        create = {"Effect": "Allow", "Action": "lambda:CreateFunction", "Resource": "*"}
        policy = {"Version": "2012-10-17", "Statement": [create, *statements]}
        iam.put_user_policy(UserName=user, PolicyName="own", PolicyDocument=json.dumps(policy))
        session = boto3.Session(key["AccessKeyId"], key["SecretAccessKey"], region_name=address.REGION)
        return session.client("lambda", endpoint_url=server.endpoint_url).create_function(
            FunctionName=f"by-{user}",
            Runtime="python3.13",
            Handler="app.handler",
            Role=role,
            Code={"ZipFile": archive.getvalue()},
        )

    return attempt


def _pass(role: str, service: str) -> dict[str, Any]:
    condition = {"StringEquals": {"iam:PassedToService": service}}
    return {"Effect": "Allow", "Action": "iam:PassRole", "Resource": role, "Condition": condition}


def test_with_permission_to_pass(create_function: Any, roles: dict[str, str]) -> None:
    created = create_function("allowed", roles["lambda"], _pass(roles["lambda"], "lambda.amazonaws.com"))
    assert created["Role"] == roles["lambda"]


def test_without_permission_to_pass(create_function: Any, roles: dict[str, str]) -> None:
    with pytest.raises(ClientError, match=r"not authorized to perform: iam:PassRole on resource: .*for-lambda"):
        create_function("forgotten", roles["lambda"])


def test_permission_for_another_service(create_function: Any, roles: dict[str, str]) -> None:
    with pytest.raises(ClientError, match="iam:PassRole"):
        create_function("elsewhere", roles["lambda"], _pass(roles["lambda"], "sagemaker.amazonaws.com"))


def test_role_that_does_not_trust_lambda(create_function: Any, roles: dict[str, str]) -> None:
    with pytest.raises(ClientError, match=r"lambda\.amazonaws\.com is not authorized to assume"):
        create_function("mixed", roles["states"], _pass(roles["states"], "lambda.amazonaws.com"))


def test_machine_whose_role_trusts_another_service(client: Any, roles: dict[str, str]) -> None:
    definition = {"StartAt": "End", "States": {"End": {"Type": "Succeed"}}}
    with pytest.raises(ClientError, match=r"states\.amazonaws\.com is not authorized to assume"):
        client("stepfunctions").create_state_machine(
            name="mixed", definition=json.dumps(definition), roleArn=roles["lambda"]
        )
