"""How a job ends, in the words of SageMaker's Describe calls."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Status = Literal["Completed", "Failed", "Stopped"]

REASON_LIMIT = 1024
"""FailureReason and ExitMessage hold at most this many characters (API reference of DescribeProcessingJob)."""


class JobFailedError(Exception):
    """A job cannot go on; the message is its FailureReason, beginning with `ClientError:` or `AlgorithmError:`."""


@dataclass(frozen=True)
class JobOutcome:
    """The end of a job: its status and, if it failed, why."""

    status: Status
    failure_reason: str | None = None
    exit_message: str | None = None


@dataclass(frozen=True)
class AutoMLOutcome(JobOutcome):
    """The end of an AutoML job. Candidates are in the shape of the API's AutoMLCandidate, the best one first."""

    best_candidate: dict[str, Any] | None = None
    candidates: list[dict[str, Any]] = field(default_factory=list)


def failed(reason: str, exit_message: str | None = None) -> JobOutcome:
    """A failed outcome with the reason cut to what the API can hold."""
    return JobOutcome("Failed", reason[:REASON_LIMIT], exit_message)
