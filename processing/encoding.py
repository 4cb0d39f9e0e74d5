"""How raw values become the numbers that the model sees: the one definition, for training and for serving.

What a value means is said in `words`. A column is numeric if every value that is not missing reads as a number (what
Python's `float` takes, in ASCII, without underscores) and none is a code with leading zeros; `nan` and infinities in such a
column count as missing. Everything else is categorical.

- numeric: missing values become the median of the training rows
- categorical: missing values become the category 'Unknown'; a category becomes its place among the training rows'
  categories in sorted order (the order of scikit-learn's LabelEncoder); one that training never saw becomes the number
  of categories, a code that no category has

There are two ways through, which agree exactly: `Encoder.row` for a few rows, where Python is fastest, and
`Encoder.columns` for many, on pyarrow arrays. Runs under Python 3.9, pyarrow 14, numpy 1.24 (SageMaker's scikit-learn
image) and newer ones.
"""

from __future__ import annotations

import itertools
import json
import math
import operator
from typing import Any, Mapping, Sequence

import numpy
from request import Schema
from words import MISSING, WHITE_SPACE, Codes, bare, is_code, is_missing, number

try:
    import pyarrow
    import pyarrow.compute
except ImportError:  # in SageMaker's Spark image (see `plain`)
    pyarrow = None  # type: ignore[assignment]

NUMERIC = "numeric"
CATEGORICAL = "categorical"


class NotANumberError(ValueError):
    """A numeric column holds text: `text` is the value, `row` its row (from 0), `column` the feature's name."""

    def __init__(self, column: str, row: int, text: str):
        super().__init__(f"{column!r} must be a number, and is {text[:40]!r} in row {row + 1}.")
        self.column, self.row, self.text = column, row, text


def texts_of(column: Any) -> pyarrow.Array:
    """A column of strings (pyarrow Array or ChunkedArray) as `words.bare` gives them, null where nothing is left."""
    if isinstance(column, pyarrow.ChunkedArray):
        column = pyarrow.concat_arrays(column.chunks) if column.num_chunks else pyarrow.array([], column.type)
    texts = pyarrow.compute.utf8_trim(column.cast(pyarrow.string()), characters=WHITE_SPACE)
    if not pyarrow.compute.all(pyarrow.compute.string_is_ascii(texts)).as_py():
        coded = texts.dictionary_encode()
        composed = [bare(text) for text in coded.dictionary.to_pylist()]
        texts = pyarrow.array(composed, pyarrow.string()).take(coded.indices)
    return pyarrow.compute.if_else(pyarrow.compute.equal(texts, ""), pyarrow.scalar(None, pyarrow.string()), texts)


def distinct(column: Any) -> tuple[list[str], numpy.ndarray]:
    """A column's distinct values as texts (as `texts_of` gives them), and for each row which one it has, -1 if missing.

    `column`: a pyarrow Array or ChunkedArray of strings, or of a dictionary of strings.
    """
    if isinstance(column, pyarrow.ChunkedArray):
        column = column.unify_dictionaries() if pyarrow.types.is_dictionary(column.type) else column
        column = pyarrow.concat_arrays(column.chunks) if column.num_chunks else pyarrow.array([], column.type)
    coded = column if pyarrow.types.is_dictionary(column.type) else column.dictionary_encode()
    # Values that differ only in white space around them, or in how Unicode composes them, are one.
    words = texts_of(coded.dictionary).dictionary_encode()
    codes = coded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    return words.dictionary.to_pylist(), placed(words.indices.fill_null(-1).to_pylist(), codes)


def placed(places: Sequence[int], codes: numpy.ndarray) -> numpy.ndarray:
    """For each code (int32, -1 where there is none) its place, likewise."""
    if all(map(operator.eq, places, itertools.count())):
        return codes
    return at(numpy.array([*places, -1], numpy.int32), codes)


def at(table: numpy.ndarray, codes: numpy.ndarray) -> numpy.ndarray:
    """What stands in `table` for each code, its last entry for -1. numpy takes three times as long for int32."""
    return table[codes.astype(numpy.intp)]


