"""Which rows train, which validate and which test: at random, by time, or by whole groups.

A random split is stratified, and Autopilot makes its own validation rows. By time or by group it would make them at
random all the same, so that it gets them as a channel of their own: the newest of what is not tested, or other groups.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Sequence

import numpy
import pyarrow
from encoding import distinct, numbers_of
from query_result import UnusableDataError, cut
from sklearn.model_selection import train_test_split

STRATIFIED, TIME, GROUP = "stratified", "time", "group"
TEST_SHARE = 0.2
# Of the rows that are not tested, where Autopilot does not choose them itself; it takes a fifth, too.
VALIDATION_SHARE = 0.2
# Autopilot refuses to train on fewer rows than this.
LEAST_TRAINING_ROWS = 500
# Rows of one time or one group stay together, so that a share can only be reached about.
LEAST_SHARE, MOST_SHARE = 0.1, 0.3


@dataclass
class Parts:
    """Places of rows, each in the source's order. `validation` is empty where Autopilot chooses its own."""

    train: numpy.ndarray
    validation: numpy.ndarray
    test: numpy.ndarray


def stratified(targets: numpy.ndarray, is_regression: bool, seed: int) -> Parts:
    """At random, with each class in its proportion."""
    train, test = train_test_split(
        numpy.arange(len(targets)),
        test_size=TEST_SHARE,
        random_state=seed,
        stratify=None if is_regression else targets,
    )
    return Parts(numpy.sort(train), numpy.empty(0, dtype=numpy.int64), numpy.sort(test))


def by_time(times: numpy.ndarray) -> Parts:
    """The newest fifth as the test, the newest fifth of the rest for validation. Raises UnusableDataError.

    `times`: one number a row, larger is later.
    """
    return _twice(numpy.arange(len(times)), lambda rows, share: _newest(times[rows], share))


def by_group(groups: numpy.ndarray, seed: int) -> Parts:
    """Whole groups, drawn at random, as the test, and others for validation. Raises UnusableDataError.

    `groups`: a whole number a row, alike for the rows of a group; -1 for a row that belongs to none.
    """
    alone = groups < 0
    groups = numpy.where(alone, groups.max(initial=0) + numpy.cumsum(alone), groups)
    return _twice(numpy.arange(len(groups)), lambda rows, share: _drawn(groups[rows], share, seed))


def _twice(rows: numpy.ndarray, choose: Callable[[numpy.ndarray, float], numpy.ndarray]) -> Parts:
    """Test rows out of all, and validation rows out of the rest. `choose` marks about a share of the rows it is given."""
    tested = choose(rows, TEST_SHARE)
    rest = rows[~tested]
    validating = choose(rest, VALIDATION_SHARE)
    return Parts(rest[~validating], rest[validating], rows[tested])


def _newest(times: numpy.ndarray, share: float) -> numpy.ndarray:
    ordered = numpy.sort(times)
    begins = numpy.flatnonzero(numpy.diff(ordered)) + 1  # where a later time begins
    if len(begins) == 0:
        raise UnusableDataError(
            "split: time needs event times that differ, and every row has the same one. Load records with the time of "
            "what they describe, or set split to stratified."
        )
    begin = begins[numpy.abs(begins - (1 - share) * len(times)).argmin()]
    reached = 1 - begin / len(times)
    if not LEAST_SHARE <= reached <= MOST_SHARE:
        raise UnusableDataError(
            f"split: time needs about {share:.0%} of the rows to be newer than the rest, and so many share one event time "
            f"that {reached:.0%} is the nearest. Load records with finer times, or set split to stratified."
        )
    return times >= ordered[begin]


def _drawn(groups: numpy.ndarray, share: float, seed: int) -> numpy.ndarray:
    names, place, sizes = numpy.unique(groups, return_inverse=True, return_counts=True)
    order = numpy.random.default_rng(seed).permutation(len(names))
    order = order[sizes[order] <= MOST_SHARE * len(groups)]
    reached = numpy.cumsum(sizes[order]) / len(groups)
    chosen = numpy.zeros(len(names), dtype=bool)
    if len(order):
        chosen[order[: int(numpy.abs(reached - share).argmin()) + 1]] = True
    rows = chosen[place]
    if not LEAST_SHARE <= rows.mean() <= MOST_SHARE:
        raise UnusableDataError(
            f"split: group needs groups of which some make up about {share:.0%} of the rows: there are {len(names)} "
            f"groups, the largest with {sizes.max()} of {len(groups)} rows. Choose another split_group_column."
        )
    return rows


def check_parts(parts: Parts, targets: numpy.ndarray, labels: Sequence[str], target: str, split: str) -> None:
    """Raises UnusableDataError if too few rows are left to train on, or a part has no row of a class."""
    if len(parts.train) < LEAST_TRAINING_ROWS:
        raise UnusableDataError(
            f"split: {split} leaves {len(parts.train)} rows to train on, {len(parts.validation)} to validate and "
            f"{len(parts.test)} to test, and Autopilot trains on {LEAST_TRAINING_ROWS} or more. Widen the range of "
            "customers, or set split to stratified."
        )
    for name, rows in (("training", parts.train), ("validation", parts.validation), ("test", parts.test)):
        missing = (
            [labels[code] for code in set(range(len(labels))).difference(targets[rows].tolist())] if len(rows) else []
        )
        if missing:
            raise UnusableDataError(
                f"split: {split} leaves no row of class {cut(repr(sorted(missing)[0]), 40)} of target column {target!r} among "
                f"the {len(rows)} {name} rows. Widen the range of customers, or set split to stratified."
            )


def times_of(column: Any, name: str) -> numpy.ndarray:
    """Event times as numbers. Raises UnusableDataError.

    `column`: float64, or texts as the Feature Store takes them (ISO 8601); dates alone and times without a zone count as
    UTC (docs.aws.amazon.com/sagemaker/latest/dg/feature-store-quotas.html: data types of event time).
    """
    if pyarrow.types.is_floating(column.type):
        return column.to_numpy()  # an event time is never missing
    words, codes = distinct(column)
    if (codes < 0).any():
        raise UnusableDataError(f"split: time needs {name!r} in every row, and {int((codes < 0).sum())} have none.")
    values, odd = numbers_of(words, codes)
    if odd is None:
        return values
    for kind in (pyarrow.timestamp("ns", "UTC"), pyarrow.timestamp("ns")):
        try:
            moments = pyarrow.array(words, pyarrow.string()).cast(kind).cast(pyarrow.int64())
        except pyarrow.ArrowInvalid:
            continue
        return moments.to_numpy()[codes]
    raise UnusableDataError(
        f"split: time needs times in {name!r}, all written like 2026-11-23T21:00:00Z, and it holds {cut(repr(words[0]), 40)}, "
        "among others. Correct the records, or set split to stratified."
    )


def groups_of(column: Any) -> numpy.ndarray:
    """A whole number a row, alike for alike values, -1 where there is none."""
    if pyarrow.types.is_floating(column.type):
        values = column.to_numpy()
        known = ~numpy.isnan(values)
        groups = numpy.full(len(values), -1, dtype=numpy.int64)
        groups[known] = numpy.unique(values[known], return_inverse=True)[1]
        return groups
    return distinct(column)[1]
