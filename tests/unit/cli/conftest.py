"""Executions as the local cloud's Step Functions answered, and commands run as a person types them."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli import predict_endpoint
from cli import stack as stacks
from cli.main import app
from cli.stack import Stack
from cli.watching import Finished

from . import endpoint_server
from .endpoint_server import Endpoint

RECORDED = Path(__file__).parent / "recorded"


@dataclass
class Recording:
    """A recorded execution: DescribeExecution's answer and the events of GetExecutionHistory."""

    described: dict[str, Any]
    events: list[dict[str, Any]]

    def finished(self) -> Finished:
        output = self.described.get("output")
        return Finished(
            self.described["executionArn"],
            self.described["status"],
            json.loads(output) if output else None,
            self.described.get("error"),
            self.described.get("cause"),
            list(self.events),
        )


def read(name: str) -> Recording:
    content = json.loads((RECORDED / f"{name}.json").read_text())
    for event in content["events"]:
        event["timestamp"] = datetime.fromisoformat(event["timestamp"])
    return Recording(content["described"], content["events"])


@pytest.fixture
def deployed() -> Recording:
    """A run that ended with a served model."""
    return read("deployed")


@pytest.fixture
def failed() -> Recording:
    """A run with a feature group that does not exist."""
    return read("failed")


@pytest.fixture
def stack() -> Stack:
    """The stack with its default parameters."""
    content = json.loads((RECORDED / "stack.json").read_text())
    return Stack(
        content["StackName"],
        {item["OutputKey"]: item["OutputValue"] for item in content["Outputs"]},
        {item["ParameterKey"]: item["ParameterValue"] for item in content["Parameters"]},
    )


@pytest.fixture(autouse=True)
def on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """The person calls the program by its name."""
    monkeypatch.setattr(sys, "argv", ["automl"])


@pytest.fixture
def automl() -> Iterator[Callable[..., Result]]:
    """Runs `automl` with arguments."""
    runner = CliRunner()
    yield lambda *arguments: runner.invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def endpoint(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    """What the stack's endpoint serves."""
    served = Endpoint()
    outputs = {**stack.outputs, "BucketName": "bucket", "Prefix": "mlops/automl_training"}
    with endpoint_server.serving(served) as address:
        for name, value in {
            "AWS_ENDPOINT_URL": address, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "us-west-2",
        }.items():  # fmt: skip
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(stacks, "find", lambda _: replace(stack, outputs=outputs))
        monkeypatch.setattr(predict_endpoint, "MOST_ROWS", 10)
        yield served


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "customers.csv"
