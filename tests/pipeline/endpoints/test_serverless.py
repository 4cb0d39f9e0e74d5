"""Serverless variants: what SageMaker does not have for them is refused, a single container is served."""

from __future__ import annotations

from typing import Any

import pytest

from . import small_models
from .conftest import BUCKET, Endpoint
from .small_models import PREDICT, PREPARE, Trained

Models = tuple[Trained, Trained]
SERVERLESS = {"MemorySizeInMB": 2048, "MaxConcurrency": 5}
CAPTURE = {
    "EnableCapture": True,
    "InitialSamplingPercentage": 100,
    "DestinationS3Uri": f"s3://{BUCKET}/captured",
    "CaptureOptions": [{"CaptureMode": "Input"}],
}


def variant(model: str, **more: Any) -> dict[str, Any]:
    return {"VariantName": "AllTraffic", "ModelName": model, "ServerlessConfig": SERVERLESS, **more}


def configured(endpoint: Endpoint, model: str, given: dict[str, Any] | None = None, **more: Any) -> str:
    endpoint.sagemaker.create_endpoint_config(
        EndpointConfigName=model, ProductionVariants=[variant(model, **(given or {}))], **more
    )
    return model


def test_exclusions_are_refused(endpoint: Endpoint, models: Models) -> None:
    parameters = models[0].parameters
    alone = endpoint.model(parameters)
    pipeline = endpoint.model(parameters, PREDICT, PREPARE)
    isolated = endpoint.model(parameters, EnableNetworkIsolation=True)
    in_vpc = endpoint.model(parameters, VpcConfig={"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]})
    refusals: list[tuple[str, str, dict[str, Any], dict[str, Any]]] = [
        ("Inference pipeline is not supported", pipeline, {}, {}),
        ("Network isolation is not supported", isolated, {}, {}),
        ("VPC configuration is not supported", in_vpc, {}, {}),
        ("Data capture is not supported", alone, {}, {"DataCaptureConfig": CAPTURE}),
        ("KMS key is not supported", alone, {}, {"KmsKeyId": "alias/mine"}),
        ("Instance type is not supported", alone, {"InstanceType": "ml.m5.large"}, {}),
        ("multiple of 1024", alone, {"ServerlessConfig": {**SERVERLESS, "MemorySizeInMB": 1500}}, {}),
        ("MaxConcurrency of 5", alone, {"ServerlessConfig": {**SERVERLESS, "ProvisionedConcurrency": 6}}, {}),
    ]
    for sentence, model, given, more in refusals:
        with pytest.raises(endpoint.sagemaker.exceptions.ClientError, match=sentence):
            configured(endpoint, model, given, **more)


def test_one_container_is_served_but_not_scaled(endpoint: Endpoint, models: Models) -> None:
    config = configured(endpoint, endpoint.model(models[0].parameters))
    endpoint.sagemaker.create_endpoint(EndpointName=endpoint.name, EndpointConfigName=config)
    shown = endpoint.settled()["ProductionVariants"][0]
    assert shown["CurrentServerlessConfig"] == SERVERLESS
    assert "CurrentInstanceCount" not in shown
    rows = b"\n".join(small_models.request().splitlines()[1:])
    assert endpoint.ask(rows)["Body"].read() == models[0].answer
    scaling = endpoint.cloud.client("application-autoscaling")
    with pytest.raises(scaling.exceptions.ClientError, match="is serverless"):
        scaling.register_scalable_target(
            ServiceNamespace="sagemaker",
            ResourceId=f"endpoint/{endpoint.name}/variant/AllTraffic",
            ScalableDimension="sagemaker:variant:DesiredInstanceCount",
            MinCapacity=1,
            MaxCapacity=2,
        )


def test_endpoint_with_instances_cannot_become_serverless(endpoint: Endpoint, models: Models) -> None:
    endpoint.create(models[0])
    config = configured(endpoint, endpoint.model(models[1].parameters))
    with pytest.raises(endpoint.sagemaker.exceptions.ClientError, match="cannot become serverless"):
        endpoint.update(config)
