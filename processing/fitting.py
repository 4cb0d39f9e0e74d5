"""What is learned from the rows: the target's classes, which rows train and which test, each feature's encoding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy
import pyarrow
from encoding import CATEGORICAL, NUMERIC, UNKNOWN, distinct, finite, numbers_of
from query_result import Source, UnusableData
from sklearn.model_selection import train_test_split

BINARY, MULTICLASS, REGRESSION = "BinaryClassification", "MulticlassClassification", "Regression"
TEST_SHARE = 0.2
# Autopilot refuses to train on fewer rows than this.
LEAST_TRAINING_ROWS = 500


def read_target(source: Source, target: str, problem_type: str) -> tuple[numpy.ndarray, numpy.ndarray, list[str]]:
    """Rows that have a target, their targets (codes of `labels`, or float64 for regression), and the sorted labels."""
    words, codes = distinct(source.columns[target])
    if not words:
        raise UnusableData(f"Target column {target!r} is empty in all {source.rows} rows; choose another target.")
    if problem_type == REGRESSION:
        values, bad = numbers_of(words, codes)
        if bad is not None:
            raise UnusableData(
                f"Target column {target!r} must be numeric for Regression, and holds {words[codes[bad]][:40]!r}; "
                "set problem_type to a classification or mend the data."
            )
        rows = numpy.flatnonzero(~numpy.isnan(values))
        return rows, values[rows], []
    rows = numpy.flatnonzero(codes >= 0)
    labels = sorted(words)
    place = {label: code for code, label in enumerate(labels)}
    return rows, numpy.array([place[word] for word in words])[codes[rows]], labels


def check_trainable(targets: numpy.ndarray, labels: list[str], rows: int, target: str, problem_type: str) -> None:
    """Raises UnusableData if Autopilot could not train on 80 % of these rows, or the rest could not test it."""
    least = int(numpy.ceil(LEAST_TRAINING_ROWS / (1 - TEST_SHARE)))
    if len(targets) < least:
        lost = f" ({rows - len(targets)} more have no target)" if len(targets) < rows else ""
        raise UnusableData(
            f"There are {len(targets)} rows with a target{lost} and at least {least} are needed: Autopilot trains on "
            f"{LEAST_TRAINING_ROWS} or more, and a fifth is kept for the test. Widen the range of customers."
        )
    if problem_type == REGRESSION:
        return
    counts = numpy.bincount(targets, minlength=len(labels))
    if len(labels) == 1:
        raise UnusableData(
            f"Target column {target!r} has one class only ({labels[0]!r}); there is nothing to learn. "
            "Widen the range of customers or choose another target."
        )
    if problem_type == BINARY and len(labels) > 2:
        shown = ", ".join(repr(label[:40]) for label in labels[:5]) + (", ..." if len(labels) > 5 else "")
        raise UnusableData(
            f"Target column {target!r} has {len(labels)} classes ({shown}) and BinaryClassification takes 2; "
            "set problem_type to MulticlassClassification or mend the data."
        )
    if counts.min() < 5:
        label = labels[int(counts.argmin())]
        raise UnusableData(
            f"Class {label[:40]!r} of target column {target!r} has {counts.min()} row(s), and 5 are needed to be in "
            "training and test. Add rows of it, merge it with another class, or leave its rows out."
        )


def split(targets: numpy.ndarray, problem_type: str, seed: int) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Places of the training and of the test rows, each in the source's order, stratified where there are classes."""
    train, test = train_test_split(
        numpy.arange(len(targets)),
        test_size=TEST_SHARE,
        random_state=seed,
        stratify=None if problem_type == REGRESSION else targets,
    )
    return numpy.sort(train), numpy.sort(test)


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
        median = float(numpy.median(known))
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
