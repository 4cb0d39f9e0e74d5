"""A new model that is no good is turned back while the old one serves, and what SageMaker refuses is refused."""

from __future__ import annotations

from typing import Any

import pytest

from . import load, small_models
from .conftest import BUCKET, Endpoint, role
from .small_models import ANSWERS_500, CANNOT_START, Trained

Models = tuple[Trained, Trained]


def deployment(alarm: str | None = None, kind: str = "CANARY", wait: int = 600, **size: Any) -> dict[str, Any]:
    """A DeploymentConfig that lets an alarm's time pass: ten minutes are ten seconds here."""
    routing: dict[str, Any] = {"Type": kind, "WaitIntervalInSeconds": wait}
    if kind == "CANARY":
        routing["CanarySize"] = {"Type": "CAPACITY_PERCENT", "Value": 25} | size
    policy = {"TrafficRoutingConfiguration": routing, "TerminationWaitInSeconds": wait}
    watched = {"AutoRollbackConfiguration": {"Alarms": [{"AlarmName": alarm}]}} if alarm else {}
    return {"BlueGreenUpdatePolicy": policy, **watched}


def test_container_that_does_not_start_is_turned_back_unnoticed(endpoint: Endpoint, models: Models) -> None:
    old, new = models
    before = endpoint.create(old)
    endpoint.listen()
    with load.running(endpoint.runtime, endpoint.name, small_models.request(), clients=2) as requests:
        endpoint.update(endpoint.config(new, CANNOT_START), DeploymentConfig=deployment())
        described = endpoint.settled()
    assert set(requests.seen) == {old.answer}
    assert "container-2 container did not pass the ping health check" in described["FailureReason"]
    assert (described["EndpointStatus"], described["EndpointConfigName"]) == ("InService", before)
    assert endpoint.reported() == ["UPDATING", "ROLLING_BACK", "IN_SERVICE"]


def test_canary_that_answers_500_is_turned_back_by_the_alarm(endpoint: Endpoint, models: Models) -> None:
    old, new = models
    before = endpoint.create(old)
    alarm = endpoint.alarm()
    elsewhere = endpoint.alarm(dimensions={"EndpointName": "another-endpoint"})
    with load.running(endpoint.runtime, endpoint.name, small_models.request(), clients=2) as requests:
        endpoint.update(endpoint.config(new, ANSWERS_500), DeploymentConfig=deployment(alarm))
        described = endpoint.settled()
        asked = [len(client) for client in requests.clients]
        for _ in range(20):
            assert endpoint.ask()["Body"].read() == old.answer
    assert (described["EndpointStatus"], described["EndpointConfigName"]) == ("InService", before)
    assert alarm in described["FailureReason"]
    answers = [one for one in requests.seen if one not in requests.errors]
    assert set(answers) == {old.answer}
    assert requests.errors
    # Only the canary's quarter failed, and every failure was its own.
    assert len(requests.errors) <= len(requests.seen) / 4 + 1
    assert all("Received server error (500) from container-2" in error for error in requests.errors)
    after = [client[count:] for client, count in zip(requests.clients, asked, strict=True)]
    assert not [one for client in after for one in client if one != old.answer]
    endpoint.until(lambda _: endpoint.alarm_state(alarm) == "OK")
    assert endpoint.went_off(alarm)
    assert not endpoint.went_off(elsewhere), "an alarm looks at its own dimensions only"


def test_alarm_on_the_new_fleet_alone_turns_it_back(endpoint: Endpoint, models: Models) -> None:
    old, new = models
    before = endpoint.create(old)
    config = endpoint.config(new, ANSWERS_500)
    alarm = endpoint.alarm(dimensions={"EndpointConfigName": config}, Statistic="Sum", Threshold=0)
    with load.running(endpoint.runtime, endpoint.name, small_models.request(), clients=1) as requests:
        endpoint.update(config, DeploymentConfig=deployment(alarm, "ALL_AT_ONCE"))
        described = endpoint.until(lambda described: described["EndpointStatus"] == "InService")
    assert (described["EndpointConfigName"], requests.seen[-1]) == (before, old.answer)
    assert alarm in described["FailureReason"]


def test_latency_alarm_reads_percentiles(endpoint: Endpoint, models: Models) -> None:
    endpoint.create(models[0])
    watched = {"ExtendedStatistic": "p90", "EvaluationPeriods": 2, "DatapointsToAlarm": 1}
    fired, quiet = (endpoint.alarm("ModelLatency", Threshold=most, **watched) for most in (1, 60_000_000))
    with load.running(endpoint.runtime, endpoint.name, small_models.request(), clients=1):
        endpoint.until(lambda _: endpoint.alarm_state(fired) == "ALARM")
        assert endpoint.alarm_state(quiet) == "OK"


