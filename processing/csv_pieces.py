"""A piece of a CSV file as columns of texts or numbers, nothing lost: a code `01` is not the number 1."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Callable, Sequence

import numpy
from csv_rows import CACHED, QUOTE, row_end
from encoding import are_numbers, at, distinct, pyarrow, texts_of
from words import CODE, MISSING, is_missing, number

# Bytes that pyarrow reads at once, so that they stay in the processor's cache while one column after the other is taken.
BLOCK = 1 << 22
# Numbers are read as texts where there are as many rows for each different one: that is as fast, and shows codes among them.
REPEATED = 4
ZERO, NINE = map(ord, "09")
# As Athena and pandas spell them; in a column of numbers, a piece with another spelling is read as texts first.
MISSING_SPELLINGS = sorted(
    {spelled for word in MISSING for spelled in (word, word.upper(), word.title())} | {"NaN", "NaT"}
)


if pyarrow is not None:
    import pyarrow.csv

    TEXT = pyarrow.dictionary(pyarrow.int32(), pyarrow.string())


@dataclass
class Wanted:
    """Which columns are read, and how: `texts` stay texts whatever they hold, and `numeric` are numbers so far.

    `padded`: numbers that pyarrow's reader of CSV does not take for such: with white space around, or as only Python reads
    them. `repeated`: numbers of which few are different. `key`: the column whose texts `keys` turns into one int64 each, as
    there may be as many as rows.
    """

    names: Sequence[str]
    unused: Sequence[str]
    texts: Sequence[str | None]
    target: str | None
    key: str | None
    keys: Callable[[list[str]], numpy.ndarray] | None
    numeric: set[str] = field(default_factory=set)
    padded: set[str] = field(default_factory=set)
    repeated: set[str] = field(default_factory=set)


def judge(rows: memoryview, names: Sequence[str], wanted: Wanted) -> None:
    """Finds out from the first rows which of the `wanted` columns hold numbers, and which of those few different ones."""
    table = _read(rows, names, dict.fromkeys(wanted.names, TEXT))
    words = {name: distinct(table.column(name))[0] for name in wanted.names if name not in wanted.texts}
    wanted.numeric = {name for name, found in words.items() if are_numbers(found)}
    wanted.repeated = {name for name in wanted.numeric if len(words[name]) * REPEATED <= table.num_rows}


def _read(rows: memoryview, names: Sequence[str], types: dict[str, pyarrow.DataType]) -> pyarrow.Table:
    """Whole rows as a table of the columns in `types`. Raises ArrowInvalid."""
    characters, tables, end = numpy.frombuffer(rows, numpy.uint8), [], 0
    while end < len(rows) or not tables:
        begin, end = end, row_end(characters, end, BLOCK)
        tables.append(_read_block(rows[begin:end], names, types))
    return pyarrow.concat_tables(tables)


def _read_block(rows: memoryview, names: Sequence[str], types: dict[str, pyarrow.DataType]) -> pyarrow.Table:
    return pyarrow.csv.read_csv(
        pyarrow.BufferReader(pyarrow.py_buffer(rows)),
        read_options=pyarrow.csv.ReadOptions(column_names=list(names), block_size=len(rows) + 1, use_threads=False),
        parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True),
        convert_options=pyarrow.csv.ConvertOptions(
            include_columns=list(types),
            column_types=types,
            null_values=MISSING_SPELLINGS,  # of numbers
            quoted_strings_can_be_null=True,
        ),
    )


def read_piece(rows: memoryview, names: Sequence[str], wanted: Wanted) -> tuple[int, dict[str, Any]]:
    """How many rows there are, and for each column what `Merged.append` takes. Raises ArrowInvalid."""
    numeric, repeated = set(wanted.numeric), set(wanted.repeated)
    plain = numeric - wanted.padded - repeated

    def read() -> pyarrow.Table:
        types = {name: pyarrow.string() if name in numeric - repeated else TEXT for name in wanted.names}
        return _read(rows, names, {**types, **dict.fromkeys(plain, pyarrow.float64())})

    try:
        table = read()
    except pyarrow.ArrowInvalid:
        if not plain:
            raise
        padded, plain = plain, set()
        table = read()
        # Slower ever after: those that a reader of numbers cannot read.
        wanted.padded.update(name for name in padded if not _is_plain(table.column(name)))
    # Numbers are read faster as such, but codes among them lose their leading zeros.
    given = {name: table.column(name).to_numpy() for name in plain}
    whole = [name for name, values in given.items() if _are_whole(values)]
    if whole and _may_hold_codes(rows):
        as_texts = _read(rows, names, dict.fromkeys(whole, pyarrow.string()))
        given.update((name, None) for name in whole if _hold_code(texts_of(as_texts.column(name))))
    for name in numeric & repeated:
        words, codes = distinct(table.column(name))
        given[name] = _numbers_among(words, codes)
        if len(words) * REPEATED > len(codes):
            wanted.repeated.discard(name)
    given.update((name, _numbers(table.column(name))) for name in numeric - plain - repeated)
    return table.num_rows, {
        name: given[name] if name in given else distinct(table.column(name)) for name in wanted.names
    }


def _is_plain(column: Any) -> bool:
    """Whether every text is a number or a word for a missing value as it stands, without white space."""
    missing = pyarrow.compute.is_in(column, value_set=pyarrow.array(MISSING_SPELLINGS))
    try:
        pyarrow.compute.if_else(missing, pyarrow.scalar(None, pyarrow.string()), column).cast(pyarrow.float64())
    except pyarrow.ArrowInvalid:
        return False
    return True


def _numbers(column: Any) -> numpy.ndarray | None:
    """The numbers of a column of texts, infinities included; None if it is not one of numbers (see `are_numbers`)."""
    texts = texts_of(column)
    try:
        values = texts.cast(pyarrow.float64()).to_numpy(zero_copy_only=False)
    except pyarrow.ArrowInvalid:  # words for missing values, numbers as only Python reads them (+1), or texts
        return _numbers_among(*distinct(column))
    return None if _hold_code(texts) else values


def _numbers_among(words: list[str], codes: numpy.ndarray) -> numpy.ndarray | None:
    """Likewise, of a column's distinct texts, and for each row which one it has."""
    return at(plain_numbers(words), codes) if are_numbers(words) else None


def plain_numbers(words: Sequence[str]) -> numpy.ndarray:
    """The numbers of a column's distinct texts (see `are_numbers`), infinities included, and nan at the end."""
    return numpy.array([*(math.nan if is_missing(word) else number(word) for word in words), math.nan])


def _hold_code(texts: pyarrow.Array) -> bool:
    """Whether any text (see `encoding.texts_of`) is digits behind a leading zero."""
    return bool(pyarrow.compute.any(pyarrow.compute.match_substring_regex(texts, f"^{CODE.pattern}$")).as_py())


def _are_whole(values: numpy.ndarray) -> bool:
    """Whether all numbers of a column could be codes that have lost their leading zeros."""
    return bool((numpy.isnan(values) | ((values >= 0) & (values == numpy.floor(values)))).all())


def _may_hold_codes(rows: memoryview) -> bool:
    """Whether any quoted value starts with a zero and more digits: read as numbers, such codes lose their zeros."""
    characters = numpy.frombuffer(rows, numpy.uint8)
    for begin in range(0, len(characters), CACHED):
        part = characters[begin : begin + CACHED + 2]
        zeros = numpy.flatnonzero((part[:-2] == QUOTE) & (part[1:-1] == ZERO)) + 2
        if ((part[zeros] >= ZERO) & (part[zeros] <= NINE)).any():
            return True
    return False
