"""What `sam deploy` does: a change set from the packaged template, executed, watched, and explained when it fails."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from local.build import packaging
from local.server import paths
from local.server.address import ACCOUNT_ID, REGION
from local.server.clients import client

ARTIFACT_BUCKET = f"automl-artifacts-{ACCOUNT_ID}-{REGION}"
TEMPLATE_BODY_LIMIT_BYTES = 51_200
TIMEOUT_SECONDS = 120.0
_POLL_SECONDS = 0.1
_CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]

Progress = Callable[[str], None]


class DeployError(Exception):
    """The stack was not created or updated; the message names each resource that failed and why."""


@dataclass(frozen=True)
class Stack:
    """A deployed stack."""

    name: str
    outputs: dict[str, str]
    changed: bool


def deploy(
    endpoint_url: str, stack_name: str, *, template: Path = paths.PROJECT / "template.yaml",
    parameters: dict[str, str] | None = None, progress: Progress = lambda _: None,
) -> Stack:  # fmt: skip
    """Build what changed, upload it, and create or update the stack on the local cloud at `endpoint_url`.

    `progress` gets one line of text for each step. Raises packaging.BuildError and DeployError.
    """
    artifacts = packaging.build(template, progress=progress)
    s3 = client(endpoint_url, "s3")
    _ensure_bucket(s3, ARTIFACT_BUCKET)
    progress("Uploading packages")
    body = json.dumps(packaging.package(template, artifacts, s3, ARTIFACT_BUCKET), default=str)
    cloudformation = client(endpoint_url, "cloudformation")
    source = _template_source(s3, endpoint_url, body)
    return _apply(cloudformation, stack_name, source, parameters or {}, progress)


def _apply(
    cloudformation: Any, name: str, source: dict[str, str], parameters: dict[str, str], progress: Progress
) -> Stack:
    exists = _exists(cloudformation, name)
    change_set = f"deploy-{time.time_ns()}"
    try:
        created = cloudformation.create_change_set(
            StackName=name,
            ChangeSetName=change_set,
            ChangeSetType="UPDATE" if exists else "CREATE",
            Capabilities=_CAPABILITIES,
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
            **source,
        )
    except ClientError as error:
        raise DeployError(f"The template was refused: {error.response['Error']['Message']}") from None
    arn = created["Id"]
    change = _wait(
        lambda: cloudformation.describe_change_set(ChangeSetName=arn), ("CREATE_PENDING", "CREATE_IN_PROGRESS")
    )
    if change["Status"] == "FAILED":
        cloudformation.delete_change_set(ChangeSetName=arn)
        reason = change.get("StatusReason", "")
        if exists and ("didn't contain changes" in reason or "No updates" in reason):
            return Stack(name, _outputs(cloudformation, name), changed=False)
        raise DeployError(f"The change set was refused: {reason}")
    started = _newest_event(cloudformation, name)
    progress(f"{'Updating' if exists else 'Creating'} stack {name}")
    cloudformation.execute_change_set(ChangeSetName=arn)
    status = _watch(cloudformation, name, started, progress)
    if status not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
        raise DeployError(_reasons(cloudformation, name, started, status))
    return Stack(name, _outputs(cloudformation, name), changed=True)


def _watch(cloudformation: Any, name: str, since: str | None, progress: Progress) -> str:
    """Report resources as they are done. Returns the stack's final status."""
    reported: set[str] = set()
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while True:
        # The status first: events that come before a final status are then all seen.
        status = cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]
        for event in _events(cloudformation, name, since):
            if event["EventId"] not in reported and event["LogicalResourceId"] != name:
                reported.add(event["EventId"])
                if event["ResourceStatus"].endswith(("_COMPLETE", "_FAILED")):
                    progress(f"{event['ResourceStatus']} {event['LogicalResourceId']} ({event['ResourceType']})")
        if not status.endswith("_IN_PROGRESS"):
            return status
        if time.monotonic() > deadline:
            raise DeployError(f"Stack {name} is still {status} after {TIMEOUT_SECONDS:.0f} s")
        time.sleep(_POLL_SECONDS)


def _reasons(cloudformation: Any, name: str, since: str | None, status: str) -> str:
    failed = [
        f"  {event['LogicalResourceId']} ({event['ResourceType']}): {event.get('ResourceStatusReason', 'no reason')}"
        for event in _events(cloudformation, name, since)
        if event["ResourceStatus"].endswith("_FAILED")
    ]
    return "\n".join([f"Stack {name} ended as {status}:", *failed])


def _events(cloudformation: Any, name: str, since: str | None) -> list[dict[str, Any]]:
    """The stack's events after the one with id `since`, oldest first."""
    events: list[dict[str, Any]] = []
    for page in cloudformation.get_paginator("describe_stack_events").paginate(StackName=name):
        for event in page["StackEvents"]:
            if event["EventId"] == since:
                return events[::-1]
            events.append(event)
    return events[::-1]


def _newest_event(cloudformation: Any, name: str) -> str | None:
    events = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
    return events[0]["EventId"] if events else None


def _exists(cloudformation: Any, name: str) -> bool:
    """Whether the stack can be updated. What a failed creation left can only be deleted, and is."""
    try:
        status = cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]
    except ClientError:
        return False
    if status in ("ROLLBACK_COMPLETE", "CREATE_FAILED", "ROLLBACK_FAILED"):
        cloudformation.delete_stack(StackName=name)
        cloudformation.get_waiter("stack_delete_complete").wait(StackName=name, WaiterConfig={"Delay": 1})
        return False
    return status != "REVIEW_IN_PROGRESS"


def _wait(describe: Callable[[], dict[str, Any]], pending: tuple[str, ...]) -> dict[str, Any]:
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while (answer := describe())["Status"] in pending:
        if time.monotonic() > deadline:
            raise DeployError(f"The change set is still {answer['Status']} after {TIMEOUT_SECONDS:.0f} s")
        time.sleep(_POLL_SECONDS)
    return answer


def _outputs(cloudformation: Any, name: str) -> dict[str, str]:
    stack = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}


def _ensure_bucket(s3: Any, bucket: str) -> None:
    try:
        s3.head_bucket(Bucket=bucket)
    except ClientError:
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})


def _template_source(s3: Any, endpoint_url: str, body: str) -> dict[str, str]:
    """The template in the request, or in the bucket where it is too long for that."""
    if len(body.encode()) <= TEMPLATE_BODY_LIMIT_BYTES:
        return {"TemplateBody": body}
    key = f"templates/{hashlib.sha256(body.encode()).hexdigest()}.json"
    s3.put_object(Bucket=ARTIFACT_BUCKET, Key=key, Body=body.encode())
    return {"TemplateURL": f"{endpoint_url}/{ARTIFACT_BUCKET}/{key}"}
