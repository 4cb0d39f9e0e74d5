"""A model changes under a load of requests: none fails, none is answered by two models."""

from __future__ import annotations

import pytest

from . import load, small_models
from .conftest import Endpoint
from .small_models import Trained

Models = tuple[Trained, Trained]
CANARY = {
    "BlueGreenUpdatePolicy": {
        "TrafficRoutingConfiguration": {
            "Type": "CANARY",
            "CanarySize": {"Type": "CAPACITY_PERCENT", "Value": 25},
            "WaitIntervalInSeconds": 300,
        },
        "TerminationWaitInSeconds": 180,
        "MaximumExecutionTimeoutInSeconds": 1800,
    }
}


def test_all_at_once_no_client_sees_the_old_model_after_the_new(endpoint: Endpoint, models: Models) -> None:
    old, new = models
    endpoint.create(old)
    config = endpoint.config(new)
    with load.running(endpoint.runtime, endpoint.name, small_models.request()) as requests:
        endpoint.update(config)
        described = endpoint.settled()
        after = endpoint.ask()["Body"].read()
        endpoint.until(lambda _: new.answer in requests.seen)
    assert (described["EndpointConfigName"], after) == (config, new.answer)
    assert requests.errors == []
    assert set(requests.seen) == {old.answer, new.answer}, "an answer is neither model's alone"
    for client in requests.clients:
        assert client == sorted(client, key=lambda answer: answer == new.answer), "the old model came back"


def test_requests_under_way_are_answered_by_the_old_model(endpoint: Endpoint, models: Models) -> None:
    old, new = models
    endpoint.create(old, program=small_models.SLOW)
    config = endpoint.config(new)
    with load.running(endpoint.runtime, endpoint.name, small_models.request(), clients=8) as requests:
        endpoint.update(config)
        assert endpoint.settled()["EndpointConfigName"] == config
        endpoint.until(lambda _: new.answer in requests.seen)
    assert requests.errors == []
    assert set(requests.seen) == {old.answer, new.answer}


def test_canary_gets_its_share_then_everything(endpoint: Endpoint, models: Models) -> None:
    old, new = models
    before = endpoint.create(old)
    config = endpoint.config(new)
    with load.running(endpoint.runtime, endpoint.name, small_models.request()) as requests:
        endpoint.update(config, DeploymentConfig=CANARY)
        baking = endpoint.until(lambda described: _status(described) == "Baking")
        full = endpoint.until(lambda described: "TerminationWait" in _message(described))
        described = endpoint.settled()
    assert baking["EndpointStatus"] == full["EndpointStatus"] == "Updating"
    assert baking["EndpointConfigName"] == before
    assert baking["PendingDeploymentSummary"]["EndpointConfigName"] == config
    assert "Baking for 300 seconds (WaitIntervalInSeconds)" in _message(baking)
    assert requests.errors == []
    assert set(requests.seen) == {old.answer, new.answer}, "an answer is neither model's alone"
    returned = [client for client in requests.clients if old.answer in client[client.index(new.answer) :]]
    assert returned, "a canary leaves most requests to the old model"
    assert described["EndpointConfigName"] == config
    assert "PendingDeploymentSummary" not in described
    assert endpoint.ask()["Body"].read() == new.answer


def test_canary_share_is_kept_exactly(endpoint: Endpoint, models: Models) -> None:
    old, new = models
    endpoint.create(old)
    policy = CANARY["BlueGreenUpdatePolicy"]
    routing = policy["TrafficRoutingConfiguration"] | {
        "WaitIntervalInSeconds": 480
    }  # long enough to ask on a busy machine
    baking = {"BlueGreenUpdatePolicy": policy | {"TrafficRoutingConfiguration": routing}}
    endpoint.update(endpoint.config(new), DeploymentConfig=baking)
    endpoint.until(lambda described: _status(described) == "Baking")
    answers = [endpoint.ask()["Body"].read() for _ in range(8)]
    assert (answers.count(old.answer), answers.count(new.answer)) == (6, 2)
    endpoint.settled()


@pytest.mark.parametrize("count", [1, 3])
def test_scaled_out_instances_stay(endpoint: Endpoint, models: Models, count: int) -> None:
    old, new = models
    endpoint.create(old)
    capacity = {"VariantName": "AllTraffic", "DesiredInstanceCount": 3}
    endpoint.sagemaker.update_endpoint_weights_and_capacities(
        EndpointName=endpoint.name, DesiredWeightsAndCapacities=[capacity]
    )
    endpoint.update(endpoint.config(new), RetainAllVariantProperties=count == 3)
    described = endpoint.settled()
    assert described["ProductionVariants"][0]["CurrentInstanceCount"] == count


def test_instance_type_cannot_change_under_autoscaling(endpoint: Endpoint, models: Models) -> None:
    old, new = models
    endpoint.create(old)
    target = {
        "ServiceNamespace": "sagemaker",
        "ResourceId": f"endpoint/{endpoint.name}/variant/AllTraffic",
        "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
    }
    scaling = endpoint.cloud.client("application-autoscaling")
    scaling.register_scalable_target(**target, MinCapacity=2, MaxCapacity=4)
    other_type = endpoint.config(new, variant={"InstanceType": "ml.c5.large"})
    refused = endpoint.sagemaker.exceptions.ClientError
    with pytest.raises(refused, match="instance type of variant AllTraffic cannot change"):
        endpoint.update(other_type)
    endpoint.update(endpoint.config(new), RetainAllVariantProperties=True)
    assert endpoint.settled()["ProductionVariants"][0]["CurrentInstanceCount"] == 2
    scaling.deregister_scalable_target(**target)
    endpoint.update(other_type)
    assert endpoint.settled()["EndpointConfigName"] == other_type


def _status(described: dict) -> str:
    return _variant_status(described).get("Status", "")


def _message(described: dict) -> str:
    return _variant_status(described).get("StatusMessage", "")


def _variant_status(described: dict) -> dict:
    summary = described.get("PendingDeploymentSummary")
    return summary["ProductionVariants"][0]["VariantStatus"][0] if summary else {}
