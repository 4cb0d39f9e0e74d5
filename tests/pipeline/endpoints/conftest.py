"""Endpoints of small models on the pipeline tests' local cloud."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config

from local.aws.sagemaker import prerequisites
from local.server import address

from ..conftest import Cloud
from . import small_models
from .small_models import PREDICT, PREPARE, Trained

if TYPE_CHECKING:
    from mypy_boto3_sagemaker_runtime.type_defs import InvokeEndpointOutputTypeDef

BUCKET = "endpoint-tests"


def until(holds: Callable[[], Any], seconds: float = 20) -> Any:
    """The first answer that holds, which must come in time."""
    deadline = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found


@dataclass
class Endpoint:
    """One endpoint under test, and how to make what it needs."""

    cloud: Cloud
    role: str
    name: str = field(default_factory=lambda: f"small-{uuid.uuid4().hex[:8]}")
    models: int = 0

    def __post_init__(self) -> None:
        # Made once: a client takes long enough to make that what is to be seen would be over.
        self.sagemaker = self.cloud.client("sagemaker")
        self.cloudwatch = self.cloud.client("cloudwatch")
        session = boto3.Session(address.ACCESS_KEY, address.SECRET_KEY, region_name=address.REGION)
        self.runtime = session.client(
            "sagemaker-runtime",
            endpoint_url=self.cloud.deployed.server.endpoint_url,
            # A failed request must not be hidden by making it again.
            config=Config(retries={"total_max_attempts": 1}, max_pool_connections=16),
        )

    def model(self, parameters: dict[str, Any], program: str = PREDICT, *before: str, **more: Any) -> str:
        """A model of these containers' programs. Returns its name."""
        self.models += 1
        name = f"{self.name}-{self.models}"
        containers = []
        for number, source in enumerate((*before, program)):
            key = f"{name}/{number}/model.tar.gz"
            self.cloud.client("s3").put_object(Bucket=BUCKET, Key=key, Body=small_models.archive(source, parameters))
            containers.append({
                "Image": small_models.IMAGE,
                "ModelDataUrl": f"s3://{BUCKET}/{key}",
                "Environment": {"SAGEMAKER_PROGRAM": "inference.py", "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": "text/csv"},
            })  # fmt: skip
        self.sagemaker.create_model(ModelName=name, ExecutionRoleArn=self.role, Containers=containers, **more)
        return name

    def config(self, trained: Trained, program: str = PREDICT, **more: Any) -> str:
        """A configuration of an inference pipeline that serves the model. Returns its name."""
        name = self.model(trained.parameters, program, PREPARE)
        variant = {
            "VariantName": "AllTraffic", "ModelName": name, "InstanceType": "ml.m5.large", "InitialInstanceCount": 1,
            **more.pop("variant", {}),
        }  # fmt: skip
        self.sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant], **more)
        return name

    def create(self, trained: Trained, **more: Any) -> str:
        """The endpoint, in service. Returns its configuration."""
        config = self.config(trained, **more)
        self.sagemaker.create_endpoint(EndpointName=self.name, EndpointConfigName=config)
        self.settled()
        return config

    def update(self, config: str, **more: Any) -> None:
        self.sagemaker.update_endpoint(EndpointName=self.name, EndpointConfigName=config, **more)

    def describe(self) -> dict[str, Any]:
        return self.sagemaker.describe_endpoint(EndpointName=self.name)

    def until(self, holds: Callable[[dict[str, Any]], bool], seconds: float = 60) -> dict[str, Any]:
        """The first description for which it holds."""
        deadline = time.monotonic() + seconds
        while not holds(described := self.describe()):
            assert time.monotonic() < deadline, described
            time.sleep(0.02)
        return described

    def settled(self) -> dict[str, Any]:
        """What the endpoint is when nothing changes any more."""
        return self.until(lambda described: described["EndpointStatus"] in ("InService", "Failed"))

    def ask(self, body: bytes | None = None, **more: Any) -> InvokeEndpointOutputTypeDef:
        given = {"ContentType": "text/csv", "Body": body or small_models.request(), **more}
        return self.runtime.invoke_endpoint(EndpointName=self.name, **given)

    def alarm(self, metric: str = "Invocation5XXErrors", **more: Any) -> str:
        """An alarm on more than 5 % of a minute's requests. Returns its name."""
        name = f"{self.name}-{uuid.uuid4().hex[:6]}"
        dimensions = {"EndpointName": self.name, "VariantName": "AllTraffic", **more.pop("dimensions", {})}
        statistic = {} if "ExtendedStatistic" in more else {"Statistic": "Average"}
        self.cloudwatch.put_metric_alarm(**{
            "AlarmName": name, "Namespace": "AWS/SageMaker", "MetricName": metric,
            "Dimensions": [{"Name": key, "Value": value} for key, value in dimensions.items()],
            "Period": 60, "EvaluationPeriods": 1, "Threshold": 0.05,
            "ComparisonOperator": "GreaterThanThreshold", "TreatMissingData": "notBreaching", **statistic, **more,
        })  # fmt: skip
        return name

    def reported(self) -> list[str]:
        """The statuses that EventBridge received, in turn, since `listen`."""
        found: list[str] = []
        while messages := self.queues.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                found.append(json.loads(message["Body"])["detail"]["EndpointStatus"])
                self.queues.delete_message(QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])
        return found

    def listen(self) -> None:
        """Have EventBridge keep the events of this endpoint."""
        self.queues = self.cloud.client("sqs")
        self.queue = self.queues.create_queue(QueueName=self.name)["QueueUrl"]
        target = self.queues.get_queue_attributes(QueueUrl=self.queue, AttributeNames=["QueueArn"])["Attributes"]
        pattern = {
            "source": ["aws.sagemaker"],
            "detail-type": ["SageMaker Endpoint State Change"],
            "detail": {"EndpointName": [self.name]},
        }
        events = self.cloud.client("events")
        events.put_rule(Name=self.name, EventPattern=json.dumps(pattern))
        events.put_targets(Rule=self.name, Targets=[{"Id": "queue", "Arn": target["QueueArn"]}])

    def went_off(self, name: str) -> bool:
        """Whether the alarm has ever been in ALARM."""
        history = self.cloudwatch.describe_alarm_history(AlarmName=name, HistoryItemType="StateUpdate")
        return any(item["HistorySummary"].endswith("to ALARM") for item in history["AlarmHistoryItems"])

    def alarm_state(self, name: str) -> str:
        return self.cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"][0]["StateValue"]


