"""How an update moves an endpoint's requests to a new fleet, and what turns it back: SageMaker's deployment guardrails.

docs.aws.amazon.com/sagemaker/latest/dg/deployment-guardrails.html. Waits take STATE.pace of their time.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from local.aws.api_model import ApiError
from local.aws.cloudwatch import alarms as cloudwatch_alarms
from local.aws.sagemaker.fleet import Fleet
from local.aws.sagemaker.state import STATE
from local.aws.sagemaker.traffic import Traffic
from local.server.address import ACCOUNT_ID, REGION

_LOOK_SECONDS = 0.05
# Called with a status of the new variant (ActivatingTraffic, Baking, ...) and SageMaker's sentence about it.
Report = Callable[[str, str], None]


class RolledBackError(Exception):
    """An alarm turned the deployment back; the message is the endpoint's FailureReason."""


@dataclass(frozen=True)
class Step:
    """A share of the requests that the new fleet gets, and how long the alarms are watched with it."""

    share: float
    capacity: str
    seconds: int
    member: str


@dataclass(frozen=True)
class Plan:
    """The steps of an update, and the alarms that end it."""

    steps: tuple[Step, ...]
    alarms: tuple[str, ...] = ()


def plan(config: dict[str, Any] | None, instances: int, execution_role: str) -> Plan:
    """The steps that a DeploymentConfig means for a fleet of this many instances; at once without one.

    Raises ApiError for what SageMaker refuses: sizes out of their limits, waits that do not fit into the time limit,
    alarms that do not exist or may not be read.
    """
    config = config or {}
    if "RollingUpdatePolicy" in config:
        raise ApiError(
            "ValidationException",
            "The local cloud plays blue/green deployments only: give BlueGreenUpdatePolicy instead of RollingUpdatePolicy.",
        )
    policy = config.get("BlueGreenUpdatePolicy") or {}
    routing = policy.get("TrafficRoutingConfiguration") or {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 0}
    interval, termination = routing["WaitIntervalInSeconds"], policy.get("TerminationWaitInSeconds", 0)
    share = _canary(routing, instances)
    steps: tuple[Step, ...] = ()
    if share is not None:
        capacity = f"canary capacity of {math.ceil(share * instances)} instance(s)"
        steps = (Step(share, capacity, interval, "WaitIntervalInSeconds"),)
    last = Step(1.0, f"full capacity of {instances} instance(s)", termination, "TerminationWaitInSeconds")
    limit = policy.get("MaximumExecutionTimeoutInSeconds")
    waits = len(steps) * interval + termination
    if limit is not None and waits >= limit:
        raise ApiError(
            "ValidationException",
            f"MaximumExecutionTimeoutInSeconds is {limit}; it must be larger than the total waiting time of {waits} seconds that WaitIntervalInSeconds and TerminationWaitInSeconds make.",
        )
    alarms = tuple(alarm["AlarmName"] for alarm in (config.get("AutoRollbackConfiguration") or {}).get("Alarms", []))
    _check_alarms(alarms, execution_role)
    return Plan((*steps, last), alarms)


def _canary(routing: dict[str, Any], instances: int) -> float | None:
    """The share of the requests that comes before the full one, None for all at once."""
    kind, size = routing["Type"], routing.get("CanarySize")
    if kind == "LINEAR":
        raise ApiError("ValidationException", "The local cloud has no linear traffic: give CANARY or ALL_AT_ONCE.")
    if kind != "CANARY":
        if size is not None:
            raise ApiError(
                "ValidationException", f"CanarySize goes with traffic routing of type CANARY, this is of type {kind}."
            )
        return None
    if size is None:
        raise ApiError("ValidationException", "Traffic routing of type CANARY needs CanarySize.")
    share = size["Value"] / (100 if size["Type"] == "CAPACITY_PERCENT" else instances)
    if share > 0.5:
        raise ApiError(
            "ValidationException",
            f"CanarySize must be less than or equal to 50% of the variant's total instance count of {instances}, it is {share:.0%}.",
        )
    return share


def _check_alarms(names: tuple[str, ...], execution_role: str) -> None:
    from ministack.core import iam_evaluator

    from local.aws.iam import roles as iam_roles

    missing = [name for name in names if not cloudwatch_alarms.exists(name)]
    if missing:
        raise ApiError("ValidationException", f"Could not find the CloudWatch alarm(s) {', '.join(missing)}.")
    # The execution role must be allowed to (deployment-guardrails-configuration.html). Whether SageMaker also asks with
    # the caller's permissions is not documented; AWS's own examples call with the execution role, which does not show it.
    caller = iam_evaluator.caller_arn()
    roles = [execution_role]
    if ":assumed-role/" in caller:
        roles.append(f"arn:aws:iam::{ACCOUNT_ID}:role/{caller.split('/')[1]}")
    for role in roles:
        for name in names:
            problem = iam_roles.permission_problem(
                role, "cloudwatch:DescribeAlarms", f"arn:aws:cloudwatch:{REGION}:{ACCOUNT_ID}:alarm:{name}"
            )
            if problem:
                raise ApiError("ValidationException", f"The alarms cannot be watched: {problem}.")


def shift(traffic: Traffic, fleet: Fleet, steps: Plan, report: Report) -> None:
    """Move the requests to a fleet that has started, step by step. Raises RolledBackError as soon as an alarm goes off."""
    began = time.monotonic()
    for step in steps.steps:
        _look_at(steps.alarms, began)  # also before the first request: the old fleet may have set it off
        report("ActivatingTraffic", f"Activating traffic on {step.capacity}.")
        traffic.shift(fleet, step.share)
        if step.seconds:
            report(
                "Baking", f"Baking for {step.seconds} seconds ({step.member}) with traffic enabled on {step.capacity}."
            )
        _bake(step.seconds * STATE.pace, steps.alarms, began)


def _bake(seconds: float, alarms: tuple[str, ...], began: float) -> None:
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        time.sleep(min(left, _LOOK_SECONDS))
        _look_at(alarms, began)


def _look_at(alarms: tuple[str, ...], since: float) -> None:
    fired = [name for name in alarms if cloudwatch_alarms.went_off(name, since)]
    if fired:
        raise RolledBackError(f"The deployment was rolled back: alarm(s) in ALARM state: {', '.join(fired)}.")
