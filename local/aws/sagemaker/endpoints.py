"""Endpoints: what serves under a name, and how that is made, scaled, described and taken away."""

from __future__ import annotations

import contextlib
import contextvars
import logging
import re
import threading
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from local.aws.api_model import ApiError
from local.aws.applicationautoscaling import scalable_targets
from local.aws.sagemaker import capture, deployment, endpoint_configs, events, models
from local.aws.sagemaker.compute.outcome import JobFailedError
from local.aws.sagemaker.compute.serving import ContainerFailedError
from local.aws.sagemaker.fleet import Fleet
from local.aws.sagemaker.state import STATE, arn, named, now, page, tag
from local.aws.sagemaker.traffic import Traffic

logger = logging.getLogger("local.sagemaker")
# An endpoint takes one change at a time.
BUSY = ("Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting")


@dataclass
class Pending:
    """An update on its way: to which configuration, with how many instances, and what its variant is doing."""

    config: dict[str, Any]
    instances: int
    started: datetime = field(default_factory=now)
    status: dict[str, Any] = field(default_factory=dict)

    def report(self, status: str, message: str) -> None:
        """What the new variant is doing now."""
        self.status = {"Status": status, "StatusMessage": message, "StartTime": now()}


@dataclass
class Endpoint:
    """An endpoint and what serves it."""

    name: str
    config_name: str
    status: str = "Creating"
    reason: str | None = None
    created: datetime = field(default_factory=now)
    modified: datetime = field(default_factory=now)
    traffic: Traffic = field(default_factory=Traffic)
    instance_count: int = 1
    last_deployment: dict[str, Any] | None = None
    pending: Pending | None = None

    @property
    def arn(self) -> str:
        """Its ARN."""
        return arn("endpoint", self.name)

    @property
    def fleet(self) -> Fleet | None:
        """The fleet that serves; during an update the old one."""
        return self.traffic.serving


def find(name: str) -> Endpoint:
    """An endpoint. Raises ApiError."""
    endpoint = STATE.endpoints.get(name)
    if endpoint is None:
        raise ApiError("ValidationException", f'Could not find endpoint "{arn("endpoint", name)}".')
    return endpoint


# -- making and taking away


def create_endpoint(request: dict[str, Any]) -> dict[str, Any]:
    name = request["EndpointName"]
    config = endpoint_configs.find(request["EndpointConfigName"])
    count = instances_of(config)
    deployment.plan(request.get("DeploymentConfig"), count, execution_role(config))
    with STATE.lock:
        if name in STATE.endpoints:
            raise ApiError("ValidationException", f'Cannot create already existing endpoint "{arn("endpoint", name)}".')
        endpoint = Endpoint(name, config["EndpointConfigName"], instance_count=count)
        endpoint.last_deployment = request.get("DeploymentConfig")
        STATE.endpoints[name] = endpoint
    tag(endpoint.arn, request.get("Tags"))
    report(endpoint)
    in_background(_bring_up, endpoint, config)
    return {"EndpointArn": endpoint.arn}


def instances_of(config: dict[str, Any]) -> int:
    """How many instances a configuration begins with."""
    return config["ProductionVariants"][0].get("InitialInstanceCount", 1)


def execution_role(config: dict[str, Any]) -> str:
    """The role that a configuration's model runs under. Raises ApiError."""
    return models.find(config["ProductionVariants"][0]["ModelName"])["ExecutionRoleArn"]


def start(endpoint: Endpoint, config: dict[str, Any]) -> Fleet:
    """A fleet that answers. Raises ContainerFailedError, JobFailedError or ApiError; nothing is left running then."""
    fault = STATE.faults.take_job("endpoint", endpoint.name)
    if fault:
        raise ContainerFailedError(fault.reason)
    fleet = Fleet(endpoint.name, config, STATE.folder / "endpoint")
    try:
        fleet.start()
    except BaseException:
        fleet.close()
        raise
    return fleet


def _bring_up(endpoint: Endpoint, config: dict[str, Any]) -> None:
    try:
        endpoint.traffic.replace(start(endpoint, config))
        settle(endpoint, "InService", None)
    except Exception as error:
        settle(endpoint, "Failed", failure_reason(error))


def failure_reason(error: Exception) -> str:
    """What DescribeEndpoint says of an error."""
    if isinstance(error, (ContainerFailedError, JobFailedError, ApiError)):
        return str(error)[:1024]
    logger.exception("An endpoint could not be brought up", exc_info=error)
    return f"InternalServerError: {error}"[:1024]


def settle(endpoint: Endpoint, status: str, reason: str | None) -> None:
    """Give the endpoint a status and notify EventBridge."""
    with STATE.lock:
        endpoint.status, endpoint.reason, endpoint.modified = status, reason, now()
    report(endpoint)


