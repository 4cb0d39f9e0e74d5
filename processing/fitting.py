"""What is learned from the rows: the target's classes, which rows train and which test, each feature's encoding."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Sequence

import numpy
import pyarrow
from encoding import CATEGORICAL, NUMERIC, are_numbers, distinct, finite, numbers_of
from labels import unusable
from query_result import Source, UnusableDataError, cut
from splitting import LEAST_TRAINING_ROWS, TEST_SHARE
from words import UNKNOWN, Codes, categories, is_code, is_missing, is_missing_label, number

BINARY, MULTICLASS, REGRESSION = "BinaryClassification", "MulticlassClassification", "Regression"
# Fewer rows of a class cannot be split between training and test.
LEAST_OF_A_CLASS = 5
# More classes than these, all of them numbers, are taken for a quantity.
MOST_NUMBERED_CLASSES = 20
# Gradient boosting keeps the target in single precision, which ends at 3.4e38.
LARGEST_QUANTITY = 1e38


def read_target(source: Source, target: str, problem_type: str) -> tuple[numpy.ndarray, numpy.ndarray, list[str]]:
    """Rows that have a target, their targets (codes of `labels`, or float64 for regression), and the sorted labels.

    Raises UnusableDataError.
    """
    words, codes = distinct(source.columns[target])
    if all(map(is_missing_label, words)):
        raise UnusableDataError(f"Target column {target!r} is empty in all {source.rows} rows; choose another target.")
    if problem_type == REGRESSION:
        values, _ = numbers_of(words, codes)
        unfit = [not is_missing(word) and not _is_quantity(word) for word in words]
        bad = numpy.flatnonzero(numpy.array([*unfit, False])[codes])
        if len(bad):
            raise UnusableDataError(
                f"Target column {target!r} must be numeric for Regression, and holds {_shown(words[codes[bad[0]]])} in row "
                f"{bad[0] + 1} of data/raw/; set problem_type to a classification or fix the data."
            )
        rows = numpy.flatnonzero(~numpy.isnan(values))
        return rows, values[rows], []
    labels = sorted(word for word in words if not is_missing_label(word))
    place = {label: code for code, label in enumerate(labels)}
    meant = numpy.array([*(place.get(word, -1) for word in words), -1])[codes]
    rows = numpy.flatnonzero(meant >= 0)
    return rows, meant[rows], labels


def _is_quantity(text: str) -> bool:
    value = number(text)
    return value is not None and not math.isinf(value) and not is_code(text)


def check_trainable(targets: numpy.ndarray, labels: list[str], rows: int, target: str, problem_type: str) -> None:
    """Raises UnusableDataError if Autopilot could not train on 80 % of these rows, or the rest could not test it."""
    least = int(numpy.ceil(LEAST_TRAINING_ROWS / (1 - TEST_SHARE)))
    if len(targets) < least:
        lost = rows - len(targets)
        raise UnusableDataError(
            f"There are {len(targets)} rows with a value in target column {target!r}"
            + (f" ({lost} more have none)" if lost else "")
            + f" and at least {least} are needed: Autopilot trains on {LEAST_TRAINING_ROWS} or more, and a fifth is "
            f"kept for the test. Widen the range of customers{' or fill in the target' if lost else ''}."
        )
    if problem_type == REGRESSION:
        _check_quantity(targets, target)
    else:
        _check_classes(targets, labels, target, problem_type)


def _check_quantity(targets: numpy.ndarray, target: str) -> None:
    low, high = float(targets.min()), float(targets.max())
    if low == high:
        raise UnusableDataError(
            f"Target column {target!r} has one value only ({low!r}); there is nothing to learn. "
            "Widen the range of customers or choose another target."
        )
    if max(-low, high) > LARGEST_QUANTITY:
        raise UnusableDataError(
            f"Target column {target!r} reaches {high if high > -low else low!r}, and models compute with numbers up to "
            f"{LARGEST_QUANTITY:g}; give it in a larger unit."
        )


def _check_classes(targets: numpy.ndarray, labels: list[str], target: str, problem_type: str) -> None:
    counts = numpy.bincount(targets, minlength=len(labels))
    if len(labels) == 1:
        raise UnusableDataError(
            f"Target column {target!r} has one class only ({_shown(labels[0])}); there is nothing to learn. "
            "Widen the range of customers or choose another target."
        )
    too_many = problem_type == BINARY and len(labels) > 2
    unfit = too_many or counts.min() < LEAST_OF_A_CLASS
    if unfit and len(labels) > MOST_NUMBERED_CLASSES and all(number(label) is not None for label in labels):
        raise UnusableDataError(
            f"Target column {target!r} holds {len(labels)} different numbers, which is a quantity rather than "
            "classes; set problem_type to Regression and objective_metric_name to RMSE, or choose another target."
        )
    for label in labels:
        if "\0" in label:
            raise UnusableDataError(
                f"Class {_shown(label)} of target column {target!r} holds a NUL character, at which readers of CSV stop; "
                "fix the data."
            )
    if too_many:
        shown = ", ".join(map(_shown, labels[:5])) + (", ..." if len(labels) > 5 else "")
        raise UnusableDataError(
            f"Target column {target!r} has {len(labels)} classes ({shown}) and BinaryClassification takes 2; "
            "set problem_type to MulticlassClassification or fix the data."
        )
    if counts.min() < LEAST_OF_A_CLASS:
        raise UnusableDataError(
            f"Class {_shown(labels[int(counts.argmin())])} of target column {target!r} has {_rows(counts.min())}, and "
            f"{LEAST_OF_A_CLASS} are needed to be in training and test. Add rows of it, merge it with another class, or "
            "leave its rows out."
        )
    problem = unusable(labels, target)
    if problem:
        raise UnusableDataError(problem)


def check_features(features: Sequence[Feature], train: numpy.ndarray) -> None:
    """Raises UnusableDataError if no feature has two values among the training rows (places `train`)."""
    if not features:
        raise UnusableDataError(
            "No column besides ids, metadata and the target holds any value; there is nothing to learn from. "
            "Add features to the feature group."
        )
    if all((feature.values[train] == feature.values[train[0]]).all() for feature in features):
        names = ", ".join(repr(feature.specification["name"]) for feature in features)
        raise UnusableDataError(
            f"The features ({cut(names, 400)}) have the same value in every row; there is nothing to learn from. "
            "Add features that differ between customers, or widen the range of customers."
        )


def _rows(count: int) -> str:
    return f"{count} row" if count == 1 else f"{count} rows"


def _shown(value: str) -> str:
    """A value as it may stand in a message: short, on one line."""
    return cut(repr(value), 40)


@dataclass
class Feature:
    """One encoded column, float64 or int64, with how it was encoded and its raw values as a client would send them.

    `raw` is float64 with nan for missing, or distinct texts and each row's place among them (-1 for missing).
    """

    specification: dict[str, Any]
    values: numpy.ndarray
    raw: numpy.ndarray | tuple[list[str], numpy.ndarray]


def fit(name: str, column: Any, rows: numpy.ndarray | None, train: numpy.ndarray) -> Feature | None:
    """Learns a column from its training rows and encodes all; None if those have no value at all.

    `rows` are the source's rows to use (None for all), `train` places among them.
    """
    words, codes, values = [], numpy.empty(0), None
    if pyarrow.types.is_floating(column.type):
        values = finite(column.to_numpy())
    else:
        words, codes = distinct(column)
        # Whether a column is numeric is a question of all its values, which is not learning from the test rows.
        if are_numbers(words):
            values, _ = numbers_of(words, codes)
    if values is not None:
        values = values if rows is None else values[rows]
        known = values[train]
        known = known[~numpy.isnan(known)]
        if len(known) == 0:
            return None
        # Halved first: the mean of the two in the middle must not leave the range of a double.
        median = 2 * float(numpy.median(known / 2))
        specification = {"name": name, "kind": NUMERIC, "median": median}
        return Feature(specification, numpy.where(numpy.isnan(values), median, values), values)
    codes = codes if rows is None else codes[rows]
    seen = numpy.bincount(codes[train] + 1, minlength=len(words) + 1) > 0
    found = {word for word, there in zip(words, seen[1:]) if there}
    if not found:
        return None
    known = categories(found | {UNKNOWN} if seen[0] else found)
    place = Codes(known)
    # One entry a distinct value, and at the end (where -1 points) the one for missing.
    table = numpy.array([*map(place.of, words), place.missing], dtype=numpy.int64)
    return Feature({"name": name, "kind": CATEGORICAL, "categories": known}, table[codes], (words, codes))
