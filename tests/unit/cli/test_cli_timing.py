"""Where the time went: what jobs computed counts by their own clocks, not by when somebody noticed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cli import timing

BEGAN = datetime(2026, 11, 23, 23, 10, tzinfo=UTC)


class Services:
    """Describes the jobs of the recorded run; those in `absent` were never made."""

    def __init__(self, absent: frozenset[str] = frozenset()):
        self._absent = absent

    def __call__(self, service: str) -> Services:
        return self

    def _told(self, began: str, ended: str, seconds: float, name: str) -> dict[str, Any]:
        if name in self._absent:
            raise ClientError({"Error": {"Code": "ResourceNotFound", "Message": "no such job"}}, "Describe")
        return {began: BEGAN, ended: BEGAN + timedelta(seconds=seconds)}

    def describe_processing_job(self, **_: str) -> dict[str, Any]:
        return self._told("ProcessingStartTime", "ProcessingEndTime", 2, "processing")

    def describe_auto_ml_job_v2(self, **_: str) -> dict[str, Any]:
        return self._told("CreationTime", "EndTime", 10, "automl")

    def describe_transform_job(self, **_: str) -> dict[str, Any]:
        return self._told("TransformStartTime", "TransformEndTime", 3, "transform")

    def describe_endpoint(self, **_: str) -> dict[str, Any]:
        return self._told("CreationTime", "LastModifiedTime", 1, "endpoint")

    def get_query_execution(self, QueryExecutionId: str) -> dict[str, Any]:
        assert len(QueryExecutionId) == 36
        return {"QueryExecution": {"Statistics": {"EngineExecutionTimeInMillis": 500}}}


def test_every_job_of_a_run_counts(deployed: Any) -> None:
    parts = dict(timing.computed(deployed.finished(), Services()))
    functions = parts.pop("functions")
    assert parts == {"query": 0.5, "processing job": 2, "AutoML job": 10, "batch transform": 3, "endpoint": 1}
    assert 0 < functions < 10


def test_jobs_that_were_never_made_are_left_out(failed: Any) -> None:
    services = Services(frozenset({"processing", "automl", "transform"}))
    assert [what for what, _ in timing.computed(failed.finished(), services)] == ["functions"]


def test_functions_count_from_call_to_answer() -> None:
    def event(kind: str, seconds: float, resource: str) -> dict[str, Any]:
        return {"timestamp": BEGAN + timedelta(seconds=seconds), f"task{kind}EventDetails": {"resourceType": resource}}

    events = [
        event("Scheduled", 0, "lambda"),
        event("Succeeded", 1.5, "lambda"),
        event("Scheduled", 2, "aws-sdk:s3"),
        event("Succeeded", 9, "aws-sdk:s3"),
    ]
    assert timing._functions(events) == pytest.approx(1.5)
