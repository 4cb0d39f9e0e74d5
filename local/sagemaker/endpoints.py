"""Endpoints and their configurations, and calls to them."""

from __future__ import annotations

import contextlib
import contextvars
import threading
import uuid
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from local.api_model import ApiError
from local.compute.outcome import JobFailed
from local.compute.serving import ContainerFailed
from local.sagemaker import events, models
from local.sagemaker.fleet import Fleet
from local.sagemaker.state import STATE, arn, named, now, page, tag

MOST_PAYLOAD_BYTES = 6 * 1024 * 1024


@dataclass
class Endpoint:
    """An endpoint and what serves it."""

    name: str
    config_name: str
    status: str = "Creating"
    reason: str | None = None
    created: datetime = field(default_factory=now)
    modified: datetime = field(default_factory=now)
    fleet: Fleet | None = None
    instance_count: int = 1
    last_deployment: dict[str, Any] | None = None
    # Taken for the moment between choosing the fleet and counting the request with it, so that none meets a closed one.
    switching: threading.Lock = field(default_factory=threading.Lock)

    @property
    def arn(self) -> str:
        """Its ARN."""
        return arn("endpoint", self.name)


# -- configurations


def find_config(name: str) -> dict[str, Any]:
    """An endpoint configuration. Raises ApiError."""
    config = STATE.endpoint_configs.get(name)
    if config is None:
        raise ApiError(
            "ValidationException", f'Could not find endpoint configuration "{arn("endpoint-config", name)}".'
        )
    return config


def create_config(request: dict[str, Any]) -> dict[str, Any]:
    name = request["EndpointConfigName"]
    if len(request["ProductionVariants"]) > 1:
        raise ApiError("ValidationException", "The laptop serves one production variant.")
    for variant in request["ProductionVariants"]:
        models.find(variant.get("ModelName", ""))
        if not variant.get("InstanceType") and not variant.get("ServerlessConfig"):
            raise ApiError(
                "ValidationException", "A variant needs InstanceType and InitialInstanceCount, or ServerlessConfig."
            )
    with STATE.lock:
        if name in STATE.endpoint_configs:
            raise ApiError(
                "ValidationException",
                f'Cannot create already existing endpoint configuration "{arn("endpoint-config", name)}".',
            )
        STATE.endpoint_configs[name] = {
            **request,
            "EndpointConfigArn": arn("endpoint-config", name),
            "CreationTime": now(),
        }
    tag(arn("endpoint-config", name), request.get("Tags"))
    return {"EndpointConfigArn": arn("endpoint-config", name)}


def delete_config(request: dict[str, Any]) -> dict[str, Any]:
    with STATE.lock:
        find_config(request["EndpointConfigName"])
        del STATE.endpoint_configs[request["EndpointConfigName"]]
    return {}


def list_configs(request: dict[str, Any]) -> dict[str, Any]:
    members = ("EndpointConfigName", "EndpointConfigArn", "CreationTime")
    rows = [{key: config[key] for key in members} for config in STATE.endpoint_configs.values()]
    return page(named(rows, request, "EndpointConfigName"), request, "EndpointConfigs")


# -- endpoints


def find(name: str) -> Endpoint:
    """An endpoint. Raises ApiError."""
    endpoint = STATE.endpoints.get(name)
    if endpoint is None:
        raise ApiError("ValidationException", f'Could not find endpoint "{arn("endpoint", name)}".')
    return endpoint


def create_endpoint(request: dict[str, Any]) -> dict[str, Any]:
    name = request["EndpointName"]
    config = find_config(request["EndpointConfigName"])
    with STATE.lock:
        if name in STATE.endpoints:
            raise ApiError("ValidationException", f'Cannot create already existing endpoint "{arn("endpoint", name)}".')
        endpoint = Endpoint(name, config["EndpointConfigName"])
        endpoint.instance_count = config["ProductionVariants"][0].get("InitialInstanceCount", 1)
        STATE.endpoints[name] = endpoint
    tag(endpoint.arn, request.get("Tags"))
    _tell(endpoint)
    _in_background(_bring_up, endpoint, config, None)
    return {"EndpointArn": endpoint.arn}


