"""Starts runs of a deployed stack, and finds those that were started."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from automl_pipeline import settings
from automl_pipeline.objectives import OBJECTIVES
from automl_pipeline.run_layout import Execution
from botocore.exceptions import BotoCoreError, ClientError

from cli import objectives, report
from cli.stack import RefusedError, Stack, client
from cli.terminal import typed

_RUN_ID = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9a-f]{8}")
_NAME = re.compile(r"[0-9A-Za-z_-]{1,80}")


def read_input(config: Path | None, given: str | None, name: str | None) -> dict[str, Any]:
    """The input of a run: the settings in a YAML file, and over them those in a JSON text or, after `@`, a JSON file.

    Needs no AWS. Raises RefusedError with every problem of names, types and values.
    """
    values: dict[str, Any] = {}
    problems = []
    reads = [
        *([partial(_read_yaml, config)] if config else []),
        *([partial(_read_json, given)] if given is not None else []),
    ]
    for read in reads:
        try:
            values |= read()
        except RefusedError as error:
            problems += str(error).splitlines()
    if name is not None and not _NAME.fullmatch(name):
        problems.append(f"--name {name!r}: 1 to 80 letters, digits, hyphens and underscores.")
    try:
        settings.resolve(values, _neutral(values))
    except settings.InvalidInputError as error:
        problems += error.problems
    if problems:
        raise RefusedError("\n".join(problems))
    return values


def changes(values: dict[str, Any], stack: Stack) -> dict[str, tuple[Any, Any]]:
    """What a run with these settings would change: by key, the deployed value and the run's.

    Raises RefusedError for what does not go with what is deployed.
    """
    defaults, chosen = stack.defaults(), resolved(values, stack)
    return {
        key: (defaults.get(key), value)
        for key, value in values.items()
        if key in chosen and _known(key, defaults) and value != defaults.get(key)
    }


def resolved(values: dict[str, Any], stack: Stack) -> dict[str, Any]:
    """All settings of a run that is given these, as far as the stack says. Raises RefusedError."""
    defaults = stack.defaults()
    try:
        return settings.resolve({k: v for k, v in values.items() if _known(k, defaults)}, defaults).model_dump()
    except settings.InvalidInputError as error:
        raise RefusedError(str(error)) from None


def _known(key: str, defaults: dict[str, Any]) -> bool:
    """What else was deployed is known to PrepareRun alone, which checks all of it again."""
    return key in defaults or key not in settings.DEPLOY_TIME


def notes(values: dict[str, Any], stack: Stack) -> list[str]:
    """What is good to know of a run with these settings before it is started."""
    asked = {**stack.defaults(), **values}
    objective, problem_type = str(asked.get("objective_metric_name")), str(asked.get("problem_type"))
    classes: list[dict[str, Any]] = []
    with contextlib.suppress(RefusedError, ClientError, BotoCoreError):  # no earlier run, or it cannot be read
        classes = report.find(stack).document.get("per_class") or []
    of_test = {row["label"]: row["support"] for row in classes}
    return objectives.notes(objective, problem_type, of_test, "of the newest run's test rows")


def start(values: dict[str, Any], stack: Stack, name: str | None = None) -> str:
    """Start a run. Returns the execution's ARN. Raises RefusedError for what does not go with what is deployed."""
    changes(values, stack)
    states = client("stepfunctions")
    machine, text = stack.outputs["TrainingStateMachineArn"], json.dumps(values)
    try:
        return states.start_execution(stateMachineArn=machine, input=text, **({"name": name} if name else {}))[
            "executionArn"
        ]
    except states.exceptions.ExecutionAlreadyExists:
        # With the same input, Step Functions answers with the running execution; ended ones are refused all the same.
        # https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html
        before = states.describe_execution(executionArn=f"{machine.replace(':stateMachine:', ':execution:')}:{name}")
        same = json.loads(before.get("input", "null")) == values
        ended = "has ended" if before["status"] != "RUNNING" else "is running"
        repeat = f", or repeat it under a new name: {typed(f'retry {name}')}"
        raise RefusedError(
            f"A run named {name} {ended}, with {'the same' if same else 'another'} input. Choose another --name"
            f"{repeat if same else ''}."
        ) from None


def run_id_of(arn: str, started: datetime) -> str:
    """The id of a run, as PrepareRun forms it from the execution's ARN and start time."""
    return Execution(arn=arn, name=arn.rsplit(":", 1)[1], start_time=started.isoformat()).run_id


def listed(stack: Stack, *, deployment: bool = False, status: str | None = None) -> Iterator[Mapping[str, Any]]:
    """ListExecutions' rows, newest first, as many as are taken."""
    machine = stack.outputs["DeploymentStateMachineArn" if deployment else "TrainingStateMachineArn"]
    chosen: Any = {"statusFilter": status} if status else {}
    pages = client("stepfunctions").get_paginator("list_executions").paginate(stateMachineArn=machine, **chosen)
    return (row for page in pages for row in page["executions"])


