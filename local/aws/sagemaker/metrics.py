"""What CloudWatch gets of an endpoint's requests: AWS/SageMaker's invocation metrics.

docs.aws.amazon.com/sagemaker/latest/dg/monitoring-cloudwatch.html. Each metric comes twice, for the endpoint's variant and, with
the dimension EndpointConfigName, for one fleet of it, so that an alarm can watch a new fleet alone.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from local.server import sessions

logger = logging.getLogger("local.sagemaker")
NAMESPACE = "AWS/SageMaker"
PUBLISH_SECONDS = 0.25


@dataclass
class _Tally:
    """The requests to one fleet since the last publication."""

    statuses: Counter[int] = field(default_factory=Counter)
    instances: int = 1
    model: Counter[float] = field(default_factory=Counter)
    overhead: Counter[float] = field(default_factory=Counter)


_tallies: dict[tuple[str, str, str], _Tally] = {}
_lock = threading.Lock()


def install() -> None:
    """Publish what is recorded, several times a second: a minute of AWS's may be a second here."""
    threading.Thread(target=_publish_now_and_then, name="endpoint-metrics", daemon=True).start()


def record(fleet: tuple[str, str, str], instances: int, status: int, model: float, overhead: float) -> None:
    """Count a request. `fleet`: endpoint, variant, configuration; latencies in seconds."""
    with _lock:
        tally = _tallies.setdefault(fleet, _Tally())
        tally.statuses[status // 100] += 1
        tally.instances = instances
        tally.model[_microseconds(model)] += 1
        tally.overhead[_microseconds(overhead)] += 1


def _microseconds(seconds: float) -> float:
    """To two digits: enough for percentiles, and few different values to store."""
    return float(f"{seconds * 1e6:.1e}")


def data(fleet: tuple[str, str, str], tally: _Tally) -> list[dict[str, Any]]:
    """The MetricData of a tally for PutMetricData."""
    names = ("EndpointName", "VariantName", "EndpointConfigName")
    dimensions = [{"Name": name, "Value": value} for name, value in zip(names, fleet, strict=True)]
    count = tally.statuses.total()
    # Each request counts 0 or 1 as an error, so that the average is the error rate.
    metrics: dict[str, tuple[dict[float, int], str]] = {
        "Invocations": ({1.0: count}, "None"),
        "InvocationsPerInstance": ({1.0 / tally.instances: count}, "None"),
        "Invocation4XXErrors": ({1.0: tally.statuses[4], 0.0: count - tally.statuses[4]}, "None"),
        "Invocation5XXErrors": ({1.0: tally.statuses[5], 0.0: count - tally.statuses[5]}, "None"),
        "ModelLatency": (tally.model, "Microseconds"),
        "OverheadLatency": (tally.overhead, "Microseconds"),
    }
    return [
        {
            "MetricName": metric,
            "Dimensions": dimensions[:depth],
            "Unit": unit,
            "Values": [value for value, times in seen.items() if times],
            "Counts": [float(times) for times in seen.values() if times],
        }
        for depth in (2, 3)
        for metric, (seen, unit) in metrics.items()
    ]


def _publish_now_and_then() -> None:
    while True:
        time.sleep(PUBLISH_SECONDS)
        with _lock:
            tallies = dict(_tallies)
            _tallies.clear()
        for fleet, tally in tallies.items():
            try:
                sessions.client("cloudwatch").put_metric_data(Namespace=NAMESPACE, MetricData=data(fleet, tally))
            except Exception:
                logger.exception("The metrics of endpoint %s were not published", fleet[0])
