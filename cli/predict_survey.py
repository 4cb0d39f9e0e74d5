"""What the model will make of a file's values, found before anything is sent.

By the definitions of the preprocess container (processing/words.py): which rows it would refuse, which values count as
missing, and which categories training never saw.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from processing.reading import Row
from processing.words import Codes, bare, is_missing, number

MOST_PROBLEMS = 20
MOST_COLUMNS = 10
MOST_CATEGORIES = 3
_MOST_REMEMBERED = 100_000
_TAKEN, _MISSING, _UNSEEN, _REFUSED = range(4)


@dataclass
class Survey:
    """What was found, by the name of the feature as the person knows it: `missing` and `unseen` count rows.

    `problems` are sentences on the first refused values, `refused` is how many rows have one.
    """

    rows: int = 0
    missing: Counter[str] = field(default_factory=Counter)
    unseen: dict[str, Counter[str]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    refused: int = 0

    def notes(self) -> list[str]:
        """A sentence for each column with something to know, the gravest first."""
        said = []
        for name, values in sorted(self.unseen.items(), key=lambda item: -item[1].total()):
            shown = ", ".join(f"{value[:40]!r} ({count:,})" for value, count in values.most_common(MOST_CATEGORIES))
            more = len(values) - MOST_CATEGORIES
            said.append(
                f"{name}: {values.total():,} of {self.rows:,} rows hold a category that training never saw: {shown}"
                f"{f' and {more:,} more' if more > 0 else ''}."
            )
        said += [
            f"{name}: {count:,} of {self.rows:,} values are missing." for name, count in self.missing.most_common()
        ]
        more = len(said) - MOST_COLUMNS
        return said if more <= 0 else [*said[:MOST_COLUMNS], f"{more:,} more columns have such values."]


def look(rows: Iterable[Row], features: Mapping[str, Mapping[str, Any]], where: Mapping[str, int]) -> Survey:
    """`features`: the specification of each feature by its name for a person. `where`: the column of each that is there."""
    found, columns = Survey(), [(name, place, _kind(features[name]), {}) for name, place in where.items()]
    for row in rows:
        found.rows += 1
        wrong = []
        for name, place, kind, remembered in columns:
            value = row.cells[place]
            what = remembered.get(value)
            if what is None:
                what = kind(value)
                if len(remembered) < _MOST_REMEMBERED:
                    remembered[value] = what
            if what == _MISSING:
                found.missing[name] += 1
            elif what == _UNSEEN:
                found.unseen.setdefault(name, Counter())[bare(value)] += 1
            elif what == _REFUSED:
                wrong.append(f"{name!r} must be a number, and is {bare(value)[:40]!r}")
        if wrong:
            found.refused += 1
            if found.refused <= MOST_PROBLEMS:
                found.problems.append(f"{'; '.join(wrong)} in row {row.number:,} (line {row.line:,}).")
    return found


def _kind(feature: Mapping[str, Any]) -> Callable[[str], int]:
    """What a value of this feature is."""
    if feature["kind"] == "numeric":

        def of_numbers(value: str) -> int:
            text = bare(value)
            parsed = number(text)
            if is_missing(text):
                return _MISSING
            if parsed is None:
                return _REFUSED
            return _TAKEN if math.isfinite(parsed) else _MISSING

        return of_numbers
    codes = Codes(feature["categories"])

    def of_categories(value: str) -> int:
        text = bare(value)
        if text in codes.exact:
            return _TAKEN
        if is_missing(text):
            return _MISSING
        return _UNSEEN if codes.of(text) == codes.unseen else _TAKEN

    return of_categories
