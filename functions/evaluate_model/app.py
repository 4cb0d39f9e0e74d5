"""EvaluateModel: compares batch transform's predictions with the labels that the model never saw."""

from __future__ import annotations

import io
import json
import math
import os
from collections.abc import Iterator
from functools import cache
from typing import Any

import associations
import boto3
import champion
import evaluation
import explanation
import gate
import known_row
import leaderboard
import metrics
import model_card
import numpy
import pandas
import predictions
import registry
import report
import slices
from automl_pipeline import measures, stored
from aws_lambda_powertools import Logger
from predictions import UnusablePredictionsError

logger = Logger()

_READ_AT_ONCE = 1 << 20


@cache
def _s3() -> Any:
    return boto3.client("s3")


@cache
def _sagemaker() -> Any:
    return boto3.client("sagemaker")


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Writes evaluation.json, report.html and deployment.json; returns the metrics and the verdict of the quality gate.

    `event`: run_id; `settings` and `uris` of the run (automl_pipeline.run_layout.describe); `deployment`: deployment.json
    without archives and known row; target_attribute_name, as the columns of the data spell it; `model_archives`: the URIs
    of the containers' model.tar.gz; `champion`: {"version", "model_name", "endpoint_name", and "predictions_uri" (folder)
    or "error"}, or None; `automl`: job_name, candidate, explainability_uri and model_insights_uri (S3 prefixes, or None);
    `began`: when each step began, by its name (ISO 8601).
    Returns {"metrics": numbers by name, "gate_metric", "gate_value", "passed", "verdict": a sentence, "warnings":
    sentences, "champion": how it compares, or None, "positive_class", "registry": texts for the registry entry,
    "registry_metrics": {"explainability", "data_quality": the URI of a report and of distributions, or None}, "rows",
    "evaluation_uri"}. Raises UnusablePredictionsError.
    """
    logger.append_keys(run_id=event["run_id"])
    stack = context.function_name.removesuffix("-evaluate-model")
    settings, uris, target = event["settings"], event["uris"], event["target_attribute_name"]
    is_regression = settings["problem_type"] == metrics.REGRESSION
    prepared = json.loads(_read(uris["preprocessing"] + "preprocessing.json"))
    labels: list[str] = prepared["labels"]
    sliced = _sliced(prepared, settings)
    rows = _test_rows(uris["test"] + "test.csv", target, labels, sliced)
    truth = _truth(rows.pop(target))
    answered = _Lines(uris["predictions"], ".out")
    answers = None if is_regression else predictions.read_classes(answered, labels)
    predicted = predictions.read_regression(answered) if answers is None else answers.predicted
    if len(predicted) != len(truth):
        raise UnusablePredictionsError(
            f"The model gave {len(predicted)} answers for {len(truth)} rows. See the transform job's log."
        )
    index = known_row.choose(answers and answers.probability)
    known = known_row.describe(
        _Lines(uris["evaluation_input"], ".jsonl"),
        index,
        predictions.answer_at(answered, index),
        is_regression=is_regression,
    )
    champion_answers, error = _read_champion(event.get("champion"), len(truth), labels)
    sliced_by = {
        "slices": [slices.of(one, rows[one["name"]].to_numpy()) for one in sliced],
        "slice_metric": _slice_metric(settings),
    }
    evaluated = (
        evaluation.of_numbers(truth, predicted, champion=champion_answers, **sliced_by)
        if answers is None
        else evaluation.of_classes(
            truth,
            answers,
            labels,
            _positive(prepared, labels),
            decision_threshold=settings.get("decision_threshold"),
            costs=_costs(settings),
            champion=champion_answers,
            **sliced_by,
        )
    )
    _check_finite(evaluated, target)
    threshold, objective = settings["accuracy_threshold"], settings["objective_metric_name"]
    note = prepared.get("data_note", {"warnings": [], "columns": []})
    comparison = event.get("champion") and champion.judge(
        evaluated, {**event["champion"], "error": error}, objective, settings, getattr(champion_answers, "classes", ())
    )
    judged = gate.judge(evaluated, objective, threshold, settings, champion=comparison, note=note)
    document = {
        **evaluated,
        "labels": labels,
        "positive_class_reason": prepared.get("positive_class_reason"),
        "rows": len(truth),
        "problem_type": settings["problem_type"],
        "objective_metric_name": objective,
        "accuracy_threshold": threshold,
        "run_id": event["run_id"],
        "associations": _associations(uris["test"] + "test.csv", target, answers, predicted, len(labels)),
        "versions": {module.__name__: module.__version__ for module in (numpy, pandas)},
        **judged,
        "data_note": note,
    }
    document |= _of_autopilot(event.get("automl"))
    document["summary"] = report.headline(document, (prepared.get("renames") or {}).get(target, target))
    if document["passed"] and event.get("automl"):
        document["model_card"] = model_card.create(_sagemaker(), event, document, prepared)
    _write(uris["evaluation"], json.dumps(document, indent=1).encode(), "application/json")
    page = report.render(
        document,
        target=target,
        preprocessing=prepared,
        settings=settings,
        stack=stack,
        region=os.environ.get("AWS_REGION"),
    )
    _write(uris["report"], page.encode(), "text/html; charset=utf-8")
    archives = [_archive(uri) for uri in event["model_archives"]]
    deployment = {**event["deployment"], "archives": archives, **({"known_row": known} if known is not None else {})}
    _write(uris["deployment"], json.dumps(deployment).encode(), "application/json")
    numbers: dict[str, Any] = {name: value for name, value in evaluated.items() if isinstance(value, float)}
    measures.publish_evaluation(stack, event["run_id"], document, event.get("began", {}))
    logger.info("Evaluated", rows=len(truth), passed=document["passed"], **numbers)
    return {
        "metrics": numbers,
        "gate_metric": document["gate_metric"],
        "gate_value": document[document["gate_metric"]],
        "passed": document["passed"],
        "verdict": document["verdict"],
        "warnings": document["warnings"],
        "champion": comparison
        and {
            name: comparison.get(name)
            for name in ("version", "metric", "champion_value", "passed", "sentence", "error")
        },
        "positive_class": document.get("positive_class"),
        "registry": {
            **registry.customer_metadata(event, document, prepared),
            "archive_etags": " ".join(one["etag"].strip('"') for one in archives),
        },
        "registry_metrics": {
            "explainability": (document.get("explanation") or {}).get("report_uri"),
            "data_quality": _uri_if_exists(uris["preprocessing"] + "distributions.json"),
        },
        "rows": len(truth),
        "evaluation_uri": uris["evaluation"],
    }


def _uri_if_exists(uri: str) -> str | None:
    """None if there is no such object: a run that resumes an old one may find no distributions."""
    return uri if stored.exists(_s3(), *stored.place(uri)) else None


def _archive(uri: str) -> dict[str, str]:
    """The archive with its ETag: a deployment refuses another object in its place."""
    bucket, key = stored.place(uri)
    return {"bucket": bucket, "key": key, "etag": _s3().head_object(Bucket=bucket, Key=key)["ETag"]}


def _of_autopilot(automl: dict[str, Any] | None) -> dict[str, Any]:
    """Autopilot's leaderboard, and its explanation of the best candidate; empty if the event names no job."""
    if not automl:
        return {}
    return {
        "autopilot": automl,
        "leaderboard": leaderboard.describe(_sagemaker(), automl["job_name"], automl.get("candidate")),
        "explanation": explanation.read(_s3(), automl.get("explainability_uri")),
    }


