"""Finds what makes metrics misleading or a model useless (leakage, duplicates, ids), before AutoML costs money.

Each check is bounded: leakage looks at a sample of the training rows, everything else at all rows once.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Callable, Iterator, Mapping, Sequence

import numpy
from columns import in_turn
from encoding import at
from fitting import Feature
from labels import MOST_COMPARED, RARE, near_twins
from splitting import TEST, Parts, Roles
from unusable_data import cut

# Rows of each class (or of all, for a regression) in which leakage is searched for.
SAMPLE = 5000
# From this balanced accuracy (or rank correlation, for a regression) of a single feature on, it is leakage.
LEAKING, LEAKING_QUANTITY = 0.97, 0.995
BINS = 64
# A column with more distinct values than this share of the rows identifies rows.
ID_SHARE = 0.95
# Test rows that are also among the training rows are reported from this share of the test rows on.
LEAST_DUPLICATES = 0.01
# If more than this share of the duplicates have another target in training, rows are equal by chance: copies have one target.
CONTRADICTED = 0.2
# Fewer rows of a class in the test make its recall uncertain by more than 0.18 (1.96 * sqrt(0.25 / n)).
LEAST_OF_A_CLASS_IN_TEST = 30
NAMED = 10
# Rows that are compared in one batch.
BATCH = 1 << 18
ID_NAME = re.compile(r"(^|[_\W])(id|uuid|guid|key)$", re.IGNORECASE)


@dataclass
class Finding:
    """A sentence for a person. `stops`: whether the setting data_checks: Require ends the run for it; `misleads`: whether
    it makes the metrics better than the model is.
    """

    text: str
    stops: bool
    misleads: bool = False


@dataclass
class Rows:
    """What is checked: the features, the targets of the rows that have one, and which of those rows train and test."""

    features: Sequence[Feature]
    targets: numpy.ndarray
    labels: Sequence[str]
    target: str
    parts: Parts
    roles: Roles
    seed: int


def findings(rows: Rows, near_numeric: Mapping[str, Finding]) -> list[Finding]:
    """All findings, the gravest first.

    `near_numeric`: the findings of columns that are nearly numeric, which are no identifiers for that.
    """
    leaks = list(rows.roles.by_column(leak_of(rows), rows.features))
    leaking = [(feature.specification["name"], leak) for feature, leak in zip(rows.features, leaks) if leak]
    found = [Finding(f"Column {name!r} alone {leak}", True, misleads=True) for name, leak in leaking]
    found += duplicates(rows)
    ids = [feature.specification["name"] for feature in rows.features if is_id(feature)]
    found += near_numeric.values()
    found += [
        Finding(
            f"Column {name!r} has about one value a row, as an identifier does: a model learns those by heart. "
            "Leave it out with exclude_columns.",
            True,
        )
        for name in ids
        if name not in near_numeric
    ]
    constant = [feature.specification["name"] for feature in rows.features if feature.constant]
    if constant:
        found.append(Finding(f"Nothing can be learned from {listed(constant)}: one value in every row.", False))
    return _capped(found) + classes(rows)


def _capped(found: list[Finding]) -> list[Finding]:
    """The first findings alone: a message about 2,500 ids says no more than one about ten."""
    more = len(found) - NAMED
    return (
        found if more <= 0 else [*found[:NAMED], Finding(f"{more} more findings of these kinds are not listed.", False)]
    )


def listed(names: Sequence[str]) -> str:
    """Column names as they may stand in a sentence."""
    shown = ", ".join(repr(name) for name in names[:NAMED])
    return f"{cut(shown, 300)} and {len(names) - NAMED} more" if len(names) > NAMED else cut(shown, 300)


def _together(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}"


def _ranks(values: numpy.ndarray) -> numpy.ndarray:
    """Ranks from 1; equal values have the mean of their ranks."""
    _, place, counts = numpy.unique(values, return_inverse=True, return_counts=True)
    return (numpy.cumsum(counts) - (counts - 1) / 2)[place]


def leak_of(rows: Rows) -> Callable[[Feature], str | None]:
    """A function from a feature to the end of the sentence that says how it gives the target away, or None."""
    generator = numpy.random.default_rng(rows.seed)
    order = generator.permutation(rows.parts.train)
    if not rows.labels:
        sample = order[: 2 * SAMPLE]
        ranks, places = _ranks(rows.targets[sample]), rows.roles.source_rows(sample)

        def leaks_quantity(feature: Feature) -> str | None:
            values = feature.encode(feature.raw_at(places))
            if (values == values[0]).all():
                return None
            correlation = float(numpy.corrcoef(_ranks(values), ranks)[0, 1])
            if not feature.is_number or abs(correlation) < LEAKING_QUANTITY:
                return None
            return (
                f"orders the rows as the target does (rank correlation {correlation:.3f}): if it is known only after the "
                "outcome, leave it out with exclude_columns."
            )

        return leaks_quantity

    # As many rows of a rare class as there are, and alike in both halves.
    targets = rows.targets[order]
    by_class = [order[targets == code][:SAMPLE] for code in range(len(rows.labels))]
    learned = numpy.concatenate([members[::2] for members in by_class])
    asked = numpy.concatenate([members[1::2] for members in by_class])
    sample, half, count = numpy.concatenate([learned, asked]), len(learned), len(rows.labels)
    truth, to_answer = rows.targets[sample[:half]], rows.targets[sample[half:]]
    sizes, asked_sizes = numpy.bincount(truth, minlength=count).clip(1), numpy.bincount(to_answer, minlength=count)
    places = rows.roles.source_rows(sample)

    def leaks_class(feature: Feature) -> str | None:
        bins = _bins(feature, places)
        table = numpy.bincount(bins[:half] * count + truth, minlength=(bins.max() + 1) * count)
        shares = table.reshape(-1, count) / sizes
        answers = numpy.where(shares.any(axis=1), shares.argmax(axis=1), -1)[bins[half:]]
        right = numpy.bincount(to_answer[answers == to_answer], minlength=count)
        score = float((right[asked_sizes > 0] / asked_sizes[asked_sizes > 0]).mean())
        if score < LEAKING:
            return None
        return (
            f"gives the target away (balanced accuracy {score:.3f}): if it is known only after the outcome, leave it out "
            "with exclude_columns."
        )

    return leaks_class


def _bins(feature: Feature, places: numpy.ndarray) -> numpy.ndarray:
    """The values of these rows as whole numbers from 0: few for a quantity, and one of their own for missing ones."""
    raw = feature.raw_at(places)
    values = feature.encode(raw)
    names, bins = numpy.unique(values, return_inverse=True)
    if feature.is_number:
        if len(names) > BINS:
            edges = numpy.unique(numpy.quantile(values, numpy.linspace(0, 1, BINS + 1)[1:-1]))
            bins = numpy.searchsorted(edges, values, side="right")
        bins = numpy.where(numpy.isnan(raw), bins.max() + 1, bins)
    return bins


def _marks(rows: Rows, place: int) -> numpy.ndarray:
    """A 64-bit mark for each row of a piece that has a target, alike for rows that are alike in all features."""
    used = rows.roles.used(place)
    marks = numpy.zeros(len(rows.roles.of(place)[used]), dtype=numpy.uint64)
    for salt, feature in enumerate(rows.features):
        raw = feature.raw(place)[used]
        marks += _mixed(feature.encode(raw), salt) if feature.is_number else at(_mixed(feature.table, salt), raw)
    return marks


def _mixed(values: numpy.ndarray, salt: int) -> numpy.ndarray:
    """A 64-bit number for each value, and another one with each other `salt`: Steele, Lea and Flood's SplitMix64, 2014."""
    bits = (values + 0.0).view(numpy.uint64)  # as doubles, without a negative zero
    bits = bits + numpy.uint64((salt + 1) * 0x9E3779B97F4A7C15 % (1 << 64))
    bits = (bits ^ (bits >> numpy.uint64(30))) * numpy.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> numpy.uint64(27))) * numpy.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> numpy.uint64(31))


