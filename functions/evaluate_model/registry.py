"""The metrics in the form that SageMaker's model registry draws (Model Monitor's model quality statistics).

Source: AWS, "Model quality metrics and CloudWatch monitoring" (binary_classification_metrics, multiclass_…, regression_…).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy

Intervals = Mapping[str, Mapping[str, float]]


def binary(
    numbers: Mapping[str, float],
    intervals: Intervals,
    matrix: numpy.ndarray,
    labels: list[str],
    positive: int,
    curves: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Of two classes: precision, recall, F1, rates and curves of the positive one."""
    (tn, fp), (fn, tp) = (matrix if positive == 1 else matrix[::-1, ::-1]).tolist()
    names = {"accuracy": "accuracy", "precision": "precision", "recall": "recall", "f1_score": "f1", "auc": "auc"}
    values = _values(numbers, intervals, names)
    for name, part, rest in (
        ("true_positive_rate", tp, fn),
        ("false_negative_rate", fn, tp),
        ("true_negative_rate", tn, fp),
        ("false_positive_rate", fp, tn),
    ):
        values[name] = {"value": part / (part + rest) if part else 0.0}
    values["confusion_matrix"] = _confusion(matrix, labels)
    if curves:
        values["receiver_operating_characteristic_curve"] = curves["roc"]
        values["precision_recall_curve"] = curves["precision_recall"]
    return {"binary_classification_metrics": values}


def multiclass(
    numbers: Mapping[str, float], intervals: Intervals, matrix: numpy.ndarray, labels: list[str]
) -> dict[str, Any]:
    """Of more classes: averages weighted by how frequent each class is."""
    names = {
        "accuracy": "accuracy",
        "weighted_precision": "weighted_precision",
        "weighted_recall": "weighted_recall",
        "weighted_f1_score": "weighted_f1",
    }
    values = _values(numbers, intervals, names)
    return {"multiclass_classification_metrics": {**values, "confusion_matrix": _confusion(matrix, labels)}}


def regression(numbers: Mapping[str, float], intervals: Intervals) -> dict[str, Any]:
    """Of a number."""
    return {"regression_metrics": _values(numbers, intervals, {name: name for name in ("mae", "mse", "rmse", "r2")})}


def customer_metadata(
    event: Mapping[str, Any], document: Mapping[str, Any], prepared: Mapping[str, Any]
) -> dict[str, str]:
    """Further metadata of the registry entry: at most twelve pairs, in the characters that the registry takes."""
    settings = event["settings"]
    texts = {
        "problem_type": settings["problem_type"],
        "objective_metric_name": settings["objective_metric_name"],
        "target_attribute_name": event["target_attribute_name"],
        "feature_group_name": settings.get("feature_group_name"),
        "positive_class": document.get("positive_class"),
        "decision_threshold": settings.get("decision_threshold"),
        "data_fingerprint": prepared.get("data_sha256"),
        "code_sha256": event["deployment"].get("code_sha256"),
        "model_card": (document.get("model_card") or {}).get("name"),
        "test_rows": document["rows"],
        "warnings": len(document["warnings"]),
    }
    # CustomerMetadataValue of SageMaker's API: letters, separators, numbers and these, 1 to 256 characters.
    shown = {name: re.sub(r"[^\w .:/=+@-]", "_", str(text))[:256] for name, text in texts.items() if text is not None}
    return {name: text for name, text in shown.items() if text.strip()}


def _values(numbers: Mapping[str, float], intervals: Intervals, names: Mapping[str, str]) -> dict[str, Any]:
    return {
        theirs: {
            "value": numbers[ours],
            **({"standard_deviation": intervals[ours]["standard_deviation"]} if ours in intervals else {}),
        }
        for ours, theirs in names.items()
        if ours in numbers
    }


def _confusion(matrix: numpy.ndarray, labels: list[str]) -> dict[str, dict[str, int]]:
    return {true: dict(zip(labels, row, strict=True)) for true, row in zip(labels, matrix.tolist(), strict=True)}
