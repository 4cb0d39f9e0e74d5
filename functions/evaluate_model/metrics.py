"""Metrics of answers against labels, by scikit-learn's definitions, with a weight for each row.

Each function here makes a `Statistic`: from a weight for each row to numbers by name. Weights of one give the metrics;
counts of how often a row was drawn give those of a bootstrap sample (see intervals.py). What can be is computed once,
outside, so that a million rows can be drawn a hundred times.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy
from predictions import Answers

REGRESSION = "Regression"
Statistic = Callable[[numpy.ndarray], dict[str, float]]

_FLOAT_EPSILON = float(numpy.finfo(numpy.float64).eps)  # where scikit-learn clips probabilities
_MOST_CLASSES_FOR_AUC = 50


def binary(
    truth: numpy.ndarray, answers: Answers, positive: int, cost: tuple[float, float] | None = None
) -> tuple[Statistic, Statistic]:
    """Metrics of a classifier of two classes, and of the trivial baseline (see `constant`).

    `truth`: indices of the classes; `positive`: the one that precision, recall, F1, AUC and average precision are of.
    `cost`: of a false positive and of a false negative; then `cost_per_row` is among the metrics.
    """
    is_positive, said_positive = truth == positive, answers.predicted == positive
    cells = 2 * is_positive + said_positive
    scored = None if answers.probabilities is None else _binary_scores(is_positive, answers.probabilities[:, positive])

    def of_model(weights: numpy.ndarray) -> dict[str, float]:
        counts = numpy.bincount(cells, weights, 4).reshape(2, 2)
        numbers = _of_two_classes(counts, cost)
        return numbers if scored is None else {**numbers, **scored(weights)}

    share = is_positive.mean()
    answer = int(share > 0.5) if share != 0.5 else int(positive == 0)  # of equally frequent classes, the first
    entropy = _losses(numpy.array([1 - share, share]))

    def of_baseline(weights: numpy.ndarray) -> dict[str, float]:
        counts = numpy.zeros((2, 2))
        counts[:, answer] = numpy.bincount(is_positive, weights, 2)
        numbers = _of_two_classes(counts, cost)
        if cost is not None:  # the cheaper of the two constant answers
            numbers["cost_per_row"] = _ratio(
                min(counts[0].sum() * cost[0], counts[1].sum() * cost[1]), float(counts.sum())
            )
        if scored is None:
            return numbers
        now = numbers["positive_share"] = _ratio(counts[1].sum(), counts.sum())
        numbers |= {
            "auc": 0.5,
            "average_precision": now,
            "log_loss": float((1 - now) * entropy[0] + now * entropy[1]),
            "brier_score": float((1 - now) * share**2 + now * (1 - share) ** 2),
        }
        del numbers["positive_share"]
        return numbers

    return of_model, of_baseline


def multiclass(truth: numpy.ndarray, answers: Answers, classes: int) -> tuple[Statistic, Statistic]:
    """Metrics of a classifier of more classes, and of the trivial baseline. Precision, recall and F1 are macro averages."""
    cells = truth * classes + answers.predicted
    probabilities = answers.probabilities
    losses, ranks = None, []
    if probabilities is not None:
        losses = _losses(probabilities[numpy.arange(len(truth)), truth])
        present = numpy.bincount(truth, minlength=classes)
        if classes <= _MOST_CLASSES_FOR_AUC and present.min() > 0:
            ranks = [_ranking(truth == code, probabilities[:, code]) for code in range(classes)]

    def of_model(weights: numpy.ndarray) -> dict[str, float]:
        numbers = _of_classes(numpy.bincount(cells, weights, classes * classes).reshape(classes, classes))
        if losses is not None:
            numbers["log_loss"] = float(weights @ losses / weights.sum())
        if ranks:
            numbers["auc"] = float(numpy.mean([_area(*rates(weights)) for rates in ranks]))
        return numbers

    shares = numpy.bincount(truth, minlength=classes) / len(truth)
    answer, entropy = int(shares.argmax()), _losses(shares)

    def of_baseline(weights: numpy.ndarray) -> dict[str, float]:
        counts = numpy.zeros((classes, classes))
        counts[:, answer] = numpy.bincount(truth, weights, classes)
        numbers = _of_classes(counts)
        if losses is not None:
            numbers["log_loss"] = float(counts[:, answer] @ entropy / weights.sum())
        if ranks:
            numbers["auc"] = 0.5
        return numbers

    return of_model, of_baseline


def of_right_answers(truth: numpy.ndarray, predicted: numpy.ndarray, classes: int, positive: int | None) -> Statistic:
    """Metrics of answers of which some are unknown classes: those that need only know which answers are right.

    `positive`: the class that recall is of; None for the mean over the classes.
    """
    right = truth == predicted

    def statistic(weights: numpy.ndarray) -> dict[str, float]:
        rows = numpy.bincount(truth, weights, classes)
        hits = numpy.bincount(truth, weights * right, classes)
        recalls = _ratios(hits, rows)
        return {
            "accuracy": float(hits.sum() / rows.sum()),
            "recall": float(recalls.mean() if positive is None else recalls[positive]),
            "balanced_accuracy": float(recalls[rows > 0].mean()),
        }

    return statistic


def regression(truth: numpy.ndarray, predicted: numpy.ndarray) -> tuple[Statistic, Statistic]:
    """Metrics of a regression, in the target's unit (mse: its square; r2: 1 is perfect, 0 as good as the mean).

    The baseline is the mean for what squares errors, and the median for mae and median_absolute_error.
    """

    def of(squaring: numpy.ndarray, absolute: numpy.ndarray) -> Statistic:
        order = numpy.argsort(absolute, kind="stable")
        ordered = absolute[order]

        def statistic(weights: numpy.ndarray) -> dict[str, float]:
            total = weights.sum()
            mse = float(weights @ squaring / total)
            mean = weights @ truth / total
            variance = float(weights @ (truth - mean) ** 2 / total)
            return {
                # scikit-learn's r2 of a constant target: 1 if it is predicted exactly, else 0.
                "r2": 1 - mse / variance if variance else float(mse == 0),
                "rmse": mse**0.5,
                "mse": mse,
                "mae": float(weights @ absolute / total),
                "median_absolute_error": _weighted_median(ordered, weights[order]),
            }

        return statistic

    errors = truth - predicted
    return (
        of(errors**2, numpy.abs(errors)),
        of((truth - truth.mean()) ** 2, numpy.abs(truth - numpy.median(truth))),
    )


def per_class(matrix: numpy.ndarray, labels: list[str]) -> list[dict[str, str | float | int]]:
    """Precision, recall, F1 and the numbers of true and predicted rows of each class. `matrix`: a row for each true class."""
    hits, true, predicted = numpy.diag(matrix), matrix.sum(axis=1), matrix.sum(axis=0)
    return [
        {
            "label": label,
            "precision": _ratio(hits[code], predicted[code]),
            "recall": _ratio(hits[code], true[code]),
            "f1_score": _ratio(2 * hits[code], true[code] + predicted[code]),
            "support": int(true[code]),
            "predicted": int(predicted[code]),
        }
        for code, label in enumerate(labels)
    ]


def _of_two_classes(counts: numpy.ndarray, cost: tuple[float, float] | None) -> dict[str, float]:
    """`counts`: true by predicted, the positive class second."""
    (tn, fp), (fn, tp) = counts.tolist()
    total = tn + fp + fn + tp
    recall, specificity = _ratio(tp, tp + fn), _ratio(tn, tn + fp)
    recalls = [value for value, rows in ((specificity, tn + fp), (recall, tp + fn)) if rows]
    numbers = {
        "accuracy": _ratio(tp + tn, total),
        "precision": _ratio(tp, tp + fp),
        "recall": recall,
        "f1_score": _ratio(2 * tp, 2 * tp + fp + fn),
        "balanced_accuracy": sum(recalls) / len(recalls),
        "matthews_correlation": _correlation(counts),
    }
    if cost is not None:
        numbers["cost_per_row"] = _ratio(fp * cost[0] + fn * cost[1], total)
    return numbers


def _of_classes(counts: numpy.ndarray) -> dict[str, float]:
    """`counts`: true by predicted. Averages are over the classes that occur in either, as scikit-learn's without `labels`."""
    hits, true, predicted = numpy.diag(counts), counts.sum(axis=1), counts.sum(axis=0)
    precision, recall = _ratios(hits, predicted), _ratios(hits, true)
    f1_score = _ratios(2 * hits, true + predicted)
    shares = true / true.sum()
    return {
        "accuracy": float(hits.sum() / true.sum()),
        "precision": float(precision.mean()),
        "recall": float(recall.mean()),
        "f1_score": float(f1_score.mean()),
        "balanced_accuracy": float(recall[true > 0].mean()),
        "matthews_correlation": _correlation(counts),
        "weighted_precision": float(precision @ shares),
        "weighted_recall": float(recall @ shares),
        "weighted_f1_score": float(f1_score @ shares),
    }


