"""CreateAutoMLJobV2 on tabular data: AutoGluon on the job's CSV, candidates in the API's shape."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from local.aws.sagemaker.compute import images, reuse, storage
from local.aws.sagemaker.compute.outcome import AutoMLOutcome, JobFailedError, failed
from local.aws.sagemaker.compute.process import Log, start, wait_for_end

HEADER_CSV = "text/csv;header=present"

_NO_LIMIT_SECONDS = 30 * 86_400
_STATUS = "AutoMLJobSecondaryStatus="
_GRACE_SECONDS = 60
"""AutoGluon keeps to the job's time by itself and returns what it has; this long after it, it is stopped."""

_PYTHON = images.interpreter(f"-/{images.AUTOPILOT_REPOSITORY}:{images.AUTOPILOT_TAG}")
_OUTPUTS = "predicted_label,probability,probabilities,labels"


def run(
    request: dict[str, Any],
    *,
    s3: Any,
    workdir: Path,
    log: Log,
    stop: threading.Event,
    progress: Callable[[str], None],
) -> AutoMLOutcome:
    """Runs an AutoML job to its end. `progress` gets each AutoMLJobSecondaryStatus as the job reaches it.

    Artifacts go below `<OutputDataConfig.S3OutputPath>/<job name>/`, as Autopilot's do: the best candidate's
    `model.tar.gz` and reports, the leaderboard, and the candidates' metrics on the validation rows.
    """
    try:
        began = time.monotonic()
        created = datetime.now(UTC)
        job = _job(request, s3, workdir)
        result = _fit(job, workdir, log=log, stop=stop, progress=progress, began=began)
        if result is None:
            return AutoMLOutcome("Stopped")
        candidates = _candidates(request, result, s3, created)
        best = candidates[0]
        storage.put(s3, best["InferenceContainers"][0]["ModelDataUrl"], workdir / "output" / "model.tar.gz")
        root = _root(request)
        documents = best["CandidateProperties"]["CandidateArtifactLocations"]
        for place, name, content in (
            ("Explainability", "analysis.json", result["explanation"]),
            ("ModelInsights", "statistics.json", _statistics(result)),
        ):
            storage.put(s3, storage.join(documents[place], name), json.dumps(content, indent=1).encode())
        storage.put(s3, storage.join(root, "leaderboard.csv"), workdir / "output" / "leaderboard.csv")
        storage.put(s3, storage.join(root, "candidates.json"), json.dumps(result, indent=1).encode())
        return AutoMLOutcome("Completed", best_candidate=best, candidates=candidates)
    except JobFailedError as error:
        return AutoMLOutcome("Failed", failed(str(error)).failure_reason)


def _job(request: dict[str, Any], s3: Any, workdir: Path) -> dict[str, Any]:
    """What `containers/autopilot_fit.py` reads, the data downloaded. Raises JobFailedError for what is not supported."""
    config = request["AutoMLProblemTypeConfig"].get("TabularJobConfig")
    if config is None:
        raise JobFailedError("ClientError: Only TabularJobConfig can run on the local cloud.")
    if config.get("Mode", "AUTO") == "HYPERPARAMETER_TUNING":
        raise JobFailedError("ClientError: Only the modes ENSEMBLING and AUTO can run on the local cloud.")
    for name in ("FeatureSpecificationS3Uri", "GenerateCandidateDefinitionsOnly"):
        if config.get(name):
            raise JobFailedError(f"ClientError: TabularJobConfig.{name} is not supported on the local cloud.")
    criteria = config.get("CompletionCriteria", {})
    channels: dict[str, list[str]] = {"training": [], "validation": []}
    for number, channel in enumerate(request["AutoMLJobInputDataConfig"]):
        source = channel["DataSource"]["S3DataSource"]
        if source["S3DataType"] != "S3Prefix":
            raise JobFailedError(
                f"ClientError: S3DataType {source['S3DataType']} is not supported on the local cloud: use S3Prefix."
            )
        if channel.get("CompressionType", "None") != "None":
            raise JobFailedError("ClientError: Compressed input is not supported on the local cloud.")
        if channel.get("ContentType", HEADER_CSV).replace(" ", "").lower() != HEADER_CSV:
            raise JobFailedError(
                f"ClientError: ContentType {channel['ContentType']} is not supported: use {HEADER_CSV}."
            )
        files = storage.download(s3, source["S3Uri"], workdir / "input" / str(number))
        channels[channel.get("ChannelType", "training")] += [str(file) for file in files.values()]
    output = workdir / "output"
    output.mkdir(parents=True, exist_ok=True)
    return {
        **channels,
        "target": config["TargetAttributeName"],
        "weights": config.get("SampleWeightAttributeName"),
        "problem_type": config.get("ProblemType"),
        "metric": request.get("AutoMLJobObjective", {}).get("MetricName"),
        "validation_fraction": request.get("DataSplitConfig", {}).get("ValidationFraction"),
        "max_candidates": criteria.get("MaxCandidates"),
        "max_runtime": criteria.get("MaxAutoMLJobRuntimeInSeconds"),
        "max_runtime_per_job": criteria.get("MaxRuntimePerTrainingJobInSeconds"),
        "output": str(output),
    }