def numbers_of(words: Sequence[str], codes: numpy.ndarray) -> tuple[numpy.ndarray, int | None]:
    """The numbers of a column (see `distinct`), float64 with nan for missing, and the first row that holds none.

    The row is None where every value is missing or a number.
    """
    parsed = [math.nan if is_missing(word) else number(word) for word in words]
    if None in parsed:
        bad = numpy.flatnonzero(numpy.array([value is None for value in parsed] + [False])[codes])
        if len(bad):
            return numpy.full(len(codes), numpy.nan), int(bad[0])
    table = numpy.array([math.nan if value is None else value for value in [*parsed, math.nan]], dtype=numpy.float64)
    return finite(table)[codes], None


def are_numbers(words: Sequence[str]) -> bool:
    """Whether a column with these distinct values (see `distinct`) is one of numbers: no other text, and no code."""
    return all(is_missing(word) or (number(word) is not None and not is_code(word)) for word in words)


def finite(values: numpy.ndarray) -> numpy.ndarray:
    """float64 with nan for everything that is not finite."""
    return numpy.where(numpy.isfinite(values), values, numpy.nan)


class Encoder(Schema):
    """Encodes rows as training did."""

    def __init__(self, specification: Mapping[str, Any]):
        super().__init__(specification)
        self._codes = [
            Codes(feature["categories"]) if feature["kind"] == CATEGORICAL else None for feature in self.features
        ]
        # What a row needs, made ready once: the codes as the texts that go out, and the answer for missing.
        self._row_plan = [
            (shown, None, {}, repr(float(feature["median"])))
            if codes is None
            else (
                shown,
                codes,
                {category: str(code) for category, code in codes.exact.items()},
                str(codes.missing),
            )
            for feature, shown, codes in zip(self.features, self.shown, self._codes)
        ]

    @classmethod
    def load(cls, path: str) -> Encoder:
        """The encoder of a preprocessing.json file."""
        with open(path, encoding="utf-8") as file:
            return cls(json.load(file))

    def row(self, values: Sequence[str | None], index: int = 0) -> str:
        """One row of texts (None where missing), in the features' order, as a CSV line. Raises NotANumberError."""
        cells = []
        for value, (name, codes, spelled, missing) in zip(values, self._row_plan):
            text = value.strip() if value is not None else ""
            if not text:
                cells.append(missing)
            elif codes is not None:
                cell = spelled.get(text)
                cells.append(str(codes.of(bare(text))) if cell is None else cell)
            else:
                parsed = number(text)
                if parsed is None and text.lower() not in MISSING:
                    raise NotANumberError(name, index, text)
                cells.append(missing if parsed is None or not math.isfinite(parsed) else repr(parsed))
        return ",".join(cells)

    def columns(self, columns: Sequence[Any], first_row: int = 0) -> list[numpy.ndarray]:
        """Many rows, one pyarrow array of strings a feature in the features' order, as numbers. Raises NotANumberError.

        A numeric feature becomes float64, a categorical one int64.
        """
        return [self._column(place, texts_of(column), first_row) for place, column in enumerate(columns)]

    def _column(self, place: int, texts: pyarrow.Array, first_row: int) -> numpy.ndarray:
        feature, codes = self.features[place], self._codes[place]
        if codes is not None:
            known = pyarrow.compute.index_in(texts, value_set=pyarrow.array(feature["categories"], pyarrow.string()))
            if known.null_count == texts.null_count:  # what is not missing is spelled as in training
                return known.cast(pyarrow.int64()).fill_null(codes.missing).to_numpy(zero_copy_only=False)
            words, rows = distinct(texts)
            return numpy.array([*map(codes.of, words), codes.missing], dtype=numpy.int64)[rows]
        try:
            values = finite(texts.cast(pyarrow.float64()).to_numpy(zero_copy_only=False))
        except pyarrow.ArrowInvalid:  # texts that only Python reads as numbers (+1), words for missing, or no numbers
            values, bad = numbers_of(*distinct(texts))
            if bad is not None:
                raise NotANumberError(self.shown[place], first_row + bad, texts[bad].as_py()) from None
        return numpy.where(numpy.isnan(values), float(feature["median"]), values)
