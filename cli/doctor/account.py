"""Credentials, Region, quotas, and names that are taken."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    ProfileNotFound,
)

from cli.doctor.finding import Finding
from cli.doctor.target import Target, template
from cli.stack import client, explained

# The setting with the instance type, and what Service Quotas calls its use in the quota's name, as its own list and SageMaker's
# errors have it ("The account-level service limit 'ml.m5.xlarge for endpoint usage' is 0 Instances"):
# https://docs.aws.amazon.com/general/latest/gr/sagemaker.html, https://repost.aws/knowledge-center/sagemaker-resource-limit-exceeded-error
_USES = (
    ("automl_instance_type", "training job"),
    ("processing_instance_type", "processing job"),
    ("transform_instance_type", "transform job"),
    ("inference_instance_type", "endpoint"),
)


def credentials() -> Finding:
    """Who asks. The one finding without which no other check can be made."""
    try:
        me = client("sts").get_caller_identity()
    except (NoCredentialsError, ProfileNotFound, ClientError, BotoCoreError) as error:
        return Finding("Credentials", "problem", explained(error), "aws configure, aws sso login, or --profile")
    return Finding("Credentials", "ok", f"account {me['Account']}, {me['Arn']}")


def stack(target: Target) -> Iterator[Finding]:
    """Whether CloudFormation can create or update the stack."""
    name, status = target.name, target.status
    if status is None:
        yield Finding("Stack", "ok", f"{name} is not deployed yet; this is how it would be", None)
    elif target.deployed:
        yield Finding("Stack", "ok", f"{name} is {status}")
    elif status.endswith("_IN_PROGRESS"):
        yield Finding("Stack", "warning", f"{name} is {status}", "wait until CloudFormation has finished")
    elif status == "UPDATE_ROLLBACK_FAILED":
        remedy = f"aws cloudformation continue-update-rollback --region {target.region} --stack-name {name}"
        yield Finding(
            "Stack", "problem", f"{name} is {status}: it takes no update until the rollback is continued", remedy
        )
    else:
        remedy = f"read its events, then aws cloudformation delete-stack --region {target.region} --stack-name {name}"
        yield Finding("Stack", "problem", f"{name} is {status}: CloudFormation cannot update it", remedy)


def image(target: Target) -> Iterator[Finding]:
    """Whether AWS publishes the image there in which data is prepared."""
    regions = template()["Mappings"]["ImageAccounts"]
    if target.region in regions:
        registry = regions[target.region]["ScikitLearn"]
        yield Finding("Region: image", "ok", f"the scikit-learn image is published in {target.region} by {registry}")
    else:
        message = f"SageMaker's scikit-learn image is not published in {target.region}"
        yield Finding("Region: image", "problem", message, f"choose another Region: {', '.join(sorted(regions))}")


def autopilot(target: Target) -> Iterator[Finding]:
    """Whether Autopilot's API answers there."""
    yield _answers("Region: Autopilot", target, lambda: client("sagemaker").list_auto_ml_jobs(MaxResults=1))


def scheduler(target: Target) -> Iterator[Finding]:
    """Whether EventBridge Scheduler answers there; the template has a schedule."""
    yield _answers("Region: EventBridge Scheduler", target, lambda: client("scheduler").list_schedules(MaxResults=1))


def _answers(check: str, target: Target, ask: Any) -> Finding:
    try:
        ask()
    except EndpointConnectionError:
        return Finding(check, "problem", f"nothing answers in {target.region}", "choose another Region")
    return Finding(check, "ok", f"answers in {target.region}")