def _fit(
    job: dict[str, Any],
    workdir: Path,
    *,
    log: Log,
    stop: threading.Event,
    progress: Callable[[str], None],
    began: float,
) -> dict[str, Any] | None:
    """The result of the training program, or None if the job was stopped."""

    def read_line(line: str) -> None:
        if line.startswith(_STATUS):
            progress(line.removeprefix(_STATUS))
        log(line)

    limit = job["max_runtime"]
    output = workdir / "output"

    def train(log: Log) -> int | str:
        remaining = None if limit is None else max(1.0, limit - (time.monotonic() - began))
        (workdir / "job.json").write_text(json.dumps({**job, "max_runtime": remaining}), encoding="utf-8")
        container = start(
            "autopilot_fit.py",
            [str(workdir / "job.json")],
            python=_PYTHON,
            environment={"PYTHONWARNINGS": "ignore"},
            folder=workdir,
            log=log,
            needs_autogluon=True,
        )
        try:
            end = wait_for_end(container, stop, _NO_LIMIT_SECONDS if remaining is None else remaining + _GRACE_SECONDS)
        finally:
            container.kill()
        if end == 0 and (output / "model").exists():
            storage.pack(output / "model", output / "model.tar.gz")
        return end

    kept = {name: output / name for name in ("result.json", "leaderboard.csv", "model.tar.gz")}
    end = reuse.run(_key(job, workdir) if reuse.enabled() else None, kept, read_line, train)
    if end == "stop":
        return None
    if end == "time":
        raise JobFailedError(f"ClientError: No candidate was ready within MaxAutoMLJobRuntimeInSeconds={limit}.")
    if end != 0:
        raise JobFailedError(f"AlgorithmError: See job logs for more information, exit code: {end}")
    result = json.loads((workdir / "output" / "result.json").read_text(encoding="utf-8"))
    if "failure" in result:
        raise JobFailedError(result["failure"])
    return result


def _key(job: dict[str, Any], workdir: Path) -> str:
    """The key of what the job computes: its settings and its rows, wherever they lie."""
    folder = workdir / "input"
    channels = {
        name: [Path(file).relative_to(folder).as_posix() for file in job[name]] for name in ("training", "validation")
    }
    determines = {**{name: value for name, value in job.items() if name != "output"}, **channels}
    return reuse.key("automl", _PYTHON, determines, reuse.files_below(folder))


def _root(request: dict[str, Any]) -> str:
    return storage.join(
        request["OutputDataConfig"]["S3OutputPath"], request["AutoMLJobName"], "sagemaker-automl-candidates"
    )


def _candidates(request: dict[str, Any], result: dict[str, Any], s3: Any, created: datetime) -> list[dict[str, Any]]:
    """The trained models as the API's AutoMLCandidate, the best first, which alone has an archive.

    On the local cloud one training job, named like the AutoML job, trains all of them.
    """
    objective = result["objective"]
    now = datetime.now(UTC)
    account = (request.get("RoleArn") or ":" * 5).split(":")[4] or "000000000000"
    candidates = []
    for number, trained in enumerate(result["candidates"], start=1):
        name = f"{trained['model'].replace('_', '-')}-t{number}"
        candidate: dict[str, Any] = {
            "CandidateName": name,
            "FinalAutoMLJobObjectiveMetric": {
                "MetricName": objective,
                "Value": trained["value"],
                "StandardMetricName": objective,
            },
            "ObjectiveStatus": "Succeeded",
            "CandidateSteps": [
                {
                    "CandidateStepType": "AWS::SageMaker::TrainingJob",
                    "CandidateStepArn": f"arn:aws:sagemaker:{s3.meta.region_name}:{account}:training-job/{request['AutoMLJobName']}",
                    "CandidateStepName": request["AutoMLJobName"],
                }
            ],
            "CandidateStatus": "Completed",
            "CreationTime": created,
            "EndTime": created + timedelta(seconds=trained["seconds"]),
            "LastModifiedTime": now,
            "CandidateProperties": {
                "CandidateMetrics": [
                    # LogLoss is a standard metric but not one of the objectives
                    {"StandardMetricName": metric, "Value": value, "Set": "Validation"}
                    | ({} if metric == "LogLoss" else {"MetricName": metric})
                    for metric, value in trained["metrics"].items()
                ]
            },
        }
        if number == 1:
            documents = storage.join(
                request["OutputDataConfig"]["S3OutputPath"], request["AutoMLJobName"], "documentation"
            )
            candidate["CandidateProperties"]["CandidateArtifactLocations"] = {
                "Explainability": storage.join(documents, "explainability/output", name),
                "ModelInsights": storage.join(documents, "model_monitor/output", name),
            }
            candidate["InferenceContainers"] = [
                {
                    "Image": images.autopilot(account, s3.meta.region_name),
                    "ModelDataUrl": storage.join(_root(request), "model", name, "model.tar.gz"),
                    "Environment": _environment(trained["model"], result["problem_type"]),
                }
            ]
        candidates.append(candidate)
    return candidates


def _statistics(result: dict[str, Any]) -> dict[str, Any]:
    """The best candidate's metrics on the validation rows, in Model Monitor's form of model quality."""
    kind = {
        "BinaryClassification": "binary_classification_metrics",
        "MulticlassClassification": "multiclass_classification_metrics",
        "Regression": "regression_metrics",
    }[result["problem_type"]]
    metrics = {name.lower(): {"value": value} for name, value in result["candidates"][0]["metrics"].items()}
    return {"version": 0.0, "dataset": {"item_count": result["validation_rows"]}, kind: metrics}


def _environment(model: str, problem_type: str) -> dict[str, str]:
    """A candidate's variables; regression has no output keys to choose from."""
    environment = {
        "MODEL_NAME": model,
        "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": "text/csv",
        "SAGEMAKER_PROGRAM": "tabular_serve.py",
        "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code",
    }
    if problem_type != "Regression":
        environment |= {"SAGEMAKER_INFERENCE_OUTPUT": "predicted_label", "SAGEMAKER_INFERENCE_SUPPORTED": _OUTPUTS}
    return environment
