"""The stack at a glance."""

from __future__ import annotations

from typing import Any

from cli import costs, drift, executions, registry, schedule
from cli.stack import Stack, client, endpoint_of


def read(stack: Stack) -> dict[str, Any]:
    """Endpoint, serving version, last run, schedule, drift of captured requests and alarms, as JSON."""
    last = executions.newest(stack, 1)
    pages = client("cloudwatch").get_paginator("describe_alarms").paginate(AlarmNamePrefix=f"{stack.name}-")
    planned, endpoint = schedule.read(stack), endpoint_of(stack)
    month, measured = costs.endpoint_month(endpoint, stack), drift.read(stack)
    return {
        "stack": stack.name,
        "region": stack.outputs["TrainingStateMachineArn"].split(":")[3],
        "endpoint": {
            "name": stack.outputs["EndpointName"],
            "status": endpoint and endpoint["EndpointStatus"],
            "version": registry.serving_version(client("sagemaker"), stack),
            "month_in_words": costs.in_words(month) if month and month.usd else "",
        },
        "last_run": last[0].document() if last else None,
        "schedule": schedule.document(planned) | {"in_words": schedule.in_words(planned)},
        "drift": {**(measured or {}), "in_words": drift.in_words(measured)},
        "alarms": [
            {"name": alarm["AlarmName"], "state": alarm["StateValue"], "description": alarm.get("AlarmDescription")}
            for page in pages
            for alarm in page["MetricAlarms"]
        ],
    }
