"""CreateProcessingJob: inputs from S3 to the container's folders, the real command, outputs back to S3."""

from __future__ import annotations

import json
import re
import threading
from pathlib import Path
from typing import Any

from local.aws.sagemaker.compute import images, reuse, spark_image, storage
from local.aws.sagemaker.compute.outcome import REASON_LIMIT, JobFailedError, JobOutcome, failed
from local.aws.sagemaker.compute.process import Log, start, wait_for_end

DEFAULT_RUNTIME_SECONDS = 86_400
"""StoppingCondition.MaxRuntimeInSeconds if it is not given: one day."""

_OPT_ML = re.compile(r"(?<![\w./-])/opt/ml(?=/|$)")


def run(request: dict[str, Any], *, s3: Any, workdir: Path, log: Log, stop: threading.Event) -> JobOutcome:
    """Runs a processing job to its end.

    The container's `/opt/ml` is `<workdir>/opt/ml`: paths in the command, its arguments and its environment are
    rewritten, and the variable OPT_ML has its path. A program writes its exit message to
    `/opt/ml/output/message` (docs.aws.amazon.com/sagemaker/latest/dg/build-your-own-processing-container.html).
    """
    opt_ml = workdir / "opt" / "ml"
    message_file = opt_ml / "output" / "message"
    message_file.parent.mkdir(parents=True, exist_ok=True)
    try:
        _prepare(request, s3, opt_ml)
        found = _key(request, opt_ml) if reuse.enabled() else None
        outputs = {
            f"output-{output['OutputName']}": _inside(opt_ml, output["S3Output"]["LocalPath"])
            for output in request.get("ProcessingOutputConfig", {}).get("Outputs", ())
        }
        end = reuse.run(
            found,
            {"message": message_file, **outputs},
            log,
            lambda log: _run_container(request, opt_ml, workdir, log, stop),
            reuse.runs_in(request["AppSpecification"].get("ContainerArguments", ())),
        )
        message = _exit_message(message_file)
        if end == "stop":
            return JobOutcome("Stopped", None, message)
        if end == "time":
            # DescribeProcessingJob calls a job that ran out of time Stopped, as for training jobs
            return JobOutcome("Stopped", "ClientError: The job reached MaxRuntimeInSeconds and was stopped.", message)
        if end != 0:
            return failed(f"AlgorithmError: See job logs for more information, exit code: {end}", message)
        for output in request.get("ProcessingOutputConfig", {}).get("Outputs", ()):
            target = output["S3Output"]
            storage.upload(s3, _inside(opt_ml, target["LocalPath"]), target["S3Uri"])
        return JobOutcome("Completed", None, message)
    except JobFailedError as error:
        return failed(str(error))


def _prepare(request: dict[str, Any], s3: Any, opt_ml: Path) -> None:
    """Fills the input folders, makes the output folders, and writes what SageMaker writes under /opt/ml/config."""
    for given in request.get("ProcessingInputs", ()):
        source = given.get("S3Input")
        if source is None:
            raise JobFailedError(
                f"ClientError: Input {given['InputName']}: only S3Input is supported on the local cloud."
            )
        for key, supported in {
            "S3DataType": "S3Prefix",
            "S3InputMode": "File",
            "S3CompressionType": "None",
            "S3DataDistributionType": "FullyReplicated",
        }.items():
            # one instance gets every object, sharded or not
            allowed = {supported, "ShardedByS3Key"} if key == "S3DataDistributionType" else {supported}
            if source.get(key, supported) not in allowed:
                raise JobFailedError(
                    f"ClientError: Input {given['InputName']}: {key} {source[key]} is not supported on the local cloud, only "
                    f"{supported}."
                )
        storage.download(s3, source["S3Uri"], _inside(opt_ml, source["LocalPath"]))
    for output in request.get("ProcessingOutputConfig", {}).get("Outputs", ()):
        if "S3Output" not in output:
            raise JobFailedError(
                f"ClientError: Output {output['OutputName']}: only S3Output is supported on the local cloud."
            )
        if output["S3Output"].get("S3UploadMode", "EndOfJob") != "EndOfJob":
            raise JobFailedError(
                f"ClientError: Output {output['OutputName']}: only EndOfJob is supported on the local cloud."
            )
        _inside(opt_ml, output["S3Output"]["LocalPath"]).mkdir(parents=True, exist_ok=True)
    config = opt_ml / "config"
    config.mkdir(parents=True, exist_ok=True)
    (config / "processingjobconfig.json").write_text(json.dumps(request, default=str), encoding="utf-8")
    hosts = [f"algo-{number}" for number in range(1, _instances(request) + 1)]
    resources = {"current_host": hosts[0], "hosts": hosts}
    (config / "resourceconfig.json").write_text(json.dumps(resources), encoding="utf-8")


