"""Follows an execution and shows each step with its time."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError
from rich.console import Console

from cli.steps import Step, steps_in

_POLL_SECONDS = 0.3
_POLL_SECONDS_AWS = 5.0


@dataclass
class Finished:
    """An execution that has ended. `output` is what the machine answered, None if it failed."""

    arn: str
    status: str
    output: dict[str, Any] | None
    error: str | None
    cause: str | None
    steps: list[Step]


def follow(
    states: Any,
    execution_arn: str,
    console: Console,
    *,
    sagemaker: Any = None,
    check: Callable[[], None] = lambda: None,
) -> Finished:
    """Show the steps of an execution until it has ended.

    `states`, `sagemaker`: boto3 clients; with the second the AutoML job's own status is shown. `check` is called at
    every look and may raise to end the watch.
    """
    shown = 0
    pause = _POLL_SECONDS if "amazonaws" not in states.meta.endpoint_url else _POLL_SECONDS_AWS
    with console.status("starting") as spinner:
        while True:
            check()
            described = states.describe_execution(executionArn=execution_arn)
            pages = states.get_paginator("get_execution_history").paginate(executionArn=execution_arn)
            steps = steps_in(event for page in pages for event in page["events"])
            failed = described["status"] not in ("RUNNING", "SUCCEEDED")
            for step in steps[shown:]:
                if step.ended is None:
                    break
                is_last = failed and step is steps[-1]
                mark = "[red]failed[/]" if is_last else "[green]done[/]  "
                console.print(f"  {mark}  {step.name:<18} {step.seconds(step.ended):6.1f} s")
                shown += 1
            if described["status"] != "RUNNING":
                output = json.loads(described["output"]) if described["status"] == "SUCCEEDED" else None
                return Finished(
                    execution_arn, described["status"], output, described.get("error"), described.get("cause"), steps
                )
            if steps and steps[-1].ended is None:
                seconds = steps[-1].seconds(datetime.now(UTC))
                spinner.update(f"{steps[-1].name} {seconds:.0f} s{_automl_status(sagemaker, steps[-1], execution_arn)}")
            time.sleep(pause)


def _automl_status(sagemaker: Any, step: Step, execution_arn: str) -> str:
    if sagemaker is None or step.name != "AutoMLTraining":
        return ""
    try:
        jobs = sagemaker.list_auto_ml_jobs(SortBy="CreationTime", SortOrder="Descending", MaxResults=1)[
            "AutoMLJobSummaries"
        ]
    except ClientError:
        return ""
    return f" · {jobs[0]['AutoMLJobSecondaryStatus']}" if jobs else ""
