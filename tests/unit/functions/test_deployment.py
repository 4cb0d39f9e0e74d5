"""How a version is deployed: the document that PrepareRun makes and the deployment machine reads."""

from __future__ import annotations

from typing import Any

import botocore.session
import pytest
from automl_pipeline import deployment
from automl_pipeline.settings import Settings
from botocore.validate import ParamValidator

TAGS = [{"Key": "automl:stack", "Value": "automl"}]
KEY = "arn:aws:kms:us-west-2:000000000000:key/0123abcd"


def document(**given: Any) -> dict[str, Any]:
    return deployment.document(Settings(bucket="bucket", **given), TAGS)


def test_autoscaling_begins_with_the_smallest_fleet() -> None:
    found = document(autoscaling_min_capacity=2, autoscaling_max_capacity=4, autoscaling_target_value=70)
    assert found["scaling"] == {"MinCapacity": 2, "MaxCapacity": 4, "TargetValue": 70}
    assert (found["variant"]["InitialInstanceCount"], found["autoscaling"]) == (2, "2 to 4 instances")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"enable_autoscaling": False}, "switched off"),
        ({"inference_instance_type": "ml.t2.medium"}, "skipped: ml.t2.medium is burstable"),
    ],
)
def test_without_autoscaling_one_instance_serves(given: dict[str, Any], said: str) -> None:
    found = document(autoscaling_min_capacity=2, **given)
    assert "scaling" not in found
    assert (found["variant"]["InitialInstanceCount"], found["autoscaling"]) == (1, said)


@pytest.mark.parametrize(("instance_type", "encrypted"), [("ml.m5.xlarge", True), ("ml.m5d.xlarge", False)])
def test_key_is_left_out_where_the_hardware_encrypts_the_disk(instance_type: str, encrypted: bool) -> None:
    found = document(kms_key_arn=KEY, inference_instance_type=instance_type)["endpoint_config"]
    assert (found.get("KmsKeyId") == KEY) is encrypted


def test_every_part_is_what_sagemaker_takes() -> None:
    found = document(
        kms_key_arn=KEY, data_capture_percentage=20, subnet_ids="subnet-0123abcd", security_group_ids="sg-0123abcd"
    )
    variant = found["variant"] | {"VariantName": "AllTraffic", "ModelName": "m"}
    model = found["model"] | {"ModelName": "m", "ExecutionRoleArn": "arn:aws:iam::000000000000:role/r"}
    config = found["endpoint_config"] | {"EndpointConfigName": "c", "ProductionVariants": [variant]}
    assert config["DataCaptureConfig"]["KmsKeyId"] == KEY
    sagemaker = botocore.session.get_session().get_service_model("sagemaker")
    for name, request in (("CreateModel", model), ("CreateEndpointConfig", config)):
        shape: Any = sagemaker.operation_model(name).input_shape
        assert not ParamValidator().validate(request | {"Tags": found["tags"]}, shape).has_errors()
