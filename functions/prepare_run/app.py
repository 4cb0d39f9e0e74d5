"""PrepareRun: checks an execution's input and names everything that the run will create."""

from __future__ import annotations

import json
import os
from functools import cache
from typing import Any

import boto3
from automl_pipeline import container_code, settings
from automl_pipeline.run_layout import Execution, describe
from aws_lambda_powertools import Logger
from botocore.exceptions import ClientError

logger = Logger()


# The name becomes the error's name in Step Functions.
class InvalidInputError(settings.InvalidInputError):
    """The execution's input cannot be used; one line for each problem."""


@cache
def _s3() -> Any:
    return boto3.client("s3")


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Answers with the run: its names, places and settings (see automl_pipeline.run_layout.describe).

    `event`: {"input": the execution's input, "execution": {"arn", "name", "start_time"}}.
    Raises InvalidInputError with every problem of the input.
    """
    try:
        chosen = settings.resolve(event["input"], settings.deployed())
        _check_resumed(chosen)
    except settings.InvalidInputError as error:
        logger.info("Input refused", problems=error.problems)
        raise InvalidInputError(error.problems) from None
    sha256, contents = container_code.read()
    run = describe(
        chosen,
        Execution(**event["execution"]),
        code_sha256=sha256,
        image=os.environ["PREPROCESS_IMAGE"],
        job_role=os.environ["JOB_ROLE_ARN"],
        automl_role=os.environ["AUTOML_ROLE_ARN"],
        stack=os.environ["STACK_NAME"],
    )
    _put_container_code(chosen.bucket, f"{chosen.prefix}/code/{sha256}", contents)
    logger.info("Run prepared", run_id=run["id"])
    return run


def _check_resumed(chosen: settings.Settings) -> None:
    """Raises settings.InvalidInputError if the run to resume left nothing to go on from, or for another target."""
    if chosen.resume_from is None:
        return
    key = f"{chosen.prefix}/runs/{chosen.resume_from}/preprocessing/preprocessing.json"
    try:
        left = json.loads(_s3().get_object(Bucket=chosen.bucket, Key=key)["Body"].read())
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchKey":
            raise
        raise settings.InvalidInputError(
            [f"resume_from: run {chosen.resume_from} left no preprocessing to go on from. Leave it out to start anew."]
        ) from None
    asked = {"target": chosen.target_attribute_name.lower(), "problem_type": chosen.problem_type}
    different = [f"{name} {left[name]}" for name, value in asked.items() if left[name] != value]
    if different:
        raise settings.InvalidInputError(
            [
                f"resume_from: run {chosen.resume_from} was for {' and '.join(different)}. Use its settings, or leave it out."
            ]
        )


def _put_container_code(bucket: str, prefix: str, contents: dict[str, bytes]) -> None:
    for name, content in contents.items():
        key = f"{prefix}/{name}"
        try:
            _s3().head_object(Bucket=bucket, Key=key)
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("404", "NoSuchKey", "NotFound"):
                raise
            _s3().put_object(Bucket=bucket, Key=key, Body=content, ContentType="text/x-python")
