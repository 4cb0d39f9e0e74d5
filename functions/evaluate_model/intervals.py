"""Bootstrap: how much the metrics would vary with other test rows of the same kind."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy
from metrics import Statistic

CONFIDENCE = 0.95
_MOST_RESAMPLES, _FEWEST_RESAMPLES = 500, 100
_MOST_ROWS, _ROWS_OF_RAREST_CLASS = 50_000, 200
_WORK = 10_000_000  # rows times rankings times resamples: some seconds

Samples = dict[str, numpy.ndarray]


@dataclass(frozen=True)
class Interval:
    """The middle 95 % of a number over the resamples, and their standard deviation."""

    lower: float
    upper: float
    standard_deviation: float


def bootstrap(
    make: Callable[[numpy.ndarray], tuple[Statistic, ...]],
    values: Sequence[dict[str, float]],
    rows: int,
    *,
    rankings: int = 1,
    rarest: int | None = None,
) -> tuple[Samples, ...]:
    """For each statistic that `make` makes of some rows (indices): its numbers over many resamples, by name.

    `values`: the same numbers, of all `rows`.

    All statistics see the same resamples, so their differences are paired. Of many rows, a part is resampled and the
    deviations are scaled by the square root of the part (m out of n), with enough rows of the `rarest` class (its number
    of rows). `rankings`: of all rows, that a resample costs. Seeded: the same rows give the same intervals.
    """
    generator = numpy.random.default_rng(0)
    needed = _ROWS_OF_RAREST_CLASS * rows // max(1, rarest) if rarest is not None else 0
    part = min(rows, max(_MOST_ROWS * 10 // max(10, rankings), needed))
    chosen = numpy.arange(rows) if part == rows else numpy.sort(generator.choice(rows, part, replace=False))
    statistics = make(chosen)
    count = min(_MOST_RESAMPLES, max(_FEWEST_RESAMPLES, _WORK // (part * rankings)))
    drawn: list[list[dict[str, float]]] = [[] for _ in statistics]
    for _ in range(count):
        weights = numpy.bincount(generator.integers(0, part, part), minlength=part).astype(float)
        for numbers, statistic in zip(drawn, statistics, strict=True):
            numbers.append(statistic(weights))
    samples = [{name: numpy.array([number[name] for number in numbers]) for name in numbers[0]} for numbers in drawn]
    if part < rows:
        scale = math.sqrt(part / rows)
        for numbers, statistic, value in zip(samples, statistics, values, strict=True):
            center = statistic(numpy.ones(part))
            for name in numbers:
                numbers[name] = value[name] + scale * (numbers[name] - center[name])
    return tuple(samples)


def interval(values: numpy.ndarray) -> dict[str, float] | None:
    """None where too few resamples have the number, as when a class is too rare to be drawn each time."""
    known = values[numpy.isfinite(values)]
    if len(known) < 0.9 * len(values):
        return None
    tail = (1 - CONFIDENCE) / 2
    lower, upper = numpy.quantile(known, [tail, 1 - tail])
    return asdict(Interval(float(lower), float(upper), float(known.std(ddof=1))))
