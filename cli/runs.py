"""Starts and watches runs of a deployed stack. boto3 finds AWS, or the laptop cloud where AWS_ENDPOINT_URL names it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import boto3
import yaml
from automl_pipeline import settings
from botocore.exceptions import ClientError
from rich.console import Console

from cli.watching import Finished, follow


class Refused(Exception):
    """What was asked for cannot be done; the message says why and what to do."""


def start(config: Path | None, stack_name: str) -> str:
    """Start a run with the settings in a YAML file. Returns the execution's ARN. Raises Refused with every problem."""
    given = _read(config) if config else {}
    outputs = stack_outputs(stack_name)
    machine = outputs["TrainingStateMachineArn"]
    deployed = {
        "bucket": outputs["BucketName"],
        "model_package_group": outputs["ModelPackageGroupName"],
        "endpoint_name": outputs["EndpointName"],
        "prefix": outputs["Prefix"],
    }
    try:
        # What else was deployed is known to PrepareRun alone, which checks all of it again.
        settings.resolve(
            {key: value for key, value in given.items() if key in deployed or key not in settings.DEPLOY_TIME}, deployed
        )
    except settings.InvalidInput as error:
        raise Refused(str(error)) from None
    return boto3.client("stepfunctions").start_execution(stateMachineArn=machine, input=json.dumps(given))[
        "executionArn"
    ]


def _read(config: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(config.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(f"{config} cannot be read: {error}") from None
    except yaml.YAMLError as error:
        raise Refused(f"{config} is not YAML: {error}") from None
    if content is not None and not isinstance(content, dict):
        raise Refused(f"{config} must hold settings, one `key: value` a line.")
    return content or {}


def newest(stack_name: str) -> str:
    """The ARN of the newest run. Raises Refused if there is none."""
    machine = stack_outputs(stack_name)["TrainingStateMachineArn"]
    executions = boto3.client("stepfunctions").list_executions(stateMachineArn=machine, maxResults=1)["executions"]
    if not executions:
        raise Refused("No run was started yet: automl start")
    return executions[0]["executionArn"]


def watch(execution_arn: str, console: Console) -> Finished:
    """Show the steps of a run until it has ended."""
    return follow(boto3.client("stepfunctions"), execution_arn, console, sagemaker=boto3.client("sagemaker"))


def stack_outputs(stack_name: str) -> dict[str, str]:
    """The outputs of the deployed stack by their keys. Raises Refused if there is no such stack."""
    try:
        stacks = boto3.client("cloudformation").describe_stacks(StackName=stack_name)["Stacks"]
    except ClientError as error:
        if "does not exist" in str(error):
            raise Refused(
                f"There is no stack {stack_name} in this account and region. Deploy it, or name another one with --stack-name."
            ) from None
        raise
    return {output["OutputKey"]: output["OutputValue"] for output in stacks[0]["Outputs"]}
