"""Metrics of predictions against labels, by scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy
import pandas
from sklearn import metrics

REGRESSION = "Regression"


def classification(
    labels: list[str], truth: pandas.Series, predicted: pandas.Series, probability: pandas.Series | None
) -> dict[str, Any]:
    """Metrics of a classifier.

    `labels`: the classes in sorted order; with two, the second is the positive one, as in label encoding. `truth`,
    `predicted`: texts. `probability`: of the predicted class, 0 to 1, or None if the model gives none.
    Returns plain numbers, and the confusion matrix with a row for each true class and a column for each predicted one.
    """
    binary = len(labels) == 2
    average: dict[str, Any] = (
        {"average": "binary", "pos_label": labels[1]} if binary else {"average": "macro", "labels": labels}
    )
    result: dict[str, Any] = {
        "accuracy": float(metrics.accuracy_score(truth, predicted)),
        "precision": float(metrics.precision_score(truth, predicted, zero_division=0, **average)),
        "recall": float(metrics.recall_score(truth, predicted, zero_division=0, **average)),
        "f1_score": float(metrics.f1_score(truth, predicted, zero_division=0, **average)),
        "balanced_accuracy": float(metrics.balanced_accuracy_score(truth, predicted)),
        # What always answering the most frequent class would reach.
        "baseline_accuracy": float(truth.value_counts(normalize=True).max()),
    }
    if binary and probability is not None:
        positive = (truth == labels[1]).to_numpy()
        score = positive_score(labels, predicted, probability)
        result["auc"] = float(metrics.roc_auc_score(positive, score))
        result["average_precision"] = float(metrics.average_precision_score(positive, score))
        result["log_loss"] = float(metrics.log_loss(positive, score, labels=[False, True]))
    result["confusion_matrix"] = metrics.confusion_matrix(truth, predicted, labels=labels).tolist()
    return result


def positive_score(labels: list[str], predicted: pandas.Series, probability: pandas.Series) -> numpy.ndarray:
    """Probability of the positive class, from that of the predicted one."""
    return numpy.where(predicted == labels[1], probability, 1 - probability)


def regression(truth: pandas.Series, predicted: pandas.Series) -> dict[str, Any]:
    """Metrics of a regression, in the target's unit (mse: its square; r2: 1 is perfect, 0 as good as the mean)."""
    mse = float(metrics.mean_squared_error(truth, predicted))
    return {
        "r2": float(metrics.r2_score(truth, predicted)),
        "rmse": mse**0.5,
        "mse": mse,
        "mae": float(metrics.mean_absolute_error(truth, predicted)),
        "baseline_rmse": float(numpy.std(truth)),
    }


def registry_form(result: dict[str, Any], labels: list[str]) -> dict[str, Any]:
    """The same in the form that SageMaker's model registry draws (its model quality metrics)."""
    if not labels:
        return {"regression_metrics": {name: {"value": result[name]} for name in ("mae", "mse", "rmse", "r2")}}
    binary = len(labels) == 2
    matrix = {
        true: dict(zip(labels, row, strict=True)) for true, row in zip(labels, result["confusion_matrix"], strict=True)
    }
    prefix = "" if binary else "weighted_"
    names = {
        "accuracy": "accuracy",
        "precision": prefix + "precision",
        "recall": prefix + "recall",
        "f1_score": prefix + "f1",
    }
    values: dict[str, Any] = {registry: {"value": result[ours]} for ours, registry in names.items()}
    values["confusion_matrix"] = matrix
    if "auc" in result:
        values["auc"] = {"value": result["auc"]}
    return {"binary_classification_metrics" if binary else "multiclass_classification_metrics": values}