def test_alarm_that_is_on_already_keeps_the_new_model_from_any_request(endpoint: Endpoint, models: Models) -> None:
    old, new = models
    endpoint.create(old)
    alarm = endpoint.alarm("Invocations", TreatMissingData="breaching")
    endpoint.until(lambda _: endpoint.alarm_state(alarm) == "ALARM")
    endpoint.update(endpoint.config(new), DeploymentConfig=deployment(alarm, "ALL_AT_ONCE"))
    with load.running(endpoint.runtime, endpoint.name, small_models.request(), clients=1) as requests:
        described = endpoint.settled()
    assert alarm in described["FailureReason"]
    assert set(requests.seen) <= {old.answer}


def test_alarm_that_a_person_sets_turns_it_back(endpoint: Endpoint, models: Models) -> None:
    old, new = models
    before = endpoint.create(old)
    alarm = endpoint.alarm()
    endpoint.update(endpoint.config(new), DeploymentConfig=deployment(alarm, "ALL_AT_ONCE"))
    endpoint.until(lambda _: endpoint.ask()["Body"].read() == new.answer)
    endpoint.cloud.client("cloudwatch").set_alarm_state(AlarmName=alarm, StateValue="ALARM", StateReason="I say so")
    described = endpoint.settled()
    assert (described["EndpointConfigName"], endpoint.ask()["Body"].read()) == (before, old.answer)
    assert alarm in described["FailureReason"]


def test_busy_endpoint_takes_no_other_change(endpoint: Endpoint, models: Models) -> None:
    old, new = models
    endpoint.create(old)
    config, another = endpoint.config(new), endpoint.config(old)
    endpoint.update(config, DeploymentConfig=deployment(wait=120))
    refused = endpoint.sagemaker.exceptions.ClientError
    with pytest.raises(refused, match="Cannot update in-progress endpoint"):
        endpoint.update(another)
    with pytest.raises(refused, match="Cannot delete in-progress endpoint"):
        endpoint.sagemaker.delete_endpoint(EndpointName=endpoint.name)
    assert endpoint.settled()["EndpointConfigName"] == config


REFUSED = {
    "CanarySize must be less than or equal to 50%": deployment(Value=60),
    "of 1, it is 100%": deployment(Type="INSTANCE_COUNT", Value=1),
    "no linear traffic": deployment(kind="LINEAR"),
    "CANARY needs CanarySize": {
        "BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": {"Type": "CANARY", "WaitIntervalInSeconds": 0}}
    },
    "larger than the total waiting time of 1200 seconds": {
        "BlueGreenUpdatePolicy": {
            **deployment()["BlueGreenUpdatePolicy"],
            "MaximumExecutionTimeoutInSeconds": 1200,
        }
    },
    "Could not find the CloudWatch alarm\\(s\\) nowhere": deployment("nowhere"),
    "blue/green deployments only": {
        "RollingUpdatePolicy": {
            "MaximumBatchSize": {"Type": "INSTANCE_COUNT", "Value": 1},
            "WaitIntervalInSeconds": 0,
        }
    },
}


def test_what_a_deployment_may_not_be(endpoint: Endpoint, models: Models) -> None:
    old, new = models
    before = endpoint.create(old)
    config = endpoint.config(new)
    for sentence, wanted in REFUSED.items():
        with pytest.raises(endpoint.sagemaker.exceptions.ClientError, match=sentence):
            endpoint.update(config, DeploymentConfig=wanted)
    other = endpoint.config(new, variant={"VariantName": "Other"})
    with pytest.raises(endpoint.sagemaker.exceptions.ClientError, match="must have the variant name AllTraffic"):
        endpoint.update(other)
    described = endpoint.describe()
    assert (described["EndpointStatus"], described["EndpointConfigName"]) == ("InService", before)


def test_role_that_may_not_see_the_alarm(endpoint: Endpoint, models: Models) -> None:
    endpoint.create(models[0])
    endpoint.role = role(
        endpoint.cloud, f"{endpoint.name}-blind", "sagemaker", {"s3:GetObject": f"arn:aws:s3:::{BUCKET}/*"}
    )
    with pytest.raises(endpoint.sagemaker.exceptions.ClientError, match=r"blind is not authorized .*DescribeAlarms"):
        endpoint.update(endpoint.config(models[1]), DeploymentConfig=deployment(endpoint.alarm()))