def _instances(request: dict[str, Any]) -> int:
    """How many there are: of Spark's cluster, whose instances are processes here. Raises JobFailedError for other images."""
    count = request.get("ProcessingResources", {}).get("ClusterConfig", {}).get("InstanceCount", 1)
    image = request["AppSpecification"]["ImageUri"]
    if count > 1 and not images.is_spark(image):
        raise JobFailedError(
            f"ClientError: {count} instances of {image} are not supported on the local cloud, only of {spark_image.REPOSITORY}."
        )
    return count


def _key(request: dict[str, Any], opt_ml: Path) -> str:
    """The key of what the job computes. The job's name and configuration file, which name S3 places, are no part of it."""
    specification = request["AppSpecification"]
    determines = {
        **{name: specification.get(name) for name in ("ImageUri", "ContainerEntrypoint")},
        "arguments": reuse.without_runs(specification.get("ContainerArguments", ())),
        "environment": request.get("Environment"),
        "outputs": [
            [output["OutputName"], output["S3Output"]["LocalPath"]]
            for output in request.get("ProcessingOutputConfig", {}).get("Outputs", ())
        ],
        "seconds": request.get("StoppingCondition"),
    }
    inputs = [(name, file) for name, file in reuse.files_below(opt_ml) if not name.startswith("config/")]
    return reuse.key("processing", images.interpreter(specification["ImageUri"]), determines, inputs)


def _run_container(request: dict[str, Any], opt_ml: Path, workdir: Path, log: Log, stop: threading.Event) -> int | str:
    """The command's exit code, or "stop" or "time"."""
    specification = request["AppSpecification"]
    python = images.interpreter(specification["ImageUri"])
    entrypoint = specification.get("ContainerEntrypoint")
    if not entrypoint:
        raise JobFailedError(
            "ClientError: AppSpecification.ContainerEntrypoint is needed: the image's own is not known here."
        )
    command = [_map(part, opt_ml) for part in (*entrypoint, *specification.get("ContainerArguments", ()))]
    if command[0] in ("python3", "python"):
        command[0] = str(python)
    environment = {name: _map(value, opt_ml) for name, value in request.get("Environment", {}).items()} | {
        "OPT_ML": str(opt_ml),
        "PROCESSING_JOB_NAME": request["ProcessingJobName"],
    }
    if images.is_spark(specification["ImageUri"]):
        environment["JAVA_HOME"] = spark_image.java_home()
    seconds = request.get("StoppingCondition", {}).get("MaxRuntimeInSeconds", DEFAULT_RUNTIME_SECONDS)
    container = start("entrypoint.py", command, python=python, environment=environment, folder=workdir, log=log)
    try:
        return wait_for_end(container, stop, seconds)
    finally:
        container.kill()


def _map(text: str, opt_ml: Path) -> str:
    """`text` with the container's /opt/ml replaced by the folder that stands for it."""
    return _OPT_ML.sub(lambda _: str(opt_ml), text)


def _inside(opt_ml: Path, path: str) -> Path:
    mapped = Path(_map(path, opt_ml)).resolve()
    if not mapped.is_relative_to(opt_ml.resolve()):
        raise JobFailedError(f"ClientError: LocalPath {path} must lie under /opt/ml/processing.")
    return mapped


def _exit_message(file: Path) -> str | None:
    return file.read_text(encoding="utf-8", errors="replace")[:REASON_LIMIT] if file.exists() else None