def _test_rows(uri: str, target: str, labels: list[str], features: list[dict[str, Any]]) -> pandas.DataFrame:
    """The test rows: the target and the given encoded features."""
    names: Any = [target, *(feature["name"] for feature in features)]
    kind = pandas.CategoricalDtype(labels) if labels else float
    return pandas.read_csv(_body(uri), usecols=names, dtype={target: kind}, keep_default_na=False)


def _truth(column: pandas.Series) -> numpy.ndarray:
    """The test rows' targets: indices into the labels, or numbers if there are no labels."""
    return column.cat.codes.to_numpy(numpy.int64) if column.dtype == "category" else column.to_numpy()


def _read_champion(given: dict[str, Any] | None, rows: int, labels: list[str]) -> tuple[Any, str | None]:
    """The champion's answers, as `evaluation` takes them, or None and why it could not be evaluated."""
    if not given or given.get("error"):
        return None, given["error"] if given else None
    try:
        answered = _Lines(given["predictions_uri"], ".out")
        if labels:
            answers = evaluation.Champion(*predictions.read_champion(answered, labels))
            count = len(answers.answers.predicted)
        else:
            answers = predictions.read_regression(answered)
            count = len(answers)
        if count != rows:
            raise UnusablePredictionsError(f"It gave {count:,} answers for {rows:,} rows.")
        return answers, None
    except UnusablePredictionsError as error:
        return None, champion.unusable(given, str(error))


