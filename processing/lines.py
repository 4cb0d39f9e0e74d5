"""Rows as lines of text, out of columns: for CSV and for JSON Lines.

The time goes into joining texts, and grows with their number. Neighbouring columns of few different texts are therefore
joined as one, by a table of the texts that they can have together.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any, Sequence

import numpy
import plain
from encoding import pyarrow

# Texts in such a table, and rows for each of them: with fewer rows it takes longer to make the table than to do without.
MOST_TOGETHER, LEAST_ROWS_EACH = 4096, 16
# Where there are as many rows for each different number, it is spelled once.
LEAST_REPEATED = 4


@dataclass(frozen=True)
class Cell:
    """A column of a line: `before` stands before each value.

    `words`: the texts that values are places among, None for numbers, of which there are `distinct` different ones.
    `missing`: the text of a place -1, None where none is missing. Of numbers, nan is `null`.
    """

    before: str
    words: Sequence[str] | None = None
    missing: str | None = None
    distinct: float = math.inf


class Lines:
    """Lines of the same columns."""

    def __init__(self, cells: Sequence[Cell], end: str, rows: int):
        """`end` stands behind each line's last value. `rows`: about how many lines there will be."""
        self._cells = cells
        self._parts: list[tuple[Any, list[tuple[int, int]], int]] = []
        most = min(MOST_TOGETHER, rows // LEAST_ROWS_EACH)
        texts, places, offset = [""], [], 0
        for place, cell in enumerate(cells):
            if cell.words is None:
                self._add([text + cell.before for text in texts], places, offset)
                self._parts.append((None, [(place, 1)], 0))
                texts, places, offset = [""], [], 0
                continue
            words = [*([] if cell.missing is None else [cell.missing]), *cell.words]
            if places and len(texts) * len(words) > most:
                self._add(texts, places, offset)
                texts, places, offset = [""], [], 0
            texts = [text + cell.before + word for text in texts for word in words]
            places.append((place, len(words)))
            offset = offset * len(words) + (cell.missing is not None)
        self._add([text + end for text in texts], places, offset)

    def _add(self, texts: list[str], places: list[tuple[int, int]], offset: int) -> None:
        """A part of each line: one of `texts`, at the place that the columns at `places` have together, plus `offset`."""
        if places:
            self._parts.append((texts if pyarrow is None else pyarrow.array(texts, pyarrow.string()), places, offset))
        elif texts[0]:
            self._parts.append((texts[0] if pyarrow is None else pyarrow.scalar(texts[0], pyarrow.string()), [], 0))

    def text(self, columns: Sequence[numpy.ndarray]) -> bytes | memoryview:
        """The lines of some rows, one after the other. `columns`: each cell's places or numbers (float64) in these rows."""
        parts = [self._part(texts, places, offset, columns) for texts, places, offset in self._parts]
        if pyarrow is None:
            rows = zip(*(itertools.repeat(part) if isinstance(part, str) else part for part in parts))
            return "".join(map("".join, rows)).encode()
        joined = pyarrow.compute.binary_join_element_wise(*parts, "")
        return memoryview(joined.buffers()[2]) if len(joined) else b""  # the texts lie there one after the other

    def _part(
        self, texts: Any, places: Sequence[tuple[int, int]], offset: int, columns: Sequence[numpy.ndarray]
    ) -> Any:
        if not places:
            return texts
        first = places[0][0]
        if texts is None:
            return _spelled(columns[first], self._cells[first].distinct)
        at = columns[first]
        for place, width in places[1:]:
            at = at * width + columns[place]
        at = at + offset
        return [texts[place] for place in at.tolist()] if pyarrow is None else texts.take(pyarrow.array(at))


def _spelled(values: numpy.ndarray, distinct: float) -> Any:
    """Numbers as JSON has them, null for nan; `distinct`: how many different ones there are at most."""
    if pyarrow is None:
        return plain.json_numbers(values)
    numbers = pyarrow.array(values, mask=numpy.isnan(values))
    if distinct * LEAST_REPEATED > len(values):
        return numbers.cast(pyarrow.string()).fill_null("null")
    coded = numbers.dictionary_encode()
    return coded.dictionary.cast(pyarrow.string()).take(coded.indices).fill_null("null")