def update_endpoint(request: dict[str, Any]) -> dict[str, Any]:
    from local import autoscaling

    endpoint = find(request["EndpointName"])
    config = find_config(request["EndpointConfigName"])
    variant = config["ProductionVariants"][0]
    with STATE.lock:
        if endpoint.status == "Failed":
            raise ApiError(
                "ValidationException", f'Cannot update endpoint "{endpoint.arn}" in status Failed: delete it.'
            )
        if endpoint.status not in ("InService", "OutOfService"):
            raise ApiError("ValidationException", f'Cannot update in-progress endpoint "{endpoint.arn}".')
        if endpoint.config_name == config["EndpointConfigName"]:
            raise ApiError(
                "ValidationException", f'Cannot update endpoint "{endpoint.arn}" to the configuration it uses.'
            )
        serving = endpoint.fleet.config["ProductionVariants"][0] if endpoint.fleet else variant
        scaled = autoscaling.is_registered(endpoint.name, variant["VariantName"])
        if scaled and serving.get("InstanceType") != variant.get("InstanceType"):
            raise ApiError(
                "ValidationException",
                f'Cannot update endpoint "{endpoint.arn}": the instance type of variant {variant["VariantName"]} cannot change while autoscaling is registered for it. Deregister the scalable target first.',
            )
        if not request.get("RetainAllVariantProperties"):
            endpoint.instance_count = variant.get("InitialInstanceCount", 1)
        previous = endpoint.config_name
        endpoint.status, endpoint.reason, endpoint.modified = "Updating", None, now()
        endpoint.last_deployment = request.get("DeploymentConfig")
    _tell(endpoint)
    _in_background(_bring_up, endpoint, config, previous)
    return {"EndpointArn": endpoint.arn}


def _bring_up(endpoint: Endpoint, config: dict[str, Any], previous: str | None) -> None:
    """Start a fleet and put it in the old one's place, which serves until then and goes on if the new one fails."""
    fleet: Fleet | None = None
    problem = None
    try:
        fault = STATE.faults.take_job("endpoint", endpoint.name)
        if fault:
            raise ContainerFailed(fault.reason)
        fleet = Fleet(endpoint.name, config, STATE.folder / "endpoint" / endpoint.name / uuid.uuid4().hex)
        fleet.start()
    except (ContainerFailed, JobFailed, ApiError) as error:
        problem = str(error)[:1024]
    with STATE.lock, endpoint.switching:
        if STATE.endpoints.get(endpoint.name) is not endpoint:  # deleted meanwhile
            problem, old, endpoint.fleet = "deleted", endpoint.fleet, None
        elif problem is None:
            old, endpoint.fleet = endpoint.fleet, fleet
            endpoint.config_name, endpoint.status, endpoint.reason = config["EndpointConfigName"], "InService", None
        else:
            old = None
            endpoint.status = "Failed" if previous is None else "InService"
            endpoint.reason = problem
        endpoint.modified = now()
    if problem is not None and fleet is not None:
        fleet.close()
    if old is not None:
        old.close()
    _tell(endpoint)


def delete_endpoint(request: dict[str, Any]) -> dict[str, Any]:
    endpoint = find(request["EndpointName"])
    with STATE.lock:
        if endpoint.status in ("Creating", "Updating", "RollingBack"):
            raise ApiError("ValidationException", f'Cannot delete in-progress endpoint "{endpoint.arn}".')
        endpoint.status = "Deleting"
    _in_background(_take_down, endpoint)
    return {}


def _take_down(endpoint: Endpoint) -> None:
    from local import autoscaling

    with endpoint.switching:
        fleet, endpoint.fleet = endpoint.fleet, None
    if fleet:
        fleet.close()
    autoscaling.forget(endpoint.name)
    with STATE.lock:
        STATE.endpoints.pop(endpoint.name, None)
    _tell(endpoint)


