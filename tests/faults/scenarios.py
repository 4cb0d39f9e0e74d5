"""How things are before an execution, and what it is given: the ways that lead to most states."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from automl_pipeline.run_layout import Execution

from tests.faults.stage import FEWER, Stage


@dataclass(frozen=True)
class Scenario:
    """A way to run a machine: how things are before, and what the execution is given."""

    name: str
    machine: str
    prepare: Callable[[Stage], Any]
    given: Callable[[Stage, Any], dict[str, Any]]
    # A fault of the machine's first call of an operation.
    faults: tuple[tuple[str, dict[str, Any]], ...] = field(default=(), compare=False)


# -- how things are before


def serve(stage: Stage, version: str) -> None:
    """Have a version serve, whatever serves now."""
    endpoint, package = stage.endpoint_now(), stage.versions[version]
    if (
        endpoint
        and endpoint["EndpointStatus"] == "InService"
        and f"-v{package.rsplit('/')[-1]}-" in endpoint["EndpointConfigName"]
        and len(stage.autoscaling_now() or ()) == 3
    ):
        return
    if endpoint and endpoint["EndpointStatus"] != "InService":
        serve_nothing(stage)
    ending = stage.play("deployment", {"model_package_arn": package}, [], stage.new_name())
    assert ending.status == "SUCCEEDED", (ending.error, ending.cause)


def serve_first(stage: Stage) -> None:
    """Have the first version serve, and nothing be left of earlier deployments."""
    serve(stage, "first")
    _forget_deployments(stage)


def _forget_deployments(stage: Stage) -> None:
    """Delete the models and configurations that do not serve, so that a deployment makes its own."""
    sagemaker, serving = stage.client("sagemaker"), (stage.endpoint_now() or {}).get("EndpointConfigName")
    configs = sagemaker.list_endpoint_configs(NameContains=f"{stage.endpoint}-v", MaxResults=100)["EndpointConfigs"]
    models = sagemaker.list_models(NameContains=f"{stage.endpoint}-v", MaxResults=100)["Models"]
    for name in {one["EndpointConfigName"] for one in configs} - {serving}:
        sagemaker.delete_endpoint_config(EndpointConfigName=name)
    served = {(serving or "").rpartition("-")[0]}  # a configuration's name begins with its model's
    for name in {one["ModelName"] for one in models} - served:
        sagemaker.delete_model(ModelName=name)


def leave_old_deployments(stage: Stage) -> None:
    """Have the first version serve, and models and configurations of more deployments than are kept."""
    serve(stage, "first")
    sagemaker = stage.client("sagemaker")
    serving = (stage.endpoint_now() or {})["EndpointConfigName"]
    variants = sagemaker.describe_endpoint_config(EndpointConfigName=serving)["ProductionVariants"]
    model = sagemaker.describe_model(ModelName=variants[0]["ModelName"])
    for _ in range(int(stage.parameter("KeptDeployments")) + 1):
        name = f"{stage.endpoint}-v0-{stage.next_number():08x}-0"
        sagemaker.create_model(
            ModelName=name, ExecutionRoleArn=model["ExecutionRoleArn"], Containers=model["Containers"]
        )
        variant = {**variants[0], "ModelName": name}
        sagemaker.create_endpoint_config(EndpointConfigName=f"{name}-0", ProductionVariants=[variant])


def serve_anything(stage: Stage) -> None:
    endpoint = stage.endpoint_now()
    if endpoint is None or endpoint["EndpointStatus"] != "InService":
        serve(stage, "first")


def serve_nothing(stage: Stage) -> None:
    """Have no endpoint, and nothing left of earlier deployments."""
    _delete_endpoint(stage)
    _forget_deployments(stage)


def _delete_endpoint(stage: Stage) -> None:
    if stage.endpoint_now() is not None:
        stage.client("sagemaker").delete_endpoint(EndpointName=stage.endpoint)
        while stage.endpoint_now() is not None:
            time.sleep(0.05)


def fail_endpoint(stage: Stage) -> None:
    """Have an endpoint that did not come up."""
    serve(stage, "first")
    config = (stage.endpoint_now() or {})["EndpointConfigName"]
    _delete_endpoint(stage)
    stage.inject([{"service": "sagemaker", "job": "endpoint", "name": stage.endpoint, "reason": "no container"}])
    stage.client("sagemaker").create_endpoint(EndpointName=stage.endpoint, EndpointConfigName=config)
    stage.settle()


def aborted_run(stage: Stage) -> dict[str, Any]:
    """The event of a run that was stopped while its AutoML job ran: such a job runs."""
    started = datetime.now(UTC) + timedelta(milliseconds=stage.next_number())
    name = stage.new_name()
    arn = f"{stage.machine_arns['training'].replace(':stateMachine:', ':execution:')}:{name}"
    milliseconds = int(started.timestamp() * 1000)
    started = datetime.fromtimestamp(milliseconds / 1000, UTC)
    stage.aborted_run_id = Execution(arn, name, started.isoformat()).run_id
    job = f"automl-{stage.aborted_run_id}"
    stage.hold([{"service": "sagemaker", "job": "automl", "name": job, "outcome": "InProgress"}])
    sagemaker = stage.client("sagemaker")
    other = sagemaker.list_auto_ml_jobs(MaxResults=1, StatusEquals="Completed")["AutoMLJobSummaries"][0]
    described = sagemaker.describe_auto_ml_job_v2(AutoMLJobName=other["AutoMLJobName"])
    members = (
        "AutoMLJobInputDataConfig",
        "OutputDataConfig",
        "AutoMLProblemTypeConfig",
        "RoleArn",
        "AutoMLJobObjective",
    )
    sagemaker.create_auto_ml_job_v2(AutoMLJobName=job, **{member: described[member] for member in members})
    return _aborted(stage, arn, milliseconds)


def aborted_run_with_jobs(stage: Stage) -> dict[str, Any]:
    """Likewise, with a processing job and a transform job that nobody waits for any more."""
    event = aborted_run(stage)
    sagemaker, name = stage.client("sagemaker"), f"{stage.name}-{stage.aborted_run_id}-0"
    stage.hold(
        [
            {"service": "sagemaker", "job": job, "name": name, "outcome": "InProgress"}
            for job in ("processing", "transform")
        ]
    )
    done = sagemaker.list_processing_jobs(NameContains=stage.name, StatusEquals="Completed")["ProcessingJobSummaries"]
    described = sagemaker.describe_processing_job(ProcessingJobName=done[0]["ProcessingJobName"])
    members = ("ProcessingInputs", "ProcessingOutputConfig", "ProcessingResources", "AppSpecification", "RoleArn")
    sagemaker.create_processing_job(ProcessingJobName=name, **{member: described[member] for member in members})
    done = sagemaker.list_transform_jobs(NameContains=stage.name, StatusEquals="Completed")["TransformJobSummaries"]
    described = sagemaker.describe_transform_job(TransformJobName=done[0]["TransformJobName"])
    members = ("ModelName", "TransformInput", "TransformOutput", "TransformResources")
    sagemaker.create_transform_job(TransformJobName=name, **{member: described[member] for member in members})
    return event


def _aborted(stage: Stage, arn: str, milliseconds: int) -> dict[str, Any]:
    return {
        "detail": {
            "executionArn": arn,
            "stateMachineArn": stage.machine_arns["training"],
            "status": "ABORTED",
            "startDate": milliseconds,
            "input": "{}",
            "cause": "the wrong customers",
        }
    }


def _version(name: str) -> Callable[[Stage, Any], dict[str, Any]]:
    return lambda stage, _: {"model_package_arn": stage.versions[name]}


# Of several that come to a state the first is taken: those that do least go first.
SCENARIOS = [
    Scenario("a run that waits for approval", "training", serve_anything,
             lambda *_: {**FEWER, "model_approval_status": "PendingManualApproval"}),
    Scenario("a run that deploys", "training", serve_anything, lambda *_: FEWER),
    Scenario("a run with input that is refused", "training", serve_anything, lambda *_: {"nonsense": 1}),
    Scenario("the newest version on a first endpoint", "deployment", serve_nothing, lambda *_: {}),
    Scenario("another version on the endpoint", "deployment", serve_first, _version("second")),
    Scenario("a deployment after many others", "deployment", leave_old_deployments, _version("second")),
    Scenario("a version on an endpoint that had failed", "deployment", fail_endpoint, _version("second")),
    Scenario("a first endpoint that does not come up", "deployment", serve_nothing, _version("first"),
             (("CreateEndpoint", {"outcome": "Failed", "reason": "no container answers"}),)),
    Scenario("a version that nobody approved", "deployment", serve_anything, _version("pending")),
    Scenario("an aborted run", "failure", aborted_run, lambda _, event: event),
    Scenario("an aborted run with jobs", "failure", aborted_run_with_jobs, lambda _, event: event),
]  # fmt: skip
