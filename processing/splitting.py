"""Which rows train, which validate and which test: at random, by time, or by whole groups.

A random split is stratified, and Autopilot makes its own validation rows. By time or by group it would make them at
random all the same, so that it gets them as a channel of their own: the newest of what is not tested, or other groups.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Callable, Iterator, Sequence, TypeVar

import numpy
import plain
from columns import NO_KEY, Column, Threads
from encoding import pyarrow
from unusable_data import UnusableDataError, cut

Result = TypeVar("Result")

STRATIFIED, TIME, GROUP = "stratified", "time", "group"
TEST_SHARE = 0.2
# Of the rows that are not tested, where Autopilot does not choose them itself; it takes a fifth, too.
VALIDATION_SHARE = 0.2
# Autopilot refuses to train on fewer rows than this.
LEAST_TRAINING_ROWS = 500
# Rows of one time or one group stay together, so that a share can only be reached about: half of it, or half as much again.
LEAST_REACHED, MOST_REACHED = 0.5, 1.5
TRAIN, VALIDATION, TEST = range(3)
ROLES = 3
WITHOUT_TARGET = -1


@dataclass
class Parts:
    """Places of rows, each in the source's order. `validation` is empty where Autopilot chooses its own."""

    train: numpy.ndarray
    validation: numpy.ndarray
    test: numpy.ndarray

    @property
    def count(self) -> int:
        """Rows of all parts."""
        return len(self.train) + len(self.validation) + len(self.test)


class Roles:
    """What each of the source's rows is for, in the pieces in which columns lie on disk."""

    def __init__(self, pieces: Sequence[int], usable: numpy.ndarray, parts: Parts, engine: Any = Threads):
        """`pieces`: the rows of each. `usable`: which of them all have a target. `parts`: places among those.

        `engine`: what computes from columns, where they lie (see `columns.Threads`).
        """
        self.pieces = pieces
        self._engine = engine
        self.validating = len(parts.validation) > 0
        self._ends = numpy.cumsum(pieces, dtype=numpy.int64)
        roles = numpy.empty(parts.count, numpy.int8)
        for role, places in ((TRAIN, parts.train), (VALIDATION, parts.validation), (TEST, parts.test)):
            roles[places] = role
        self._usable = None if usable.all() else usable
        self._roles = roles
        if self._usable is not None:
            self._roles = numpy.full(len(usable), WITHOUT_TARGET, numpy.int8)
            self._roles[usable] = roles

    @property
    def all(self) -> numpy.ndarray:
        """The role of each of the source's rows (int8)."""
        return self._roles

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_engine": None}  # stays where it is when rows are worked on elsewhere

    def by_column(self, function: Callable[[Any], Result], items: Sequence[Any]) -> Iterator[Result]:
        """`function` of each column, or feature with its column, in their order."""
        return self._engine.by_column(function, items)

    def by_piece(self, function: Callable[[int], Result]) -> Iterator[Result]:
        """`function` of each piece's place in turn."""
        return self._engine.by_piece(function, range(len(self.pieces)))

    def of(self, place: int) -> numpy.ndarray:
        """The role of each row of a piece (int8)."""
        return self._roles[self._ends[place] - self.pieces[place] : self._ends[place]]

    def used(self, place: int) -> slice | numpy.ndarray:
        """Those rows of a piece that have a target, as an index."""
        return slice(None) if self._usable is None else self.of(place) != WITHOUT_TARGET

    def rows(self, place: int, role: int) -> numpy.ndarray:
        """Which rows of a piece are for `role`."""
        return numpy.flatnonzero(self.of(place) == role)

    def first_used(self, place: int) -> int:
        """How many rows before a piece have a target."""
        begin = int(self._ends[place]) - self.pieces[place]
        return begin if self._usable is None else int(numpy.count_nonzero(self._usable[:begin]))

    def source_rows(self, places: numpy.ndarray) -> numpy.ndarray:
        """The source's rows of these places among those that have a target."""
        return places if self._usable is None else numpy.flatnonzero(self._usable)[places]


def stratified(targets: numpy.ndarray, is_regression: bool, seed: int, share: float = TEST_SHARE) -> Parts:
    """At random, with each class in its proportion.

    The same rows as scikit-learn's train_test_split chooses, without its import, which takes longer than the split of a
    million rows, and with a fifth of its memory.
    """
    generator = numpy.random.RandomState(seed)
    tested = numpy.zeros(len(targets), dtype=bool)
    test = math.ceil(share * len(targets))
    if is_regression:
        tested[generator.permutation(len(targets))[:test]] = True
    else:
        counts = numpy.bincount(targets)
        training = _shared_out(counts, len(targets) - test, generator)
        testing = _shared_out(counts - training, test, generator)
        rare = (testing == 0) & (training > 1)  # of a small share
        training[rare], testing[rare] = training[rare] - 1, 1
        for code, count in enumerate(counts):
            order = generator.permutation(count)[training[code] : training[code] + testing[code]]
            tested[numpy.flatnonzero(targets == code)[order]] = True
    return Parts(_places(~tested), numpy.empty(0, dtype=numpy.int32), _places(tested))


def _places(chosen: numpy.ndarray) -> numpy.ndarray:
    return numpy.flatnonzero(chosen).astype(numpy.int32)


def _shared_out(counts: numpy.ndarray, total: int, generator: numpy.random.RandomState) -> numpy.ndarray:
    """`total` draws shared among classes in proportion to their counts, as scikit-learn's _approximate_mode does."""
    exact = counts / counts.sum() * total
    shares = numpy.floor(exact)
    left = int(total - shares.sum())
    remainders = exact - shares
    for remainder in numpy.unique(remainders)[::-1]:
        if left <= 0:
            break
        alike = numpy.flatnonzero(remainders == remainder)
        chosen = generator.choice(alike, size=min(len(alike), left), replace=False)
        shares[chosen] += 1
        left -= len(chosen)
    return shares.astype(int)