def delete_endpoint(request: dict[str, Any]) -> dict[str, Any]:
    endpoint = find(request["EndpointName"])
    with STATE.lock:
        if endpoint.status in BUSY:
            raise ApiError("ValidationException", f'Cannot delete in-progress endpoint "{endpoint.arn}".')
        endpoint.status = "Deleting"
    report(endpoint)
    in_background(_take_down, endpoint)
    return {}


def _take_down(endpoint: Endpoint) -> None:
    for fleet in endpoint.traffic.replace(None):
        fleet.close()
    scalable_targets.forget(endpoint.name)
    with STATE.lock:
        STATE.endpoints.pop(endpoint.name, None)


# -- looking


def describe_endpoint(request: dict[str, Any]) -> dict[str, Any]:
    return _describe(find(request["EndpointName"]))


def _describe(endpoint: Endpoint) -> dict[str, Any]:
    fleet, pending = endpoint.fleet, endpoint.pending
    answer: dict[str, Any] = {
        "EndpointName": endpoint.name,
        "EndpointArn": endpoint.arn,
        "EndpointConfigName": endpoint.config_name,
        "EndpointStatus": endpoint.status,
        "FailureReason": endpoint.reason,
        "CreationTime": endpoint.created,
        "LastModifiedTime": endpoint.modified,
        "LastDeploymentConfig": endpoint.last_deployment,
    }
    if fleet:
        answer["ProductionVariants"] = [_variant(fleet.variant, endpoint.instance_count)]
        if "DataCaptureConfig" in fleet.config:
            answer["DataCaptureConfig"] = capture.summary(fleet.config["DataCaptureConfig"])
    if pending:
        variant = pending.config["ProductionVariants"][0]
        answer["PendingDeploymentSummary"] = {
            "EndpointConfigName": pending.config["EndpointConfigName"],
            "StartTime": pending.started,
            "ProductionVariants": [{**_variant(variant, pending.instances), "VariantStatus": [pending.status]}],
        }
    return answer


def _variant(variant: dict[str, Any], instances: int) -> dict[str, Any]:
    weight = variant.get("InitialVariantWeight", 1.0)
    answer: dict[str, Any] = {
        "VariantName": variant["VariantName"],
        "CurrentWeight": weight,
        "DesiredWeight": weight,
    }
    return {**answer, "CurrentInstanceCount": instances, "DesiredInstanceCount": instances}


def list_endpoints(request: dict[str, Any]) -> dict[str, Any]:
    rows = [
        {
            "EndpointName": endpoint.name,
            "EndpointArn": endpoint.arn,
            "CreationTime": endpoint.created,
            "LastModifiedTime": endpoint.modified,
            "EndpointStatus": endpoint.status,
        }
        for endpoint in list(STATE.endpoints.values())
    ]
    return page(named(rows, request, "EndpointName", "EndpointStatus"), request, "Endpoints")


# -- scaling


def update_weights(request: dict[str, Any]) -> dict[str, Any]:
    endpoint = find(request["EndpointName"])
    with STATE.lock:
        if endpoint.status != "InService" or endpoint.fleet is None:
            raise ApiError("ValidationException", f'Cannot update in-progress endpoint "{endpoint.arn}".')
        for wish in request["DesiredWeightsAndCapacities"]:
            if wish["VariantName"] != endpoint.fleet.variant["VariantName"]:
                raise ApiError("ValidationException", f'Could not find variant "{wish["VariantName"]}".')
            endpoint.instance_count = wish.get("DesiredInstanceCount", endpoint.instance_count)
        endpoint.modified = now()
    return {"EndpointArn": endpoint.arn}


# -- in the background


def report(endpoint: Endpoint) -> None:
    """Send EventBridge the endpoint's state."""
    described = _describe(endpoint)
    detail = {
        "EndpointName": endpoint.name,
        "EndpointArn": endpoint.arn,
        "EndpointConfigName": endpoint.config_name,
        "EndpointStatus": re.sub(r"(?<=[a-z])(?=[A-Z])", "_", endpoint.status).upper(),  # ROLLING_BACK
    }
    events.emit("SageMaker Endpoint State Change", detail, endpoint.arn)
    if "PendingDeploymentSummary" in described:
        summary = {"PendingDeploymentSummary": described["PendingDeploymentSummary"]}
        events.emit("SageMaker Endpoint Deployment State Change", detail | summary, endpoint.arn)


def in_background(work: Any, *arguments: Any) -> None:
    """Do it in a thread, on behalf of the request's caller."""
    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(work, *arguments), daemon=True).start()


def shutdown() -> None:
    """End every endpoint's containers."""
    for endpoint in list(STATE.endpoints.values()):
        for fleet in endpoint.traffic.replace(None):
            with contextlib.suppress(Exception):
                fleet.close(patience=0.5)


OPERATIONS = {
    "CreateEndpoint": create_endpoint,
    "DeleteEndpoint": delete_endpoint,
    "DescribeEndpoint": describe_endpoint,
    "ListEndpoints": list_endpoints,
    "UpdateEndpointWeightsAndCapacities": update_weights,
}
