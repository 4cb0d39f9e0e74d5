"""The log lines of a run: those of its jobs and functions, and the errors of the machine itself."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from cli import executions
from cli.executions import Details
from cli.stack import Stack, client
from cli.steps import steps_in

_POLL_SECONDS = 2.0
# Lines of a job that ends are written after the machine has seen its end. A function's streams are shared with other
# runs: there only its own last line comes so late.
_LATE_SECONDS = 60
_LATE_SECONDS_SHARED = 1


@dataclass(frozen=True)
class Source:
    """Where a step's log is: a group, and in it what belongs to the run."""

    step: str
    group: str
    stream_prefix: str = ""
    pattern: str = ""


@dataclass(frozen=True)
class Line:
    """A log line. `at` is UTC."""

    step: str
    at: datetime
    group: str
    text: str


def sources(details: Details, stack: Stack, step: str | None = None) -> list[Source]:
    """Where the logs of a run are, or of one of its steps.

    SageMaker's groups and streams: https://docs.aws.amazon.com/sagemaker/latest/dg/logging-cloudwatch.html
    """
    names, functions = details.names, _function_groups(stack)
    found = [
        Source("PrepareRun", functions["PrepareRunLogGroup"]),
        Source("PreprocessData", "/aws/sagemaker/ProcessingJobs", names.get("processing_job", "")),
        *(Source("AutoMLTraining", "/aws/sagemaker/TrainingJobs", job) for job in training_jobs(details)),
        Source("EvaluateModel", "/aws/sagemaker/TransformJobs", names.get("transform_job", "")),
        Source("EvaluateModel", functions["EvaluateModelLogGroup"]),
        Source("DeployEndpoint", f"/aws/sagemaker/Endpoints/{stack.outputs['EndpointName']}"),
        Source("Machine", stack.outputs["MachineLogGroup"], "", f'"{details.finished.arn}"'),
    ]
    # Before PrepareRun has named the jobs there is nothing of theirs to read, and the endpoint's log is of others.
    reached = {item.name for item in steps_in(details.finished.events)} | {"Machine"}
    usable = [
        source for source in found if source.step in reached and (source.stream_prefix or "Jobs" not in source.group)
    ]
    return [source for source in usable if step in (None, source.step)]


def lines(stack: Stack, reference: str | None, step: str | None, *, follow: bool) -> Iterator[Line]:
    """The log lines of a run in the order of their times; with `follow` also those to come until it has ended."""
    seen: set[tuple[str, str]] = set()
    while True:
        details = executions.details(stack, reference)
        reference = details.finished.arn
        fresh: list[Line] = []
        for source in sources(details, stack, step):
            began, ended = _window(details, source)
            for event in _events(source, began, ended):
                if (source.group, event["eventId"]) not in seen:
                    seen.add((source.group, event["eventId"]))
                    at = datetime.fromtimestamp(event["timestamp"] / 1000, UTC)
                    fresh.append(Line(source.step, at, source.group, event["message"].rstrip()))
        yield from sorted(fresh, key=lambda line: line.at)
        if not follow or details.run.status != "RUNNING":
            return
        time.sleep(_POLL_SECONDS)


def _window(details: Details, source: Source) -> tuple[datetime, datetime | None]:
    """When the step ran: the functions' streams are shared with other runs."""
    steps = [item for item in steps_in(details.finished.events) if item.name == source.step]
    if steps:
        return steps[0].began, steps[-1].ended
    return details.run.started, details.run.ended


def _events(source: Source, began: datetime, ended: datetime | None) -> Iterator[dict[str, Any]]:
    asked: dict[str, Any] = {"logGroupName": source.group, "startTime": int(began.timestamp() * 1000)}
    if source.stream_prefix:
        asked["logStreamNamePrefix"] = source.stream_prefix
    if source.pattern:
        asked["filterPattern"] = source.pattern
    if ended:
        late = _LATE_SECONDS if source.stream_prefix or source.pattern else _LATE_SECONDS_SHARED
        asked["endTime"] = int((ended.timestamp() + late) * 1000)
    try:
        for page in client("logs").get_paginator("filter_log_events").paginate(**asked):
            yield from (
                {"eventId": f"{event['logStreamName']} {event['timestamp']} {event['message']}", **event}
                for event in page["events"]
                if event["logStreamName"].startswith(source.stream_prefix)
            )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":  # no such job has ever written a line
            raise


def _function_groups(stack: Stack) -> dict[str, str]:
    formation = client("cloudformation")
    return {
        name: formation.describe_stack_resource(StackName=stack.name, LogicalResourceId=name)["StackResourceDetail"][
            "PhysicalResourceId"
        ]
        for name in ("PrepareRunLogGroup", "EvaluateModelLogGroup")
    }


def training_jobs(details: Details) -> list[str]:
    """Autopilot's training jobs of the run, as its candidates name them."""
    job = details.names.get("automl_job")
    try:
        listed = client("sagemaker").list_candidates_for_auto_ml_job(AutoMLJobName=job) if job else {}
    except ClientError:  # the run did not come so far
        return []
    steps = (step for candidate in listed.get("Candidates", []) for step in candidate["CandidateSteps"])
    return sorted(
        {step["CandidateStepName"] for step in steps if step["CandidateStepType"] == "AWS::SageMaker::TrainingJob"}
    )
