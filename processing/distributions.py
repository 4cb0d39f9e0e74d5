"""What the training rows hold, column by column: distributions.json, with which later rows are compared (see `drift`).

It has the form of the statistics that SageMaker Model Monitor defines for containers of one's own, so that the registry can
point to it: docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-byoc-statistics.html. Its buckets are not of equal width
but hold about as many rows each, as the population stability index wants it, and a frequent number has one of its own. A
sketch (`kll.sketch`) is left out: of few rows it would hold them all. Of categories the most frequent ones are listed; all
others are `num_present` without those.
"""

from __future__ import annotations

import math
from typing import Any, Callable, Iterable, Sequence

import numpy
from columns import known_of, rechunked
from fitting import Feature
from splitting import TRAIN, Roles

MOST_CATEGORIES = 20
BUCKETS = 10
# Numbers from which the buckets' bounds are taken: evenly over the rows. What the buckets hold is counted in all rows.
SAMPLED = 1 << 17
# Numbers that are added up at once: the last digits of a sum depend on it.
SUMMED = 1 << 16

Pieces = Callable[[], Iterable[numpy.ndarray]]


def describe(
    features: Sequence[Feature], target: str, targets: numpy.ndarray, labels: Sequence[str], roles: Roles
) -> dict[str, Any]:
    """distributions.json: the features in the model's order, then the target. `targets`: of the training rows."""
    described = list(roles.by_column(lambda feature: _feature(feature, roles), features))
    of_class = numpy.bincount(targets, minlength=len(labels)) if labels else None
    goal = (
        numbers(target, lambda: [targets], len(targets)) if of_class is None else categories(target, labels, of_class)
    )
    return {"version": 0, "dataset": {"item_count": len(targets)}, "features": [*described, goal]}


def trained(feature: Feature, roles: Roles) -> Pieces:
    """The training rows' raw values of a column of numbers, piece by piece."""
    return lambda: (feature.raw(place)[roles.rows(place, TRAIN)] for place in range(len(roles.pieces)))


def _feature(feature: Feature, roles: Roles) -> dict[str, Any]:
    name = feature.specification["name"]
    if feature.is_number:
        return numbers(name, trained(feature, roles), int(numpy.count_nonzero(roles.all == TRAIN)))
    known = feature.specification["categories"]
    counts = numpy.zeros(len(known) + 1, numpy.int64)
    numpy.add.at(counts, feature.table, feature.trained)
    # Missing values have a category of their own, or there are none of them.
    without = int(feature.table[-1])
    missing, counts[without] = int(counts[without]), 0
    return categories(name, known, counts[:-1], missing)


def categories(name: str, known: Sequence[str], counts: numpy.ndarray, missing: int = 0) -> dict[str, Any]:
    """A column of texts: rows of each category, and those without one."""
    most = [place for place in numpy.argsort(-counts, kind="stable")[:MOST_CATEGORIES] if counts[place]]
    return {
        "name": name,
        "inferred_type": "String",
        "string_statistics": {
            "common": {"num_present": int(counts.sum()), "num_missing": missing},
            "distinct_count": int((counts > 0).sum()),
            "distribution": {
                "categorical": {
                    "buckets": [{"value": known[place], "count": int(counts[place])} for place in most],
                }
            },
        },
    }


def numbers(name: str, pieces: Pieces, rows: int) -> dict[str, Any]:
    """A column of numbers, of which at least one is not nan; `pieces` gives all `rows` again at each call."""
    edges = bounds(pieces, rows)
    counts, present, mean, squares, whole = numpy.zeros(len(edges) + 1, numpy.int64), 0, numpy.float64(0), 0.0, True
    low, high = numpy.inf, -numpy.inf
    for values in rechunked(pieces(), SUMMED):
        there = known_of(values)
        if not len(there):
            continue
        counts += count(there, edges)
        low, high = min(low, float(there.min())), max(high, float(there.max()))
        whole = whole and bool((there == numpy.floor(there)).all())
        with numpy.errstate(over="ignore", invalid="ignore"):
            # Chan, Golub and LeVeque: the variance of a union from those of its parts.
            middle = there.mean()
            apart, total = middle - mean, present + len(there)
            squares += ((there - middle) ** 2).sum() + apart**2 * present * len(there) / total
            mean, present = mean + apart * len(there) / total, total
    ends = [low, *map(float, edges), high]
    return {
        "name": name,
        "inferred_type": "Integral" if whole else "Fractional",
        "numerical_statistics": {
            "common": {"num_present": present, "num_missing": rows - present},
            "mean": _number(mean),
            "sum": _number(mean, present),
            "std_dev": _number(numpy.sqrt(squares / present)),
            "min": low,
            "max": high,
            "distribution": {
                "kll": {
                    "buckets": [
                        {"lower_bound": lower, "upper_bound": upper, "count": int(rows)}
                        for lower, upper, rows in zip(ends, ends[1:], counts)
                    ]
                }
            },
        },
    }


def count(values: numpy.ndarray, edges: Sequence[float] | numpy.ndarray) -> numpy.ndarray:
    """How many values there are below the first edge, from each edge to the next, and from the last one on."""
    below = [numpy.count_nonzero(values < edge) for edge in edges]  # faster than a search for each value
    return numpy.diff([0, *below, len(values)])


def bounds(pieces: Pieces, rows: int) -> numpy.ndarray:
    """The inner bounds of the buckets, each above the least number; a bucket reaches from one up to below the next."""
    step = rows // SAMPLED + 1
    drawn, begin = [], 0
    for values in pieces():
        drawn.append(values[-begin % step :: step])
        begin += len(values)
    sample = numpy.concatenate(drawn)
    if numpy.isnan(sample).all():  # values so rare that none was drawn
        sample = numpy.concatenate([known_of(values)[:1] for values in pieces()])
    sample = known_of(sample) + 0.0  # without a negative zero
    values, counts = numpy.unique(sample, return_counts=True)
    frequent = counts >= len(sample) / BUCKETS
    heavy, rest = values[frequent], numpy.repeat(values[~frequent], counts[~frequent])
    cuts = numpy.empty(0)
    if len(rest):
        number = max(2, round(BUCKETS * len(rest) / len(sample)))
        cuts = numpy.quantile(rest, numpy.linspace(0, 1, number + 1)[:-1], method="nearest")
    # A frequent number's bucket begins with it and ends before the next number that is drawn.
    following = numpy.searchsorted(values, heavy) + 1
    after = values[following[following < len(values)]]
    edges = numpy.unique(numpy.concatenate([heavy, after, cuts]))
    return edges[edges > values[0]]


def _number(value: float, times: int = 1) -> float | None:
    """JSON has no word for infinity, which sums of numbers near the end of a double's range are."""
    product = float(value) * times
    return product if math.isfinite(product) else None
