"""Executions whose end no state of theirs can report: aborted, or timed out."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import pytest

from tests.pipeline.conftest import Cloud

# As many as no session before trained on: the job must take its time to be met while it runs.
UNSEEN = {"customer_id_end": 1000 + time.time_ns() % 3000}


def _automl_jobs(cloud: Cloud) -> dict[str, str]:
    jobs = cloud.client("sagemaker").list_auto_ml_jobs(MaxResults=100)["AutoMLJobSummaries"]
    return {job["AutoMLJobName"]: job["AutoMLJobStatus"] for job in jobs}


def _emails_since(cloud: Cloud, count: int) -> list[tuple[str, str]]:
    return [(email["Subject"], str(email.get_payload())) for email in cloud.emails()[count:]]


def _latest(cloud: Cloud) -> bytes | None:
    s3, outputs = cloud.client("s3"), cloud.deployed.outputs
    try:
        return s3.get_object(Bucket=outputs["BucketName"], Key=f"{outputs['Prefix']}/latest.json")["Body"].read()
    except s3.exceptions.NoSuchKey:
        return None


def test_aborted_run_is_reported_once_and_its_automl_job_stopped(cloud: Cloud) -> None:
    emails, versions, latest, jobs = len(cloud.emails()), len(cloud.packages()), _latest(cloud), _automl_jobs(cloud)
    execution = cloud.start(**UNSEEN)
    cloud.wait_for_state(execution, "WaitForAutoMLJob")
    (job,) = _automl_jobs(cloud).keys() - jobs.keys()
    cloud.client("stepfunctions").stop_execution(executionArn=execution, cause="the wrong customers")

    reported = cloud.interruption_of(execution)

    assert reported["status"] == "SUCCEEDED", reported
    assert f"AutoML job {job}" in json.loads(reported["output"])["stopped"]
    assert _automl_jobs(cloud)[job] in ("Stopping", "Stopped")
    ((subject, text),) = _emails_since(cloud, emails)
    assert subject == "[SageMaker Pipeline Failed] Aborted"
    assert "stopped by a person or a program" in text
    assert job in text
    assert execution in text
    assert (len(cloud.packages()), _latest(cloud)) == (versions, latest)


@contextmanager
def _changed(cloud: Cloud, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Iterator[None]:
    """The training machine with other fields at its top, as long as the block lasts."""
    states, machine = cloud.client("stepfunctions"), cloud.deployed.outputs["TrainingStateMachineArn"]
    definition = states.describe_state_machine(stateMachineArn=machine)["definition"]
    as_it_is = json.loads(definition)
    states.update_state_machine(stateMachineArn=machine, definition=json.dumps(as_it_is | change(as_it_is)))
    try:
        yield
    finally:
        states.update_state_machine(stateMachineArn=machine, definition=definition)


@pytest.fixture
def hurried(cloud: Cloud) -> Iterator[None]:
    """So little time that it runs out while the job trains."""
    with _changed(cloud, lambda _: {"TimeoutSeconds": 3}):
        yield


@pytest.fixture
def broken(cloud: Cloud) -> Iterator[None]:
    """It begins with a Choice that reads what is not there, and has no Catch, as no Choice has."""
    choice = {
        "Type": "Choice",
        "Choices": [{"Condition": "{% $states.input.missing > 1 %}", "Next": "PrepareRun"}],
        "Default": "PrepareRun",
    }
    with _changed(cloud, lambda definition: {"StartAt": "Look", "States": {**definition["States"], "Look": choice}}):
        yield


@pytest.mark.usefixtures("hurried")
def test_run_that_times_out_is_reported_once(cloud: Cloud) -> None:
    emails = len(cloud.emails())
    execution = cloud.start(**UNSEEN)

    assert cloud.ended(execution)["status"] == "TIMED_OUT"
    reported = cloud.interruption_of(execution)

    assert reported["status"] == "SUCCEEDED", reported
    assert "InProgress" not in _automl_jobs(cloud).values()
    ((subject, text),) = _emails_since(cloud, emails)
    assert subject == "[SageMaker Pipeline Failed] TimedOut"
    assert "time limit" in text


@pytest.mark.usefixtures("broken")
def test_run_that_breaks_where_nothing_catches_is_reported_once(cloud: Cloud) -> None:
    emails = len(cloud.emails())
    execution = cloud.start()

    described = cloud.ended(execution)
    assert (described["status"], described["error"][:7]) == ("FAILED", "States.")
    cloud.interruption_of(execution)

    ((subject, text),) = _emails_since(cloud, emails)
    assert subject == "[SageMaker Pipeline Failed] Broken"
    assert described["error"] in text
    assert execution in text


def test_failed_run_is_not_reported_a_second_time(cloud: Cloud) -> None:
    emails = len(cloud.emails())
    machine = cloud.deployed.outputs["FailureStateMachineArn"]
    states = cloud.client("stepfunctions")
    before = len(states.list_executions(stateMachineArn=machine)["executions"])

    assert cloud.run(nonsense=1)["status"] == "FAILED"

    assert [subject for subject, _ in _emails_since(cloud, emails)] == ["[SageMaker Pipeline Failed] PrepareRun"]
    assert len(states.list_executions(stateMachineArn=machine)["executions"]) == before + 1


@pytest.mark.parametrize(("request_", "outcome"), [({}, None), ({"started_by": "a run"}, "LeftToTraining")])
def test_stopped_deployment_is_reported_by_the_run_that_started_it_or_by_email(
    cloud: Cloud, request_: dict[str, Any], outcome: str
) -> None:
    """Such an event as EventBridge sends; a real deployment here may be over before it can be stopped."""
    emails = len(cloud.emails())
    states, outputs = cloud.client("stepfunctions"), cloud.deployed.outputs
    detail = {
        "executionArn": f"{outputs['DeploymentStateMachineArn']}:{outcome}".replace(":stateMachine:", ":execution:"),
        "stateMachineArn": outputs["DeploymentStateMachineArn"],
        "status": "ABORTED",
        "startDate": int(datetime(2026, 11, 23).timestamp() * 1000),
        "input": json.dumps(request_),
    }
    started = states.start_execution(
        stateMachineArn=outputs["FailureStateMachineArn"], input=json.dumps({"detail": detail})
    )

    assert json.loads(cloud.ended(started["executionArn"])["output"]).get("outcome") == outcome
    assert len(cloud.emails()) - emails == (outcome is None)
