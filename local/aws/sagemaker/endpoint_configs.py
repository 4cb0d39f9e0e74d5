"""Endpoint configurations: which model on which instances, and what is captured."""

from __future__ import annotations

from typing import Any

from local.aws.api_model import ApiError
from local.aws.sagemaker import models
from local.aws.sagemaker.state import STATE, arn, named, now, page, tag


def find(name: str) -> dict[str, Any]:
    """An endpoint configuration. Raises ApiError."""
    config = STATE.endpoint_configs.get(name)
    if config is None:
        raise ApiError(
            "ValidationException", f'Could not find endpoint configuration "{arn("endpoint-config", name)}".'
        )
    return config


def create(request: dict[str, Any]) -> dict[str, Any]:
    name = request["EndpointConfigName"]
    variants = request["ProductionVariants"]
    if len(variants) > 1:
        raise ApiError("ValidationException", "The local cloud serves one production variant.")
    for variant in variants:
        models.find(variant.get("ModelName", ""))
        if "ServerlessConfig" in variant:
            # Nor does SageMaker for a model of several containers: docs.aws.amazon.com/sagemaker/latest/dg/serverless-endpoints.html
            raise ApiError("ValidationException", "The local cloud has no serverless variants.")
        if not variant.get("InstanceType"):
            raise ApiError("ValidationException", "A variant needs InstanceType and InitialInstanceCount.")
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


def delete(request: dict[str, Any]) -> dict[str, Any]:
    with STATE.lock:
        find(request["EndpointConfigName"])
        del STATE.endpoint_configs[request["EndpointConfigName"]]
    return {}


def list_all(request: dict[str, Any]) -> dict[str, Any]:
    members = ("EndpointConfigName", "EndpointConfigArn", "CreationTime")
    rows = [{key: config[key] for key in members} for config in STATE.endpoint_configs.values()]
    return page(named(rows, request, "EndpointConfigName"), request, "EndpointConfigs")


OPERATIONS = {
    "CreateEndpointConfig": create,
    "DescribeEndpointConfig": lambda request: find(request["EndpointConfigName"]),
    "DeleteEndpointConfig": delete,
    "ListEndpointConfigs": list_all,
}
