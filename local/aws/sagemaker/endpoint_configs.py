"""Endpoint configurations: which model on which instances, or serverless, and what is captured."""

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
    serverless = [variant for variant in variants if "ServerlessConfig" in variant]
    if serverless:
        _check_serverless(request, serverless[0])
    if len(variants) > 1:
        raise ApiError("ValidationException", "The local cloud serves one production variant.")
    for variant in variants:
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


def _check_serverless(request: dict[str, Any], variant: dict[str, Any]) -> None:
    """Refuse what serverless endpoints do not have.

    The list is in docs.aws.amazon.com/sagemaker/latest/dg/serverless-endpoints.html under "Feature exclusions"; the
    sentence is the one that SageMaker is known to give for network isolation.
    """
    model = models.find(variant.get("ModelName", ""))
    wanted = {
        "Multiple production variants": len(request["ProductionVariants"]) > 1,
        "Instance type": "InstanceType" in variant or "InitialInstanceCount" in variant,
        "Inference pipeline": len(models.containers(model)) > 1,
        "Data capture": bool((request.get("DataCaptureConfig") or {}).get("EnableCapture")),
        "KMS key": "KmsKeyId" in request,
        "VPC configuration": bool(model.get("VpcConfig")),
        "Network isolation": bool(model.get("EnableNetworkIsolation")),
    }
    for feature, is_wanted in wanted.items():
        if is_wanted:
            raise ApiError("ValidationException", f"{feature} is not supported for Serverless Inference")
    config = variant["ServerlessConfig"]
    memory, most, kept = config["MemorySizeInMB"], config["MaxConcurrency"], config.get("ProvisionedConcurrency", 0)
    if memory % 1024:
        raise ApiError("ValidationException", f"MemorySizeInMB must be a multiple of 1024 up to 6144, it is {memory}.")
    if kept > most:
        raise ApiError(
            "ValidationException",
            f"ProvisionedConcurrency must be less than or equal to MaxConcurrency of {most}, it is {kept}.",
        )


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
