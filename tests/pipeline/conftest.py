"""One local cloud for the pipeline tests, with the stack deployed and the Telco customers loaded."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli import local_cloud
from cli.main import app
from local.server import paths, process
from tests.processes import until


@dataclass
class Cloud:
    """The cloud under test."""

    deployed: local_cloud.LocalCloud

    def client(self, service: str) -> Any:
        return self.deployed.client(service)

    def start(self, **given: Any) -> str:
        """Start a run with this input. Returns its ARN."""
        machine = self.deployed.outputs["TrainingStateMachineArn"]
        return self.client("stepfunctions").start_execution(stateMachineArn=machine, input=json.dumps(given))[
            "executionArn"
        ]

    def run(self, **given: Any) -> dict[str, Any]:
        """A run from start to end: what DescribeExecution says of it."""
        return self.ended(self.start(**given))

    def ended(self, execution: str, seconds: float = 240) -> dict[str, Any]:
        deadline = time.monotonic() + seconds
        while (described := self.client("stepfunctions").describe_execution(executionArn=execution))[
            "status"
        ] == "RUNNING":
            assert time.monotonic() < deadline, f"{execution} has not ended"
            time.sleep(0.2)
        return described

    def wait_for_state(self, execution: str, state: str, seconds: float = 120) -> None:
        """Returns when the execution has entered the state."""
        deadline = time.monotonic() + seconds
        states = self.client("stepfunctions")
        while state not in {
            event.get("stateEnteredEventDetails", {}).get("name")
            for event in states.get_execution_history(executionArn=execution, maxResults=1000)["events"]
        }:
            described = states.describe_execution(executionArn=execution)
            assert described["status"] == "RUNNING", f"It never came to {state}: {described}"
            assert time.monotonic() < deadline, f"{execution} has not come to {state}"
            time.sleep(0.1)

    def interruption_of(self, execution: str, seconds: float = 60) -> dict[str, Any]:
        """What the failure machine answered about an execution that EventBridge reported to it, or how it failed."""
        deadline = time.monotonic() + seconds
        states = self.client("stepfunctions")
        machine = self.deployed.outputs["FailureStateMachineArn"]
        while True:
            for listed in states.list_executions(stateMachineArn=machine, maxResults=100)["executions"]:
                described = states.describe_execution(executionArn=listed["executionArn"])
                if json.loads(described["input"]).get("detail", {}).get("executionArn") == execution:
                    return self.ended(listed["executionArn"])
            assert time.monotonic() < deadline, f"Nobody took notice of {execution}"
            time.sleep(0.2)

    def automl(self, *arguments: object, folder: Path | None = None) -> Result:
        """What `automl` answers, in this process, where it is imported once. Other tests start the program."""
        with contextlib.chdir(folder or os.curdir):
            return CliRunner().invoke(app, [*map(str, arguments)], env=self.deployed.server.environment())

    def deployments(self) -> list[str]:
        """ARNs of what the deployment machine has run and runs, newest first."""
        listed = self.client("stepfunctions").list_executions(
            stateMachineArn=self.deployed.outputs["DeploymentStateMachineArn"], maxResults=1000
        )
        return [row["executionArn"] for row in listed["executions"]]

    def serve(self, package_arn: str) -> None:
        """Returns when the endpoint serves this version, whatever other tests have deployed."""
        execution = self.client("stepfunctions").start_execution(
            stateMachineArn=self.deployed.outputs["DeploymentStateMachineArn"],
            input=json.dumps({"model_package_arn": package_arn}),
        )["executionArn"]
        assert (described := self.ended(execution))["status"] == "SUCCEEDED", described

    def deployed_since(self, before: list[str], seconds: float = 60) -> None:
        """Returns when a deployment that is not among those of before was started, and has ended."""
        assert until(lambda: set(self.deployments()) - set(before), seconds), "No deployment was started"
        for execution in set(self.deployments()) - set(before):
            self.ended(execution)

    def emails(self) -> list[Message]:
        """The emails that were sent, oldest first, without those that say that a new alarm is OK."""
        found = [message_from_bytes(path.read_bytes()) for path in sorted(self.deployed.server.outbox.glob("*.eml"))]
        return [email for email in found if not email["Subject"].startswith("OK: ")]

    def packages(self) -> list[dict[str, Any]]:
        """The versions in the registry, newest first."""
        sagemaker = self.client("sagemaker")
        if not sagemaker.list_model_package_groups()["ModelPackageGroupSummaryList"]:
            return []
        group = self.deployed.outputs["ModelPackageGroupName"]
        return sagemaker.list_model_packages(ModelPackageGroupName=group)["ModelPackageSummaryList"]

    def object(self, uri: str) -> bytes:
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        return self.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()


def customers_not_asked_for_before() -> dict[str, int]:
    """Input of a run whose jobs compute, instead of finding what they need, and so last long enough to be stopped."""
    first = 1 + secrets.randbelow(3000)
    return {"customer_id_start": first, "customer_id_end": first + 900 + secrets.randbelow(100)}


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    state = tmp_path_factory.mktemp("cloud") / "state"
    with process.running(state=state, wait_scale=local_cloud.WAIT_SCALE, reuse=paths.REUSE) as server:
        ready = local_cloud.deploy_stack(server, lambda _: None)
        local_cloud.load_telco(ready)
        yield Cloud(ready)


@pytest.fixture(scope="session")
def deployed(cloud: Cloud) -> dict[str, Any]:
    """What the default run, started with `{}`, answered."""
    described = cloud.run()
    assert described["status"] == "SUCCEEDED", described
    return json.loads(described["output"])
