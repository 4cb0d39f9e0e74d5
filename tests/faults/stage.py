"""Stacks on one local cloud, each with an endpoint, registry and topic of its own, on which executions are played."""

from __future__ import annotations

import itertools
import json
import time
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import yaml
from automl_pipeline.run_layout import Execution

from cli import local_cloud
from local.build import deploy, packaging
from local.server import clients, paths
from local.server.process import Server
from tests.contract import machines
from tests.faults import rules

FEWER = {"customer_id_end": 1000}
BUSY = ("Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting")
POLL_SECONDS = 0.3
_numbers = itertools.count(1)
Entries = list[dict[str, Any]]


@dataclass
class World:
    """What a failed execution must leave as it was."""

    latest: bytes | None
    versions: dict[str, str]
    endpoint: dict[str, Any] | None
    autoscaling: tuple[Any, ...] | None


@dataclass
class Ending:
    """How an execution ended, and what it left."""

    arn: str
    status: str
    error: str
    cause: str
    output: dict[str, Any]
    entered: list[str]
    emails: list[tuple[str, str]]
    before: World
    after: World
    run_id: str
    running: list[str]
    rules: set[str]
    children: list[Ending] = field(default_factory=list)

    @property
    def failures_reported(self) -> list[tuple[str, str]]:
        """Subject and text of the emails that report a failure."""
        return [email for email in self.emails if email[0].startswith("[SageMaker Pipeline Failed]")]


