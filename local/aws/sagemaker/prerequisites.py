"""What SageMaker asks of its caller and of the role it is given before it makes something: tags, a VPC, a key."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from local.aws.api_model import ApiError
from local.aws.iam import roles
from local.aws.sagemaker import authorization
from local.aws.sagemaker.state import arn

# https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-roles.html
VPC_ACTIONS = (
    "ec2:CreateNetworkInterface",
    "ec2:CreateNetworkInterfacePermission",
    "ec2:DeleteNetworkInterface",
    "ec2:DeleteNetworkInterfacePermission",
    "ec2:DescribeDhcpOptions",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "ec2:DescribeVpcs",
)
_FOR_AWS = {"kms:grantisforawsresource": "true"}


def check(operation: str, request: dict[str, Any]) -> None:
    """Raises ApiError where the caller or the role in the request lacks a permission that SageMaker looks for."""
    if not operation.startswith("Create"):
        return
    named = authorization.resource_of(request)
    if request.get("Tags") and named:
        _refuse(roles.caller_problem("sagemaker:AddTags", arn(*named)))
    role = request.get("RoleArn") or request.get("ExecutionRoleArn")
    members = list(_members(request))
    if role and any(name == "VpcConfig" for name, _ in members):
        for action in VPC_ACTIONS:
            _refuse(roles.permission_problem(role, action, "*"))
    for name, value in members:
        if name == "VolumeKmsKeyId":
            _refuse(roles.caller_problem("kms:CreateGrant", value, **_FOR_AWS))
            if role:
                _refuse(roles.permission_problem(role, "kms:CreateGrant", value, **_FOR_AWS))
        elif name == "KmsKeyId" and role:
            _refuse(roles.permission_problem(role, "kms:Encrypt", value))
        elif name == "KmsKeyId" and operation == "CreateEndpointConfig":
            _refuse(roles.caller_problem("kms:CreateGrant", value, **_FOR_AWS))


def _members(value: Any) -> Iterator[tuple[str, Any]]:
    """Every member of a request by its name, at any depth."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield name, inner
            yield from _members(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _members(inner)


def _refuse(problem: str | None) -> None:
    if problem:
        raise ApiError("AccessDeniedException", problem, 400)