def _correlation(counts: numpy.ndarray) -> float:
    """Matthews': 0 where all rows or all answers are of one class."""
    true, predicted, total = counts.sum(axis=1), counts.sum(axis=0), counts.sum()
    covariance = numpy.trace(counts) * total - true @ predicted
    spread = (total**2 - true @ true) * (total**2 - predicted @ predicted)
    return float(covariance / spread**0.5) if spread > 0 else 0.0


def _binary_scores(positive: numpy.ndarray, score: numpy.ndarray) -> Statistic:
    losses = _losses(numpy.where(positive, score, 1 - score))
    squares = (positive - score) ** 2
    rates = _ranking(positive, score) if 0 < positive.sum() < len(positive) else None

    def statistic(weights: numpy.ndarray) -> dict[str, float]:
        total = weights.sum()
        numbers = {"log_loss": float(weights @ losses / total), "brier_score": float(weights @ squares / total)}
        if rates is None:
            return numbers
        false, true = rates(weights)
        recall = true / true[-1] if true[-1] else true
        precision = numpy.divide(true, true + false, out=numpy.zeros_like(true), where=true + false > 0)
        ranked = {
            "auc": _area(false, true),
            "average_precision": float(numpy.diff(recall, prepend=0) @ precision),
        }
        return {**ranked, **numbers}

    return statistic


