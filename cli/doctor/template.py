"""What the template grants each role, with the values of a deployed stack in place of its functions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import boto3

from cli.doctor.target import Target, template

_MISSING = object()  # AWS::NoValue


class UnresolvedError(LookupError):
    """A value that the stack does not have, or not yet."""


@dataclass(frozen=True)
class Statement:
    """A statement of a role's policy, resolved."""

    role: str  # logical id
    sid: str
    allows: bool
    actions: list[str]
    resources: list[str]
    conditions: dict[str, dict[str, list[str]]]  # operator → key → values


class Resolver:
    """Resolves the functions of CloudFormation that the template's policies use."""

    def __init__(self, target: Target):
        self._target = target
        self.template = template()

    @cached_property
    def _pseudo(self) -> dict[str, str]:
        region = self._target.region
        partition = boto3.Session().get_partition_for_region(region)
        return {
            "AWS::AccountId": self._target.account,
            "AWS::Region": region,
            "AWS::Partition": partition,
            "AWS::StackName": self._target.name,
            "AWS::URLSuffix": "amazonaws.com.cn" if partition == "aws-cn" else "amazonaws.com",
        }

    def statements(self) -> Iterator[Statement]:
        """Every statement of every role that the stack has. Raises UnresolvedError, ClientError and BotoCoreError."""
        for name, resource in self.template["Resources"].items():
            properties = resource["Properties"]
            if resource["Type"] == "AWS::IAM::Role":
                yield from self._of([name], properties["Policies"])
            elif resource["Type"] == "AWS::IAM::Policy" and self.holds(resource.get("Condition")):
                roles = [one["Ref"] for one in properties["Roles"]]
                yield from self._of(roles, [properties])

    def _of(self, roles: list[str], policies: list[Any]) -> Iterator[Statement]:
        for policy in map(self.value, policies):
            for statement in policy["PolicyDocument"]["Statement"]:
                for role in roles:
                    yield Statement(
                        role,
                        statement["Sid"],
                        statement["Effect"] == "Allow",
                        _listed(statement["Action"]),
                        _listed(statement["Resource"]),
                        {
                            operator: {key: _listed(values) for key, values in keys.items()}
                            for operator, keys in statement.get("Condition", {}).items()
                        },
                    )

    def value(self, given: Any) -> Any:
        """A value of the template with its functions carried out; what is AWS::NoValue is left out."""
        if isinstance(given, list):
            return [one for one in map(self.value, given) if one is not _MISSING]
        if not isinstance(given, dict):
            return given
        if len(given) == 1:
            ((function, argument),) = given.items()
            if function == "Ref" or function.startswith("Fn::"):
                return self._carried_out(function, argument)
        return {key: one for key, inner in given.items() if (one := self.value(inner)) is not _MISSING}

    def _carried_out(self, function: str, argument: Any) -> Any:
        match function:
            case "Ref":
                return self._reference(argument)
            case "Fn::GetAtt":
                resource, attribute = argument.split(".", 1) if isinstance(argument, str) else argument
                return self._attribute(resource, attribute)
            case "Fn::If":
                condition, yes, no = argument
                return self.value(yes if self.holds(condition) else no)
            case "Fn::Split":
                mark, text = argument
                return str(self.value(text)).split(mark)
            case "Fn::Sub":
                return self._substituted(argument)
        raise UnresolvedError(function)

    def _substituted(self, argument: Any) -> str:
        text, own = (argument, {}) if isinstance(argument, str) else argument
        names = {name: self.value(one) for name, one in own.items()}

        def found(match: re.Match[str]) -> str:
            name = match[1]
            if name in names:
                return str(names[name])
            return str(self._attribute(*name.split(".", 1)) if "." in name else self._reference(name))

        return re.sub(r"\$\{([\w.:]+)\}", found, text)

    def _reference(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return _MISSING
        if name in self._pseudo:
            return self._pseudo[name]
        if name in self._target.parameters:
            return self._target.parameters[name]
        return self._physical(name)[1]

    def _physical(self, name: str) -> tuple[str, str]:
        try:
            return self._target.resources[name]
        except KeyError:
            raise UnresolvedError(f"the stack has no resource {name}") from None

    def _attribute(self, name: str, attribute: str) -> str:
        kind, physical = self._physical(name)
        if (kind, attribute) == ("AWS::SSM::Parameter", "Value"):
            return str(self.value(self.template["Resources"][name]["Properties"]["Value"]))
        partition, region, account = (self._pseudo[f"AWS::{one}"] for one in ("Partition", "Region", "AccountId"))
        if attribute in ("Name", "QueueName"):
            return re.split(r"[:/]", physical)[-1]
        if attribute == "Arn" and physical.startswith("arn:"):
            return physical
        arns = {
            "AWS::S3::Bucket": f"arn:{partition}:s3:::{physical}",
            "AWS::IAM::Role": f"arn:{partition}:iam::{account}:role/{physical}",
            "AWS::SQS::Queue": f"arn:{partition}:sqs:{region}:{account}:{physical.rpartition('/')[2]}",
            "AWS::Lambda::Function": f"arn:{partition}:lambda:{region}:{account}:function:{physical}",
            "AWS::Logs::LogGroup": f"arn:{partition}:logs:{region}:{account}:log-group:{physical}:*",
        }
        if attribute != "Arn" or kind not in arns:
            raise UnresolvedError(f"{name}.{attribute}")
        return arns[kind]

    def holds(self, condition: Any) -> bool:
        """Whether a condition holds: its name, or its expression; None always does."""
        if condition is None:
            return True
        if isinstance(condition, str):
            return self.holds(self.template["Conditions"][condition])
        ((function, argument),) = condition.items()
        match function:
            case "Condition":
                return self.holds(argument)
            case "Fn::Equals":
                one, other = map(self.value, argument)
                return str(one) == str(other)
            case "Fn::Not":
                return not self.holds(argument[0])
            case "Fn::And":
                return all(map(self.holds, argument))
            case "Fn::Or":
                return any(map(self.holds, argument))
        raise UnresolvedError(function)


def context(statements: list[Statement], one: Statement) -> list[dict[str, Any]]:
    """What IAM's simulator needs to know so that conditions hold as they do in a run.

    The values that an Allow asks for, and those that keep a Deny with a negated condition from applying.
    """
    wanted: dict[str, list[str]] = {}
    for statement in statements:
        for operator, keys in statement.conditions.items():
            if statement is one or (not statement.allows and "Not" in operator):
                for key, values in keys.items():
                    wanted.setdefault(key, values)
    return [
        {"ContextKeyName": key, "ContextKeyValues": values[:1], "ContextKeyType": _type(key)}
        for key, values in wanted.items()
    ]


def _type(key: str) -> str:
    if key == "kms:GrantIsForAWSResource":
        return "boolean"
    return "stringList" if key == "sagemaker:InstanceTypes" else "string"


def _listed(value: Mapping[str, Any] | list[Any] | str) -> list[Any]:
    return [
        str(one).lower() if isinstance(one, bool) else str(one)
        for one in (value if isinstance(value, list) else [value])
    ]
