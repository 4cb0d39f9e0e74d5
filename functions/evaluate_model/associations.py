"""Which columns a model's answers vary with."""

from __future__ import annotations

from typing import Any

import numpy
import pandas

ROWS = 20_000  # more change nothing that people see
_MOST_VALUES, _BINS = 50, 20


def describe(features: pandas.DataFrame, answers: numpy.ndarray) -> list[dict[str, Any]]:
    """How much of the answers' variance each column alone accounts for, the largest first.

    `features`: encoded; `answers`: a column of numbers for each class (probabilities), or one (a regression's). The share is
    the correlation ratio, 0 to 1, less what as many groups would account for by chance. Columns of more than fifty values
    are cut into twenty groups of about as many rows. Columns that vary together share it: it does not add up, and it says
    nothing of causes.
    """
    centered = answers - answers.mean(axis=0)
    total = float((centered**2).sum())
    if total <= 0:  # the same answer for every row
        return []
    found = [
        {"column": str(name), "share": _share(features[name].to_numpy(dtype=float), centered, total)}
        for name in features.columns
    ]
    return sorted(found, key=lambda row: -row["share"])


def _share(values: numpy.ndarray, centered: numpy.ndarray, total: float) -> float:
    distinct, codes = numpy.unique(values, return_inverse=True)
    if len(distinct) > _MOST_VALUES:
        cuts = numpy.unique(numpy.quantile(values, numpy.linspace(0, 1, _BINS + 1)[1:-1]))
        codes = numpy.unique(numpy.searchsorted(cuts, values, side="right"), return_inverse=True)[1]
    counts = numpy.bincount(codes)
    rows, groups = len(values), len(counts)
    if groups < 2 or rows <= groups:
        return 0.0
    between = sum(float((numpy.bincount(codes, column) ** 2 / counts).sum()) for column in centered.T)
    return float(max(0.0, 1 - (1 - between / total) * (rows - 1) / (rows - groups)))
