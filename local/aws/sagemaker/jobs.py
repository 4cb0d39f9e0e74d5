"""Processing, transform and AutoML jobs: what they have in common, from the request to the end of the work."""

from __future__ import annotations

import contextvars
import shutil
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from local.aws import ended
from local.aws.api_model import ApiError
from local.aws.faults import GARBAGE, JobFault
from local.aws.sagemaker import events
from local.aws.sagemaker.compute import storage
from local.aws.sagemaker.compute.outcome import AutoMLOutcome, JobOutcome
from local.aws.sagemaker.logs import LogStream
from local.aws.sagemaker.state import STATE, arn, check_role, named, now, page, tag
from local.server import sessions

Run = Callable[["Job", Path, LogStream], JobOutcome]

# Two cores train one job at a time; the others wait InProgress, as on AWS while instances come up.
_fitting = threading.Semaphore(1)


@dataclass(frozen=True)
class Kind:
    """What differs between kinds of jobs: names in the API, in ARNs, logs and events, and what a job does."""

    title: str  # in operations and members: CreateProcessingJob, ProcessingJobName
    resource: str  # in ARNs
    fault: Any
    log_group: str
    event: str
    outputs: Callable[[dict[str, Any]], list[str]]  # the S3 places that a request has the job write to


PROCESSING = Kind(
    "Processing",
    "processing-job",
    "processing",
    "/aws/sagemaker/ProcessingJobs",
    "SageMaker Processing Job State Change",
    lambda request: [
        output["S3Output"]["S3Uri"]
        for output in request.get("ProcessingOutputConfig", {}).get("Outputs", [])
        if "S3Output" in output
    ],
)
TRANSFORM = Kind(
    "Transform",
    "transform-job",
    "transform",
    "/aws/sagemaker/TransformJobs",
    "SageMaker Transform Job State Change",
    lambda request: [request["TransformOutput"]["S3OutputPath"]],
)
AUTOML = Kind(
    "AutoML",
    "automl-job",
    "automl",
    "/aws/sagemaker/TrainingJobs",
    "SageMaker AutoML Job State Change",
    lambda request: [request["OutputDataConfig"]["S3OutputPath"]],
)


@dataclass
class Job:
    """A job and how far it is."""

    kind: Kind
    name: str
    request: dict[str, Any]
    role_arn: str
    status: str = "InProgress"
    secondary: str = "Starting"
    created: datetime = field(default_factory=now)
    started: datetime | None = None
    ended: datetime | None = None
    outcome: JobOutcome | None = None
    stop: threading.Event = field(default_factory=threading.Event)
    thread: threading.Thread | None = None

    @property
    def arn(self) -> str:
        """Its ARN."""
        return arn(self.kind.resource, self.name)

    def describe(self) -> dict[str, Any]:
        """The members that every Describe…Job answer has."""
        outcome = self.outcome
        prefix = f"{self.kind.title}Job"
        return {
            **{key: value for key, value in self.request.items() if key != "Tags"},
            f"{prefix}Name": self.name,
            f"{prefix}Arn": self.arn,
            f"{prefix}Status": self.status,
            "CreationTime": self.created,
            "FailureReason": outcome.failure_reason if outcome else None,
        }


def create(kind: Kind, request: dict[str, Any], role_arn: str, run: Run, *, check: bool = True) -> Job:
    """Start a job. Raises ApiError if the name is taken or the role cannot be used."""
    name = request[f"{kind.title}JobName"]
    if check:
        check_role(role_arn)
    job = Job(kind, name, request, role_arn)
    with STATE.lock:
        if (kind.title, name) in STATE.jobs:
            raise ApiError(
                "ResourceInUse",
                f"{kind.title} job name must be unique within an AWS account and region, and a {kind.title.lower()} job with this name already exists ({job.arn})",
            )
        STATE.jobs[kind.title, name] = job
    tag(job.arn, request.get("Tags"))
    context = contextvars.copy_context()
    job.thread = threading.Thread(target=context.run, args=(_work, job, run), daemon=True, name=f"{kind.title} {name}")
    job.thread.start()
    return job


