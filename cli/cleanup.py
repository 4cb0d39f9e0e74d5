"""Removes what runs and deployments left, which deleting the stack does not: endpoint, versions, runs, or all of it.

First a plan of what would be removed and what stays, then the removal, step by step. What is gone already is no error,
so that an interrupted cleanup is taken up by calling it again.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from cli import registry, run_folders
from cli.stack import RefusedError, Stack, client

ENDPOINT_SECONDS = 900.0
_POLL_SECONDS = 1.0
_VARIANT = "AllTraffic"
_GONE = ("Could not find", "does not exist", "No scalable target found", "NoSuchBucket")


@dataclass(frozen=True)
class Wanted:
    """What a person asks to be removed. `keep`: newest runs that stay; `older_than`: days."""

    endpoint: bool = False
    registry: bool = False
    runs: bool = False
    everything: bool = False
    keep: int | None = None
    older_than: int | None = None


@dataclass(frozen=True)
class Step:
    """One thing to remove, in words, and how."""

    what: str
    remove: Callable[[], object]


@dataclass
class Plan:
    """What would be removed, in order, and what stays and why."""

    steps: list[Step] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """The plan for a person."""
        removed = [f"  remove  {step.what}" for step in self.steps] or ["There is nothing to remove."]
        return [*removed, *(f"  keep    {text}" for text in self.kept)]


def plan(stack: Stack, wanted: Wanted) -> Plan:
    """What to remove. Changes nothing. Raises RefusedError for what does not go together or may not be removed now."""
    _check(wanted)
    if wanted.endpoint or wanted.everything:
        busy = run_folders.running(stack)
        if busy:
            raise RefusedError(
                f"{len(busy)} executions still run and would make anew what is removed. Wait for them, or stop them: "
                f"aws stepfunctions stop-execution --execution-arn {busy[0]}"
            )
    found = Plan()
    endpoint_goes = wanted.endpoint or wanted.everything
    registry_goes = wanted.registry or wanted.everything
    if endpoint_goes:
        _plan_endpoint(stack, found)
    if registry_goes:
        _plan_registry(stack, found, endpoint_goes)
    if wanted.everything:
        _plan_everything(stack, found)
    elif wanted.runs:
        _plan_runs(stack, wanted, found)
    return found


def carry_out(found: Plan, say: Callable[[str], None]) -> list[str]:
    """Remove, going on after what fails. Returns a sentence for each thing that is left although it should be gone."""
    left = []
    for step in found.steps:
        try:
            step.remove()
            say(f"Removed {step.what}")
        except ClientError as error:
            if any(text in str(error) for text in _GONE):
                say(f"Gone already: {step.what}")
            else:
                left.append(f"{step.what}: {error.response['Error']['Message']}")
        except RefusedError as error:
            left.append(f"{step.what}: {error}")
    return left


def _check(wanted: Wanted) -> None:
    if not (wanted.endpoint or wanted.registry or wanted.runs or wanted.everything):
        raise RefusedError(
            "Say what to remove: --endpoint, --registry, --runs (with --keep N or --older-than DAYS), or --all. "
            "What would be removed is shown before anything is."
        )
    if not wanted.runs and (wanted.keep is not None or wanted.older_than is not None):
        raise RefusedError("--keep and --older-than choose runs: give --runs, too.")
    if wanted.everything and wanted.runs:
        raise RefusedError("--all removes every run. Give --runs without it to keep some.")


# ---------------------------------------------------------------- endpoint


def _plan_endpoint(stack: Stack, found: Plan) -> None:
    sagemaker, scaling = client("sagemaker"), client("application-autoscaling")
    name = stack.outputs["EndpointName"]
    resource = f"endpoint/{name}/variant/{_VARIANT}"

    def deregister() -> object:
        return scaling.deregister_scalable_target(
            ServiceNamespace="sagemaker",
            ResourceId=resource,
            ScalableDimension="sagemaker:variant:DesiredInstanceCount",
        )

    scaled = scaling.describe_scalable_targets(ServiceNamespace="sagemaker", ResourceIds=[resource])
    if scaled["ScalableTargets"]:
        found.steps.append(Step(f"autoscaling of endpoint {name}", deregister))
    serving = None
    try:
        serving = sagemaker.describe_endpoint(EndpointName=name)["EndpointConfigName"]
        found.steps.append(Step(f"endpoint {name}", lambda: _delete_endpoint(sagemaker, name)))
    except ClientError as error:
        if "Could not find" not in str(error):
            raise
    # Names that the deployment machine gives: <endpoint>-v<version>-<digest>-<attempt>, a configuration with one attempt more.
    own = re.compile(rf"{re.escape(name)}-v[0-9]+-[0-9a-f]{{8}}(-[0-9]+){{1,2}}")
    configs = sagemaker.get_paginator("list_endpoint_configs").paginate(NameContains=f"{name}-v")
    for config in [row["EndpointConfigName"] for page in configs for row in page["EndpointConfigs"]]:
        if own.fullmatch(config):
            found.steps.append(Step(f"endpoint configuration {config}", _delete_config(sagemaker, config)))
    models = sagemaker.get_paginator("list_models").paginate(NameContains=f"{name}-v")
    for model in [row["ModelName"] for page in models for row in page["Models"]]:
        if own.fullmatch(model):
            found.steps.append(Step(f"model {model}", _delete_model(sagemaker, model)))
    if serving and not own.fullmatch(serving):
        found.kept.append(f"endpoint configuration {serving}, and its model: another tool made them")


def _delete_endpoint(sagemaker: Any, name: str) -> None:
    """Returns when it is gone, so that its configuration and model are not removed under it. Raises RefusedError."""
    status = sagemaker.describe_endpoint(EndpointName=name)["EndpointStatus"]
    if status != "Deleting":
        sagemaker.delete_endpoint(EndpointName=name)
    deadline = time.monotonic() + ENDPOINT_SECONDS
    while True:
        try:
            status = sagemaker.describe_endpoint(EndpointName=name)["EndpointStatus"]
        except ClientError as error:
            if "Could not find" in str(error):
                return
            raise
        if time.monotonic() > deadline:
            raise RefusedError(
                f"It is still {status} after {ENDPOINT_SECONDS / 60:.0f} minutes. Call cleanup again later."
            )
        time.sleep(_POLL_SECONDS)


def _delete_config(sagemaker: Any, name: str) -> Callable[[], None]:
    return lambda: sagemaker.delete_endpoint_config(EndpointConfigName=name)


def _delete_model(sagemaker: Any, name: str) -> Callable[[], None]:
    return lambda: sagemaker.delete_model(ModelName=name)


# ---------------------------------------------------------------- registry


def _plan_registry(stack: Stack, found: Plan, endpoint_goes: bool) -> None:
    sagemaker = client("sagemaker")
    group = stack.outputs["ModelPackageGroupName"]
    serving = None if endpoint_goes else registry.serving_version(sagemaker, stack)
    for row in run_folders.registered_versions(stack):
        version, arn = row["ModelPackageVersion"], row["ModelPackageArn"]
        if version == serving:
            found.kept.append(f"version {version} of {group}, and so the group: it serves. Remove --endpoint, too")
        else:
            found.steps.append(Step(f"version {version} of {group}", _delete_package(sagemaker, arn)))
    try:
        sagemaker.describe_model_package_group(ModelPackageGroupName=group)
    except ClientError as error:
        if "does not exist" in str(error):
            return
        raise
    if serving is None:
        found.steps.append(
            Step(
                f"model package group {group}",
                lambda: sagemaker.delete_model_package_group(ModelPackageGroupName=group),
            )
        )


def _delete_package(sagemaker: Any, arn: str) -> Callable[[], None]:
    return lambda: sagemaker.delete_model_package(ModelPackageName=arn)


# ---------------------------------------------------------------- runs


def _plan_runs(stack: Stack, wanted: Wanted, found: Plan) -> None:
    runs, needed = run_folders.existing(stack), run_folders.needed(stack)
    oldest_kept = datetime.now(UTC) - timedelta(days=wanted.older_than or 0)
    # Versions that this very call removes still protect their runs: if a step fails, nothing is half gone. Call it again.
    for number, run in enumerate(runs):
        if run.id in needed:
            found.kept.append(f"run {run.id}: {needed[run.id]}")
        elif number < (wanted.keep or 0):
            found.kept.append(f"run {run.id}: one of the newest {wanted.keep}")
        elif wanted.older_than is not None and run.started > oldest_kept:
            found.kept.append(f"run {run.id}: not older than {wanted.older_than} days")
        else:
            _plan_run(stack, run, found)


def _plan_model(stack: Stack, run: run_folders.Run, found: Plan) -> None:
    """The model that a run's file names, if it has a name that this stack's runs give: the file may have been overwritten."""
    model = run_folders.model_of(run)
    if model is None:
        return
    if re.fullmatch(rf"{re.escape(stack.outputs['ProjectName'])}-[0-9]+-{run.id[-8:]}-[0-9]+", model):
        found.steps.append(Step(f"model {model} of run {run.id}", _delete_model(client("sagemaker"), model)))
    else:
        found.kept.append(f"model {model}, which run {run.id} names: runs of this stack give no such names")


def _plan_card(stack: Stack, run: run_folders.Run, found: Plan) -> None:
    """The model card that the evaluation created, if the run came so far."""
    sagemaker, name = client("sagemaker"), f"{stack.outputs['ProjectName']}-{run.id}"
    listed = sagemaker.list_model_cards(NameContains=name)["ModelCardSummaries"]
    if any(card["ModelCardName"] == name for card in listed):
        found.steps.append(Step(f"model card of run {run.id}", lambda: sagemaker.delete_model_card(ModelCardName=name)))


def _plan_run(stack: Stack, run: run_folders.Run, found: Plan) -> None:
    _plan_model(stack, run, found)
    _plan_card(stack, run, found)
    objects, size = run_folders.size(run.bucket, run.key)
    found.steps.append(Step(f"run {run.id}: {_amount(objects, size)}", lambda: run_folders.remove(run.bucket, run.key)))


def _plan_everything(stack: Stack, found: Plan) -> None:
    for run in run_folders.existing(stack):
        _plan_model(stack, run, found)
        _plan_card(stack, run, found)
    bucket, prefix = stack.outputs["BucketName"], f"{stack.outputs['Prefix']}/"
    objects, size = run_folders.size(bucket, prefix)
    if objects:
        what = f"s3://{bucket}/{prefix}: {_amount(objects, size)}"
        found.steps.append(Step(what, lambda: run_folders.remove(bucket, prefix)))
    found.kept.append(f"bucket {bucket} itself: aws s3 rb s3://{bucket}")
    found.kept.append(f"stack {stack.name}: aws cloudformation delete-stack --stack-name {stack.name}")
    found.kept.append("feature group, jobs' entries in SageMaker, and logs under /aws/sagemaker/, which others share")


def _amount(objects: int, size: int) -> str:
    return f"{objects:,} objects, {size / 1e6:,.1f} MB"
