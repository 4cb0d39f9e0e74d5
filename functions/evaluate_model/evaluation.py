"""What a model's answers are worth: evaluation.json without the gate's verdict."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import curves
import intervals
import metrics
import numpy
import registry
import thresholds
from predictions import Answers


@dataclass(frozen=True)
class Costs:
    """What a mistake costs, in any one unit."""

    false_positive: float
    false_negative: float


def of_classes(
    truth: numpy.ndarray,
    answers: Answers,
    labels: list[str],
    positive: int,
    *,
    decision_threshold: float | None = None,
    costs: Costs | None = None,
) -> dict[str, Any]:
    """The evaluation of a classifier. `truth`: an index into `labels` for each row; `positive`: one, for two classes.

    `decision_threshold`: the positive class is answered where its probability is at least this; None keeps the answers.
    """
    binary = len(labels) == 2
    probabilities = answers.probabilities
    if binary and probabilities is not None and decision_threshold is not None:
        chosen = numpy.where(probabilities[:, positive] >= decision_threshold, positive, 1 - positive)
        answers = Answers(chosen, probabilities[numpy.arange(len(chosen)), chosen], probabilities)
    prices = (costs.false_positive, costs.false_negative) if costs else None

    def make(rows: numpy.ndarray) -> tuple[metrics.Statistic, ...]:
        some = Answers(answers.predicted[rows], None, None if probabilities is None else probabilities[rows])
        if binary:
            return metrics.binary(truth[rows], some, positive, prices)
        return metrics.multiclass(truth[rows], some, len(labels))

    counts = numpy.bincount(truth, minlength=len(labels))
    matrix = numpy.bincount(truth * len(labels) + answers.predicted, minlength=len(labels) ** 2)
    matrix = matrix.reshape(len(labels), len(labels))
    # The most frequent class; of equally frequent ones the first.
    constant = f"always answering {labels[int(counts.argmax())]!r}"
    result = _compared(
        make, len(truth), constant, rankings=1 if binary else len(labels), rarest=int(counts[counts > 0].min())
    )
    numbers = result["values"]
    document = {
        **numbers,
        "baseline_accuracy": result["baseline"]["metrics"]["accuracy"],
        "confusion_matrix": matrix.tolist(),
        "per_class": metrics.per_class(matrix, labels),
        "positive_class": labels[positive] if binary else None,
        "intervals": result["intervals"],
        "resampling": result["resampling"],
        "baseline": result["baseline"],
    }
    if not binary:
        if answers.probability is not None:
            document["confidence"] = curves.of_confidence(truth == answers.predicted, answers.probability)
        return {**document, **registry.multiclass(numbers, result["intervals"], matrix, labels)}
    if probabilities is None:
        return {**document, **registry.binary(numbers, result["intervals"], matrix, labels, positive, None)}
    is_positive, score = truth == positive, probabilities[:, positive]
    found = curves.of_scores(is_positive, score)
    return {
        **document,
        "curves": found,
        "threshold": thresholds.describe(
            is_positive, score, answers.predicted == positive, applied=decision_threshold, costs=prices
        ),
        **registry.binary(numbers, result["intervals"], matrix, labels, positive, found),
    }


def of_numbers(truth: numpy.ndarray, predicted: numpy.ndarray) -> dict[str, Any]:
    """The evaluation of a regression."""
    result = _compared(
        lambda rows: metrics.regression(truth[rows], predicted[rows]), len(truth), "always answering the mean"
    )
    numbers = result["values"]
    return {
        **numbers,
        "baseline_rmse": result["baseline"]["metrics"]["rmse"],
        "intervals": result["intervals"],
        "resampling": result["resampling"],
        "baseline": result["baseline"],
        "residuals": curves.of_residuals(truth, predicted),
        **registry.regression(numbers, result["intervals"]),
    }


def _compared(
    make: Callable[[numpy.ndarray], tuple[metrics.Statistic, ...]],
    rows: int,
    constant: str,
    *,
    rankings: int = 1,
    rarest: int | None = None,
) -> dict[str, Any]:
    """Model and baseline on the same rows: values, intervals, and the paired intervals of their differences."""
    ones = numpy.ones(rows)
    ours, theirs = (statistic(ones) for statistic in make(numpy.arange(rows)))
    of_model, of_baseline = intervals.bootstrap(make, (ours, theirs), rows, rankings=rankings, rarest=rarest)
    return {
        "values": ours,
        "intervals": _intervals(of_model),
        "resampling": {"confidence": intervals.CONFIDENCE, "resamples": len(next(iter(of_model.values())))},
        "baseline": {
            "answer": constant,
            "metrics": theirs,
            "difference": _with_values(
                {name: ours[name] - theirs[name] for name in ours},
                _intervals({name: values - of_baseline[name] for name, values in of_model.items()}),
            ),
        },
    }


def _intervals(samples: Mapping[str, numpy.ndarray]) -> dict[str, dict[str, float]]:
    found = {name: intervals.interval(values) for name, values in samples.items()}
    return {name: interval for name, interval in found.items() if interval is not None}


def _with_values(values: Mapping[str, float], found: Mapping[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    return {name: {"value": value, **found.get(name, {})} for name, value in values.items()}
