"""Cheaper instance types for a stack, from what its newest job and its endpoint were measured to use."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from automl_pipeline.prices import Prices

from cli import costs, data_note, instances
from cli.costs import Instances
from cli.executions import Details
from cli.instances import Suggestion
from cli.stack import Stack, client

DAYS, LEAST_HOURS = 14, 24
"""Of metrics that are looked at, and that there must be before a type is suggested for the endpoint."""


def suggestions(details: Details | None, serving: Sequence[Instances], table: Prices, stack: Stack) -> list[Suggestion]:
    """For the processing job of a run, if there is one, and for the endpoint's one variant, if there is an endpoint."""
    allowed = [name for name in (stack.defaults().get("allowed_instance_types") or "").split(",") if name]
    found = [_for_endpoint(stack, one, table, allowed) for one in serving[:1]]
    used = data_note.resources_of(details.finished, client("s3")) if details else {}
    if details and used:
        current = details.settings["processing_instance_type"]
        seconds = costs.processing_seconds(details.run.run_id)
        found.append(instances.for_job("processing_instance_type", current, used, seconds, table, allowed))
    return [one for one in found if one]


def _for_endpoint(stack: Stack, serving: Instances, table: Prices, allowed: Sequence[str]) -> Suggestion | None:
    """None if nothing is cheaper, and with too few hours of metrics."""
    memory, cpu = (_most_percent(stack, serving.variant, metric) for metric in ("MemoryUtilization", "CPUUtilization"))
    if memory is None or cpu is None:
        return None
    return instances.for_endpoint(serving.instance_type, serving.count, memory, cpu, table, allowed)


def _most_percent(stack: Stack, variant: str, metric: str) -> float | None:
    """The most of a minute in these days; None with too few hours of metrics.

    docs.aws.amazon.com/sagemaker/latest/dg/monitoring-cloudwatch.html, instance metrics of endpoints.
    """
    now = datetime.now(UTC)
    found = client("cloudwatch").get_metric_statistics(
        Namespace="/aws/sagemaker/Endpoints",
        MetricName=metric,
        Dimensions=[
            {"Name": "EndpointName", "Value": stack.outputs["EndpointName"]},
            {"Name": "VariantName", "Value": variant},
        ],
        StartTime=now - timedelta(days=DAYS),
        EndTime=now,
        Period=3600,
        Statistics=["Maximum"],
    )
    most = [point["Maximum"] for point in found["Datapoints"]]
    return max(most) if len(most) >= LEAST_HOURS else None