def _alike(rows: Rows, marks: numpy.ndarray) -> numpy.ndarray:
    """For each test row, how many of the other rows have its mark."""
    tested, places = numpy.unique(marks[rows.parts.test], return_inverse=True)
    # Most rows that are not tested share not even these bits of their mark with one that is.
    bits = numpy.uint64((1 << 22) - 1)
    possible = numpy.zeros(1 << 22, dtype=bool)
    possible[tested & bits] = True
    found = numpy.zeros(len(tested), dtype=numpy.int32)
    known = numpy.concatenate([rows.parts.train, rows.parts.validation])

    def twins_of(begin: int) -> numpy.ndarray:
        batch = marks[known[begin : begin + BATCH]]
        batch = batch[possible[batch & bits]]
        nearest = numpy.searchsorted(tested, batch).clip(max=len(tested) - 1)
        return nearest[tested[nearest] == batch]

    for twins in in_turn(twins_of, range(0, len(known), BATCH)):
        found += numpy.bincount(twins, minlength=len(found)).astype(numpy.int32)
    return found[places]


def _agreements(rows: Rows) -> Iterator[float]:
    """How likely it is for each feature, and for the target, that two test rows have the same value."""
    roles = rows.roles

    def of(feature: Feature) -> float:
        if not feature.is_number:
            return _agreement(numpy.bincount(feature.table, feature.tested))
        tested = [feature.filled(feature.raw(place)[roles.rows(place, TEST)]) for place in range(len(roles.pieces))]
        return _agreement(numpy.unique(numpy.concatenate(tested), return_counts=True)[1])

    yield from roles.by_column(of, rows.features)
    yield _agreement(numpy.unique(rows.targets[rows.parts.test], return_counts=True)[1])


