"""Finds a run's evaluation in the bucket, shows its metrics, and fetches the report that people read."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from cli.stack import RefusedError, Stack, client
from cli.terminal import typed

_FILES = ("evaluation.json", "report.html")
# Names in evaluation.json that are numbers and no metrics.
_NOT_METRICS = ("rows", "accuracy_threshold")


@dataclass(frozen=True)
class Evaluation:
    """A run's evaluation. `place` is its folder in S3, `document` the content of evaluation.json."""

    run_id: str
    bucket: str
    key: str
    document: dict[str, Any]
    has_report: bool

    @property
    def place(self) -> str:
        """The folder's URI."""
        return f"s3://{self.bucket}/{self.key}"

    @property
    def metrics(self) -> dict[str, float]:
        """The metrics, by name."""
        numbers = {name: value for name, value in self.document.items() if name not in _NOT_METRICS}
        return {name: float(v) for name, v in numbers.items() if isinstance(v, int | float) and not isinstance(v, bool)}

    @property
    def judgement(self) -> list[str]:
        """What the quality gate said, and what people should know of the model, one line each."""
        document = self.document
        if verdict := document.get("verdict"):
            said = [document["summary"]] if "summary" in document else []
            return [*said, verdict, *(f"Warning: {warning}" for warning in document.get("warnings") or [])]
        name = document["gate_metric"]
        verdict = "reaches" if document["passed"] else "is below"
        return [f"Gate: {name} {document[name]:.4f} {verdict} the threshold {document['accuracy_threshold']}"]

    def beside(self) -> list[tuple[str, ...]]:
        """Each metric with its value, its interval, the baseline's value and, if it was asked, that of what serves.

        As texts; empty where there is none.
        """
        intervals = self.document.get("intervals") or {}
        baseline = (self.document.get("baseline") or {}).get("metrics") or {}
        champion = (self.document.get("champion") or {}).get("metrics") or {}
        rows = []
        for name, value in self.metrics.items():
            bounds = intervals.get(name)
            interval = f"{bounds['lower']:.4f} to {bounds['upper']:.4f}" if bounds else ""
            others = [baseline, champion] if champion else [baseline]
            of_others = (f"{metrics[name]:.4f}" if name in metrics else "" for metrics in others)
            rows.append((name, f"{value:.4f}", interval, *of_others))
        return rows


def find(stack: Stack, run_id: str | None = None) -> Evaluation:
    """The evaluation of a run, or of the newest run that has one, registered or not. Raises RefusedError if there is none."""
    s3, bucket = client("s3"), stack.outputs["BucketName"]
    runs = f"{stack.outputs['Prefix']}/runs/"
    for folder in [f"{runs}{run_id}/"] if run_id else _newest_first(s3, bucket, runs):
        key = f"{folder}evaluation/"
        listed = s3.list_objects_v2(Bucket=bucket, Prefix=key, Delimiter="/").get("Contents", [])
        names = {item["Key"].removeprefix(key) for item in listed}
        if "evaluation.json" in names:
            content = s3.get_object(Bucket=bucket, Key=f"{key}evaluation.json")["Body"].read()
            name = folder.removeprefix(runs).rstrip("/")
            return Evaluation(name, bucket, key, json.loads(content), "report.html" in names)
    if run_id:
        raise RefusedError(
            f"Run {run_id} has no evaluation in s3://{bucket}/{runs}: it ended before it was evaluated, or was removed."
        )
    raise RefusedError(f"No run has been evaluated yet. To start one: {typed('start --watch')}")


def fetch(evaluation: Evaluation, folder: Path) -> list[Path]:
    """Download evaluation.json and, if there is one, report.html into a folder. Returns the files. Raises RefusedError."""
    s3 = client("s3")
    files = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in _FILES if evaluation.has_report else _FILES[:1]:
            s3.download_file(evaluation.bucket, evaluation.key + name, str(folder / name))
            files.append(folder / name)
    except OSError as error:
        raise RefusedError(f"Cannot write to {folder}: {error.strerror}.") from None
    except ClientError as error:
        raise RefusedError(f"Cannot read {evaluation.place}: {error}") from None
    return files


def _newest_first(s3: Any, bucket: str, runs: str) -> list[str]:
    """The folders of all runs. Their names begin with the start time, so that the last in order is the newest."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=runs, Delimiter="/")
    return [item["Prefix"] for page in pages for item in page.get("CommonPrefixes", [])][::-1]
