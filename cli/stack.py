"""Finds the deployed stack, on AWS or, where AWS_ENDPOINT_URL names it, on the local cloud."""

from __future__ import annotations

import os
import threading
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from automl_pipeline import settings
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    TokenRetrievalError,
)

from cli import explain
from cli.terminal import program

SAMCONFIG = Path(__file__).parents[1] / "samconfig.toml"
LOCAL_STACK = "automl-pipeline"
_making_clients = threading.Lock()

_NEEDED = (
    "TrainingStateMachineArn",
    "DeploymentStateMachineArn",
    "BucketName",
    "ModelPackageGroupName",
    "EndpointName",
)


class RefusedError(Exception):
    """What was asked for cannot be done; the message says why and what to do, one line for each problem."""


@dataclass(frozen=True)
class Stack:
    """A deployed stack: its outputs and its parameters, by their keys."""

    name: str
    outputs: dict[str, str]
    parameters: dict[str, str]

    def defaults(self) -> dict[str, Any]:
        """The settings that were deployed, as far as the stack says; a run starts from them."""
        return settings_of(self.parameters) | {
            "project_name": self.outputs.get("ProjectName") or self.parameters.get("ProjectName"),
            "pipeline_name": self.outputs["TrainingStateMachineArn"].rpartition(":")[2],
            "bucket": self.outputs["BucketName"],
            "prefix": self.outputs.get("Prefix") or self.parameters.get("Prefix"),
            "model_package_group": self.outputs["ModelPackageGroupName"],
            "endpoint_name": self.outputs["EndpointName"],
            "region": self.outputs["TrainingStateMachineArn"].split(":")[3],
            "sns_topic_arn": self.outputs.get("FailureTopicArn"),
        }


def settings_of(parameters: Mapping[str, str]) -> dict[str, Any]:
    """The settings that template parameters give: those that are named like one."""
    plain = {name.replace("_", ""): name for name in settings.Settings.model_fields}
    environment = {
        settings.ENVIRONMENT_PREFIX + plain[key.lower()].upper(): value
        for key, value in parameters.items()
        if key.lower() in plain
    }
    return settings.deployed(environment)


def _client(service: Any, *, config: Config | None = None) -> Any:
    """A boto3 client with the person's credentials. boto3 itself reads AWS_DEFAULT_REGION only, the AWS CLI both."""
    with _making_clients:  # boto3's default session is not safe to make clients of in several threads
        made = boto3.client(service, region_name=os.environ.get("AWS_REGION") or None, config=config)
    explain.attach(made)
    return made


# Typed as boto3's own, whose stubs know the client of each service.
client = _client if not TYPE_CHECKING else boto3.client


def remembered() -> str:
    """The stack that a person who names none means: the local cloud's, else the one that `make deploy` asked for.

    AWS_REGION is set to that stack's Region where the person has set none.
    """
    if os.environ.get("AWS_ENDPOINT_URL") or not SAMCONFIG.is_file():
        return LOCAL_STACK
    known = tomllib.loads(SAMCONFIG.read_text(encoding="utf-8")).get("default", {}).get("deploy", {})
    parameters = known.get("parameters", {})
    if "region" not in parameters:  # nobody has answered make deploy's questions here
        return LOCAL_STACK
    if not os.environ.get("AWS_DEFAULT_REGION"):
        os.environ.setdefault("AWS_REGION", parameters["region"])
    return parameters["stack_name"]


def find(name: str) -> Stack:
    """The stack of this name. Raises RefusedError if there is none that has come up, ClientError and BotoCoreError."""
    formation = client("cloudformation")
    try:
        stack = formation.describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        if "does not exist" in str(error):
            raise RefusedError(
                f"There is no stack {name} in {formation.meta.region_name} in this account. "
                "Deploy it (make deploy), or name another one with --stack-name."
            ) from None
        raise
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
    missing = [key for key in _NEEDED if key not in outputs]
    if missing:
        raise RefusedError(
            f"Stack {name} ({stack['StackStatus']}) has no output {', '.join(missing)}: it has not come up, or is not "
            "this pipeline's. Look at its events, or name another one with --stack-name."
        )
    parameters = {item["ParameterKey"]: item.get("ParameterValue", "") for item in stack.get("Parameters", [])}
    return Stack(name, outputs, parameters)


def endpoint_of(stack: Stack) -> Mapping[str, Any] | None:
    """DescribeEndpoint's answer about the stack's endpoint; None if there is none."""
    try:
        return client("sagemaker").describe_endpoint(EndpointName=stack.outputs["EndpointName"])
    except ClientError as error:
        if "Could not find" in str(error):
            return None
        raise


def explained(error: ClientError | BotoCoreError) -> str:
    """An error of AWS or of the way there, with what a person can do about it."""
    if isinstance(error, NoCredentialsError):
        return (
            "No credentials. For AWS: aws configure. For the local cloud: copy the lines that "
            f"`{program()} local up` prints."
        )
    if isinstance(error, NoRegionError):
        return "No region. Set AWS_REGION, or run aws configure."
    if isinstance(error, TokenRetrievalError):
        return f"{error} Sign in again: aws sso login."
    if isinstance(error, EndpointConnectionError):
        endpoint_url = os.environ.get("AWS_ENDPOINT_URL")
        return f"Nothing answers at {endpoint_url}: is `{program()} local up` running?" if endpoint_url else str(error)
    return str(error)
