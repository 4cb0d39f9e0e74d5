"""The curves and samples of evaluation.json that the report draws, bounded in size."""

from __future__ import annotations

from typing import Any

import numpy

_POINTS = 200
_BINS = 20
_SAMPLE = 400
_RESIDUAL_BINS = 40
_GROUPS = 10
_TAIL = 0.005  # of the rows at either end are not within the histogram
_QUANTILES = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)


def of_scores(positive: numpy.ndarray, score: numpy.ndarray) -> dict[str, Any]:
    """ROC, precision and recall, gains, calibration and distribution of the positive class's probability.

    The first three are points from the highest score down, at most some hundred of all the thresholds there are.
    """
    order = numpy.argsort(-score, kind="stable")
    ordered, hit = score[order], positive[order]
    ends = numpy.flatnonzero(numpy.append(ordered[1:] != ordered[:-1], True))
    kept = ends[numpy.unique(numpy.linspace(0, len(ends) - 1, _POINTS).astype(int))]
    true = numpy.cumsum(hit)[kept]
    chosen = kept + 1
    positives, negatives = max(1, int(hit.sum())), max(1, int((~hit).sum()))
    return {
        "roc": {
            "false_positive_rates": [0.0, *((chosen - true) / negatives).tolist()],
            "true_positive_rates": [0.0, *(true / positives).tolist()],
        },
        "precision_recall": {"precisions": (true / chosen).tolist(), "recalls": (true / positives).tolist()},
        "gains": {
            "shares_of_rows": [0.0, *(chosen / len(score)).tolist()],
            "shares_of_positives": [0.0, *(true / positives).tolist()],
        },
        "scores": _by_probability(score, positive, "positives"),
    }


def of_confidence(right: numpy.ndarray, probability: numpy.ndarray) -> list[dict[str, Any]]:
    """How often answers are right, by the probability of the predicted class."""
    return _by_probability(probability, right, "right")


def _by_probability(probability: numpy.ndarray, happened: numpy.ndarray, name: str) -> list[dict[str, Any]]:
    bins = numpy.clip((probability * _BINS).astype(int), 0, _BINS - 1)
    rows = numpy.bincount(bins, minlength=_BINS)
    hits = numpy.bincount(bins, happened, _BINS)
    sums = numpy.bincount(bins, probability, _BINS)
    return [
        {
            "from": bin_ / _BINS,
            "to": (bin_ + 1) / _BINS,
            "rows": int(rows[bin_]),
            name: int(hits[bin_]),
            "mean_probability": float(sums[bin_] / rows[bin_]) if rows[bin_] else None,
        }
        for bin_ in range(_BINS)
    ]


def of_residuals(truth: numpy.ndarray, predicted: numpy.ndarray) -> dict[str, Any]:
    """Quantiles of truth minus prediction, and a sample of rows (all of them, if there are few)."""
    residuals = truth - predicted
    rows = numpy.random.default_rng(0).permutation(len(truth))[:_SAMPLE]
    return {
        "quantiles": {
            str(share): float(value)
            for share, value in zip(_QUANTILES, numpy.quantile(residuals, _QUANTILES), strict=True)
        },
        "mean": float(residuals.mean()),
        "target_quantiles": {
            str(share): float(value) for share, value in zip(_QUANTILES, numpy.quantile(truth, _QUANTILES), strict=True)
        },
        "sample": [[float(true), float(said)] for true, said in zip(truth[rows], predicted[rows], strict=True)],
        "histogram": _histogram(residuals),
        "by_prediction": _by_prediction(predicted, residuals),
    }


def _histogram(residuals: numpy.ndarray) -> dict[str, Any]:
    """Rows by residual, between edges that outliers do not widen; `below` and `above` count the outliers."""
    low, high = (float(bound) for bound in numpy.quantile(residuals, [_TAIL, 1 - _TAIL]))
    if high - low <= 1e-9 * max(abs(low), abs(high)):  # all the same, but for rounding
        room = 0.01 * abs(low) or 1.0
        low, high = low - room, high + room
    counts, edges = numpy.histogram(residuals, _RESIDUAL_BINS, (low, high))
    return {
        "edges": edges.tolist(),
        "rows": counts.tolist(),
        "below": int((residuals < edges[0]).sum()),
        "above": int((residuals > edges[-1]).sum()),
    }


def _by_prediction(predicted: numpy.ndarray, residuals: numpy.ndarray) -> list[dict[str, float]]:
    """The residuals' median and middle 90 %, in groups of about as many rows from the lowest predictions up."""
    groups = numpy.array_split(numpy.argsort(predicted, kind="stable"), min(_GROUPS, len(predicted)))
    found = []
    for rows in groups:
        low, median, high = (float(value) for value in numpy.quantile(residuals[rows], [0.05, 0.5, 0.95]))
        found.append(
            {
                "median_prediction": float(numpy.median(predicted[rows])),
                "rows": len(rows),
                "low": low,
                "median": median,
                "high": high,
            }
        )
    return found
