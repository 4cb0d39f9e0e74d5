"""The operations on processing, transform and AutoML jobs."""

from __future__ import annotations

from typing import Any

from local.aws.api_model import ApiError
from local.aws.sagemaker import jobs, models
from local.aws.sagemaker.compute import automl, processing, transform
from local.aws.sagemaker.jobs import AUTOML, PROCESSING, TRANSFORM
from local.aws.sagemaker.state import STATE, arn, now

_METRICS = {
    "BinaryClassification": {"Accuracy", "BalancedAccuracy", "F1", "AUC", "Precision", "Recall"},
    "MulticlassClassification": {"Accuracy", "BalancedAccuracy", "F1macro", "PrecisionMacro", "RecallMacro"},
    "Regression": {"MSE", "MAE", "RMSE", "R2"},
}


def create_processing_job(request: dict[str, Any]) -> dict[str, Any]:
    job = jobs.create(
        PROCESSING,
        request,
        request["RoleArn"],
        lambda job, folder, log: processing.run(request, s3=jobs.s3_of(job), workdir=folder, log=log, stop=job.stop),
    )
    return {"ProcessingJobArn": job.arn}


def describe_processing_job(request: dict[str, Any]) -> dict[str, Any]:
    job = jobs.find(PROCESSING, request)
    return {
        **job.describe(),
        "ProcessingStartTime": job.started,
        "ProcessingEndTime": job.ended,
        "LastModifiedTime": job.ended or job.created,
        "ExitMessage": job.outcome.exit_message if job.outcome else None,
    }


def create_transform_job(request: dict[str, Any]) -> dict[str, Any]:
    model = models.find(request["ModelName"])
    containers = models.containers(model)
    job = jobs.create(
        TRANSFORM,
        request,
        model["ExecutionRoleArn"],
        lambda job, folder, log: transform.run(
            request, containers, s3=jobs.s3_of(job), workdir=folder, log=log, stop=job.stop
        ),
        check=False,
    )
    return {"TransformJobArn": job.arn}


def describe_transform_job(request: dict[str, Any]) -> dict[str, Any]:
    job = jobs.find(TRANSFORM, request)
    return {**job.describe(), "TransformStartTime": job.started, "TransformEndTime": job.ended}


def create_auto_ml_job_v2(request: dict[str, Any]) -> dict[str, Any]:
    config = request["AutoMLProblemTypeConfig"].get("TabularJobConfig")
    if config is None:
        raise ApiError(
            "ValidationException",
            "Only TabularJobConfig can be used here: AutoML jobs on tables are what the local cloud runs.",
        )
    problem, objective = config.get("ProblemType"), request.get("AutoMLJobObjective", {}).get("MetricName")
    if (problem is None) != (objective is None):
        raise ApiError(
            "ValidationException", "ProblemType and AutoMLJobObjective must be provided together or not at all."
        )
    if problem and objective not in _METRICS[problem]:
        raise ApiError("ValidationException", f"Metric {objective} is not supported for problem type {problem}.")

    def run(job: jobs.Job, folder: Any, log: Any) -> Any:
        def progress(status: str) -> None:
            job.secondary = status

        return automl.run(request, s3=jobs.s3_of(job), workdir=folder, log=log, stop=job.stop, progress=progress)

    job = jobs.create(AUTOML, request, request["RoleArn"], run)
    return {"AutoMLJobArn": job.arn}


def describe_auto_ml_job_v2(request: dict[str, Any]) -> dict[str, Any]:
    job = jobs.find(AUTOML, request)
    config = job.request["AutoMLProblemTypeConfig"]["TabularJobConfig"]
    found = jobs.automl_outcome(job)
    return {
        **job.describe(),
        "AutoMLJobSecondaryStatus": job.secondary,
        "AutoMLProblemTypeConfigName": "Tabular",
        "EndTime": job.ended,
        "LastModifiedTime": job.ended or job.created,
        "BestCandidate": found.best_candidate if found else None,
        "ResolvedAttributes": {
            "AutoMLJobObjective": job.request.get("AutoMLJobObjective"),
            "CompletionCriteria": config.get("CompletionCriteria"),
            "AutoMLProblemTypeResolvedAttributes": {
                "TabularResolvedAttributes": {"ProblemType": config.get("ProblemType")}
            },
        },
    }


