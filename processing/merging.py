"""Columns that grow by a piece at a time, each with one dictionary for all of its texts."""

from __future__ import annotations

from typing import Sequence

import numpy
from columns import NO_KEY, Column, Spill
from csv_pieces import Wanted
from encoding import placed
from unusable_data import UnusableDataError, cut
from words import is_code, is_missing, number

# More different texts in a column are no categories, and would be held by every container that serves the model.
MOST_TEXTS = 1_000_000


class Merged:
    """A column that grows by a piece at a time.

    `turned`: it began as numbers and holds texts further on. `column` is None where there are too many of them, `keys` the
    column of keys, where they are asked for.
    """

    def __init__(self, name: str, wanted: Wanted, spill: Spill):
        self.name, self.turned, self._is_target = name, False, name == wanted.target
        self._may_be_dropped = name in wanted.unused or name == wanted.key
        self._places: dict[str, int] = {}
        self.column: Column | None = Column(spill, numpy.int32, words=[], name=name)
        self.keys: Column | None = None
        if name in wanted.numeric:
            self.column = Column(spill, numpy.float64, name=name)
        elif name == wanted.key:
            self.keys, self._key = Column(spill, numpy.int64, name=name), wanted.keys

    def append(self, values: numpy.ndarray | tuple[list[str], numpy.ndarray] | None) -> None:
        """Numbers, or distinct texts with each row's place among them; None for texts where numbers were promised."""
        self.turned = self.turned or values is None
        if self.turned:
            return
        if isinstance(values, numpy.ndarray):
            self.column.append(values)
            return
        words, codes = values
        if self.keys:
            self._append_keys(words, codes)
        if self.column is None:
            return
        known, places = self.column.words, self._places
        for word in words:
            if word not in places:
                places[word] = len(known)
                known.append(word)
        if len(known) <= MOST_TEXTS:
            self.column.append(placed([places[word] for word in words], codes))
        elif self._may_be_dropped:
            self.column, self._places = None, {}
        else:
            raise UnusableDataError(_too_many(self.name, known, self._is_target))

    def _append_keys(self, words: list[str], codes: numpy.ndarray) -> None:
        keys = numpy.full(len(words) + 1, NO_KEY)
        if self.keys.problem is None:
            try:
                keys[:-1] = self._key(words)
            except UnusableDataError as problem:
                self.keys.problem = str(problem)
        self.keys.append(keys[codes])


def _too_many(name: str, words: Sequence[str], is_target: bool) -> str:
    lead = f"{'Target column' if is_target else 'Column'} {name!r} holds more than {MOST_TEXTS:,} different"
    if is_target:
        return (
            f"{lead} values, which is a quantity or an identifier rather than classes; set problem_type to Regression and "
            "objective_metric_name to RMSE, or choose another target."
        )
    odd = [word for word in words if not is_missing(word) and (number(word) is None or is_code(word))]
    if len(odd) < len(words) / 2:
        return (
            f"{lead} values and is read as text because of {cut(repr(odd[0]), 40)}, while most are numbers. Correct it, or "
            "leave such values empty, and it is read as numbers."
        )
    return (
        f"{lead} texts, as an identifier or free text does: a model learns nothing from those. Leave it out with "
        "exclude_columns."
    )