def _agreement(counts: numpy.ndarray) -> float:
    """How likely it is that two rows have the same value, of which there are `counts` each."""
    return float(((counts / counts.sum()) ** 2).sum())


def duplicates(rows: Rows) -> list[Finding]:
    """Whether test rows are also among the training rows, more than tables with few different values have by chance.

    Among many rows some are equal without being copies. Their targets then differ now and then, and a model gains nothing
    from memorizing them.
    """
    marks = numpy.concatenate([*rows.roles.by_piece(lambda place: _marks(rows, place))])
    same = _alike(rows, marks + _mixed(rows.targets, len(rows.features)))
    twins = int((same > 0).sum())
    share = twins / len(rows.parts.test)
    if share < LEAST_DUPLICATES:
        return []
    # What independent columns would give: how likely it is that two rows agree in all of them.
    alike = math.prod(_agreements(rows))
    if share < 10 * min(1.0, alike * (rows.parts.count - len(rows.parts.test))):
        return []
    if int((_alike(rows, marks) > same).sum()) > CONTRADICTED * twins:
        return []
    return [
        Finding(
            f"{twins} of {len(rows.parts.test)} test rows ({share:.0%}) are also among the training rows, with the same "
            "values and target, so the metrics are too good. Remove duplicates, or keep them on one side with split: group.",
            True,
            misleads=True,
        )
    ]


def is_id(feature: Feature) -> bool:
    """Whether a column identifies its rows: texts that hardly repeat, or a counter."""
    if feature.is_number:
        known = feature.known
        if feature.distinct < known or feature.distinct < (known + feature.missing) * ID_SHARE or not feature.whole:
            return False
        dense = feature.high - feature.low < 2 * known
        return bool(dense or ID_NAME.search(feature.specification["name"]))
    return feature.distinct >= max(MOST_COMPARED, ID_SHARE * feature.known)


def classes(rows: Rows) -> list[Finding]:
    """Classes with similar names, with too few test rows, or so rare that accuracy means little."""
    if not rows.labels:
        return []
    counts = numpy.bincount(rows.targets, minlength=len(rows.labels))
    found = [
        Finding(
            f"{_together([f'{cut(repr(label), 40)} ({count} rows)' for label, count in alike])} in target {rows.target!r} "
            "look like one class and are learned as several: use one spelling if they mean the same.",
            True,
        )
        for alike in near_twins(rows.labels, counts)
    ]
    tested = numpy.bincount(rows.targets[rows.parts.test], minlength=len(rows.labels))
    small = [place for place in numpy.argsort(tested, kind="stable") if tested[place] < LEAST_OF_A_CLASS_IN_TEST]
    if small:
        most = int(tested[small[0]])
        names = listed([cut(rows.labels[place], 40) for place in small])
        margin = f"uncertain by about {1.96 * (0.25 / most) ** 0.5:.2f}" if most > 1 else "a guess"
        found.append(
            Finding(
                f"Too few test rows to judge {names}: the rarest has {most}, and its recall is {margin}. "
                "Add rows of such classes.",
                True,
            )
        )
    share = counts.min() / counts.sum()
    if len(rows.labels) == 2 and share < RARE:
        found.append(
            Finding(
                f"Class {cut(repr(rows.labels[int(counts.argmin())]), 40)} is {share:.1%} of the rows: a model that never "
                f"answers it has accuracy {1 - share:.3f}. Set objective_metric_name to AUC, and do not judge by accuracy.",
                False,
            )
        )
    return found
