"""A cheaper instance type is suggested where what was measured fits it, and nowhere else."""

from __future__ import annotations

from typing import Any

import boto3
import botocore.session
import pytest
from automl_pipeline.prices import Price, Prices
from botocore.stub import ANY, Stubber

from cli import cheaper, costs, instances
from cli.stack import Stack

GIB = 2**30


def table(kind: str = "Processing") -> Prices:
    """Prices in proportion to processors and memory."""
    rows = [
        Price(
            "AmazonSageMaker", f"{kind}:{name}", "Hrs", size.processors * 0.04 + size.gib * 0.005, "2026-11-26", "here"
        )
        for name, size in instances.SIZES.items()
    ]
    return Prices("us-east-1", rows)


def job(current: str = "ml.m5.xlarge", *, gib: float = 1, busy: float = 1, **more: Any) -> str | None:
    """The instance type suggested for a job of five minutes, by its peak memory and the processors it used on average."""
    used = {"elapsed_seconds": 300, "processor_seconds": 300 * busy, "peak_memory_bytes": gib * GIB}
    found = instances.for_job("processing_instance_type", current, used, 360, table(), **more)
    return found and found.instance_type


@pytest.mark.parametrize(
    ("gib", "busy", "suggested"),
    [
        (1, 1, "ml.c5.large"),  # 2.5 of 4 GiB
        (3, 1, "ml.m5.large"),
        (8, 1, "ml.r5.large"),
        (11, 1, None),  # 17.5 GiB, which only dearer types have
        (3, 4, "ml.c5.xlarge"),  # half the processors would take twice the time
        (7, 4, None),
    ],
)
def test_type_has_room_for_the_peak_and_costs_less_for_its_time(gib: float, busy: float, suggested: str | None) -> None:
    assert job(gib=gib, busy=busy) == suggested


def test_allowed_types_and_prices_decide() -> None:
    assert job(allowed=["ml.m5.large", "ml.m5.xlarge"]) == "ml.m5.large"
    assert job("ml.g5.xlarge") is None, "the current type has no price to compare with"
    assert job("ml.c5.large") is None, "nothing is cheaper"


def test_cost_counts_the_longer_time() -> None:
    used = {"elapsed_seconds": 300, "processor_seconds": 750, "peak_memory_bytes": 3 * GIB}
    found = instances.for_job("s", "ml.m5.2xlarge", used, 360, table())
    assert found is not None
    assert found.instance_type == "ml.m5.large"
    assert found.usd == pytest.approx((360 + 75) / 3600 * 0.12)
    assert found.in_words() == (
        "s: ml.m5.large would have sufficed, $0.0145 instead of $0.048 a run with ml.m5.2xlarge "
        "(it used 3.00 GiB and 2.5 processors for 300 s)."
    )


@pytest.mark.parametrize(
    ("memory", "cpu", "suggested"),
    [(10, 80, "ml.c5.large"), (10, 120, "ml.c5.xlarge"), (50, 120, None), (30, 80, "ml.r5.large"), (90, 80, None)],
)
def test_endpoint_keeps_twice_its_busiest_minute(memory: float, cpu: float, suggested: str | None) -> None:
    found = instances.for_endpoint("ml.m5.xlarge", 2, memory, cpu, table("Host"))
    assert (found and found.instance_type) == suggested
    assert found is None or found.instead_of_usd == pytest.approx(2 * 730 * 0.24)


def test_sizes_are_of_types_that_there_are() -> None:
    model = botocore.session.Session().get_service_model("sagemaker")
    names: list[Any] = [model.shape_for(f"{use}InstanceType") for use in ("Processing", "ProductionVariant")]
    known = {name for shape in names for name in shape.enum}
    assert set(instances.SIZES) <= known


@pytest.mark.parametrize(("hours", "suggested"), [(24, ["ml.c5.large"]), (23, [])])
def test_endpoint_is_judged_by_a_day_of_its_metrics(
    hours: int, suggested: list[str], stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloudwatch = boto3.client("cloudwatch", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="a")
    monkeypatch.setattr(cheaper, "client", lambda _: cloudwatch)
    stack.outputs["EndpointName"] = "churn"
    serving = [costs.Instances("AllTraffic", "ml.m5.xlarge", 1)]
    with Stubber(cloudwatch) as stubbed:
        for metric, percent in (("MemoryUtilization", 12.5), ("CPUUtilization", 90.0)):
            points = [{"Maximum": percent / (hour + 1), "Unit": "Percent"} for hour in range(hours)]
            stubbed.add_response("get_metric_statistics", {"Label": metric, "Datapoints": points}, {
                "Namespace": "/aws/sagemaker/Endpoints", "MetricName": metric, "Period": 3600, "Statistics": ["Maximum"],
                "Dimensions": [{"Name": "EndpointName", "Value": "churn"}, {"Name": "VariantName", "Value": "AllTraffic"}],
                "StartTime": ANY, "EndTime": ANY,
            })  # fmt: skip
        found = cheaper.suggestions(None, serving, table("Host"), stack)
        stubbed.assert_no_pending_responses()
    assert [one.instance_type for one in found] == suggested
