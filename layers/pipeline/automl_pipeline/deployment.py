"""How a run's model is deployed, in the form of SageMaker's APIs: the only place with rules about instance types."""

from __future__ import annotations

import re
from typing import Any

from automl_pipeline.contradictions import BURSTABLE
from automl_pipeline.settings import Settings

# Instances with disks of their own, which are encrypted in hardware: SageMaker refuses a key for their volumes.
_OWN_DISKS = re.compile(r"ml\.([a-z]+[0-9]+[a-z]*d[a-z]*|g[56]e?|p5[a-z]*|trn1n?|i[34][a-z]*)\.")


def document(settings: Settings, tags: list[dict[str, str]]) -> dict[str, Any]:
    """How a version is deployed, whenever that is: `$deployment` in deployment.asl.yaml.

    model, endpoint_config, variant: members of CreateModel, CreateEndpointConfig and its one production variant.
    scaling: MinCapacity, MaxCapacity and TargetValue (invocations per instance and minute); absent without autoscaling.
    autoscaling: the same in words. tags: as SageMaker takes them. EvaluateModel adds `archives` and `known_row`.
    """
    instance_type = settings.inference_instance_type
    # https://docs.aws.amazon.com/sagemaker/latest/dg/endpoint-auto-scaling.html
    burstable = bool(BURSTABLE.match(instance_type))
    scales = settings.enable_autoscaling and not burstable
    low, high = settings.autoscaling_min_capacity, settings.autoscaling_max_capacity
    scaling = {"MinCapacity": low, "MaxCapacity": high, "TargetValue": settings.autoscaling_target_value}
    return {
        "model": network(settings),
        "endpoint_config": {**_capture(settings), **key(settings, "KmsKeyId", instance_type)},
        "variant": {
            "InstanceType": instance_type,
            "InitialInstanceCount": low if scales else 1,
            "InitialVariantWeight": 1,
        },
        **({"scaling": scaling} if scales else {}),
        "autoscaling": f"{low} to {high} instances"
        if scales
        else f"skipped: {instance_type} is burstable"
        if burstable
        else "switched off",
        "tags": tags,
    }


def network(settings: Settings) -> dict[str, Any]:
    """EnableNetworkIsolation, and VpcConfig where the stack was given a VPC, as models and processing jobs take them."""
    return {"EnableNetworkIsolation": settings.network_isolation, **vpc(settings)}


def vpc(settings: Settings) -> dict[str, Any]:
    """VpcConfig, where the stack was given a VPC."""
    if not (settings.subnet_ids and settings.security_group_ids):
        return {}
    subnets, groups = settings.subnet_ids.split(","), settings.security_group_ids.split(",")
    return {"VpcConfig": {"SecurityGroupIds": groups, "Subnets": subnets}}


def key(settings: Settings, member: str, instance_type: str = "") -> dict[str, str]:
    """The stack's key for a volume, under the member's name; none for instances whose hardware encrypts their disks."""
    given = settings.kms_key_arn
    return {member: given} if given and not _OWN_DISKS.match(instance_type) else {}


def _capture(settings: Settings) -> dict[str, Any]:
    if not settings.data_capture_percentage:
        return {}
    return {
        "DataCaptureConfig": {
            "EnableCapture": True,
            "InitialSamplingPercentage": settings.data_capture_percentage,
            "DestinationS3Uri": f"s3://{settings.bucket}/{settings.prefix}/data-capture",
            "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
            "CaptureContentTypeHeader": {
                "CsvContentTypes": ["text/csv"],
                "JsonContentTypes": ["application/json", "application/jsonlines"],
            },
            **key(settings, "KmsKeyId"),
        }
    }