def quotas(target: Target) -> Iterator[Finding]:
    """Quotas for the stack's instance types: applied values, else AWS's defaults."""
    wanted = {f"{target.settings[key]} for {use} usage": key for key, use in _USES if target.settings[key]}
    values = _quota_values(set(wanted))
    for name, key in wanted.items():
        check = f"Quota: {name}"
        needed = target.settings["autoscaling_min_capacity"] if key == "inference_instance_type" else 1
        remedy = (
            f"request it in Service Quotas (aws service-quotas list-service-quotas --region {target.region} "
            f"--service-code sagemaker --query \"Quotas[?QuotaName=='{name}']\")"
        )
        if name not in values:
            yield Finding(
                check, "warning", "Service Quotas has no such quota: SageMaker may not offer this type here", remedy
            )
        elif values[name] < needed:
            yield Finding(check, "problem", f"is {values[name]:g}, at least {needed} is needed", remedy)
        elif key == "inference_instance_type":
            yield _endpoint_quota(target, check, values[name], remedy)
        else:
            yield Finding(check, "ok", f"is {values[name]:g}")


def _endpoint_quota(target: Target, check: str, value: float, remedy: str) -> Finding:
    low, high = target.settings["autoscaling_min_capacity"], target.settings["autoscaling_max_capacity"]
    # A blue/green update runs the new fleet beside the old one (SageMaker Developer Guide, "Blue/Green deployments").
    if value < 2 * low:
        return Finding(
            check, "warning", f"is {value:g}; a new model comes up beside the old one and needs {2 * low}", remedy
        )
    if target.settings["enable_autoscaling"] and value < high:
        return Finding(check, "warning", f"is {value:g}, fewer than autoscaling_max_capacity {high}", remedy)
    return Finding(check, "ok", f"is {value:g}")


def _quota_values(names: set[str]) -> dict[str, float]:
    quotas_api = client("service-quotas")
    found: dict[str, float] = {}
    for operation in ("list_service_quotas", "list_aws_default_service_quotas"):
        for page in quotas_api.get_paginator(operation).paginate(ServiceCode="sagemaker"):
            for quota in page["Quotas"]:
                if quota["QuotaName"] in names:
                    found.setdefault(quota["QuotaName"], quota["Value"])
            if names <= found.keys():
                return found
    return found


def names(target: Target) -> Iterator[Finding]:
    """Other stacks of this pipeline in the Region whose names or places are this stack's too."""
    own = _names(target.name, target.parameters, target.outputs)
    pages = client("cloudformation").get_paginator("describe_stacks").paginate()
    others = [
        (row["StackName"], _names(row["StackName"], _pairs(row, "Parameters", "Parameter"), outputs))
        for page in pages
        for row in page["Stacks"]
        if row["StackName"] != target.name
        and "TrainingStateMachineArn" in (outputs := _pairs(row, "Outputs", "Output"))
    ]
    shared = [
        (name, what, own[what]) for name, theirs in others for what in own if own[what] and own[what] == theirs[what]
    ]
    for name, what, value in shared:
        yield Finding(
            "Names", "problem", f"stack {name} has the {what} {value} too", f"deploy with another {_SHARED[what]}"
        )
    if not shared:
        yield Finding("Names", "ok", f"no other stack of this pipeline uses them ({len(others)} looked at)")


_SHARED = {
    "endpoint": "EndpointName",
    "model package group": "ModelPackageGroupName",
    "training machine": "PipelineName",
    "bucket and prefix": "Prefix or BucketName",
}


def _names(stack_name: str, parameters: dict[str, str], outputs: dict[str, str]) -> dict[str, str]:
    """Names that two stacks must not share, by what they name; empty as long as the stack itself decides them."""
    bucket = outputs.get("BucketName") or parameters.get("BucketName", "")
    prefix = outputs.get("Prefix") or parameters.get("Prefix", "")
    machine = outputs.get("TrainingStateMachineArn", "").rpartition(":")[2] or parameters.get("PipelineName", "")
    return {
        "endpoint": outputs.get("EndpointName") or parameters.get("EndpointName", ""),
        "model package group": outputs.get("ModelPackageGroupName") or parameters.get("ModelPackageGroupName", ""),
        "training machine": machine,
        "bucket and prefix": f"{bucket}/{prefix}" if bucket else "",
    }


def _pairs(row: Mapping[str, Any], many: str, one: str) -> dict[str, str]:
    return {item[f"{one}Key"]: item.get(f"{one}Value", "") for item in row.get(many, [])}
