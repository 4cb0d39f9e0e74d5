"""What is learned from the rows: the target's classes, which rows train and which test, each feature's encoding."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Sequence

import numpy
import pyarrow
from encoding import CATEGORICAL, NUMERIC, UNKNOWN, distinct, finite, number, numbers_of
from query_result import Source, UnusableDataError, cut
from splitting import LEAST_TRAINING_ROWS, TEST_SHARE

BINARY, MULTICLASS, REGRESSION = "BinaryClassification", "MulticlassClassification", "Regression"
# Fewer rows of a class cannot be split between training and test.
LEAST_OF_A_CLASS = 5
# More classes than these, all of them numbers, are taken for a quantity.
MOST_NUMBERED_CLASSES = 20
# Every integer up to here has a double of its own.
LARGEST_EXACT_INTEGER = 2**53
INTEGER = re.compile(r"[+-]?[0-9]+")
# Gradient boosting keeps the target in single precision, which ends at 3.4e38.
LARGEST_QUANTITY = 1e38


def read_target(source: Source, target: str, problem_type: str) -> tuple[numpy.ndarray, numpy.ndarray, list[str]]:
    """Rows that have a target, their targets (codes of `labels`, or float64 for regression), and the sorted labels.

    Raises UnusableDataError.
    """
    words, codes = distinct(source.columns[target])
    if not words:
        raise UnusableDataError(f"Target column {target!r} is empty in all {source.rows} rows; choose another target.")
    if problem_type == REGRESSION:
        values, bad = numbers_of(words, codes)
        if bad is not None:
            raise UnusableDataError(
                f"Target column {target!r} must be numeric for Regression, and holds {_shown(words[codes[bad]])}; "
                "set problem_type to a classification or mend the data."
            )
        rows = numpy.flatnonzero(~numpy.isnan(values))
        return rows, values[rows], []
    rows = numpy.flatnonzero(codes >= 0)
    labels = sorted(words)
    place = {label: code for code, label in enumerate(labels)}
    return rows, numpy.array([place[word] for word in words])[codes[rows]], labels


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
                "mend the data."
            )
    if too_many:
        shown = ", ".join(map(_shown, labels[:5])) + (", ..." if len(labels) > 5 else "")
        raise UnusableDataError(
            f"Target column {target!r} has {len(labels)} classes ({shown}) and BinaryClassification takes 2; "
            "set problem_type to MulticlassClassification or mend the data."
        )
    if counts.min() < LEAST_OF_A_CLASS:
        raise UnusableDataError(
            f"Class {_shown(labels[int(counts.argmin())])} of target column {target!r} has {_rows(counts.min())}, and "
            f"{LEAST_OF_A_CLASS} are needed to be in training and test. Add rows of it, merge it with another class, or "
            "leave its rows out."
        )
    _check_class_names(labels, target)


def _check_class_names(labels: list[str], target: str) -> None:
    """Raises UnusableDataError for classes that Autopilot, which infers types when it reads CSV, could not tell apart."""
    for label in labels:
        if any(mark in label for mark in ',"\r\n'):
            raise UnusableDataError(
                f"Class {_shown(label)} of target column {target!r} holds a comma, a double quote or a line break, which "
                "does not survive in the CSV that the model answers with. Rename the class."
            )
    senses = [_sense(label) for label in labels]
    if None in senses:  # one text among them, and all of them are read as texts
        return
    if all(number(label) is not None for label in labels):
        large = [label for label in labels if INTEGER.fullmatch(label) and abs(int(label)) > LARGEST_EXACT_INTEGER]
        if large:
            raise UnusableDataError(
                f"Class {_shown(large[0])} of target column {target!r} is an integer beyond 2^53, which a double cannot "
                "hold exactly: Autopilot may confuse it with its neighbors. Put a letter in front of every class."
            )
    groups: dict[str | None, list[str]] = {}
    for label, sense in zip(labels, senses):
        groups.setdefault(sense, []).append(label)
    for sense, alike in groups.items():
        if len(alike) > 1:
            raise UnusableDataError(
                f"Classes {' and '.join(map(_shown, alike[:5]))} of target column {target!r} cannot be told apart: "
                f"Autopilot reads each of them as {sense}. Use one spelling, or put a letter in front of every class."
            )


def _sense(label: str) -> str | None:
    """What a reader of CSV that infers types takes the label for: a number or a boolean; None for a text."""
    if label in ("True", "TRUE", "true", "False", "FALSE", "false"):
        return label.capitalize()
    value = number(label)
    return None if value is None else repr(value + 0.0).removesuffix(".0")


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
    words, codes = [], numpy.empty(0)
    if pyarrow.types.is_floating(column.type):
        values, bad = finite(column.to_numpy()), None
    else:
        words, codes = distinct(column)
        # Whether a column is numeric is a question of all its values, which is not learning from the test rows.
        values, bad = numbers_of(words, codes)
    if bad is None:
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
    categories = sorted(found | {UNKNOWN} if seen[0] else found)
    place = {category: code for code, category in enumerate(categories)}
    # One entry a distinct value, and at the end (where -1 points) the one for missing.
    table = numpy.array([place.get(word, len(categories)) for word in [*words, UNKNOWN]], dtype=numpy.int64)
    return Feature({"name": name, "kind": CATEGORICAL, "categories": categories}, table[codes], (words, codes))