@dataclass
class Stage:
    """One stack. Executions are played on it one after the other."""

    server: Server
    faults: Path
    name: str
    aborted_run_id: str = ""
    """Of the run that the scenarios of the failure machine report."""

    def deploy(self) -> None:
        parameters = {
            "FeatureStoreBucket": local_cloud.FEATURE_STORE_BUCKET,
            "NotificationEmail": self.address,
            "PipelineName": f"{self.name}-pipeline",
            "ProjectName": self.name,
            "EndpointName": self.endpoint,
            "ModelPackageGroupName": f"{self.name}-group",
        }
        stack = deploy.deploy(self.server.endpoint_url, self.name, parameters=parameters)
        self.outputs = stack.outputs
        self._make_versions()

    @property
    def address(self) -> str:
        return f"{self.name}@example.com"

    @property
    def endpoint(self) -> str:
        return f"{self.name}-endpoint"

    def client(self, service: str) -> Any:
        return clients.client(self.server.endpoint_url, service)

    @cached_property
    def machine_arns(self) -> dict[str, str]:
        return {name: self.outputs[f"{name.capitalize()}StateMachineArn"] for name in machines.NAMES}

    # -- what is there

    def world(self) -> World:
        s3, sagemaker = self.client("s3"), self.client("sagemaker")
        try:
            key = f"{self.outputs['Prefix']}/latest.json"
            latest = s3.get_object(Bucket=self.outputs["BucketName"], Key=key)["Body"].read()
        except s3.exceptions.NoSuchKey:
            latest = None
        try:
            listed = [
                one
                for page in sagemaker.get_paginator("list_model_packages").paginate(
                    ModelPackageGroupName=f"{self.name}-group"
                )
                for one in page["ModelPackageSummaryList"]
            ]
        except sagemaker.exceptions.ClientError:
            listed = []  # the first run makes the group
        versions = {one["ModelPackageArn"]: one["ModelApprovalStatus"] for one in listed}
        return World(latest, versions, self.endpoint_now(), self.autoscaling_now())

    def autoscaling_now(self) -> tuple[Any, ...] | None:
        """Fewest and most instances, and the invocations that each is to have; None if nothing scales the endpoint."""
        scaling, resource = self.client("application-autoscaling"), f"endpoint/{self.endpoint}/variant/AllTraffic"
        found = scaling.describe_scalable_targets(ServiceNamespace="sagemaker", ResourceIds=[resource])
        if not found["ScalableTargets"]:
            return None
        target = found["ScalableTargets"][0]
        listed = scaling.describe_scaling_policies(ServiceNamespace="sagemaker", ResourceId=resource)
        wanted = [one["TargetTrackingScalingPolicyConfiguration"]["TargetValue"] for one in listed["ScalingPolicies"]]
        return (target["MinCapacity"], target["MaxCapacity"], *wanted)

    def endpoint_now(self) -> dict[str, Any] | None:
        sagemaker = self.client("sagemaker")
        try:
            described = sagemaker.describe_endpoint(EndpointName=self.endpoint)
        except sagemaker.exceptions.ClientError:
            return None
        return {key: described.get(key) for key in ("EndpointStatus", "EndpointConfigName")}

    def emails(self) -> list[Message]:
        found = [_read_email(path) for path in sorted(self.server.outbox.glob("*.eml"))]
        return [email for email in found if email["To"] == self.address]

    # -- playing

    def inject(self, entries: Entries) -> None:
        """Put faults into the folder that the cloud looks into, in place of those that were put there before."""
        for path in self.faults.glob(f"{self.name}-*.yaml"):
            path.unlink()
        if entries:
            self._write(f"{self.name}-{next(_numbers):05d}", entries)

    def hold(self, entries: Entries) -> None:
        """Likewise, for jobs of a name of their own: these stay, as a job may look for them a moment after its creation."""
        self._write(f"held-{self.name}-{next(_numbers):05d}", entries)

    def _write(self, name: str, entries: Entries) -> None:
        path = self.faults / f"{name}.yaml"
        staging = path.with_suffix(".writing")
        staging.write_text(yaml.safe_dump(entries))
        staging.rename(path)

    @staticmethod
    def next_number() -> int:
        """A number that nobody had before."""
        return next(_numbers)

    def new_name(self) -> str:
        return f"{self.name}-{next(_numbers):05d}"

    def play(self, machine: str, given: dict[str, Any], faults: Entries, name: str) -> Ending:
        """Run an execution under faults and wait until nothing of the stack runs any more."""
        self.inject(faults)
        before, emails = self.world(), len(self.emails())
        states = self.client("stepfunctions")
        arn = states.start_execution(stateMachineArn=self.machine_arns[machine], name=name, input=json.dumps(given))[
            "executionArn"
        ]
        self.settle(arn)
        return self._ending(arn, machine, before, emails)

    def settle(self, arn: str | None = None, seconds: float = 120) -> None:
        """Returns when no execution of the stack runs and its endpoint is not busy."""
        states, deadline = self.client("stepfunctions"), time.monotonic() + seconds
        while arn and states.describe_execution(executionArn=arn)["status"] == "RUNNING":
            assert time.monotonic() < deadline, f"{arn} has not ended"
            time.sleep(POLL_SECONDS)
        while any(self._running(machine) for machine in self.machine_arns.values()) or self._busy():
            assert time.monotonic() < deadline, f"What {arn} caused has not ended"
            time.sleep(POLL_SECONDS)

    def _busy(self) -> bool:
        endpoint = self.endpoint_now()
        return endpoint is not None and endpoint["EndpointStatus"] in BUSY

    def _running(self, machine: str) -> list[Any]:
        states = self.client("stepfunctions")
        return states.list_executions(stateMachineArn=machine, statusFilter="RUNNING")["executions"]

    def _ending(self, arn: str, machine: str, before: World, emails: int) -> Ending:
        states = self.client("stepfunctions")
        described = states.describe_execution(executionArn=arn)
        run_id = Execution(arn, described["name"], described["startDate"].isoformat()).run_id
        pages = states.get_paginator("get_execution_history").paginate(executionArn=arn, maxResults=1000)
        history = [event for page in pages for event in page["events"]]
        found = [(email["Subject"], str(email.get_payload())) for email in self.emails()[emails:]]
        children = self._children(run_id, before) if machine == "training" else []
        return Ending(
            arn=arn,
            status=described["status"],
            error=described.get("error", ""),
            cause=described.get("cause", ""),
            output=json.loads(described.get("output") or "{}"),
            entered=[event["stateEnteredEventDetails"]["name"] for event in history if "stateEnteredEventDetails" in event],
            emails=found,
            before=before,
            after=self.world(),
            run_id=run_id,
            running=self._jobs_running(run_id),
            rules=rules.met(machine, history),
            children=children,
        )  # fmt: skip

    def _children(self, run_id: str, before: World) -> list[Ending]:
        """The deployments that a run started; they are called by its id."""
        states = self.client("stepfunctions")
        listed = states.list_executions(stateMachineArn=self.machine_arns["deployment"], maxResults=10)["executions"]
        return [
            self._ending(one["executionArn"], "deployment", before, len(self.emails()))
            for one in listed
            if one["name"].startswith(f"deploy-{run_id}-")
        ]

    def _jobs_running(self, run_id: str, seconds: float = 5) -> list[str]:
        """Jobs of a run that nobody has stopped; one that is being stopped has some seconds to end."""
        sagemaker, deadline = self.client("sagemaker"), time.monotonic() + seconds
        while True:
            found = [
                (job[f"{kind}JobName"], job[f"{kind}JobStatus"])
                for kind, listing in (
                    ("Processing", sagemaker.list_processing_jobs),
                    ("Transform", sagemaker.list_transform_jobs),
                    ("AutoML", sagemaker.list_auto_ml_jobs),
                )
                for job in listing(NameContains=run_id, MaxResults=100)[f"{kind}JobSummaries"]
            ]
            if not any(status == "Stopping" for _, status in found) or time.monotonic() > deadline:
                return [name for name, status in found if status in ("InProgress", "Stopping")]
            time.sleep(0.05)

    # -- how things are before an execution

    def _make_versions(self) -> None:
        """A first run, and versions of the same model: one to deploy, one that waits for approval."""
        ending = self.play("training", FEWER, [], self.new_name())
        assert ending.status == "SUCCEEDED", (ending.error, ending.cause)
        first = ending.output["model_package_arn"]
        self.versions = {"first": first}
        document = self._object(f"{ending.output['run_prefix']}/registration/deployment.json").read()
        for name in ("second", "pending"):
            run = f"s3://{self.outputs['BucketName']}/{self.outputs['Prefix']}/runs/{name}"
            self._put(f"{run}/registration/deployment.json", document)
            status = "PendingManualApproval" if name == "pending" else "Approved"
            self.versions[name] = self._copy(first, run, status)
        self.settle()

    def _object(self, uri: str) -> Any:
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        return self.client("s3").get_object(Bucket=bucket, Key=key)["Body"]

    def _put(self, uri: str, body: bytes) -> None:
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        self.client("s3").put_object(Bucket=bucket, Key=key, Body=body)

    def _copy(self, package: str, run: str, status: str) -> str:
        """Another version with the same containers, as if the run had registered it."""
        sagemaker = self.client("sagemaker")
        described = sagemaker.describe_model_package(ModelPackageName=package)
        return sagemaker.create_model_package(
            ModelPackageGroupName=described["ModelPackageGroupName"],
            ModelApprovalStatus=status,
            InferenceSpecification=described["InferenceSpecification"],
            CustomerMetadataProperties={**described["CustomerMetadataProperties"], "run_prefix": run},
        )["ModelPackageArn"]

    def parameter(self, name: str) -> str:
        """A parameter's value in the deployed stack, or its default in the template."""
        stack = self.client("cloudformation").describe_stacks(StackName=self.name)["Stacks"][0]
        given = {one["ParameterKey"]: one["ParameterValue"] for one in stack.get("Parameters", [])}
        return given.get(name) or str(
            packaging.read_template(paths.PROJECT / "template.yaml")["Parameters"][name]["Default"]
        )


@cache
def _read_email(path: Path) -> Message:
    return message_from_bytes(path.read_bytes())
