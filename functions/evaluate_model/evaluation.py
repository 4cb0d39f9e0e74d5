"""Metrics of a model's answers: evaluation.json without the verdict of the quality gate."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import curves
import intervals
import metrics
import numpy
import registry
import thresholds
from predictions import Answers
from slices import Slice

Rows = numpy.ndarray | slice
"""Which rows: indices, or all of them without a copy."""


@dataclass(frozen=True)
class Costs:
    """What a mistake costs, in any one unit."""

    false_positive: float
    false_negative: float


@dataclass(frozen=True)
class Champion:
    """The champion's answers to the same rows. `classes`: its own, if they are not those of this run."""

    answers: Answers
    classes: Sequence[str] = ()


def of_classes(
    truth: numpy.ndarray,
    answers: Answers,
    labels: list[str],
    positive: int,
    *,
    decision_threshold: float | None = None,
    costs: Costs | None = None,
    champion: Champion | None = None,
    slices: Sequence[Slice] = (),
    slice_metric: str = "accuracy",
) -> dict[str, Any]:
    """The evaluation of a classifier. `truth`: an index into `labels` for each row; `positive`: one, for two classes.

    `decision_threshold`: the positive class is answered where its probability is at least this, by the champion, too; None
    keeps the answers. `slice_metric`: of the rows of each slice.
    """
    binary = len(labels) == 2
    if binary and decision_threshold is not None:
        answers = decided(answers, positive, decision_threshold)
    probabilities = answers.probabilities
    prices = (costs.false_positive, costs.false_negative) if costs else None

    def both(given: Answers, rows: Rows) -> tuple[metrics.Statistic, metrics.Statistic]:
        some = Answers(given.predicted[rows], None, None if given.probabilities is None else given.probabilities[rows])
        if binary:
            return metrics.binary(truth[rows], some, positive, prices)
        return metrics.multiclass(truth[rows], some, len(labels))

    def of_champion(rows: Rows) -> tuple[metrics.Statistic, ...]:
        if champion is None:
            return ()
        theirs = champion.answers
        if champion.classes:
            of_class = positive if binary else None
            return (metrics.of_right_answers(truth[rows], theirs.predicted[rows], len(labels), of_class),)
        if binary and decision_threshold is not None:
            theirs = decided(theirs, positive, decision_threshold)
        return both(theirs, rows)[:1]

    def make(rows: Rows) -> tuple[metrics.Statistic, ...]:
        return (*both(answers, rows), *of_champion(rows))

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
        **_further(result, slices, lambda rows: both(answers, rows)[:1], slice_metric),
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


def decided(answers: Answers, positive: int, threshold: float) -> Answers:
    """A binary classifier's answers at another decision threshold: positive if that probability is at least the threshold."""
    probabilities = answers.probabilities
    if probabilities is None:
        return answers
    chosen = numpy.where(probabilities[:, positive] >= threshold, positive, 1 - positive)
    return Answers(chosen, probabilities[numpy.arange(len(chosen)), chosen], probabilities)


def of_numbers(
    truth: numpy.ndarray,
    predicted: numpy.ndarray,
    *,
    champion: numpy.ndarray | None = None,
    slices: Sequence[Slice] = (),
    slice_metric: str = "r2",
) -> dict[str, Any]:
    """The evaluation of a regression. `champion`: the champion's predictions for the same rows."""

    def make(rows: Rows) -> tuple[metrics.Statistic, ...]:
        theirs = () if champion is None else metrics.regression(truth[rows], champion[rows])[:1]
        return (*metrics.regression(truth[rows], predicted[rows]), *theirs)

    result = _compared(make, len(truth), "always answering the mean")
    numbers = result["values"]
    return {
        **numbers,
        "baseline_rmse": result["baseline"]["metrics"]["rmse"],
        "intervals": result["intervals"],
        "resampling": result["resampling"],
        "baseline": result["baseline"],
        "residuals": curves.of_residuals(truth, predicted),
        **_further(result, slices, lambda rows: metrics.regression(truth[rows], predicted[rows])[:1], slice_metric),
        **registry.regression(numbers, result["intervals"]),
    }


def _compared(
    make: Callable[[Rows], tuple[metrics.Statistic, ...]],
    rows: int,
    constant: str,
    *,
    rankings: int = 1,
    rarest: int | None = None,
) -> dict[str, Any]:
    """Model, baseline and champion (if `make` makes one) on the same rows: values, intervals, and the paired intervals of
    their differences.
    """
    ones = numpy.ones(rows)
    values = [statistic(ones) for statistic in make(slice(None))]
    samples = intervals.bootstrap(make, values, rows, rankings=rankings, rarest=rarest)

    def beside(place: int) -> dict[str, Any]:
        theirs = values[place]
        # Of answers that are far off, some metrics cannot be written as JSON.
        shared = [name for name in values[0] if name in theirs and math.isfinite(theirs[name])]
        return {
            "metrics": {name: theirs[name] for name in theirs if math.isfinite(theirs[name])},
            "difference": _with_values(
                {name: values[0][name] - theirs[name] for name in shared},
                _intervals({name: samples[0][name] - samples[place][name] for name in shared}),
            ),
        }

    return {
        "values": values[0],
        "intervals": _intervals(samples[0]),
        "resampling": {"confidence": intervals.CONFIDENCE, "resamples": len(next(iter(samples[0].values())))},
        "baseline": {"answer": constant, **beside(1)},
        "champion": beside(2) if len(values) > 2 else None,
    }


def _further(
    result: Mapping[str, Any],
    slices: Sequence[Slice],
    make: Callable[[numpy.ndarray], tuple[metrics.Statistic, ...]],
    metric: str,
) -> dict[str, Any]:
    """The optional parts, slices and champion. `metric`: the one of the slices, if the model has it."""
    metric = next(one for one in (metric, "accuracy", "r2") if one in result["values"])
    found = {"slices": [one.describe(make, metric) for one in slices]} if slices else {}
    return found | ({"champion": result["champion"]} if result["champion"] else {})


def _intervals(samples: Mapping[str, numpy.ndarray]) -> dict[str, dict[str, float]]:
    found = {name: intervals.interval(values) for name, values in samples.items()}
    return {name: interval for name, interval in found.items() if interval is not None}


def _with_values(values: Mapping[str, float], found: Mapping[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    return {name: {"value": value, **found.get(name, {})} for name, value in values.items()}