@pytest.fixture(scope="session")
def models() -> tuple[Trained, Trained]:
    """Two models that answer every request differently."""
    first, second = (small_models.train(column) for column in small_models.COLUMNS)
    pairs = zip(first.answer.splitlines(), second.answer.splitlines(), strict=True)
    assert all(one != other for one, other in pairs)
    return first, second


@pytest.fixture(scope="session")
def execution_role(cloud: Cloud) -> str:
    """A role for models that may read and write the tests' bucket, see alarms and be put into a VPC."""
    cloud.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": address.REGION})
    return role(cloud, "endpoint-tests", "sagemaker", {
        "s3:GetObject": f"arn:aws:s3:::{BUCKET}/*",
        "s3:PutObject": f"arn:aws:s3:::{BUCKET}/captured/*",
        "cloudwatch:DescribeAlarms": "*",
        **dict.fromkeys(prerequisites.VPC_ACTIONS, "*"),
    })  # fmt: skip


def role(cloud: Cloud, name: str, service: str, allowed: dict[str, str]) -> str:
    """A role that a service may assume, with these actions on these resources."""
    trust = {"Effect": "Allow", "Principal": {"Service": f"{service}.amazonaws.com"}, "Action": "sts:AssumeRole"}
    statements = [{"Effect": "Allow", "Action": action, "Resource": on} for action, on in allowed.items()]
    iam = cloud.client("iam")
    made = iam.create_role(
        RoleName=name, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    )
    iam.put_role_policy(
        RoleName=name, PolicyName="all", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": statements})
    )
    return made["Role"]["Arn"]


@pytest.fixture
def endpoint(cloud: Cloud, execution_role: str) -> Iterator[Endpoint]:
    """An endpoint to be made; taken away after the test."""
    made = Endpoint(cloud, execution_role)
    yield made
    if any(one["EndpointName"] == made.name for one in made.sagemaker.list_endpoints()["Endpoints"]):
        made.settled()
        made.sagemaker.delete_endpoint(EndpointName=made.name)
