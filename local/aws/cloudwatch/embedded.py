"""CloudWatch's embedded metric format: metrics that functions write into their logs.

docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from __future__ import annotations

import itertools
import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from local.server import sessions

logger = logging.getLogger("local.cloudwatch")


def publish(log: str) -> None:
    """Publish the metrics in a function's log lines."""
    for namespace, found in itertools.groupby(data(log), lambda one: one[0]):
        metrics = [datum for _, datum in found]
        try:
            sessions.client("cloudwatch").put_metric_data(Namespace=namespace, MetricData=metrics)
        except Exception:
            logger.exception("Metrics were not published: %s", [datum["MetricName"] for datum in metrics])


def data(log: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Namespace and MetricData of each metric in log lines; what is no metric is left out."""
    for line in log.splitlines():
        if not line.startswith("{") or '"_aws"' not in line:
            continue
        try:
            found = json.loads(line)
        except ValueError:
            continue
        if not isinstance(found.get("_aws"), dict):
            continue
        at = datetime.fromtimestamp(found["_aws"]["Timestamp"] / 1000, UTC)
        for directive in found["_aws"].get("CloudWatchMetrics", []):
            for names in directive["Dimensions"]:
                dimensions = [{"Name": name, "Value": str(found[name])} for name in names]
                for metric in directive["Metrics"]:
                    value = found[metric["Name"]]
                    values = value if isinstance(value, list) else [value]
                    yield (
                        directive["Namespace"],
                        {
                            "MetricName": metric["Name"],
                            "Dimensions": dimensions,
                            "Unit": metric.get("Unit", "None"),
                            "Timestamp": at,
                            "Values": values,
                        },
                    )
