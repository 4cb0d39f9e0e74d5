"""What is learned from the rows: the target's classes, which rows train and which test, each feature's encoding."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Iterator, Sequence

import numpy
from columns import MOST_HELD, Column, count_distinct, known_of, median
from encoding import CATEGORICAL, NUMERIC, at, finite, numbers_of
from labels import unusable
from query_result import Source
from splitting import LEAST_TRAINING_ROWS, ROLES, TEST, TEST_SHARE, TRAIN, Roles
from unusable_data import UnusableDataError, cut
from words import UNKNOWN, Codes, categories, is_code, is_missing, is_missing_label, number

BINARY, MULTICLASS, REGRESSION = "BinaryClassification", "MulticlassClassification", "Regression"
# Fewer rows of a class cannot be split between training and test.
LEAST_OF_A_CLASS = 5
# More classes than these, all of them numbers, are taken for a quantity.
MOST_NUMBERED_CLASSES = 20
# Gradient boosting keeps the target in single precision, which ends at 3.4e38.
LARGEST_QUANTITY = 1e38


def read_target(source: Source, target: str, problem_type: str) -> tuple[numpy.ndarray, numpy.ndarray, list[str]]:
    """Which rows have a target (bool), their targets (codes of `labels`, or float64 for regression), the sorted labels.

    Raises UnusableDataError.
    """
    column = source.columns[target]
    if column.words is None:
        values = column.whole()
        words, codes = ["inf", "-inf"], numpy.where(numpy.isinf(values), (values < 0).astype(numpy.int8), -1)
        empty = numpy.isnan(values).all()
    else:
        words, codes = column.words, column.whole()
        values, _ = numbers_of(words, codes) if problem_type == REGRESSION else (codes, None)
        empty = all(map(is_missing_label, words))
    if empty:
        raise UnusableDataError(f"Target column {target!r} is empty in all {source.rows} rows; choose another target.")
    if problem_type == REGRESSION:
        unfit = [not is_missing(word) and not _is_quantity(word) for word in words]
        bad = numpy.flatnonzero(numpy.array([*unfit, False])[codes])
        if len(bad):
            raise UnusableDataError(
                f"Target column {target!r} must be numeric for Regression, and holds {_shown(words[codes[bad[0]]])} in row "
                f"{bad[0] + 1} of data/raw/; set problem_type to a classification or fix the data."
            )
        usable = ~numpy.isnan(values)
        return usable, values[usable], []
    labels = sorted(word for word in words if not is_missing_label(word))
    place = {label: code for code, label in enumerate(labels)}
    meant = numpy.array([*(place.get(word, -1) for word in words), -1], dtype=numpy.int32)[codes]
    usable = meant >= 0
    return usable, meant[usable], labels


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


def check_features(features: Sequence[Feature]) -> None:
    """Raises UnusableDataError if no feature has two values among the training rows."""
    if not features:
        raise UnusableDataError(
            "No column besides ids, metadata and the target holds any value; there is nothing to learn from. "
            "Add features to the feature group."
        )
    if not any(feature.varies for feature in features):
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
    """One column with how it is encoded, and what all rows with a target hold there.

    `known` and `missing`: rows with and without a value. `distinct`: different values. `varies`: whether the training rows
    differ, once encoded. `constant`: whether all rows are alike, once encoded.

    Texts: `counts` are rows for each of the column's words; `trained` and `tested` those of the training and of the test
    rows, with the missing ones at the end; `unseen` test rows with a category that training does not have. Numbers: `low`
    and `high` are the least and the largest; `whole`: whether all are integers.
    """

    specification: dict[str, Any]
    column: Column
    known: int
    missing: int
    distinct: int
    varies: bool
    constant: bool
    table: numpy.ndarray = field(default_factory=lambda: numpy.empty(0))
    counts: numpy.ndarray = field(default_factory=lambda: numpy.empty(0))
    trained: numpy.ndarray = field(default_factory=lambda: numpy.empty(0))
    tested: numpy.ndarray = field(default_factory=lambda: numpy.empty(0))
    unseen: int = 0
    low: float = math.nan
    high: float = math.nan
    whole: bool = False

    @property
    def is_number(self) -> bool:
        """Whether the column is one of numbers."""
        return self.column.words is None

    def raw(self, place: int) -> numpy.ndarray:
        """A piece's raw values: float64 with nan for missing, or places among the column's words with -1."""
        return finite(self.column.piece(place)) if self.is_number else self.column.piece(place)

    def raw_at(self, rows: numpy.ndarray) -> numpy.ndarray:
        """The raw values of some of the source's rows."""
        return finite(self.column.at(rows)) if self.is_number else self.column.at(rows)

    def filled(self, raw: numpy.ndarray) -> numpy.ndarray:
        """Raw values with the median where a number is missing; places among words stay what they are."""
        return numpy.where(numpy.isnan(raw), self.specification["median"], raw) if self.is_number else raw

    def encode(self, raw: numpy.ndarray) -> numpy.ndarray:
        """Raw values as the model sees them: float64 or int64."""
        return self.filled(raw) if self.is_number else at(self.table, raw)