def _slice_metric(settings: dict[str, Any]) -> str:
    """The metric of each slice. With many classes it is accuracy: averages over classes need every class in each slice."""
    if settings["problem_type"] == "MulticlassClassification":
        return "accuracy"
    fallback = "r2" if settings["problem_type"] == metrics.REGRESSION else "accuracy"
    return gate.objective_metric(settings["objective_metric_name"]) or fallback


def _sliced(prepared: dict[str, Any], settings: dict[str, Any]) -> list[dict[str, Any]]:
    """The features that report_slices names."""
    asked = {name.lower() for name in settings.get("report_slices") or []}
    return [feature for feature in prepared.get("features") or [] if feature["name"] in asked]


def _associations(
    uri: str, target: str, answers: predictions.Answers | None, predicted: numpy.ndarray, classes: int
) -> list[dict[str, Any]]:
    """Which columns the answers vary with, in the first test rows; the rest of the file is not read."""
    features = pandas.read_csv(_body(uri), nrows=associations.ROWS).drop(columns=target)
    if answers is None:
        numbers = predicted[: len(features), None]
    elif answers.probabilities is not None:
        numbers = answers.probabilities[: len(features)]
    else:
        numbers = numpy.eye(classes)[predicted[: len(features)]]
    return associations.describe(features, numbers)


def _positive(prepared: dict[str, Any], labels: list[str]) -> int:
    """The index of the positive class: the one that the setting names, else the second, as in label encoding."""
    return labels.index(prepared["positive_class"]) if prepared.get("positive_class") in labels else len(labels) - 1


def _costs(settings: dict[str, Any]) -> evaluation.Costs | None:
    false_positive, false_negative = settings.get("cost_false_positive"), settings.get("cost_false_negative")
    return (
        None if false_positive is None or false_negative is None else evaluation.Costs(false_positive, false_negative)
    )


def _check_finite(evaluated: dict[str, Any], target: str) -> None:
    """Raises UnusablePredictionsError for infinite and undefined metrics, which JSON cannot hold."""
    infinite = [name for name, value in evaluated.items() if isinstance(value, float) and not math.isfinite(value)]
    if infinite:
        raise UnusablePredictionsError(
            f"The model's answers are so far off that {', '.join(infinite)} cannot be computed. Look for outliers in "
            f"target column {target!r} and in the features."
        )


def _body(uri: str) -> Any:
    return stored.body(_s3(), uri)


def _read(uri: str) -> bytes:
    return _body(uri).read()


class _Lines:
    """The lines of a folder's objects, in the order of their names: those of batch transform's input or output.

    Each object is read as its lines are, so that memory does not hold it. Raises UnusablePredictionsError if there is none.
    """

    def __init__(self, uri: str, suffix: str) -> None:
        self._uris = sorted(found for found, _ in stored.objects(_s3(), uri) if found.endswith(suffix))
        if not self._uris:
            raise UnusablePredictionsError(f"Batch transform left no answers under {uri}.")

    def __iter__(self) -> Iterator[bytes]:
        for uri in self._uris:
            line = b"\n"
            for line in io.BufferedReader(_body(uri), _READ_AT_ONCE):
                yield line
            if not line.endswith(b"\n"):
                yield b"\n"


def _write(uri: str, body: bytes, content_type: str) -> None:
    bucket, key = stored.place(uri)
    _s3().put_object(Bucket=bucket, Key=key, Body=body, ContentType=content_type)
