"""EvaluateModel: compares batch transform's predictions with the labels that the model never saw."""

from __future__ import annotations

import io
import json
import math
from functools import cache
from typing import Any
from urllib.parse import urlparse

import boto3
import known_row
import metrics
import numpy
import pandas
import predictions
import report
from aws_lambda_powertools import Logger
from predictions import UnusablePredictions

logger = Logger()


@cache
def _s3() -> Any:
    return boto3.client("s3")


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Writes evaluation.json, report.html and known_row.json, and answers with the metrics and what the quality gate looks at.

    `event`: run_id, bucket, test_uri, predictions_uri, preprocessing_uri, evaluation_input_uri (folders), evaluation_uri,
    report_uri, known_row_uri (files), target_attribute_name, problem_type, objective_metric_name, accuracy_threshold.
    Returns {"metrics": numbers by name, "gate_metric", "gate_value", "passed", "rows", "evaluation_uri"}.
    Raises UnusablePredictions.
    """
    problem_type, target = event["problem_type"], event["target_attribute_name"]
    is_regression = problem_type == metrics.REGRESSION
    labels: list[str] = json.loads(_read(event["preprocessing_uri"] + "preprocessing.json"))["labels"]
    truth = pandas.read_csv(
        io.BytesIO(_read(event["test_uri"] + "test.csv")), usecols=[target], dtype=str, keep_default_na=False
    )[target]
    content = _read_folder(event["predictions_uri"])
    answers = None if is_regression else predictions.read_classes(content, labels)
    predicted = predictions.read_regression(content) if answers is None else answers.predicted
    if len(predicted) != len(truth):
        raise UnusablePredictions(
            f"The model answered {len(predicted)} rows and was asked about {len(truth)}. See the transform job's log."
        )
    index = known_row.choose(answers and answers.probability)
    asked = known_row.describe(
        _body(event["evaluation_input_uri"] + "test.jsonl").iter_lines(),
        index,
        predictions.answer_at(content, index),
        is_regression=is_regression,
    )
    del content
    if answers is None:
        result = metrics.regression(truth.astype(float), pandas.Series(predicted))
    else:
        predicted = numpy.array(labels, dtype=object)[answers.predicted]
        probability = None if answers.probability is None else pandas.Series(answers.probability)
        result = metrics.classification(labels, truth, pandas.Series(predicted), probability)
    endless = [name for name, value in result.items() if isinstance(value, float) and not math.isfinite(value)]
    if endless:  # JSON has no word for these
        raise UnusablePredictions(
            f"The model's answers are so far off that {', '.join(endless)} cannot be computed. Look for outliers in "
            f"target column {target!r} and in the features."
        )
    gate_metric = "r2" if is_regression else "accuracy"
    passed = result[gate_metric] >= event["accuracy_threshold"]
    document = {
        **result,
        "labels": labels,
        "rows": len(truth),
        "problem_type": problem_type,
        "objective_metric_name": event["objective_metric_name"],
        "accuracy_threshold": event["accuracy_threshold"],
        "gate_metric": gate_metric,
        "passed": passed,
        "run_id": event["run_id"],
        **metrics.registry_form(result, labels),
    }
    _write(event["evaluation_uri"], json.dumps(document, indent=1).encode(), "application/json")
    score = answers.probabilities[:, 1] if answers is not None and "auc" in result else None
    page = report.page(document, truth.tolist(), predicted.tolist(), score)
    _write(event["report_uri"], page.encode(), "text/html; charset=utf-8")
    if asked is not None:
        _write(event["known_row_uri"], json.dumps(asked).encode(), "application/json")
    numbers = {name: value for name, value in result.items() if isinstance(value, float)}
    logger.info("Evaluated", run_id=event["run_id"], rows=len(truth), passed=passed, **numbers)
    return {
        "metrics": numbers,
        "gate_metric": gate_metric,
        "gate_value": result[gate_metric],
        "passed": passed,
        "rows": len(truth),
        "evaluation_uri": event["evaluation_uri"],
    }


def _body(uri: str) -> Any:
    place = urlparse(uri)
    return _s3().get_object(Bucket=place.netloc, Key=place.path.lstrip("/"))["Body"]


def _read(uri: str) -> bytes:
    return _body(uri).read()


def _read_folder(uri: str) -> bytes:
    """The answers of batch transform: its files in the order of the input's names."""
    place = urlparse(uri)
    pages = _s3().get_paginator("list_objects_v2").paginate(Bucket=place.netloc, Prefix=place.path.lstrip("/"))
    keys = sorted(item["Key"] for page in pages for item in page.get("Contents", []) if item["Key"].endswith(".out"))
    if not keys:
        raise UnusablePredictions(f"Batch transform left no answers under {uri}.")
    parts = [_read(f"s3://{place.netloc}/{key}") for key in keys]
    return parts[0] if len(parts) == 1 else b"".join(p if p.endswith(b"\n") else p + b"\n" for p in parts)


def _write(uri: str, body: bytes, content_type: str) -> None:
    place = urlparse(uri)
    _s3().put_object(Bucket=place.netloc, Key=place.path.lstrip("/"), Body=body, ContentType=content_type)