def _ranking(
    positive: numpy.ndarray, score: numpy.ndarray
) -> Callable[[numpy.ndarray], tuple[numpy.ndarray, numpy.ndarray]]:
    """From weights to how many false and true positives there are at each threshold, from the highest score down."""
    # Of several classes and two models there are many of these at once: half as large as numpy makes them.
    order = numpy.argsort(-score, kind="stable").astype(numpy.int32)
    ordered, hit = score[order], positive[order]
    ends = numpy.flatnonzero(numpy.append(ordered[1:] != ordered[:-1], True)).astype(numpy.int32)

    def counts(weights: numpy.ndarray) -> tuple[numpy.ndarray, numpy.ndarray]:
        drawn = weights[order]
        true = numpy.cumsum(drawn * hit)[ends]
        return numpy.cumsum(drawn)[ends] - true, true

    return counts


def _area(false: numpy.ndarray, true: numpy.ndarray) -> float:
    """Below the ROC curve, by trapezoids. Not a number where one class was not drawn."""
    if not (false[-1] and true[-1]):
        return float("nan")
    heights = true + numpy.concatenate([[0], true[:-1]])
    return float(numpy.diff(false, prepend=0) @ heights / (2 * false[-1] * true[-1]))


def _losses(probability: numpy.ndarray) -> numpy.ndarray:
    return -numpy.log(numpy.clip(probability, _FLOAT_EPSILON, 1 - _FLOAT_EPSILON))


def _weighted_median(ordered: numpy.ndarray, weights: numpy.ndarray) -> float:
    """As numpy.median of the values, each repeated as often as its weight says."""
    reached = numpy.cumsum(weights)
    total = reached[-1]
    low, high = numpy.searchsorted(reached, [(total - 1) // 2, total // 2], side="right")
    return float((ordered[low] + ordered[high]) / 2)


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole else 0.0


def _ratios(part: numpy.ndarray, whole: numpy.ndarray) -> numpy.ndarray:
    return numpy.divide(part, whole, out=numpy.zeros(len(whole)), where=whole > 0)
