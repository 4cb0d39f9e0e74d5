"""How much each row counts in training: as a column of the data says, or so that each class counts alike.

Autopilot takes the weights as a column of the training data, which is no feature: numbers, none of them negative. It leaves out rows
without a valid one (SampleWeightAttributeName in the API reference of TabularJobConfig); here such a row ends the job, with its number.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Sequence

import numpy
from query_result import Source
from unusable_data import UnusableDataError, cut
from words import is_missing, number


@dataclass(frozen=True)
class Weights:
    """`column`: what the weights are called in the tables that Autopilot reads. `values`: of the rows that have a target, float64."""

    column: str
    values: numpy.ndarray
    by_class: dict[str, float] | None

    def described(self) -> dict[str, Any]:
        """For preprocessing.json: the column, and each class's weight if those are what it holds."""
        return {"column": self.column, "class_weights": self.by_class}


def of_column(source: Source, name: str, usable: numpy.ndarray) -> Weights:
    """The weights in a column of the data. `usable`: which rows have a target. Raises UnusableDataError."""
    column = source.columns.get(name)
    if column is None:
        has = cut(", ".join(one for one, there in source.columns.items() if there is not None), 600)
        raise UnusableDataError(
            f"sample_weight_attribute_name names {name!r}, which is not a column of numbers in the data. Columns: {has}."
        )
    raw = column.whole()
    values = raw
    if column.words is not None:
        parsed = [None if is_missing(word) else number(word) for word in column.words]
        values = numpy.array([*(numpy.nan if value is None else value for value in parsed), numpy.nan])[raw]
    bad = numpy.flatnonzero(usable & ~(numpy.isfinite(values) & (values >= 0)))
    if len(bad):
        row = int(bad[0])
        text = str(raw[row]) if column.words is None else column.words[raw[row]] if raw[row] >= 0 else ""
        holds = "has no value" if is_missing(text) else f"holds {cut(repr(text), 40)}"
        raise UnusableDataError(
            f"Weight column {name!r} {holds} in row {row + 1} of data/raw/ (rows without a valid weight: {len(bad)}). "
            "Each row with a target needs a number, 0 or larger. Correct the records, or leave sample_weight_attribute_name out."
        )
    if not values[usable].any():
        raise UnusableDataError(
            f"Weight column {name!r} is 0 in every row: nothing would be learned. Leave sample_weight_attribute_name out."
        )
    return Weights(name, values[usable], None)


def balanced(source: Source, name: str, targets: numpy.ndarray, labels: Sequence[str], train: numpy.ndarray) -> Weights:
    """Rows / (classes * rows of the class), counted among the training rows, as scikit-learn's `balanced`.

    `targets`: codes of `labels`. `train`: places of the training rows, which have a row of each class. Raises UnusableDataError.
    """
    if name in source.columns:
        raise UnusableDataError(f"Column {name!r} has the name that class_weights needs; call it something else.")
    counts = numpy.bincount(targets[train], minlength=len(labels))
    factors = len(train) / (len(labels) * counts)
    return Weights(name, factors[targets], dict(zip(labels, factors.tolist())))