def _work(job: Job, run: Run) -> None:
    log = LogStream(job.kind.log_group, f"{job.name}/algo-1-{int(job.created.timestamp())}")
    folder = STATE.folder / job.kind.resource / job.name
    try:
        fault = STATE.faults.take_job(job.kind.fault, job.name)
        if fault and fault.outcome != "Garbage":
            job.outcome = _play(fault, job, log)
        else:
            folder.mkdir(parents=True, exist_ok=True)
            job.started = now()
            with _fitting if job.kind is AUTOML else threading.Semaphore(1):
                job.outcome = JobOutcome("Stopped", None, None) if job.stop.is_set() else run(job, folder, log)
            if fault:
                _spoil(job)
    except Exception as error:
        log(traceback.format_exc())
        job.outcome = JobOutcome("Failed", f"InternalServerError: {error}"[:1024], None)
    shutil.rmtree(folder, ignore_errors=True)
    log.close()
    with STATE.lock:
        job.ended = now()
        job.secondary = job.outcome.status
        job.status = job.outcome.status
    ended.announce()
    title = f"{job.kind.title}Job"
    detail = {
        f"{title}Name": job.name,
        f"{title}Arn": job.arn,
        f"{title}Status": job.status,
        "FailureReason": job.outcome.failure_reason,
    }
    events.emit(job.kind.event, detail, job.arn)


def _play(fault: JobFault, job: Job, log: LogStream) -> JobOutcome:
    """How a job ends that the faults file wants to end badly."""
    if fault.outcome == "InProgress":
        job.stop.wait()
        return JobOutcome("Stopped")
    if fault.outcome == "NothingWritten":
        return JobOutcome("Completed")
    log(fault.reason)
    return JobOutcome("Failed", fault.reason) if fault.outcome == "Failed" else JobOutcome("Stopped")


def _spoil(job: Job) -> None:
    """Write over everything that the job wrote."""
    s3 = sessions.client("s3")
    for uri in job.kind.outputs(job.request):
        bucket, prefix = storage.parse(uri)
        for found in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            for item in found.get("Contents", []):
                if job.started and item["LastModified"] >= job.started.replace(microsecond=0):
                    s3.put_object(Bucket=bucket, Key=item["Key"], Body=GARBAGE)


def find(kind: Kind, request: dict[str, Any]) -> Job:
    """The job a request names. Raises ApiError."""
    name = request[f"{kind.title}JobName"]
    job = STATE.jobs.get((kind.title, name))
    if job is None:
        if kind is AUTOML:
            raise ApiError("ResourceNotFound", f"AutoMLJob with name {name} not found")
        raise ApiError(
            "ValidationException" if kind is TRANSFORM else "ResourceNotFound",
            f"Could not find requested job with name: {name}",
        )
    return job


def stop(kind: Kind, request: dict[str, Any]) -> dict[str, Any]:
    """Stop a job that runs."""
    job = find(kind, request)
    with STATE.lock:
        if job.status not in ("InProgress", "Stopping"):
            raise ApiError(
                "ValidationException",
                f"The request was rejected because the {kind.title.lower()} job is in status {job.status}.",
            )
        job.status = "Stopping"
    job.stop.set()
    return {}


def listing(kind: Kind, request: dict[str, Any]) -> dict[str, Any]:
    """List…Jobs."""
    prefix = f"{kind.title}Job"
    members = ("Name", "Arn", "Status")
    rows = [
        {**{f"{prefix}{member}": job.describe()[f"{prefix}{member}"] for member in members}, "CreationTime": job.created,
         "LastModifiedTime": job.ended or job.created}
        for (title, _), job in list(STATE.jobs.items()) if title == kind.title
    ]  # fmt: skip
    return page(named(rows, request, f"{prefix}Name", f"{prefix}Status"), request, f"{prefix}Summaries")


def s3_of(job: Job) -> Any:
    """S3 with the job's own role."""
    return sessions.client("s3", job.role_arn)


def automl_outcome(job: Job) -> AutoMLOutcome | None:
    """What an AutoML job found, when it has ended."""
    return job.outcome if isinstance(job.outcome, AutoMLOutcome) else None


def shutdown() -> None:
    """Stop every job and wait for the ends."""
    running = [job for job in STATE.jobs.values() if job.ended is None]
    for job in running:
        job.stop.set()
    for job in running:
        if job.thread is not None:
            job.thread.join(5)
