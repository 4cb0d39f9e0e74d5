"""The stack at a glance."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from cli import executions, registry, schedule
from cli.stack import Stack, client


def read(stack: Stack) -> dict[str, Any]:
    """Endpoint, serving version, last run, schedule and alarms, as JSON."""
    sagemaker = client("sagemaker")
    last = executions.newest(stack, 1)
    pages = client("cloudwatch").get_paginator("describe_alarms").paginate(AlarmNamePrefix=f"{stack.name}-")
    planned = schedule.read(stack)
    return {
        "stack": stack.name,
        "region": stack.outputs["TrainingStateMachineArn"].split(":")[3],
        "endpoint": {
            "name": stack.outputs["EndpointName"],
            "status": _endpoint_status(sagemaker, stack.outputs["EndpointName"]),
            "version": registry.serving_version(sagemaker, stack),
        },
        "last_run": last[0].document() if last else None,
        "schedule": schedule.document(planned) | {"in_words": schedule.in_words(planned)},
        "alarms": [
            {"name": alarm["AlarmName"], "state": alarm["StateValue"], "description": alarm.get("AlarmDescription")}
            for page in pages
            for alarm in page["MetricAlarms"]
        ],
    }


def _endpoint_status(sagemaker: Any, name: str) -> str | None:
    try:
        return sagemaker.describe_endpoint(EndpointName=name)["EndpointStatus"]
    except ClientError as error:
        if "Could not find" in str(error):
            return None
        raise
