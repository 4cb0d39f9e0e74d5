"""The runs' folders in the bucket: which there are, which are still needed and by whom, and how one is removed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from automl_pipeline import stored
from automl_pipeline.run_layout import Execution
from botocore.exceptions import ClientError

from cli.stack import RefusedError, Stack, client, endpoint_of
from cli.terminal import typed

_RUN_ID = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9a-f]{8}")
_MOST_DELETED_AT_ONCE = 1000  # DeleteObjects


@dataclass(frozen=True)
class Run:
    """A run's folder. `started` is UTC."""

    id: str
    bucket: str
    key: str

    @property
    def started(self) -> datetime:
        """When it started, as its name says."""
        return datetime.strptime(self.id[:15], "%Y%m%d-%H%M%S").replace(tzinfo=UTC)


def existing(stack: Stack) -> list[Run]:
    """Every run that has a folder, newest first."""
    s3, bucket, runs = client("s3"), stack.outputs["BucketName"], f"{stack.outputs['Prefix']}/runs/"
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=runs, Delimiter="/")
    keys = [item["Prefix"] for page in pages for item in page.get("CommonPrefixes", [])]
    named = {key.removeprefix(runs).rstrip("/"): key for key in keys}
    return [Run(name, bucket, key) for name, key in sorted(named.items(), reverse=True) if _RUN_ID.fullmatch(name)]


def needed(stack: Stack) -> dict[str, str]:
    """Why a run must stay, by its id: it still runs, its model is registered, or it serves."""
    return {**_served(stack), **_registered(stack), **_running(stack)}


def running(stack: Stack) -> list[str]:
    """The executions of both machines that have not ended, by ARN."""
    states = client("stepfunctions")
    machines = ("TrainingStateMachineArn", "DeploymentStateMachineArn")
    return [
        execution["executionArn"]
        for machine in machines
        for page in states.get_paginator("list_executions").paginate(
            stateMachineArn=stack.outputs[machine], statusFilter="RUNNING"
        )
        for execution in page["executions"]
    ]


def model_of(run: Run) -> str | None:
    """The name of the model that the run made to be evaluated, None if it ended before."""
    content = stored.read(client("s3"), run.bucket, f"{run.key}model/model_info.json")
    return None if content is None else json.loads(content)["model_name"]


def size(bucket: str, prefix: str) -> tuple[int, int]:
    """How many objects lie under a prefix, older versions included, and their bytes."""
    objects = list(_versions(bucket, prefix))
    return len(objects), sum(size for _, size in objects)


def remove(bucket: str, prefix: str) -> None:
    """Delete every object under a prefix with all its versions, which otherwise go on costing. Raises ClientError."""
    s3 = client("s3")
    batch: list[dict[str, str]] = []
    for found, _ in _versions(bucket, prefix):
        batch.append(found)
        if len(batch) == _MOST_DELETED_AT_ONCE:
            _delete(s3, bucket, batch)
            batch = []
    if batch:
        _delete(s3, bucket, batch)


def _delete(s3: Any, bucket: str, batch: list[dict[str, str]]) -> None:
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": batch, "Quiet": True})
    for refused in answer.get("Errors", []):  # one object's refusal does not fail the request
        message = f"{refused['Key']}: {refused['Message']}"
        raise ClientError({"Error": {"Code": refused["Code"], "Message": message}}, "DeleteObjects")


def _versions(bucket: str, prefix: str) -> Iterator[tuple[dict[str, str], int]]:
    """What names each version and delete marker under a prefix, and its bytes."""
    s3 = client("s3")
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix):
        for item in page.get("Versions", []):
            yield {"Key": item["Key"], "VersionId": item["VersionId"]}, item["Size"]
        for item in page.get("DeleteMarkers", []):
            yield {"Key": item["Key"], "VersionId": item["VersionId"]}, 0


def _running(stack: Stack) -> dict[str, str]:
    states = client("stepfunctions")
    machine = stack.outputs["TrainingStateMachineArn"]
    pages = states.get_paginator("list_executions").paginate(stateMachineArn=machine, statusFilter="RUNNING")
    return {
        Execution(item["executionArn"], item["name"], item["startDate"].isoformat()).run_id: "it still runs"
        for page in pages
        for item in page["executions"]
    }


def _registered(stack: Stack) -> dict[str, str]:
    sagemaker = client("sagemaker")
    found = {}
    for row in registered_versions(stack):
        package = sagemaker.describe_model_package(ModelPackageName=row["ModelPackageArn"])
        containers = package.get("InferenceSpecification", {}).get("Containers", [])
        for run in _runs_in([container.get("ModelDataUrl") for container in containers], stack):
            found[run] = (
                f"version {row['ModelPackageVersion']} of {stack.outputs['ModelPackageGroupName']} is its model"
            )
    return found


def registered_versions(stack: Stack) -> Sequence[Mapping[str, Any]]:
    """The versions of the group, newest first; none if there is no group."""
    sagemaker = client("sagemaker")
    group = stack.outputs["ModelPackageGroupName"]
    try:
        pages = sagemaker.get_paginator("list_model_packages").paginate(
            ModelPackageGroupName=group, SortBy="CreationTime", SortOrder="Descending"
        )
        return [row for page in pages for row in page["ModelPackageSummaryList"]]
    except ClientError as error:
        if "does not exist" in str(error):
            return []
        raise


def _served(stack: Stack) -> dict[str, str]:
    name, endpoint = stack.outputs["EndpointName"], endpoint_of(stack)
    if endpoint is None:
        return {}
    try:
        urls = _model_data(client("sagemaker"), endpoint["EndpointConfigName"])
    except ClientError as error:
        if not any(text in str(error) for text in ("Could not find", "does not exist")):
            raise
        raise RefusedError(
            f"Endpoint {name} serves, and its run is no longer known ({error.response['Error']['Message']}). "
            f"Deploy another version first ({typed('deploy')}), or remove the endpoint, too (--endpoint)."
        ) from None
    return dict.fromkeys(_runs_in(urls, stack), f"endpoint {name} serves its model")


def _model_data(sagemaker: Any, config: str) -> list[str | None]:
    """Where the models of an endpoint configuration come from."""
    urls: list[str | None] = []
    for variant in sagemaker.describe_endpoint_config(EndpointConfigName=config)["ProductionVariants"]:
        model = sagemaker.describe_model(ModelName=variant["ModelName"])
        for container in model.get("Containers") or [model["PrimaryContainer"]]:
            urls.append(container.get("ModelDataUrl"))
            if "ModelPackageName" in container:
                package = sagemaker.describe_model_package(ModelPackageName=container["ModelPackageName"])
                urls += [inner.get("ModelDataUrl") for inner in package["InferenceSpecification"]["Containers"]]
    return urls


def _runs_in(urls: list[str | None], stack: Stack) -> set[str]:
    """The runs in whose folders these objects lie."""
    runs = f"s3://{stack.outputs['BucketName']}/{stack.outputs['Prefix']}/runs/"
    return {url.removeprefix(runs).split("/")[0] for url in urls if url and url.startswith(runs)}