def fit(column: Column, roles: Roles) -> Feature | None:
    """Learns a column from its training rows; None if those have no value at all."""
    return _fit_numbers(column, roles) if column.words is None else _fit_texts(column, roles)


def _fit_numbers(column: Column, roles: Roles) -> Feature | None:
    missing, known, low, high, whole = 0, 0, math.inf, -math.inf, True
    trained, trained_missing, trained_low, trained_high = 0, 0, math.inf, -math.inf
    held: list[numpy.ndarray] = []  # the training rows' numbers, if they are few
    for place in range(len(roles.pieces)):
        values = finite(column.piece(place))
        used = values[roles.used(place)]
        there = known_of(used)
        missing, known = missing + len(used) - len(there), known + len(there)
        low, high = min(low, there.min(initial=math.inf)), max(high, there.max(initial=-math.inf))
        whole = whole and bool((there == numpy.floor(there)).all())
        training = values[roles.rows(place, TRAIN)]
        there = known_of(training)
        held = [*held, there] if trained + len(there) <= MOST_HELD else []
        trained, trained_missing = trained + len(there), trained_missing + len(training) - len(there)
        trained_low = min(trained_low, there.min(initial=math.inf))
        trained_high = max(trained_high, there.max(initial=-math.inf))
    if trained == 0:
        return None

    def pieces(role: int | None) -> Iterator[numpy.ndarray]:
        for place in range(len(roles.pieces)):
            values = finite(column.piece(place))
            yield known_of(values[roles.used(place) if role is None else roles.rows(place, role)])

    middle = median(lambda: held or pieces(TRAIN), trained)
    return Feature(
        {"name": column.name, "kind": NUMERIC, "median": middle},
        column,
        known,
        missing,
        count_distinct(lambda: pieces(None), known),
        varies=trained_low != trained_high or bool(trained_missing and middle != trained_low),
        constant=low == high and not (missing and middle != low),
        low=float(low),
        high=float(high),
        whole=whole,
    )


def _fit_texts(column: Column, roles: Roles) -> Feature | None:
    words = column.words or []
    width = len(words) + 1
    counts = numpy.zeros(ROLES * width, numpy.int64)
    for place in range(len(roles.pieces)):
        used = roles.used(place)
        codes, of = column.piece(place)[used], roles.of(place)[used].astype(numpy.int64)
        counts += numpy.bincount(of * width + codes + 1, minlength=ROLES * width)
    by_role = counts.reshape(ROLES, width)
    seen = by_role[TRAIN] > 0
    found = {word for word, there in zip(words, seen[1:]) if there}
    if not found:
        return None
    known = categories(found | {UNKNOWN} if seen[0] else found)
    place_of = Codes(known)
    # One entry a distinct value, and at the end (where -1 points) the one for missing.
    table = numpy.array([*map(place_of.of, words), place_of.missing], dtype=numpy.int64)
    encoded = numpy.append(table[-1], table[:-1])  # in the order of the counts
    all_rows = by_role.sum(axis=0)
    return Feature(
        {"name": column.name, "kind": CATEGORICAL, "categories": known},
        column,
        int(all_rows[1:].sum()),
        int(all_rows[0]),
        int((all_rows[1:] > 0).sum()),
        varies=len(numpy.unique(encoded[seen])) > 1,
        constant=len(numpy.unique(encoded[all_rows > 0])) == 1,
        table=table,
        counts=all_rows[1:],
        trained=numpy.roll(by_role[TRAIN], -1),
        tested=numpy.roll(by_role[TEST], -1),
        unseen=int(by_role[TEST][encoded >= len(known)].sum()),
    )
