"""Where a run's time went: what the jobs themselves computed, and the rest (states, polling, copying between them)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from botocore.exceptions import ClientError

from cli.steps import Event
from cli.watching import Finished


def computed(finished: Finished, client: Callable[[str], Any]) -> list[tuple[str, float]]:
    """What was computed in a run and how many seconds it took, in order; only what the run came to.

    The times are those that the services report of their jobs, so waiting for a job to be noticed does not count.
    """
    names = finished.variables.get("run", {}).get("names", {})
    sagemaker = client("sagemaker")
    endpoint = ((finished.output or {}).get("endpoint") or {}).get("name")
    asked = (
        ("processing job", "ProcessingStartTime", "ProcessingEndTime",
         lambda: sagemaker.describe_processing_job(ProcessingJobName=names["processing_job"] + "-0")),
        ("AutoML job", "CreationTime", "EndTime",
         lambda: sagemaker.describe_auto_ml_job_v2(AutoMLJobName=names["automl_job"])),
        ("batch transform", "TransformStartTime", "TransformEndTime",
         lambda: sagemaker.describe_transform_job(TransformJobName=names["transform_job"] + "-0")),
        ("endpoint", "CreationTime", "LastModifiedTime",
         lambda: sagemaker.describe_endpoint(EndpointName=endpoint) if endpoint else {}),
    )  # fmt: skip
    parts = [("functions", _functions(finished.events)), ("query", _query(finished.events, client))]
    for what, began, ended, describe in asked:
        try:
            described = describe() if names else {}
        except ClientError:  # the run did not come so far
            continue
        if began in described and ended in described:
            parts.append((what, (described[ended] - described[began]).total_seconds()))
    return [(what, seconds) for what, seconds in parts if seconds > 0]


def _functions(events: Iterable[Event]) -> float:
    """The seconds that Lambda functions took."""
    total, began = 0.0, None
    for event in events:
        scheduled, ended = event.get("taskScheduledEventDetails"), event.get("taskSucceededEventDetails")
        if scheduled:
            began = event["timestamp"] if scheduled["resourceType"] == "lambda" else None
        elif ended and began:
            total += (event["timestamp"] - began).total_seconds()
            began = None
    return total


def _query(events: Iterable[Event], client: Callable[[str], Any]) -> float:
    """The seconds that Athena's engine took."""
    for event in events:
        submitted = event.get("taskSubmittedEventDetails", {})
        if submitted.get("resourceType") == "athena":
            query = json.loads(submitted["output"])["QueryExecutionId"]
            described = client("athena").get_query_execution(QueryExecutionId=query)["QueryExecution"]
            return described.get("Statistics", {}).get("EngineExecutionTimeInMillis", 0) / 1000
    return 0.0