def by_time(times: numpy.ndarray, share: float = TEST_SHARE) -> Parts:
    """The newest `share` as the test, the newest fifth of the rest for validation. Raises UnusableDataError.

    `times`: one number a row, larger is later.
    """
    return _twice(numpy.arange(len(times)), share, lambda rows, share: _newest(times[rows], share))


def by_group(groups: numpy.ndarray, seed: int, share: float = TEST_SHARE) -> Parts:
    """Whole groups, drawn at random, as the test, and others for validation. Raises UnusableDataError.

    `groups`: a whole number a row, alike for the rows of a group; -1 for a row that belongs to none.
    """
    alone = groups < 0
    groups = numpy.where(alone, groups.max(initial=0) + numpy.cumsum(alone), groups)
    return _twice(numpy.arange(len(groups)), share, lambda rows, share: _drawn(groups[rows], share, seed))


def _twice(rows: numpy.ndarray, share: float, choose: Callable[[numpy.ndarray, float], numpy.ndarray]) -> Parts:
    """Test rows out of all, and validation rows out of the rest. `choose` marks about a share of the rows it is given."""
    tested = choose(rows, share)
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
    if not LEAST_REACHED * share <= reached <= MOST_REACHED * share:
        raise UnusableDataError(
            f"split: time needs about {share:.0%} of the rows to be newer than the rest, but many rows share one event "
            f"time, and {reached:.0%} is the nearest possible. Load records with finer times, or set split to stratified."
        )
    return times >= ordered[begin]


def _drawn(groups: numpy.ndarray, share: float, seed: int) -> numpy.ndarray:
    names, place, sizes = numpy.unique(groups, return_inverse=True, return_counts=True)
    order = numpy.random.default_rng(seed).permutation(len(names))
    order = order[sizes[order] <= MOST_REACHED * share * len(groups)]
    reached = numpy.cumsum(sizes[order]) / len(groups)
    chosen = numpy.zeros(len(names), dtype=bool)
    if len(order):
        chosen[order[: int(numpy.abs(reached - share).argmin()) + 1]] = True
    rows = chosen[place]
    if not LEAST_REACHED * share <= rows.mean() <= MOST_REACHED * share:
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
        counts = numpy.bincount(targets[rows], minlength=len(labels)) if labels and len(rows) else numpy.empty(0)
        missing = [labels[code] for code in numpy.flatnonzero(counts == 0)]
        if missing:
            raise UnusableDataError(
                f"split: {split} leaves no row of class {cut(repr(missing[0]), 40)} of target column {target!r} among "
                f"the {len(rows)} {name} rows. Widen the range of customers, or set split to stratified."
            )


def times_of(column: Column, name: str) -> numpy.ndarray:
    """Event times as numbers. Raises UnusableDataError.

    `column`: float64, or keys from `time_keys`.
    """
    if column.problem:
        raise UnusableDataError(column.problem)
    times = column.whole()
    missing = numpy.isnan(times) if column.dtype == numpy.float64 else times == NO_KEY
    if missing.any():
        raise UnusableDataError(f"split: time needs {name!r} in every row, and {int(missing.sum())} have none.")
    return times


def time_keys(name: str) -> Callable[[list[str]], numpy.ndarray]:
    """A function from texts of column `name` to nanoseconds. It raises UnusableDataError.

    Texts are as the Feature Store takes them (ISO 8601); dates alone and times without a zone count as UTC
    (docs.aws.amazon.com/sagemaker/latest/dg/feature-store-quotas.html: data types of event time).
    """
    kinds: list[bool] = []

    def keys(texts: list[str]) -> numpy.ndarray:
        for zoned in kinds or (True, False):
            try:
                moments = _moments(texts, zoned)
            except ValueError:
                continue
            kinds[:] = [zoned] if texts else kinds  # alike in all rows
            return moments
        raise UnusableDataError(
            f"split: time needs times in {name!r}, all written like 2026-11-23T21:00:00Z, and it holds "
            f"{cut(repr(texts[0]), 40)}, among others. Correct the records, or set split to stratified."
        )

    return keys


def _moments(texts: list[str], zoned: bool) -> numpy.ndarray:
    """Nanoseconds since 1970 (int64). Raises ValueError if any text is no time, or one of the other kind."""
    if pyarrow is None:
        return plain.moments(texts, zoned)
    kind = pyarrow.timestamp("ns", "UTC") if zoned else pyarrow.timestamp("ns")
    return pyarrow.array(texts, pyarrow.string()).cast(kind).cast(pyarrow.int64()).to_numpy()


def groups_of(column: Column) -> numpy.ndarray:
    """A whole number a row, alike for alike values, -1 where there is none. `column`: float64, or keys from `group_keys`."""
    values = column.whole()
    known = ~numpy.isnan(values) if column.dtype == numpy.float64 else values != NO_KEY
    groups = numpy.full(len(values), -1, dtype=numpy.int64)
    _, first, place = numpy.unique(values[known], return_index=True, return_inverse=True)
    if column.dtype != numpy.float64:  # keys have no order of their own: the one in which they come
        rank = numpy.empty(len(first), numpy.int64)
        rank[numpy.argsort(first)] = numpy.arange(len(first))
        place = rank[place]
    groups[known] = place
    return groups


def group_keys(texts: list[str]) -> numpy.ndarray:
    """A 64-bit hash for each text: of ten million, two share one with a chance of 3 in a million."""
    from pandas.util import hash_array  # half a second that other runs need not wait

    return hash_array(numpy.array(texts, dtype=object), categorize=False).view(numpy.int64)
