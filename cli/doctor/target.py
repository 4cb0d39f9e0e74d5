"""What is examined: the stack that is deployed, or the one that `make deploy` would deploy."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any

from automl_pipeline import settings
from botocore.exceptions import ClientError

from cli.stack import client, settings_of
from local.build import packaging
from local.server import paths

# States in which CloudFormation can update a stack.
_USABLE = re.compile(r"(CREATE|UPDATE|IMPORT|UPDATE_ROLLBACK|IMPORT_ROLLBACK)_COMPLETE")


@cache
def template() -> dict[str, Any]:
    """The template as it is on this machine."""
    return packaging.read_template(paths.PROJECT / "template.yaml")


@dataclass(frozen=True)
class Target:
    """A stack: its name, its Region, the template's parameters by name, and its state and outputs once deployed."""

    name: str
    region: str
    parameters: dict[str, str]
    status: str | None = None
    outputs: dict[str, str] = field(default_factory=dict)

    @property
    def deployed(self) -> bool:
        """Whether there is a stack that has come up."""
        return self.status is not None and _USABLE.fullmatch(self.status) is not None

    @property
    def bucket(self) -> str | None:
        """The bucket for data and models, None as long as it is still to be created."""
        return self.outputs.get("BucketName") or self.parameters["BucketName"] or None

    @cached_property
    def settings(self) -> dict[str, Any]:
        """The settings that a run starts from, as far as the parameters say."""
        return {
            **{name: one.default for name, one in settings.Settings.model_fields.items()},
            **settings_of(self.parameters),
        }

    @cached_property
    def account(self) -> str:
        """The account of the credentials. Raises ClientError and BotoCoreError."""
        return client("sts").get_caller_identity()["Account"]

    @cached_property
    def feature_group(self) -> Mapping[str, Any] | None:
        """DescribeFeatureGroup's answer, None if there is no such group. Raises ClientError."""
        try:
            return client("sagemaker").describe_feature_group(FeatureGroupName=self.settings["feature_group_name"])
        except ClientError as error:
            if error.response["Error"]["Code"] == "ResourceNotFound":
                return None
            raise

    @cached_property
    def resources(self) -> dict[str, tuple[str, str]]:
        """Logical id → type and physical id. Empty before the deployment. Raises ClientError."""
        if not self.deployed:
            return {}
        pages = client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=self.name)
        return {
            row["LogicalResourceId"]: (row["ResourceType"], row.get("PhysicalResourceId", ""))
            for page in pages
            for row in page["StackResourceSummaries"]
        }


def planned(name: str, region: str, overrides: str | Mapping[str, str]) -> Target:
    """The stack before its deployment. `overrides`: as `parameter_overrides` in samconfig.toml, or by name."""
    defaults = {key: str(one.get("Default", "")) for key, one in template()["Parameters"].items()}
    if isinstance(overrides, str):
        pairs = [word.partition("=") for word in shlex.split(overrides)]
        return Target(name, region, defaults | {key: value for key, _, value in pairs})
    return Target(name, region, {**defaults, **overrides})


def examined(name: str, region: str, overrides: str | Mapping[str, str] = "") -> Target:
    """The deployed stack of this name, else the planned one. Raises ClientError and BotoCoreError."""
    plan = planned(name, region, overrides)
    try:
        stack = client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        if "does not exist" in str(error):
            return plan
        raise
    deployed = {item["ParameterKey"]: item.get("ParameterValue", "") for item in stack.get("Parameters", [])}
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
    return Target(name, region, plan.parameters | deployed, stack["StackStatus"], outputs)
