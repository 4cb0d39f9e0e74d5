"""The template's schedules for the night change the minimum capacity of an endpoint that autoscaling has, under their role."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.build import packaging
from local.server import paths

from .conftest import Endpoint, until
from .small_models import Trained

TEMPLATE = packaging.read_template(paths.PROJECT / "template.yaml")
NIGHT, MORNING, ROLE = "NightSchedule", "MorningSchedule", "NightRole"
USED = ("EndpointNightHours", "AutoscalingMinCapacity", "EnableAutoscaling", "ScheduleTimezone", "EndpointName", "RolePath",
        "PermissionsBoundaryArn")  # fmt: skip
CONDITIONS = ("HasNights", "HasBoundary", "NameEndpoint")


@pytest.fixture
def schedules(endpoint: Endpoint) -> Callable[..., dict[str, dict[str, Any]]]:
    """Deploys the night's resources of the template; what GetSchedule says of each."""
    formation, scheduler = endpoint.cloud.client("cloudformation"), endpoint.cloud.client("scheduler")

    def deployed(**parameters: str) -> dict[str, dict[str, Any]]:
        resources = {name: TEMPLATE["Resources"][name] for name in (NIGHT, MORNING, ROLE, "EndpointInUse")}
        body = {"Parameters": {name: TEMPLATE["Parameters"][name] for name in USED}, "Resources": resources,
                "Conditions": {name: TEMPLATE["Conditions"][name] for name in CONDITIONS}}  # fmt: skip
        given = {"EndpointName": endpoint.name, "ScheduleTimezone": "Europe/Berlin", **parameters}
        formation.create_stack(
            StackName=f"nights-{endpoint.name}", TemplateBody=json.dumps(body), Capabilities=["CAPABILITY_IAM"],
            Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in given.items()],
        )  # fmt: skip
        formation.get_waiter("stack_create_complete").wait(
            StackName=f"nights-{endpoint.name}", WaiterConfig={"Delay": 0.2}
        )
        listed = formation.list_stack_resources(StackName=f"nights-{endpoint.name}")["StackResourceSummaries"]
        return {
            resource["LogicalResourceId"]: scheduler.get_schedule(Name=resource["PhysicalResourceId"])
            for resource in listed
            if resource["ResourceType"] == "AWS::Scheduler::Schedule"
        }

    return deployed


def test_night_lowers_the_minimum_and_morning_raises_it(
    endpoint: Endpoint, models: tuple[Trained, Trained], schedules: Callable[..., dict[str, dict[str, Any]]]
) -> None:
    found = schedules(EndpointNightHours="20-6", AutoscalingMinCapacity="2")
    assert {name: (one["ScheduleExpression"], one["ScheduleExpressionTimezone"]) for name, one in found.items()} == {
        NIGHT: ("cron(0 20-23,0-6 * * ? *)", "Europe/Berlin"),
        MORNING: ("cron(15/15 6 * * ? *)", "Europe/Berlin"),
    }
    endpoint.create(models[0], variant={"InitialInstanceCount": 2})
    scaling = endpoint.cloud.client("application-autoscaling")
    variant = {
        "ServiceNamespace": "sagemaker", "ResourceId": f"endpoint/{endpoint.name}/variant/AllTraffic",
        "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
    }  # fmt: skip

    def capacities() -> list[tuple[int, int]]:
        listed = scaling.describe_scalable_targets(
            ServiceNamespace="sagemaker", ResourceIds=[f"endpoint/{endpoint.name}/variant/AllTraffic"]
        )
        return [(one["MinCapacity"], one["MaxCapacity"]) for one in listed["ScalableTargets"]]

    _fire(endpoint, found[NIGHT])
    assert capacities() == [], "a schedule must not register what a deployment has not"
    scaling.register_scalable_target(**variant, MinCapacity=2, MaxCapacity=4)
    for schedule, minimum in ((found[NIGHT], 1), (found[MORNING], 2)):
        _fire(endpoint, schedule)
        until(lambda minimum=minimum: capacities() == [(minimum, 4)], 60)


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"EndpointNightHours": "20-6"},  # one instance is the minimum already
        {"EndpointNightHours": "20-6", "AutoscalingMinCapacity": "2", "EnableAutoscaling": "false"},
    ],
)
def test_without_a_minimum_to_lower_there_is_no_schedule(
    schedules: Callable[..., dict[str, dict[str, Any]]], parameters: dict[str, str]
) -> None:
    assert schedules(**parameters) == {}


@pytest.mark.parametrize("action", ["describeScalableTargets", "registerEverything"])
def test_what_scheduler_does_not_call_is_refused(endpoint: Endpoint, action: str) -> None:
    target = {"Arn": f"arn:aws:scheduler:::aws-sdk:applicationautoscaling:{action}", "RoleArn": endpoint.role}
    with pytest.raises(ClientError, match="ValidationException"):
        endpoint.cloud.client("scheduler").create_schedule(
            Name=endpoint.name, ScheduleExpression="rate(1 day)", FlexibleTimeWindow={"Mode": "OFF"}, Target=target
        )


def _fire(endpoint: Endpoint, schedule: dict[str, Any]) -> None:
    """Has Scheduler deliver to the schedule's target in a second, and waits until it did."""
    scheduler = endpoint.cloud.client("scheduler")
    at = datetime.now(UTC) + timedelta(seconds=1)
    name = f"{schedule['Name'][:40]}-{time.monotonic_ns()}"
    scheduler.create_schedule(
        Name=name, ScheduleExpression=f"at({at:%Y-%m-%dT%H:%M:%S})", FlexibleTimeWindow={"Mode": "OFF"},
        Target=schedule["Target"], ActionAfterCompletion="DELETE",
    )  # fmt: skip

    def fired() -> bool:
        try:
            scheduler.get_schedule(Name=name)
        except scheduler.exceptions.ResourceNotFoundException:
            return True
        return False

    until(fired, 60)
