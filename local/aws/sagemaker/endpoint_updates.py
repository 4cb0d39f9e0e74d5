"""UpdateEndpoint: a new fleet in the old one's place, or the old one back if the new one is no good."""

from __future__ import annotations

import time
from typing import Any

from local.aws.api_model import ApiError
from local.aws.applicationautoscaling import scalable_targets
from local.aws.sagemaker import deployment, endpoint_configs
from local.aws.sagemaker.endpoints import (
    BUSY,
    Endpoint,
    Pending,
    execution_role,
    failure_reason,
    find,
    in_background,
    instances_of,
    report,
    settle,
    start,
)
from local.aws.sagemaker.fleet import Fleet
from local.aws.sagemaker.state import STATE, now


def update_endpoint(request: dict[str, Any]) -> dict[str, Any]:
    endpoint = find(request["EndpointName"])
    config = endpoint_configs.find(request["EndpointConfigName"])
    count = endpoint.instance_count if _retains_count(request) else instances_of(config)
    wanted = request.get("DeploymentConfig")
    if request.get("RetainDeploymentConfig"):
        wanted = endpoint.last_deployment
    with STATE.lock:
        _check(endpoint, config)
        plan = deployment.plan(wanted, count, execution_role(config))
        endpoint.status, endpoint.reason, endpoint.modified = "Updating", None, now()
        endpoint.last_deployment = wanted
        endpoint.pending = Pending(config, count)
        endpoint.pending.report("Creating", f"Launching {count} instance(s).")
    report(endpoint)
    in_background(_replace, endpoint, endpoint.pending, plan)
    return {"EndpointArn": endpoint.arn}


def _check(endpoint: Endpoint, config: dict[str, Any]) -> None:
    """Raises ApiError for an update that SageMaker refuses."""
    if endpoint.status == "Failed":
        raise ApiError("ValidationException", f'Cannot update endpoint "{endpoint.arn}" in status Failed: delete it.')
    if endpoint.status in BUSY or endpoint.fleet is None:
        raise ApiError("ValidationException", f'Cannot update in-progress endpoint "{endpoint.arn}".')
    if endpoint.config_name == config["EndpointConfigName"]:
        raise ApiError("ValidationException", f'Cannot update endpoint "{endpoint.arn}" to the configuration it uses.')
    serving, variant = endpoint.fleet.variant, config["ProductionVariants"][0]
    if serving["VariantName"] != variant["VariantName"]:
        # docs.aws.amazon.com/sagemaker/latest/dg/deployment-guardrails-exclusions.html
        raise ApiError(
            "ValidationException",
            f'Cannot update endpoint "{endpoint.arn}": the new configuration must have the variant name {serving["VariantName"]}, not {variant["VariantName"]}.',
        )
    scaled = scalable_targets.is_registered(endpoint.name, variant["VariantName"])
    if scaled and serving.get("InstanceType") != variant.get("InstanceType"):
        raise ApiError(
            "ValidationException",
            f'Cannot update endpoint "{endpoint.arn}": the instance type of variant {variant["VariantName"]} cannot change while autoscaling is registered for it. Deregister the scalable target first.',
        )


def _retains_count(request: dict[str, Any]) -> bool:
    excluded = {item["VariantPropertyType"] for item in request.get("ExcludeRetainedVariantProperties", [])}
    return bool(request.get("RetainAllVariantProperties")) and "DesiredInstanceCount" not in excluded


def _replace(endpoint: Endpoint, pending: Pending, plan: deployment.Plan) -> None:
    """Start a new fleet and move the requests to it; the old one serves until then, and on if anything goes wrong."""
    fleet: Fleet | None = None
    try:
        fleet = start(endpoint, pending.config)
        deployment.shift(endpoint.traffic, fleet, plan, pending.report)
    except Exception as error:
        endpoint.traffic.withdraw()
        pending.report("Deleting", f"Terminating {pending.instances} instance(s).")
        reason = str(error) if isinstance(error, deployment.RolledBackError) else failure_reason(error)
        settle(endpoint, "RollingBack", reason)
        if fleet:
            fleet.close()
        # Seen for a moment, as on AWS where instances take minutes to end.
        time.sleep(min(60 * STATE.pace, 1.0))
        endpoint.pending = None
        settle(endpoint, "InService", reason)
        return
    replaced = endpoint.traffic.replace(fleet)
    with STATE.lock:
        endpoint.config_name = pending.config["EndpointConfigName"]
        endpoint.instance_count, endpoint.pending = pending.instances, None
    settle(endpoint, "InService", None)
    for old in replaced:
        old.close()


OPERATIONS = {"UpdateEndpoint": update_endpoint}