def describe_auto_ml_job(request: dict[str, Any]) -> dict[str, Any]:
    """The older operation also answers for jobs made with CreateAutoMLJobV2, in its own shape."""
    answer = describe_auto_ml_job_v2(request)
    config = answer["AutoMLProblemTypeConfig"]["TabularJobConfig"]
    return {
        **{
            key: value
            for key, value in answer.items()
            if key
            not in (
                "AutoMLProblemTypeConfig",
                "AutoMLProblemTypeConfigName",
                "AutoMLJobInputDataConfig",
                "ResolvedAttributes",
                "DataSplitConfig",
                "SecurityConfig",
            )
        },
        "InputDataConfig": [
            {**channel, "TargetAttributeName": config["TargetAttributeName"]}
            for channel in answer["AutoMLJobInputDataConfig"]
        ],
        "ProblemType": config.get("ProblemType"),
    }


def list_candidates_for_auto_ml_job(request: dict[str, Any]) -> dict[str, Any]:
    found = jobs.automl_outcome(jobs.find(AUTOML, request))
    rows = found.candidates if found else []
    name = request.get("CandidateNameEquals")
    return {"Candidates": [row for row in rows if not name or row["CandidateName"] == name]}


def describe_training_job(request: dict[str, Any]) -> dict[str, Any]:
    """The one that an AutoML job trains with. Its instance type is the local cloud's own: AWS names none for Autopilot."""
    name = request["TrainingJobName"]
    job = STATE.jobs.get(("AutoML", name))
    if job is None:
        raise ApiError("ValidationException", "Requested resource not found.")
    seconds = ((job.ended or now()) - job.started).total_seconds() if job.started else 0.0
    return {
        "TrainingJobName": name,
        "TrainingJobArn": arn("training-job", name),
        "ModelArtifacts": {"S3ModelArtifacts": job.request["OutputDataConfig"]["S3OutputPath"]},
        "TrainingJobStatus": job.status,
        "SecondaryStatus": "Training" if job.ended is None else job.status,
        "ResourceConfig": {"InstanceType": "ml.m5.4xlarge", "InstanceCount": 1, "VolumeSizeInGB": 50},
        "StoppingCondition": {},
        "CreationTime": job.created,
        "TrainingStartTime": job.started,
        "TrainingEndTime": job.ended,
        "BillableTimeInSeconds": max(round(seconds), 1),
    }


def list_auto_ml_jobs(request: dict[str, Any]) -> dict[str, Any]:
    answer = jobs.listing(AUTOML, request)
    for row in answer["AutoMLJobSummaries"]:
        job = STATE.jobs["AutoML", row["AutoMLJobName"]]
        row["AutoMLJobSecondaryStatus"] = job.secondary
    return answer


OPERATIONS = {
    "CreateProcessingJob": create_processing_job,
    "DescribeProcessingJob": describe_processing_job,
    "StopProcessingJob": lambda request: jobs.stop(PROCESSING, request),
    "ListProcessingJobs": lambda request: jobs.listing(PROCESSING, request),
    "CreateTransformJob": create_transform_job,
    "DescribeTransformJob": describe_transform_job,
    "StopTransformJob": lambda request: jobs.stop(TRANSFORM, request),
    "ListTransformJobs": lambda request: jobs.listing(TRANSFORM, request),
    "CreateAutoMLJobV2": create_auto_ml_job_v2,
    "DescribeAutoMLJobV2": describe_auto_ml_job_v2,
    "DescribeAutoMLJob": describe_auto_ml_job,
    "StopAutoMLJob": lambda request: jobs.stop(AUTOML, request),
    "ListAutoMLJobs": list_auto_ml_jobs,
    "DescribeTrainingJob": describe_training_job,
    "ListCandidatesForAutoMLJob": list_candidates_for_auto_ml_job,
}
