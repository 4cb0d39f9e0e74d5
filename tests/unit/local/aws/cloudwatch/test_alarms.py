"""Alarms are judged by CloudWatch's rules, and endpoints' requests are reported to it as SageMaker reports them."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from local.aws.api_model import ApiError
from local.aws.cloudwatch import alarms
from local.aws.sagemaker import deployment, metrics

ROLE = "arn:aws:iam::000000000000:role/model"


def judged(treatment: str, *values: float | None, most: int = 0, wanted: int | None = None) -> str | None:
    alarm: dict[str, Any] = {
        "ComparisonOperator": "GreaterThanThreshold",
        "Threshold": most,
        "TreatMissingData": treatment,
    }
    if wanted:
        alarm["DatapointsToAlarm"] = wanted
    found = alarms.judge(alarm, list(values))
    return found[0] if found else None


@pytest.mark.parametrize(
    ("values", "breaching", "not_breaching", "ignore", "missing"),
    [
        ((1, 1, 1), "ALARM", "ALARM", "ALARM", "ALARM"),
        ((0, 1, 1), "OK", "OK", "OK", "OK"),
        ((None, None, None), "ALARM", "OK", None, "INSUFFICIENT_DATA"),
        ((1, None, None), "ALARM", "OK", None, "ALARM"),
        ((0, None, None), "OK", "OK", "OK", "OK"),
    ],
)
def test_missing_data_counts_as_configured(
    values: tuple[float | None, ...], breaching: str, not_breaching: str, ignore: str | None, missing: str
) -> None:
    treatments = ("breaching", "notBreaching", "ignore", "missing")
    assert tuple(judged(one, *values) for one in treatments) == (breaching, not_breaching, ignore, missing)


def test_some_of_the_periods_are_enough_if_configured() -> None:
    assert judged("notBreaching", 1, 0, 1, wanted=2) == "ALARM"
    assert judged("notBreaching", 1, None, 0, wanted=2) == "OK"


def test_values_are_kept_as_long_as_an_alarm_looks_back(monkeypatch: pytest.MonkeyPatch) -> None:
    from ministack.services import cloudwatch

    daily = {"Namespace": "Own", "MetricName": "Daily", "Period": 86400, "EvaluationPeriods": 1}
    points = {("Own", name, ""): [{"Timestamp": 1000.0}, {"Timestamp": 3000.0}] for name in ("Daily", "Unwatched")}
    monkeypatch.setattr(cloudwatch, "_alarms", {"daily": daily})
    monkeypatch.setattr(cloudwatch, "_metrics", points)
    monkeypatch.setattr(alarms, "_pace", 1 / 60)  # a day is 1440 seconds
    alarms.forget(3010.0)
    assert [len(found) for found in points.values()] == [1, 1]
    alarms.forget(3100.0)
    assert [len(found) for found in points.values()] == [1, 0]


def test_each_request_counts_for_the_variant_and_for_its_fleet() -> None:
    tally = metrics._Tally(Counter({2: 6, 4: 1, 5: 3}), 2, Counter({5000.0: 10}), Counter({100.0: 10}))
    answered = metrics.data(("endpoint", "AllTraffic", "config"), tally)
    assert [len(metric["Dimensions"]) for metric in answered] == [2] * 6 + [3] * 6
    assert answered[6]["Dimensions"][2] == {"Name": "EndpointConfigName", "Value": "config"}
    seen = {metric["MetricName"]: (metric["Values"], metric["Counts"]) for metric in answered[:6]}
    assert seen == {
        "Invocations": ([1.0], [10.0]),
        "InvocationsPerInstance": ([0.5], [10.0]),
        "Invocation4XXErrors": ([1.0, 0.0], [1.0, 9.0]),
        "Invocation5XXErrors": ([1.0, 0.0], [3.0, 7.0]),
        "ModelLatency": ([5000.0], [10.0]),
        "OverheadLatency": ([100.0], [10.0]),
    }


def shares(kind: str, instances: int = 4, **size: Any) -> list[tuple[float, int, str]]:
    routing: dict[str, Any] = {"Type": kind, "WaitIntervalInSeconds": 300}
    if size:
        routing["CanarySize"] = size
    policy = {"TrafficRoutingConfiguration": routing, "TerminationWaitInSeconds": 60}
    plan = deployment.plan({"BlueGreenUpdatePolicy": policy}, instances, ROLE)
    return [(round(step.share, 2), step.seconds, step.capacity) for step in plan.steps]


def test_the_steps_of_a_deployment() -> None:
    full = (1.0, 60, "full capacity of 4 instance(s)")
    assert shares("ALL_AT_ONCE") == [full]
    assert shares("CANARY", Type="CAPACITY_PERCENT", Value=25) == [
        (0.25, 300, "canary capacity of 1 instance(s)"),
        full,
    ]
    assert shares("CANARY", Type="INSTANCE_COUNT", Value=2)[0][0] == 0.5


def test_sizes_that_do_not_go_with_the_type_are_refused() -> None:
    with pytest.raises(
        ApiError, match="CanarySize goes with traffic routing of type CANARY, this is of type ALL_AT_ONCE"
    ):
        deployment.plan(
            {
                "BlueGreenUpdatePolicy": {
                    "TrafficRoutingConfiguration": {
                        "Type": "ALL_AT_ONCE",
                        "WaitIntervalInSeconds": 0,
                        "CanarySize": {"Type": "CAPACITY_PERCENT", "Value": 10},
                    }
                }
            },
            1,
            ROLE,
        )
