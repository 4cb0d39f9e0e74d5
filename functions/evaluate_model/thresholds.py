"""Decision thresholds: from which probability on the positive class is answered."""

from __future__ import annotations

from typing import Any

import numpy

_POINTS = 100
DEFAULT = 0.5


def describe(
    positive: numpy.ndarray,
    score: numpy.ndarray,
    answered: numpy.ndarray,
    *,
    applied: float | None,
    costs: tuple[float, float] | None,
) -> dict[str, Any]:
    """The threshold that maximises F1, or minimises the cost, chosen on one half of the rows and reported on the other.

    `positive`, `answered`: whether a row is, and was answered as, the positive class; `score`: that class's probability.
    `costs`: of a false positive and of a false negative. The curve is of the half that the threshold is chosen on. The
    halves are drawn with a fixed seed, each class alike.
    """
    choosing = _half(positive)
    reporting = ~choosing
    curve = _curve(positive[choosing], score[choosing])
    best = min(curve, key=lambda point: (_loss(point, costs), abs(point["threshold"] - DEFAULT)))
    suggested = _counts(positive[reporting], score[reporting] >= best["threshold"])
    return {
        "applied": applied,
        "cost_false_positive": costs[0] if costs else None,
        "cost_false_negative": costs[1] if costs else None,
        "suggested": {
            "threshold": best["threshold"],
            "chosen_for": "cost_per_row" if costs else "f1_score",
            "rows_chosen_on": int(choosing.sum()),
            "rows_reported_on": int(reporting.sum()),
            **_worth(suggested, costs),
            "without_it": _worth(_counts(positive[reporting], answered[reporting]), costs),
        },
        "curve": curve,
    }


def _half(positive: numpy.ndarray) -> numpy.ndarray:
    generator = numpy.random.default_rng(0)
    chosen = numpy.zeros(len(positive), dtype=bool)
    for side in (False, True):
        rows = generator.permutation(numpy.flatnonzero(positive == side))
        chosen[rows[: len(rows) // 2]] = True
    return chosen


def _curve(positive: numpy.ndarray, score: numpy.ndarray) -> list[dict[str, Any]]:
    """Counts at even steps of probability and at even shares of the rows, from the lowest threshold up."""
    shares = numpy.linspace(0, 1, _POINTS + 1)
    # Rounded down, so that the written threshold still includes the row it was taken from.
    quantiles = numpy.floor(numpy.quantile(score, shares, method="lower") * 1e4) / 1e4 if len(score) else shares
    steps = numpy.unique(numpy.concatenate([shares, quantiles]))
    hits, misses = numpy.sort(score[positive]), numpy.sort(score[~positive])
    below, false_below = numpy.searchsorted(hits, steps), numpy.searchsorted(misses, steps)
    return [
        {
            "threshold": round(float(step), 4),
            "true_positives": len(hits) - int(low),
            "false_positives": len(misses) - int(false_low),
            "false_negatives": int(low),
            "true_negatives": int(false_low),
        }
        for step, low, false_low in zip(steps, below, false_below, strict=True)
    ]


def _counts(positive: numpy.ndarray, answered: numpy.ndarray) -> dict[str, int]:
    return {
        "true_positives": int((positive & answered).sum()),
        "false_positives": int((~positive & answered).sum()),
        "false_negatives": int((positive & ~answered).sum()),
        "true_negatives": int((~positive & ~answered).sum()),
    }


def _loss(counts: dict[str, Any], costs: tuple[float, float] | None) -> float:
    worth = _worth(counts, costs)
    return worth["cost_per_row"] if costs else -worth["f1_score"]


def _worth(counts: dict[str, Any], costs: tuple[float, float] | None) -> dict[str, float]:
    hits, false, missed = counts["true_positives"], counts["false_positives"], counts["false_negatives"]
    total = hits + false + missed + counts["true_negatives"]
    worth = {
        "accuracy": (hits + counts["true_negatives"]) / total if total else 0.0,
        "precision": hits / (hits + false) if hits else 0.0,
        "recall": hits / (hits + missed) if hits else 0.0,
        "f1_score": 2 * hits / (2 * hits + false + missed) if hits else 0.0,
    }
    return (
        {**worth, "cost_per_row": (false * costs[0] + missed * costs[1]) / total if total else 0.0} if costs else worth
    )