def arn_of(reference: str | None, stack: Stack, *, deployment: bool = False) -> str:
    """The ARN of the execution of this run id, execution name or ARN; None is the newest. Raises RefusedError."""
    if reference is None:
        newest = next(listed(stack, deployment=deployment), None)
        if newest is None:
            raise RefusedError(
                f"Nothing has been deployed yet. To deploy the newest approved version: {typed('deploy')}"
                if deployment
                else f"No run has started yet. To start one: {typed('start --watch')}"
            )
        return newest["executionArn"]
    if _RUN_ID.fullmatch(reference) and not deployment:
        for row in listed(stack):
            run_id = run_id_of(row["executionArn"], row["startDate"])
            if run_id == reference:
                return row["executionArn"]
            if run_id[:15] < reference[:15]:  # ids sort by time, and older ones follow
                break
    machine = stack.outputs["DeploymentStateMachineArn" if deployment else "TrainingStateMachineArn"]
    arn = (
        reference if reference.startswith("arn:") else f"{machine.replace(':stateMachine:', ':execution:')}:{reference}"
    )
    states = client("stepfunctions")
    try:
        states.describe_execution(executionArn=arn)
    except (states.exceptions.ExecutionDoesNotExist, states.exceptions.InvalidArn):
        listing = f"aws stepfunctions list-executions --state-machine-arn {machine}" if deployment else typed("runs")
        raise RefusedError(f"There is no execution {reference}. To list them: {listing}") from None
    return arn


def id_of(reference: str, stack: Stack) -> str:
    """The id of the run of this run id, execution name or ARN. Raises RefusedError if there is no such execution.

    An id is taken as it is: what a run wrote outlives what Step Functions knows of it, which is 90 days.
    """
    if _RUN_ID.fullmatch(reference):
        return reference
    arn = arn_of(reference, stack)
    return run_id_of(arn, client("stepfunctions").describe_execution(executionArn=arn)["startDate"])


def _neutral(values: dict[str, Any]) -> dict[str, Any]:
    """Defaults that contradict nothing: while the deployed ones are unknown, only what was given is judged."""
    defaults: dict[str, Any] = {"bucket": "any-bucket", "max_runtime_sec": 1, "accuracy_threshold": -1000}
    defaults |= {key: value for key, value in values.items() if key in settings.DEPLOY_TIME}
    defaults |= {"autoscaling_min_capacity": 1, "autoscaling_max_capacity": 1000}
    unlimited = any(key in values and values[key] is None for key in ("customer_id_start", "customer_id_end"))
    defaults |= {"customer_id_start": None if unlimited else 1, "customer_id_end": None if unlimited else 999_999}
    objective, problem_type = values.get("objective_metric_name"), values.get("problem_type")
    if "problem_type" not in values and isinstance(objective, str) and objective in OBJECTIVES:
        defaults["problem_type"] = OBJECTIVES[objective][0]
    if "objective_metric_name" not in values and problem_type == "Regression":
        defaults["objective_metric_name"] = "RMSE"
    return defaults


class _Settings(yaml.SafeLoader):
    """Of a key that comes twice, YAML's readers silently take the second."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        lines: dict[Any, int] = {}
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            line = key.start_mark.line + 1
            if key.value in lines:
                raise yaml.YAMLError(f"{key.value} is given twice, in lines {lines[key.value]} and {line}")
            lines[key.value] = line
        return super().construct_mapping(node, deep)


def _reason(error: OSError | UnicodeDecodeError) -> str:
    return f"{error.strerror}." if isinstance(error, OSError) else f"it is not UTF-8 ({error.reason})."


def _read_yaml(config: Path) -> dict[str, Any]:
    try:
        content = yaml.load(config.read_text(encoding="utf-8"), _Settings)  # noqa: S506 - a SafeLoader
    except (OSError, UnicodeDecodeError) as error:
        raise RefusedError(f"{config} cannot be read: {_reason(error)}") from None
    except yaml.YAMLError as error:
        raise RefusedError(f"{config} is not YAML: {error}") from None
    if content is not None and not isinstance(content, dict):
        raise RefusedError(f"{config} must hold settings, one `key: value` a line.")
    return content or {}


def _read_json(given: str) -> dict[str, Any]:
    what = "--input"
    if given.startswith("@"):
        what = given[1:]
        try:
            given = Path(what).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise RefusedError(f"{what} cannot be read: {_reason(error)}") from None
    try:
        content = json.loads(given)
    except json.JSONDecodeError as error:
        raise RefusedError(f"{what} is not JSON ({error}). Write it like '{{\"accuracy_threshold\": 0.8}}'.") from None
    if not isinstance(content, dict):
        raise RefusedError(f"{what} must be a JSON object such as {{}}.")
    return content