def describe_endpoint(request: dict[str, Any]) -> dict[str, Any]:
    endpoint = find(request["EndpointName"])
    variants = []
    if endpoint.fleet:
        variant = endpoint.fleet.config["ProductionVariants"][0]
        weight = variant.get("InitialVariantWeight", 1.0)
        variants = [{
            "VariantName": variant["VariantName"],
            "CurrentWeight": weight,
            "DesiredWeight": weight,
            "CurrentInstanceCount": endpoint.instance_count,
            "DesiredInstanceCount": endpoint.instance_count,
        }]  # fmt: skip
    return {
        "EndpointName": endpoint.name,
        "EndpointArn": endpoint.arn,
        "EndpointConfigName": endpoint.config_name,
        "ProductionVariants": variants or None,
        "EndpointStatus": endpoint.status,
        "FailureReason": endpoint.reason,
        "CreationTime": endpoint.created,
        "LastModifiedTime": endpoint.modified,
        "LastDeploymentConfig": endpoint.last_deployment,
    }


def list_endpoints(request: dict[str, Any]) -> dict[str, Any]:
    members = ("EndpointName", "EndpointArn", "CreationTime", "LastModifiedTime", "EndpointStatus")
    rows = [{key: describe_endpoint({"EndpointName": name})[key] for key in members} for name in list(STATE.endpoints)]
    return page(named(rows, request, "EndpointName", "EndpointStatus"), request, "Endpoints")


def update_weights(request: dict[str, Any]) -> dict[str, Any]:
    endpoint = find(request["EndpointName"])
    with STATE.lock:
        if endpoint.status != "InService":
            raise ApiError("ValidationException", f'Cannot update in-progress endpoint "{endpoint.arn}".')
        for wish in request["DesiredWeightsAndCapacities"]:
            endpoint.instance_count = wish.get("DesiredInstanceCount", endpoint.instance_count)
        endpoint.modified = now()
    return {"EndpointArn": endpoint.arn}


def invoke(name: str, body: bytes, content_type: str, accept: str | None) -> Any:
    """InvokeEndpoint: the containers' answer and the variant that gave it. Raises ApiError."""
    if len(body) > MOST_PAYLOAD_BYTES:
        raise ApiError(
            "ValidationError",
            f"Request body has {len(body)} bytes, more than the {MOST_PAYLOAD_BYTES} that an endpoint takes.",
        )
    endpoint = STATE.endpoints.get(name)
    if endpoint is None:
        raise ApiError(
            "ValidationError", f"Endpoint {name} of account {arn('endpoint', name).split(':')[4]} not found."
        )
    with endpoint.switching:
        fleet = endpoint.fleet
        if fleet is None:
            raise ApiError("ValidationError", f"Endpoint {name} is {endpoint.status} and does not serve.")
        answering = fleet.begin()
    with answering:
        try:
            answer = fleet.invoke(body, content_type, accept)
        except ContainerFailed as error:
            raise ApiError(
                "ModelError", f'Received server error (500) from model with message "{error}".', 424
            ) from error
    return answer, fleet.config["ProductionVariants"][0]["VariantName"]


def _tell(endpoint: Endpoint) -> None:
    detail = {
        "EndpointName": endpoint.name,
        "EndpointArn": endpoint.arn,
        "EndpointConfigName": endpoint.config_name,
        "EndpointStatus": endpoint.status.upper().replace("INSERVICE", "IN_SERVICE"),
    }
    events.emit("SageMaker Endpoint State Change", detail, endpoint.arn)


def _in_background(work: Any, *arguments: Any) -> None:
    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(work, *arguments), daemon=True).start()


def shutdown() -> None:
    """End every endpoint's containers."""
    for endpoint in list(STATE.endpoints.values()):
        with endpoint.switching:
            fleet, endpoint.fleet = endpoint.fleet, None
        if fleet:
            with contextlib.suppress(Exception):
                fleet.close(patience=0.5)


OPERATIONS = {
    "CreateEndpointConfig": create_config,
    "DescribeEndpointConfig": lambda request: find_config(request["EndpointConfigName"]),
    "DeleteEndpointConfig": delete_config,
    "ListEndpointConfigs": list_configs,
    "CreateEndpoint": create_endpoint,
    "UpdateEndpoint": update_endpoint,
    "DeleteEndpoint": delete_endpoint,
    "DescribeEndpoint": describe_endpoint,
    "ListEndpoints": list_endpoints,
    "UpdateEndpointWeightsAndCapacities": update_weights,
}
