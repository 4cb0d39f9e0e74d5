"""A model's metric by the values of one column: for which groups the model is worse than on average."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import intervals
import numpy
from metrics import Statistic

LEAST_ROWS = 30
"""With fewer rows a metric is meaningless."""

_MOST_VALUES, _GROUPS = 20, 4
# As many rows are drawn as if a resample cost this many rankings: a hundred slices take a few seconds.
_RANKINGS = 50
UNSEEN = "not in the training data"


@dataclass(frozen=True)
class Slice:
    """A column that metrics are shown by. `codes`: for each row an index into `names`, which are `ordered` if numbers."""

    column: str
    names: list[str]
    codes: numpy.ndarray
    ordered: bool = False

    def describe(self, make: Callable[[numpy.ndarray], tuple[Statistic, ...]], metric: str) -> dict[str, Any]:
        """Rows and the metric with its interval for each value with at least LEAST_ROWS rows, the most frequent first.

        `make`: from some rows to the model's statistic of them (see metrics.py). The metric is None where the rows of a
        value do not have it, as AUC of one class.
        """
        counts = numpy.bincount(self.codes, minlength=len(self.names))
        order = numpy.arange(len(counts)) if self.ordered else numpy.argsort(-counts, kind="stable")
        shown = [int(code) for code in order if counts[code] >= LEAST_ROWS][:_MOST_VALUES]
        return {
            "column": self.column,
            "metric": metric,
            "groups": [self._one(code, make, metric) for code in shown],
            "groups_not_shown": int((counts > 0).sum()) - len(shown),
        }

    def _one(self, code: int, make: Callable[[numpy.ndarray], tuple[Statistic, ...]], metric: str) -> dict[str, Any]:
        rows = numpy.flatnonzero(self.codes == code)
        (statistic,) = make(rows)
        values = statistic(numpy.ones(len(rows)))
        found = values.get(metric, math.nan)
        group = {"name": self.names[code], "rows": len(rows)}
        if not math.isfinite(found):
            return {**group, "value": None}
        (samples,) = intervals.bootstrap(lambda part: make(rows[part]), [values], len(rows), rankings=_RANKINGS)
        interval = intervals.interval(samples[metric])
        return {**group, "value": found, **(interval or {})}


def of(feature: Mapping[str, Any], values: numpy.ndarray) -> Slice:
    """A slice by an encoded column. `feature`: its entry in preprocessing.json; numbers are cut into quarters."""
    if feature["kind"] == "categorical":
        names = [*feature["categories"], UNSEEN]
        return Slice(feature["name"], names, numpy.minimum(values.astype(int), len(names) - 1))
    distinct, codes = numpy.unique(values, return_inverse=True)
    if len(distinct) <= 2 * _GROUPS:
        return Slice(feature["name"], [f"{value:g}" for value in distinct], codes, ordered=True)
    cuts = numpy.unique(numpy.quantile(values, numpy.linspace(0, 1, _GROUPS + 1)[1:-1]))
    codes = numpy.searchsorted(cuts, values, side="right")
    names = [
        f"{values[codes == code].min():g} to {values[codes == code].max():g}" if (codes == code).any() else ""
        for code in range(len(cuts) + 1)
    ]
    return Slice(feature["name"], names, codes, ordered=True)
