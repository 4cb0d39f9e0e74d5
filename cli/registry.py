"""Approves, rejects and deploys versions of the model in the registry."""

from __future__ import annotations

import json
from datetime import UTC
from typing import Any

from botocore.exceptions import ClientError

from cli.stack import RefusedError, Stack, client
from cli.terminal import typed


def version_of(reference: str, stack: Stack) -> int:
    """The version that a person means: its number, or the run that registered it. Raises RefusedError if there is none."""
    if reference.isascii() and reference.isdigit():
        return int(reference)
    from_run = [row["version"] for row in listed(stack) if row["run_id"] == reference]
    if not from_run:
        raise RefusedError(
            f"No recent version was registered by run {reference}. {_versions(client('sagemaker'), stack)}"
        )
    return from_run[0]


def approve(version: int, stack: Stack) -> list[str]:
    """Approve a version; EventBridge then deploys the newest approved one. Returns sentences for the person.

    Raises RefusedError if there is no such version.
    """
    sagemaker = client("sagemaker")
    package = _describe(sagemaker, version, stack)
    if package["ModelApprovalStatus"] == "Approved":
        return [
            f"Version {version} is approved already. To put it on the endpoint: {typed(f'deploy --version {version}')}"
        ]
    sagemaker.update_model_package(ModelPackageArn=package["ModelPackageArn"], ModelApprovalStatus="Approved")
    said = [f"Version {version} is approved."]
    newest = _newest_approved(sagemaker, stack)
    if newest > version:
        said.append(
            f"Version {newest} is newer and approved, so the endpoint keeps to it. "
            f"To put version {version} there: {typed(f'deploy --version {version}')}"
        )
    else:
        said.append(f"Its deployment starts by itself. To see it: {typed('watch --deployment')}")
    return said


def reject(version: int, stack: Stack, reason: str | None = None) -> list[str]:
    """Reject a version, which then is not deployed. Returns sentences for the person.

    Raises RefusedError if there is no such version.
    """
    sagemaker = client("sagemaker")
    package = _describe(sagemaker, version, stack)
    changes: Any = {"ApprovalDescription": reason} if reason else {}
    if package["ModelApprovalStatus"] == "Rejected" and not changes:
        return [f"Version {version} is rejected already."]
    sagemaker.update_model_package(
        ModelPackageArn=package["ModelPackageArn"], ModelApprovalStatus="Rejected", **changes
    )
    said = [f"Version {version} is rejected."]
    if serving_version(sagemaker, stack) == version:
        said.append(f"It serves, and will until another version is deployed: {typed('deploy')}")
    return said


def deploy(version: int | None, stack: Stack) -> str:
    """Start the deployment of a version, or of the newest approved one. Returns the execution's ARN.

    Raises RefusedError if there is no such version or it is not approved.
    """
    sagemaker = client("sagemaker")
    given = {}
    if version is not None:
        package = _describe(sagemaker, version, stack)
        status = package["ModelApprovalStatus"]
        if status != "Approved":
            raise RefusedError(
                f"Version {version} is {status}, and only approved ones are deployed: {typed(f'approve {version}')}"
            )
        given["model_package_arn"] = package["ModelPackageArn"]
    elif not _newest_approved(sagemaker, stack):
        raise RefusedError("No version is approved. " + _versions(sagemaker, stack))
    machine = stack.outputs["DeploymentStateMachineArn"]
    return client("stepfunctions").start_execution(stateMachineArn=machine, input=json.dumps(given))["executionArn"]


def serving_version(sagemaker: Any, stack: Stack) -> int | None:
    """The version that serves on the endpoint, None if there is no endpoint or it serves something else."""
    try:
        endpoint = sagemaker.describe_endpoint(EndpointName=stack.outputs["EndpointName"])
        config = sagemaker.describe_endpoint_config(EndpointConfigName=endpoint["EndpointConfigName"])
        model = sagemaker.describe_model(ModelName=config["ProductionVariants"][0]["ModelName"])
    except ClientError as error:
        if "Could not find" in str(error):
            return None
        raise
    containers = model.get("Containers") or [model["PrimaryContainer"]]
    package = containers[0].get("ModelPackageName", "")
    same_group = f":model-package/{stack.outputs['ModelPackageGroupName']}/" in package
    return int(package.rsplit("/", 1)[1]) if same_group else None


def listed(stack: Stack) -> list[dict[str, Any]]:
    """The newest versions, newest first: version, approval, when and by which run, and whether it serves."""
    sagemaker = client("sagemaker")
    serving = serving_version(sagemaker, stack)
    found = []
    for row in _rows(sagemaker, stack):
        package = sagemaker.describe_model_package(ModelPackageName=row["ModelPackageArn"])
        found.append(
            {
                "version": row["ModelPackageVersion"],
                "approval": row["ModelApprovalStatus"],
                "reason": package.get("ApprovalDescription"),
                "created": row["CreationTime"].astimezone(UTC),
                "run_id": package.get("CustomerMetadataProperties", {}).get("run_id"),
                "serves": row["ModelPackageVersion"] == serving,
                "arn": row["ModelPackageArn"],
            }
        )
    return found


def _describe(sagemaker: Any, version: int, stack: Stack) -> dict[str, Any]:
    group = stack.outputs["ModelPackageGroupName"]
    try:
        group_arn = sagemaker.describe_model_package_group(ModelPackageGroupName=group)["ModelPackageGroupArn"]
        package_arn = f"{group_arn.replace(':model-package-group/', ':model-package/')}/{version}"
        return sagemaker.describe_model_package(ModelPackageName=package_arn)
    except ClientError as error:
        if "does not exist" not in str(error):
            raise
        raise RefusedError(f"There is no version {version}. {_versions(sagemaker, stack)}") from None


def _newest_approved(sagemaker: Any, stack: Stack) -> int:
    """The newest approved version, 0 if there is none."""
    approved = [row["ModelPackageVersion"] for row in _rows(sagemaker, stack, ModelApprovalStatus="Approved")]
    return max(approved, default=0)


def _versions(sagemaker: Any, stack: Stack) -> str:
    group = stack.outputs["ModelPackageGroupName"]
    rows = _rows(sagemaker, stack)
    if not rows:
        return f"Model package group {group} has no version yet; a run that reaches its threshold registers one: {typed('start')}"
    known = ", ".join(f"{row['ModelPackageVersion']} ({row['ModelApprovalStatus']})" for row in rows[:10])
    return f"{group} has: {known}{', …' if len(rows) > 10 else ''}."


def _rows(sagemaker: Any, stack: Stack, **conditions: str) -> list[dict[str, Any]]:
    """The newest versions, newest first; none if the group was never made."""
    group = stack.outputs["ModelPackageGroupName"]
    try:
        return sagemaker.list_model_packages(
            ModelPackageGroupName=group, SortBy="CreationTime", SortOrder="Descending", MaxResults=11, **conditions
        )["ModelPackageSummaryList"]
    except ClientError as error:
        if "does not exist" in str(error):
            return []
        raise
