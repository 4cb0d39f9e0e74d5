"""PrepareRun: checks an execution's input and names everything that the run will create."""

from __future__ import annotations

import json
import os
from functools import cache
from typing import Any

import boto3
from automl_pipeline import container_code, costs, measures, objectives, prices, settings, stored
from automl_pipeline.jobs import Previous
from automl_pipeline.run_layout import Execution, describe, fingerprint
from aws_lambda_powertools import Logger

logger = Logger()


# The name becomes the error's name in Step Functions.
class InvalidInputError(settings.InvalidInputError):
    """The execution's input cannot be used; one line for each problem."""


@cache
def _s3() -> Any:
    return boto3.client("s3")


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Returns the run: its names, places and settings (see automl_pipeline.run_layout.describe).

    `event`: {"input": the execution's input, "execution": {"arn", "name", "start_time"}}.
    Raises InvalidInputError with every problem of the input.
    """
    try:
        chosen = settings.resolve(event["input"], settings.deployed())
        _check_resumed(chosen)
        bounded = costs.bounded(chosen, _prices(chosen)) if chosen.max_cost_usd is not None else chosen
    except settings.InvalidInputError as error:
        logger.info("Input refused", problems=error.problems)
        measures.emit(measures.REFUSED, 1, os.environ["STACK_NAME"])
        raise InvalidInputError(error.problems) from None
    sha256, contents = container_code.read()
    latest = json.loads(stored.read(_s3(), chosen.bucket, f"{chosen.prefix}/latest.json") or b"{}")
    run = describe(
        bounded,
        Execution(**event["execution"]),
        code_sha256=sha256,
        image=os.environ["PREPROCESS_IMAGE"],
        spark_image=os.environ["SPARK_IMAGE"],
        job_role=os.environ["JOB_ROLE_ARN"],
        automl_role=os.environ["AUTOML_ROLE_ARN"],
        stack=os.environ["STACK_NAME"],
        previous=_previous(chosen, latest),
    )
    run["fingerprint"] = fingerprint(chosen, sha256)
    run["same_settings"] = _same_settings(chosen, latest, run["fingerprint"])
    logger.append_keys(run_id=run["id"])
    _put_container_code(chosen.bucket, f"{chosen.prefix}/code/{sha256}", contents)
    asked = {**settings.deployed(), **event["input"]}
    logger.info(
        "Run prepared",
        max_cost_usd=chosen.max_cost_usd,
        automl_max_runtime_sec=bounded.automl_max_runtime_sec,
        objective_note=objectives.note(str(asked.get("objective_metric_name")), chosen.problem_type),
    )
    return run


def _prices(chosen: settings.Settings) -> prices.Prices:
    """The prices that `automl cost --refresh` wrote to the bucket, else those that ship with the layer."""
    content = stored.read(_s3(), chosen.bucket, f"{chosen.prefix}/{prices.KEY}")
    return prices.shipped(chosen.region) if content is None else prices.parsed(content, chosen.region)


def _previous(chosen: settings.Settings, latest: dict[str, Any]) -> Previous | None:
    """The newest registered run, whose rows the processing job compares with this run's; None if there is none."""
    if not latest:
        return None
    place = latest.get("preprocessing") or ""
    own = f"s3://{chosen.bucket}/{chosen.prefix}/runs/"
    # A processing job fails if an input has no objects, so this one is added only if the file exists.
    key = place.removeprefix(f"s3://{chosen.bucket}/") + "distributions.json"
    comparable = place.startswith(own) and stored.exists(_s3(), chosen.bucket, key)
    return Previous(latest["run_id"], place if comparable else None)


def _same_settings(chosen: settings.Settings, latest: dict[str, Any], own: str) -> dict[str, Any] | None:
    """With skip_if_unchanged, the newest registered run, if its settings and code are this run's; else None."""
    if not chosen.skip_if_unchanged or latest.get("fingerprint", {}).get("settings") != own:
        return None
    return {
        "rows": latest["fingerprint"]["rows"],
        "run_id": latest["run_id"],
        "model_package_arn": latest["model_package_arn"],
    }


def _check_resumed(chosen: settings.Settings) -> None:
    """Raises settings.InvalidInputError if the run to resume left no preprocessing, or had another target or problem type."""
    if chosen.resume_from is None:
        return
    content = stored.read(
        _s3(), chosen.bucket, f"{chosen.prefix}/runs/{chosen.resume_from}/preprocessing/preprocessing.json"
    )
    if content is None:
        raise settings.InvalidInputError(
            [
                f"resume_from: run {chosen.resume_from} left no preprocessing to resume from. Leave resume_from out to start from the beginning."
            ]
        )
    left = json.loads(content)
    asked = {"target": chosen.target_attribute_name.lower(), "problem_type": chosen.problem_type}
    different = [f"{name} {left[name]}" for name, value in asked.items() if left[name] != value]
    if different:
        raise settings.InvalidInputError(
            [
                f"resume_from: run {chosen.resume_from} was for {' and '.join(different)}. Use its settings, or leave resume_from out."
            ]
        )


def _put_container_code(bucket: str, prefix: str, contents: dict[str, bytes]) -> None:
    place = f"s3://{bucket}/{prefix}/"
    there = {uri.removeprefix(place) for uri, _ in stored.objects(_s3(), place)}
    for name, content in contents.items():
        if name not in there:
            _s3().put_object(Bucket=bucket, Key=f"{prefix}/{name}", Body=content, ContentType="text/x-python")
