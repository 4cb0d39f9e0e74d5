"""Names and places of a run: all derive from the execution, so that a retry finds what an earlier attempt made."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from automl_pipeline import deployment, jobs
from automl_pipeline.settings import Settings

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Execution:
    """An execution of the training machine: `arn`, `name`, and `start_time` as Step Functions writes it (ISO 8601)."""

    arn: str
    name: str
    start_time: str

    @property
    def started(self) -> datetime:
        """When it started, UTC."""
        return datetime.fromisoformat(self.start_time).astimezone(UTC)

    @property
    def digest(self) -> str:
        """SHA-256 over ARN and start time: an execution name may come again after 90 days, its start time does not.

        The time counts in milliseconds since 1970, as EventBridge reports it: failure.asl.yaml derives the same names.
        """
        milliseconds = (self.started - _EPOCH) // timedelta(milliseconds=1)
        return hashlib.sha256(f"{self.arn} {milliseconds}".encode()).hexdigest()

    @property
    def run_id(self) -> str:
        """24 characters, such as 20261123-210022-1a2b3c4d; sorts by time."""
        return f"{self.started:%Y%m%d-%H%M%S}-{self.digest[:8]}"


# Settings that do not change the model: how a run does its work, and what it may cost.
_WITHOUT_EFFECT = frozenset(
    [
        *("capacity_patience_minutes", "resume_from", "max_cost_usd", "automl_instance_type", "skip_if_unchanged"),
        *("processing_volume_gb", "processing_instance_count", "transform_instance_count"),
    ]
)


def fingerprint(settings: Settings, code_sha256: str) -> str:
    """SHA-256 over the settings and the container code: with the same fingerprint and rows, two runs do the same training."""
    decisive = {name: value for name, value in settings.model_dump().items() if name not in _WITHOUT_EFFECT}
    return hashlib.sha256(f"{json.dumps(decisive, sort_keys=True)} {code_sha256}".encode()).hexdigest()


def describe(
    settings: Settings,
    execution: Execution,
    *,
    code_sha256: str,
    image: str,
    spark_image: str,
    job_role: str,
    automl_role: str,
    stack: str,
    previous: jobs.Previous | None = None,
) -> dict[str, Any]:
    """A run's settings, names, places and job requests: `$run` in training.asl.yaml."""
    run_id, digest = execution.run_id, execution.digest
    run_key = f"{settings.prefix}/runs/{run_id}"
    # A run that resumes an earlier one uses that run's rows, preprocessing and AutoML job.
    data_id = settings.resume_from or run_id
    data_key = f"{settings.prefix}/runs/{data_id}"
    keys = {
        "model_info": f"{run_key}/model/model_info.json",
        "evaluation": f"{run_key}/evaluation/evaluation.json",
        "report": f"{run_key}/evaluation/report.html",
        "registration": f"{run_key}/registration/registration.json",
        "deployment": f"{run_key}/registration/deployment.json",
        "latest": f"{settings.prefix}/latest.json",
    }
    folders = {
        "raw": f"{data_key}/data/raw/",
        "rows": f"{data_key}/data/raw/rows/",  # UNLOAD's files alone: its manifest is in data/raw/
        "train": f"{data_key}/data/train/",
        "validation": f"{data_key}/data/validation/",
        "test": f"{data_key}/data/test/",
        "preprocessing": f"{data_key}/preprocessing/",
        "evaluation_input": f"{data_key}/evaluation/input/",
        "predictions": f"{run_key}/evaluation/predictions/",
        "champion": f"{run_key}/evaluation/champion/",
        "automl": f"{data_key}/automl/",
        "code": f"{settings.prefix}/code/{code_sha256}/",
        "preprocess_model": f"{data_key}/preprocessing/model.tar.gz",
    }
    bucket = settings.bucket
    tags = _tags(settings, stack, run_id)
    uris = {name: f"s3://{bucket}/{key}" for name, key in {**keys, **folders}.items()}
    roles = {"job": job_role, "automl": automl_role}
    token = f"{run_id}-{digest[8:19]}"  # 36 characters, the most a model package's token may have
    return {
        "id": run_id,
        "execution_arn": execution.arn,
        "execution_name": execution.name,
        "started_at": execution.start_time,
        "bucket": bucket,
        "prefix_uri": f"s3://{bucket}/{run_key}",
        "settings": settings.model_dump(),
        "names": {
            "automl_job": f"automl-{data_id}",  # Autopilot allows 32 characters
            "processing_job": f"{settings.project_name}-{run_id}",
            "transform_job": f"{settings.project_name}-{run_id}",
            "model": f"{settings.project_name}-{int(execution.started.timestamp())}-{digest[:8]}",
        },
        "keys": keys,
        "uris": uris,
        "jobs": {
            "query": jobs.query(settings, uris["raw"], token),
            **jobs.requests(settings, uris, roles, {"Python": image, "Spark": spark_image}, tags["tags"], previous),
        },
        "unload_to": jobs.unload_to(settings, uris["rows"]),
        "client_token": token,
        "containers": jobs.containers(settings, uris["preprocess_model"], image),
        "roles": roles,
        **tags,
        # EvaluateModel writes it beside the model, with the code that prepared the data.
        "deployment": {**deployment.document(settings, tags["stack_tags"]), "code_sha256": code_sha256},
        "network": deployment.network(settings),
    }


def _tags(settings: Settings, stack: str, run_id: str) -> dict[str, Any]:
    """Tags in SageMaker's form: `stack_tags` for what outlives the run, `tags` for what belongs to the run."""
    of_person = dict(pair.split("=", 1) for pair in (settings.resource_tags or "").split(",") if pair)
    of_stack = {**of_person, "automl:stack": stack}
    return {
        name: [{"Key": key, "Value": value} for key, value in tags.items()]
        for name, tags in (("stack_tags", of_stack), ("tags", {**of_stack, "automl:run": run_id}))
    }
