"""EvaluateModel: compares batch transform's predictions with the labels that the model never saw."""

from __future__ import annotations

import csv
import io
import json
import math
from functools import cache
from typing import Any
from urllib.parse import urlparse

import boto3
import known_row
import metrics
import pandas
import report
from aws_lambda_powertools import Logger

logger = Logger()


class UnusablePredictions(Exception):
    """The model's answers do not match the rows it was asked about; the message says how."""


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
    answer_text = _read_folder(event["predictions_uri"])
    answers = read_answers(answer_text, is_regression)
    if len(answers) != len(truth):
        raise UnusablePredictions(
            f"The model answered {len(answers)} rows and was asked about {len(truth)}. See the transform job's log."
        )
    asked = known_row.describe(
        _body(event["evaluation_input_uri"] + "test.jsonl").iter_lines(),
        answer_text,
        known_row.choose(answers),
        is_regression=is_regression,
    )
    if is_regression:
        result = metrics.regression(truth.astype(float), answers["prediction"])
    else:
        answers["prediction"] = as_labels(answers["prediction"], labels)
        result = metrics.classification(labels, truth, answers["prediction"], answers.get("probability"))
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
    score = None
    if "auc" in result:
        score = metrics.positive_score(labels, answers["prediction"], answers["probability"])
    page = report.page(document, truth.tolist(), answers["prediction"].tolist(), score)
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


def read_answers(text: str, is_regression: bool) -> pandas.DataFrame:
    """The model's answers in the rows' order: `prediction` (text, or float for a regression), `probability` if given.

    Raises UnusablePredictions naming the line.
    """
    rows = []
    reader = csv.reader(io.StringIO(text, newline=""))
    for cells in reader:
        if not cells:
            continue
        try:
            numbers = [float(cell) for cell in (cells[:1] if is_regression else cells[1:2])]
            if not all(map(math.isfinite, numbers)):
                raise ValueError
        except ValueError:
            raise UnusablePredictions(
                f"Line {reader.line_num} of the model's answers cannot be read: {','.join(cells)[:80]!r}."
            ) from None
        if is_regression:
            rows.append({"prediction": numbers[0]})
        else:
            rows.append({"prediction": cells[0], **({"probability": numbers[0]} if numbers else {})})
    answers = pandas.DataFrame(rows, columns=None if rows else ["prediction"])
    if "probability" in answers and answers["probability"].isna().any():
        line = int(answers["probability"].isna().idxmax()) + 1
        raise UnusablePredictions(f"Line {line} of the model's answers has no probability, and others have one.")
    return answers


def as_labels(predicted: pandas.Series, labels: list[str]) -> pandas.Series:
    """The answers, spelled as the training data spells the classes.

    Whether Autopilot keeps the spelling is not documented: a reader of CSV that guesses types answers `1` or `True` for
    what stands there as `01` or `true`. Raises UnusablePredictions for an answer that is none of the classes.
    """
    meant = {_sense(label): label for label in labels}
    if len(meant) < len(labels):  # there are classes that differ in their spelling alone
        meant = {}
    answered = set(predicted)
    spelled = {answer: answer if answer in labels else meant.get(_sense(answer)) for answer in answered}
    foreign = sorted(answer for answer, label in spelled.items() if label is None)
    if foreign:
        raise UnusablePredictions(
            f"The model answered {_listed(foreign)}, which is none of the classes {_listed(labels)}. "
            "See the transform job's log."
        )
    return predicted.map(spelled)


def _sense(label: str) -> str:
    """What a class's name stands for, however it is spelled: a number, or letters whose case does not count."""
    try:
        return repr(float(label))
    except ValueError:
        return label.strip().casefold()


def _listed(names: list[str]) -> str:
    shown = ", ".join(repr(name) if len(name) <= 40 else repr(name[:37] + "...") for name in names[:10])
    return f"{shown} and {len(names) - 10} more" if len(names) > 10 else shown


def _body(uri: str) -> Any:
    place = urlparse(uri)
    return _s3().get_object(Bucket=place.netloc, Key=place.path.lstrip("/"))["Body"]


def _read(uri: str) -> bytes:
    return _body(uri).read()


def _read_folder(uri: str) -> str:
    """The answers of batch transform: its files in the order of the input's names."""
    place = urlparse(uri)
    pages = _s3().get_paginator("list_objects_v2").paginate(Bucket=place.netloc, Prefix=place.path.lstrip("/"))
    keys = sorted(item["Key"] for page in pages for item in page.get("Contents", []) if item["Key"].endswith(".out"))
    if not keys:
        raise UnusablePredictions(f"Batch transform left no answers under {uri}.")
    parts = [_read(f"s3://{place.netloc}/{key}").decode() for key in keys]
    return "".join(part if part.endswith("\n") else part + "\n" for part in parts)


def _write(uri: str, body: bytes, content_type: str) -> None:
    place = urlparse(uri)
    _s3().put_object(Bucket=place.netloc, Key=place.path.lstrip("/"), Body=body, ContentType=content_type)
