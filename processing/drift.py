"""How far rows have drifted from those that a model was trained on: the population stability index (PSI).

PSI = Σ (a − e) · ln(a / e) over a feature's bins, where e is the share of the training rows and a that of the rows compared.
Half a row is added to each bin, so that an empty one has a logarithm. The thresholds are those of credit scoring, from
where the index comes: below 0.1 little has changed, from 0.25 on much has (Lewis, An Introduction to Credit Scoring, 1994;
Siddiqi, Credit Risk Scorecards, 2006).

Few rows have a large index by chance. Of two samples of one population, of n and m rows in B bins, it is distributed as
(1/n + 1/m) · χ² with B − 1 degrees of freedom (Yurdakul, Statistical Properties of Population Stability Index, Western
Michigan University, 2018), so an index counts only above what that distribution exceeds once in a thousand times.

Standard library only: it runs in SageMaker's containers (Python 3.9) and in Lambda.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from typing import Any, Mapping, Sequence

from words import Codes, bare, is_missing, number

MODERATE, STRONG = 0.1, 0.25
# From this share of rows with an unseen category on, the feature counts as drifted.
MUCH_UNSEEN = 0.05
_ONE_IN_A_THOUSAND = 3.0902  # standard deviations, one-sided


@dataclass(frozen=True)
class Drift:
    """A feature's index, the index that chance alone may reach, and the share of the rows with an unseen category."""

    name: str
    psi: float
    chance: float
    unseen: float

    @property
    def level(self) -> float:
        """`STRONG`, `MODERATE`, or 0 if the index is small or may be chance."""
        reached = [level for level in (STRONG, MODERATE) if self.psi >= level and self.psi > self.chance]
        return reached[0] if reached else 0.0

    @property
    def has_drifted(self) -> bool:
        """Whether the index is strong or many categories are unseen, and the index is more than chance."""
        return self.psi > self.chance and (self.psi >= STRONG or self.unseen >= MUCH_UNSEEN)


class Bins:
    """The bins of one feature, and how many training rows are in each.

    Numbers: between the upper bounds of the training rows' buckets, the outer ones unbounded. Categories: the most
    frequent ones, then all others, known or not. The last bin holds missing values.
    """

    def __init__(self, feature: Mapping[str, Any], categories: Sequence[str] = ()):
        """`feature`: an entry of distributions.json. `categories`: for a text column, all of the training rows."""
        self.name: str = feature["name"]
        self.is_number = "numerical_statistics" in feature
        statistics = feature["numerical_statistics" if self.is_number else "string_statistics"]
        common, distribution = statistics["common"], statistics["distribution"]
        buckets = distribution["kll" if self.is_number else "categorical"]["buckets"]
        counts = [int(bucket["count"]) for bucket in buckets]
        self.edges: list[float] = []
        self._table: list[int] = []
        if self.is_number:
            self.edges = [float(bucket["upper_bound"]) for bucket in buckets[:-1]]
        else:
            self._codes = Codes(categories)
            places = {bucket["value"]: place for place, bucket in enumerate(buckets)}
            self._table = [places.get(category, len(buckets)) for category in categories]
            counts.append(int(common["num_present"]) - sum(counts))
        self.missing = len(counts)
        if self._table and self._codes.missing < len(self._table):
            self._table[self._codes.missing] = self.missing
        self.expected = [*counts, int(common["num_missing"])]

    def of(self, text: str | None) -> tuple[int, bool]:
        """A value's bin, and whether it is an unseen category. In a numeric column a text counts as missing."""
        word = bare(text) if text else ""
        if not word:
            return self.missing, False
        if self.is_number:
            value = number(word)
            known = value is not None and math.isfinite(value)
            return (bisect_right(self.edges, value) if known else self.missing), False
        code = self._codes.of(word)
        if code < len(self._table):
            return self._table[code], False
        return (self.missing, False) if is_missing(word) else (self.missing - 1, True)

    def compare(self, actual: Sequence[int], unseen: int = 0) -> Drift:
        """The drift of rows counted in these bins, at least one, of which `unseen` have a category never seen."""
        rows = sum(actual)
        return Drift(self.name, psi(self.expected, actual), chance(self.expected, actual), unseen / rows)


def psi(expected: Sequence[int], actual: Sequence[int]) -> float:
    """The population stability index of two counts in the same bins."""
    pairs = _filled(expected, actual)
    before, now = (sum(counts) + len(pairs) / 2 for counts in (expected, actual))
    shares = [((first + 0.5) / before, (second + 0.5) / now) for first, second in pairs]
    return sum((second - first) * math.log(second / first) for first, second in shares)


def chance(expected: Sequence[int], actual: Sequence[int]) -> float:
    """The index that two samples of one population exceed once in a thousand times."""
    freedom = len(_filled(expected, actual)) - 1
    if freedom < 1:
        return 0.0
    # The distribution's quantile after Wilson and Hilferty (1931), which is within 4 % of it.
    spread = 2 / (9 * freedom)
    quantile = freedom * (1 - spread + _ONE_IN_A_THOUSAND * math.sqrt(spread)) ** 3
    return quantile * (1 / max(sum(expected), 1) + 1 / max(sum(actual), 1))


def _filled(expected: Sequence[int], actual: Sequence[int]) -> list[tuple[int, int]]:
    """Both counts of each bin that holds a row at all."""
    return [pair for pair in zip(expected, actual) if any(pair)]
