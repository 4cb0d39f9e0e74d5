"""Application Auto Scaling for SageMaker's endpoint variants: scalable targets and their policies."""

from __future__ import annotations

import uuid
from typing import Any

from local.aws import api_model
from local.aws.api_model import ApiError
from local.aws.applicationautoscaling.scalable_targets import LOCK, POLICIES, TARGETS, remove
from local.aws.protocol import serve
from local.aws.sagemaker import endpoints
from local.aws.sagemaker.state import now, refuse_by_fault
from local.server.address import ACCOUNT_ID, REGION

SERVICE = "application-autoscaling"
DIMENSION = "sagemaker:variant:DesiredInstanceCount"
BURSTABLE = ("ml.t2.", "ml.t3.", "ml.t3a.", "ml.t4g.")
_ROLE = f"arn:aws:iam::{ACCOUNT_ID}:role/aws-service-role/sagemaker.application-autoscaling.amazonaws.com/AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint"


def install() -> None:
    """Put Application Auto Scaling into MiniStack."""
    serve(SERVICE, _operate)


def _operate(operation: str, request: dict[str, Any]) -> dict[str, Any]:
    found = _OPERATIONS.get(operation)
    if found is None:
        raise ApiError(
            "UnknownOperationException", f"The local cloud has no Application Auto Scaling operation {operation}."
        )
    api_model.check(SERVICE, operation, request)
    refuse_by_fault(SERVICE, operation)
    if request["ServiceNamespace"] != "sagemaker":
        raise ApiError("ValidationException", "The local cloud scales SageMaker's endpoint variants only.")
    with LOCK:
        return found(request)


def _register(request: dict[str, Any]) -> dict[str, Any]:
    resource = request["ResourceId"]
    parts = resource.split("/")
    if request["ScalableDimension"] != DIMENSION or len(parts) != 4 or (parts[0], parts[2]) != ("endpoint", "variant"):
        raise ApiError(
            "ValidationException",
            f"Unsupported service namespace, resource type or scalable dimension: {resource}, {request['ScalableDimension']}",
        )
    try:
        endpoint = endpoints.find(parts[1])
    except ApiError:
        endpoint = None
    if endpoint is None or endpoint.fleet is None:
        raise ApiError(
            "ValidationException", f"ECS or SageMaker resource doesn't exist or is not in service: {resource}"
        )
    variant = endpoint.fleet.variant
    if variant["VariantName"] != parts[3]:
        raise ApiError("ValidationException", f"SageMaker endpoint {parts[1]} has no variant {parts[3]}")
    if variant.get("InstanceType", "").startswith(BURSTABLE):
        raise ApiError(
            "ValidationException", f"Autoscaling is not supported for burstable instance type {variant['InstanceType']}"
        )
    target = TARGETS.get(resource, {})
    low, high = (
        request.get("MinCapacity", target.get("MinCapacity")),
        request.get("MaxCapacity", target.get("MaxCapacity")),
    )
    if low is None or high is None:
        raise ApiError(
            "ValidationException", "MinCapacity and MaxCapacity are needed to register a new scalable target"
        )
    if low > high:
        raise ApiError("ValidationException", "Maximum capacity cannot be less than minimum capacity")
    arn = (
        target.get("ScalableTargetARN")
        or f"arn:aws:application-autoscaling:{REGION}:{ACCOUNT_ID}:scalable-target/{uuid.uuid4().hex[:24]}"
    )
    TARGETS[resource] = {
        "ServiceNamespace": "sagemaker",
        "ResourceId": resource,
        "ScalableDimension": DIMENSION,
        "MinCapacity": low,
        "MaxCapacity": high,
        "RoleARN": _ROLE,
        "CreationTime": target.get("CreationTime") or now(),
        "ScalableTargetARN": arn,
    }
    endpoint.instance_count = min(max(endpoint.instance_count, low), high)
    return {"ScalableTargetARN": arn}


def _deregister(request: dict[str, Any]) -> dict[str, Any]:
    if request["ResourceId"] not in TARGETS:
        raise ApiError(
            "ObjectNotFoundException",
            f"No scalable target found for service namespace: sagemaker, resource ID: {request['ResourceId']}, scalable dimension: {DIMENSION}",
        )
    remove(request["ResourceId"])
    return {}


def _describe_targets(request: dict[str, Any]) -> dict[str, Any]:
    wanted = request.get("ResourceIds")
    return {"ScalableTargets": [target for name, target in TARGETS.items() if not wanted or name in wanted]}


def _put_policy(request: dict[str, Any]) -> dict[str, Any]:
    resource, name = request["ResourceId"], request["PolicyName"]
    if resource not in TARGETS:
        raise ApiError(
            "ObjectNotFoundException",
            f"No scalable target registered for service namespace: sagemaker, resource ID: {resource}, scalable dimension: {DIMENSION}",
        )
    if (
        request.get("PolicyType") != "TargetTrackingScaling"
        or "TargetTrackingScalingPolicyConfiguration" not in request
    ):
        raise ApiError(
            "ValidationException",
            "The local cloud keeps policies of type TargetTrackingScaling with their configuration.",
        )
    known = POLICIES.get((resource, name), {})
    arn = (
        known.get("PolicyARN")
        or f"arn:aws:autoscaling:{REGION}:{ACCOUNT_ID}:scalingPolicy:{uuid.uuid4()}:resource/sagemaker/{resource}:policyName/{name}"
    )
    alarms = [
        {"AlarmName": f"TargetTracking-{resource}-{side}-{uuid.uuid5(uuid.NAMESPACE_URL, arn + side)}",
         "AlarmARN": f"arn:aws:cloudwatch:{REGION}:{ACCOUNT_ID}:alarm:TargetTracking-{resource}-{side}-{uuid.uuid5(uuid.NAMESPACE_URL, arn + side)}"}
        for side in ("AlarmHigh", "AlarmLow")
    ]  # fmt: skip
    POLICIES[resource, name] = {
        **{
            key: request[key]
            for key in (
                "PolicyName",
                "ServiceNamespace",
                "ResourceId",
                "ScalableDimension",
                "PolicyType",
                "TargetTrackingScalingPolicyConfiguration",
            )
        },
        "PolicyARN": arn,
        "CreationTime": known.get("CreationTime") or now(),
        "Alarms": alarms,
    }
    return {"PolicyARN": arn, "Alarms": alarms}


def _delete_policy(request: dict[str, Any]) -> dict[str, Any]:
    if POLICIES.pop((request["ResourceId"], request["PolicyName"]), None) is None:
        raise ApiError("ObjectNotFoundException", f"No scaling policy found with name {request['PolicyName']}")
    return {}


def _describe_policies(request: dict[str, Any]) -> dict[str, Any]:
    resource, names = request.get("ResourceId"), request.get("PolicyNames")
    rows = [
        policy for (owner, name), policy in POLICIES.items()
        if resource in (None, owner) and (not names or name in names)
    ]  # fmt: skip
    return {"ScalingPolicies": rows}


_OPERATIONS = {
    "RegisterScalableTarget": _register,
    "DeregisterScalableTarget": _deregister,
    "DescribeScalableTargets": _describe_targets,
    "PutScalingPolicy": _put_policy,
    "DeleteScalingPolicy": _delete_policy,
    "DescribeScalingPolicies": _describe_policies,
}
