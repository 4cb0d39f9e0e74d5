"""Cheaper instance types for a stack, from what its newest job and its endpoint were measured to use."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from automl_pipeline import costs as quantities
from automl_pipeline.prices import Prices

from cli import costs, data_note, instances
from cli.executions import Details
from cli.instances import Suggestion
from cli.stack import Stack, client, endpoint_of

DAYS, LEAST_HOURS = 14, 24
"""Of metrics that are looked at, and that there must be before a type is suggested for the endpoint."""


def suggestions(details: Details | None, table: Prices, stack: Stack) -> list[Suggestion]:
    """For the processing job of a run, if there is one, and for the endpoint."""
    allowed = [name for name in (stack.defaults().get("allowed_instance_types") or "").split(",") if name]
    found = [_for_endpoint(stack, table, allowed)]
    used = data_note.resources_of(details.finished, client("s3")) if details else {}
    if details and used:
        current = details.settings["processing_instance_type"]
        seconds = costs.processing_seconds(details.run.run_id)
        found.append(instances.for_job("processing_instance_type", current, used, seconds, table, allowed))
    return [one for one in found if one]


def _for_endpoint(stack: Stack, table: Prices, allowed: Sequence[str]) -> Suggestion | None:
    """By the metrics of its one variant."""
    for use in costs.endpoint_uses(stack):
        memory, cpu = (_most_percent(stack, metric) for metric in ("MemoryUtilization", "CPUUtilization"))
        if memory is not None and cpu is not None:
            count = round(use.quantity / quantities.HOURS_OF_MONTH)
            return instances.for_endpoint(use.meter.usage.partition(":")[2], count, memory, cpu, table, allowed)
    return None


def _most_percent(stack: Stack, metric: str) -> float | None:
    """The most of a minute in these days; None without an endpoint and with too few hours of metrics.

    docs.aws.amazon.com/sagemaker/latest/dg/monitoring-cloudwatch.html, instance metrics of endpoints.
    """
    endpoint = endpoint_of(stack)
    if endpoint is None:
        return None
    now = datetime.now(UTC)
    found = client("cloudwatch").get_metric_statistics(
        Namespace="/aws/sagemaker/Endpoints",
        MetricName=metric,
        Dimensions=[
            {"Name": "EndpointName", "Value": endpoint["EndpointName"]},
            {"Name": "VariantName", "Value": "AllTraffic"},
        ],
        StartTime=now - timedelta(days=DAYS),
        EndTime=now,
        Period=3600,
        Statistics=["Maximum"],
    )
    most = [point["Maximum"] for point in found["Datapoints"]]
    return max(most) if len(most) >= LEAST_HOURS else None
