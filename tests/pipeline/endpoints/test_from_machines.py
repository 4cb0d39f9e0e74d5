"""State machines ask endpoints and read objects through `aws-sdk:`, with the names that Step Functions gives errors."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest

from ..conftest import Cloud
from .conftest import BUCKET, Endpoint, role
from .small_models import Trained

Models = tuple[Trained, Trained]
READS_JSON = """
import json
def model_fn(model_dir):
    return None
def transform_fn(model, content, content_type, accept):
    given = json.loads(content)
    return json.dumps({"sum": sum(given["numbers"]), "type": content_type}), "application/json"
"""


@pytest.fixture(scope="module")
def machine_role(cloud: Cloud, execution_role: str) -> str:
    return role(cloud, "endpoint-tests-machine", "states", {
        "sagemaker:InvokeEndpoint": "arn:aws:sagemaker:us-west-2:000000000000:endpoint/small-*",
        "s3:GetObject": f"arn:aws:s3:::{BUCKET}/*",
    })  # fmt: skip


def run(cloud: Cloud, role: str, resource: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """An execution of a machine with this one task."""
    task = {"Type": "Task", "Resource": f"arn:aws:states:::aws-sdk:{resource}", "Arguments": arguments, "End": True}
    definition = {"QueryLanguage": "JSONata", "StartAt": "Ask", "States": {"Ask": task}}
    states = cloud.client("stepfunctions")
    machine = states.create_state_machine(
        name=f"test-{uuid4().hex[:12]}", definition=json.dumps(definition), roleArn=role
    )
    return cloud.ended(states.start_execution(stateMachineArn=machine["stateMachineArn"])["executionArn"], 30)


def test_body_goes_out_as_json_and_comes_back_as_text(endpoint: Endpoint, models: Models, machine_role: str) -> None:
    name = endpoint.model(models[0].parameters, READS_JSON)
    variant = {"VariantName": "AllTraffic", "ModelName": name, "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    endpoint.sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])
    endpoint.sagemaker.create_endpoint(EndpointName=endpoint.name, EndpointConfigName=name)
    endpoint.settled()
    arguments = {"EndpointName": endpoint.name, "ContentType": "application/json", "Body": {"numbers": [1, 2]}}
    answered = json.loads(run(endpoint.cloud, machine_role, "sagemakerruntime:invokeEndpoint", arguments)["output"])
    assert json.loads(answered["Body"]) == {"sum": 3, "type": "application/json"}
    assert (answered["ContentType"], answered["InvokedProductionVariant"]) == ("application/json", "AllTraffic")
    failed = run(endpoint.cloud, machine_role, "sagemakerruntime:invokeEndpoint", arguments | {"Body": {"no": 1}})
    assert failed["error"] == "SageMakerRuntime.ModelErrorException"
    assert failed["cause"].startswith("Received server error (500) from")


def test_errors_of_the_runtime_have_their_names(cloud: Cloud, machine_role: str) -> None:
    resource = "sagemakerruntime:invokeEndpoint"
    nowhere = run(cloud, machine_role, resource, {"EndpointName": "small-nowhere", "Body": {}})
    assert nowhere["error"] == "SageMakerRuntime.ValidationErrorException"
    assert nowhere["cause"].startswith("Endpoint small-nowhere of account 000000000000 not found.")
    denied = run(cloud, machine_role, resource, {"EndpointName": "not-mine", "Body": {}})
    assert denied["error"] == "SageMakerRuntime.SageMakerRuntimeException"
    assert "not authorized to perform: sagemaker:InvokeEndpoint" in denied["cause"]


def test_object_in_s3_comes_as_text(cloud: Cloud, machine_role: str) -> None:
    content = '{"customer_id": "CUST_004001", "naïve": true}\n'
    cloud.client("s3").put_object(Bucket=BUCKET, Key="row.json", Body=content.encode(), ContentType="application/json")
    got = json.loads(run(cloud, machine_role, "s3:getObject", {"Bucket": BUCKET, "Key": "row.json"})["output"])
    assert (got["Body"], got["ContentType"]) == (content, "application/json")
    assert run(cloud, machine_role, "s3:getObject", {"Bucket": BUCKET, "Key": "no"})["error"] == "S3.NoSuchKeyException"
