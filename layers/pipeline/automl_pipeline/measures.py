"""The metrics that the functions publish: their one definition, for the functions, the dashboard and its tests.

They are written into the log in CloudWatch's embedded metric format, so that publishing needs no call and no permission. Each has
the dimension `service`, which holds the stack's name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit, single_metric

NAMESPACE = "AutoMLPipeline"


@dataclass(frozen=True)
class Measure:
    """A metric: its name, its unit, and its dimension beside `service`, if it has one."""

    name: str
    unit: MetricUnit
    dimension: str | None = None


REFUSED = Measure("InputsRefused", MetricUnit.Count)
PASSED = Measure("ModelsPassed", MetricUnit.Count)
NOT_PASSED = Measure("ModelsNotPassed", MetricUnit.Count)
GATE_VALUE = Measure("GateValue", MetricUnit.NoUnit, "Metric")
TEST_ROWS = Measure("TestRows", MetricUnit.Count)
STEP_SECONDS = Measure("StepSeconds", MetricUnit.Seconds, "Step")
COMPARED_ROWS = Measure("ComparedRows", MetricUnit.Count)
DRIFTED_FEATURES = Measure("DriftedFeatures", MetricUnit.Count)
LARGEST_DRIFT = Measure("LargestDrift", MetricUnit.NoUnit)
ALL = (
    *(REFUSED, PASSED, NOT_PASSED, GATE_VALUE, TEST_ROWS, STEP_SECONDS),
    *(COMPARED_ROWS, DRIFTED_FEATURES, LARGEST_DRIFT),
)


def emit(measure: Measure, value: float, stack: str, of: str | None = None, run_id: str | None = None) -> None:
    """Publish a value. `of`: the value of the measure's own dimension; `run_id` is kept beside it in the log."""
    with single_metric(
        name=measure.name,
        unit=measure.unit,
        value=value,
        namespace=NAMESPACE,
        default_dimensions={"service": stack},
    ) as metric:
        if measure.dimension is not None:
            metric.add_dimension(measure.dimension, str(of))
        if run_id is not None:
            metric.add_metadata("run_id", run_id)


def publish_evaluation(
    stack: str, run_id: str, document: Mapping[str, Any], began: Mapping[str, str], now: datetime | None = None
) -> None:
    """Publish what an evaluation has found (evaluation.json), and how long the steps until now took.

    `began`: when each step began, as Step Functions writes times.
    """
    passed = PASSED if document["passed"] else NOT_PASSED
    emit(passed, 1, stack, run_id=run_id)
    emit(GATE_VALUE, document[document["gate_metric"]], stack, document["gate_metric"], run_id)
    emit(TEST_ROWS, document["rows"], stack, run_id=run_id)
    for step, seconds in durations(began, now or datetime.now(UTC)).items():
        emit(STEP_SECONDS, seconds, stack, step, run_id)


def publish_drift(stack: str, document: Mapping[str, Any]) -> None:
    """Publish how far captured requests are from the training rows (drift.json)."""
    for measure, value in (
        (COMPARED_ROWS, document["rows"]),
        (DRIFTED_FEATURES, len(document["drifted"])),
        (LARGEST_DRIFT, document["largest"]),
    ):
        emit(measure, value, stack, run_id=document["run_id"])


def durations(began: Mapping[str, str], now: datetime) -> dict[str, float]:
    """Seconds of each step: until the next one began, of the last one until now."""
    if not began:
        return {}
    starts = sorted((datetime.fromisoformat(time), step) for step, time in began.items())
    ends = [time for time, _ in starts[1:]] + [now]
    return {step: (end - time).total_seconds() for (time, step), end in zip(starts, ends, strict=True)}
